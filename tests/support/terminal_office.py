"""A back office whose security machine is a program of its own, `cardsim hsm`, asked over HTTP."""

import json
import subprocess
import time
from types import TracebackType
from typing import Self

from cardd.base.clock import SystemClock
from cardd.crypto.block import Algorithm
from cardd.crypto.money import Amounts
from cardd.keys.line import HsmLine
from cardd.keys.money import CardKeys, Purchase
from cardd.keys.remote import RemoteKeys
from cardsim.rig import program
from support.back_office import BackOffice

_ANSWER_S = 5.0


class HsmProcess:
    """The machine, from `with` to its end."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([program("cardsim"), "hsm"], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.url: str = json.loads(self._process.stdout.readline())["url"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.communicate()


class MachineOffice(BackOffice):
    """Answers for one card, and judges what the card gave."""

    def __init__(self, region: str, historical: str, url: str) -> None:
        super().__init__(region, historical)
        self._machine = RemoteKeys(HsmLine(url, clock=SystemClock(), timeout_s=_ANSWER_S))
        self._keys = self._machine
        self._paid: tuple[CardKeys, Purchase, int] | None = None

    def debit(self, request: str) -> str:
        """Answer iDoDebit_HSM_Step1."""
        algorithm, address, random, sequence, amounts, kind, terminal, time_, end = request.split("|")
        assert (address, kind, end) == ("017F", "2", "")
        cipher = Algorithm(int(algorithm))
        card = CardKeys(cipher, self._factors)
        purchase = Purchase(
            Amounts(0, int(amounts[:8], 16), int(amounts[8:], 16)),
            bytes.fromhex(random),
            int(sequence, 16),
            1,
            int(cipher),
            bytes.fromhex(time_),
        )
        signed = self._machine.sign(card, purchase, bytes.fromhex(terminal), deadline=_soon())
        self._paid = card, purchase, signed.sequence
        return f"{signed.sequence:08X}|{time_}|{signed.mac1.hex().upper()}|"

    def is_right(self, mac2: str) -> bool:
        """Judge what the card gave for the last bill."""
        assert self._paid is not None
        card, purchase, sequence = self._paid
        mac = bytes.fromhex(mac2)
        return bool(self._machine.purchase_mac2_right(card, purchase, sequence, mac, deadline=_soon()))

    def close(self) -> None:
        """End the line."""
        self._machine.close()


def _soon() -> float:
    return time.monotonic() + _ANSWER_S
