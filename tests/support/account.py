"""The other side of a medical account: a terminal and its host, with the keys of the shipped personas."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardd.crypto.authentication import authentication_data
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import diversify_all, factors
from cardd.crypto.money import (
    Amounts,
    load_mac2,
    load_session,
    load_tac,
    purchase_mac1,
    purchase_mac2,
    purchase_session,
    purchase_tac,
)
from cardsim.card.base import VirtualCard
from cardsim.card.chip import Chip
from cardsim.card.make import make_chip
from cardsim.persona import load_persona
from support.cards import ROOT, altered

SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
DF04 = bytes.fromhex("00A4040006D15600000503")
PIN = bytes.fromhex("0020000003123456")
TERMINAL = bytes.fromhex("510100000001")
TIME = bytes.fromhex("20240506101112")
PERSONAS = {Algorithm.DES: "social-bing-2.0", Algorithm.SM4: "social-jia-3.0"}
DSK = 0x87


def account_card(directory: Path, algorithm: Algorithm, **changes: Any) -> Chip:
    """Make a card with an account of 1000.00 and the PIN 123456."""
    base = {"balance": 100_000, "counters": {"online": 7, "offline": 3}, "pin": "123456"}
    return make_chip(load_persona(altered(directory, PERSONAS[algorithm], **(base | changes))))


@dataclass
class Till:
    """One card in the hands of a terminal that has its keys."""

    chip: Chip
    card: VirtualCard
    key: bytes

    @property
    def algorithm(self) -> Algorithm:
        return self.chip.machine.algorithm

    def send(self, command: bytes) -> tuple[bytes, int]:
        """Return data and status word; whatever waits at T=0 is fetched."""
        answer = self.card.transmit(command)
        if answer[-2:-1] == b"\x61":
            answer = self.card.transmit(b"\x00\xc0\x00\x00" + answer[-1:])
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def expect(self, command: bytes) -> bytes:
        data, word = self.send(command)
        assert word == 0x9000, f"{command[:4].hex()}: {word:04X}"
        return data

    def ready(self) -> "Till":
        """Power up, select the account, prove the PIN."""
        self.card.power_on()
        for command in (SSSE, PIN, DF04):
            self.expect(command)
        return self

    def balance(self) -> int:
        return int.from_bytes(self.expect(bytes.fromhex("B026000104")), "big")

    def sums(self) -> tuple[int, int, str]:
        self_paid, pool = (self.expect(bytes.fromhex(f"B02600{p2}06")) for p2 in ("02", "03"))
        return int.from_bytes(self_paid[:4], "big"), int.from_bytes(pool[:4], "big"), self_paid[4:].hex()

    def begin_load(self, amount: int, index: int = 1) -> bytes:
        return self.expect(b"\xb0\x28\x00\x01\x0b" + bytes((index,)) + amount.to_bytes(4, "big") + TERMINAL)

    def credit_command(self, begun: bytes, amount: int, time: bytes = TIME) -> bytes:
        session = load_session(self.algorithm, self.key, begun[8:12], int.from_bytes(begun[4:6], "big"))
        return b"\xb0\x2a\x00\x00\x0b" + time + load_mac2(self.algorithm, session, amount, TERMINAL, time)

    def load_certificate(self, begun: bytes, amount: int) -> bytes:
        balance, sequence = int.from_bytes(begun[:4], "big"), int.from_bytes(begun[4:6], "big")
        return load_tac(self.algorithm, self.key, balance + amount, sequence, amount, TERMINAL, TIME)

    def begin_purchase(self, amounts: Amounts, index: int = 1) -> bytes:
        return self.expect(b"\xb0\x28\x01\x01\x13" + bytes((index,)) + amounts.encode() + TERMINAL)

    def debit_command(self, begun: bytes, amounts: Amounts, terminal_sequence: int = 1, time: bytes = TIME) -> bytes:
        mac1 = purchase_mac1(self.algorithm, self.session(begun, terminal_sequence), amounts, TERMINAL, time)
        return b"\xb0\x2c\x01\x00\x0f" + terminal_sequence.to_bytes(4, "big") + time + mac1

    def debit_answer(self, begun: bytes, amounts: Amounts, terminal_sequence: int = 1) -> bytes:
        session = self.session(begun, terminal_sequence)
        certificate = purchase_tac(self.algorithm, self.key, amounts, TERMINAL, terminal_sequence, TIME)
        return certificate + purchase_mac2(self.algorithm, session, amounts)

    def session(self, begun: bytes, terminal_sequence: int) -> bytes:
        return purchase_session(
            self.algorithm, self.key, begun[18:22], int.from_bytes(begun[14:16], "big"), terminal_sequence
        )

    def proof(self, kind: str, sequence: int) -> bytes | None:
        data, word = self.send(b"\xb0\x2e\x00" + kind.encode() + b"\x02" + sequence.to_bytes(2, "big"))
        assert word in {0x9000, 0x9406}
        return data if word == 0x9000 else None

    def authenticate(self, kid: int) -> None:
        """Prove a key of the root; all of them have the same value on one card."""
        challenge = self.expect(bytes.fromhex("0084000008"))
        answer = authentication_data(self.algorithm, self.key, challenge, bytes(8))
        self.expect(bytes((0x00, 0x82, 0x00, kid, 0x10)) + answer + bytes(8))


def till(chip: Chip, interface: str | None = None) -> Till:
    """Give a card of the shipped root to a terminal."""
    chain = factors("510100", chip.answers.historical).chain
    return Till(chip, chip.on(interface), diversify_all(chip.machine.algorithm, ROOT, chain))
