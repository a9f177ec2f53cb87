"""The medical account (医疗保险个人账户) in DF04: what to send to it and what comes back (LD/T 32.5, 32.7 12).

Every command here is sent once. INITIALIZE commands change nothing on the card; CREDIT and DEBIT move money, all of it
or nothing; GET TRANSACTION PROOF tells afterwards which. Amounts are fen. Status words go up as they are (StatusError).
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Hidden, Struct
from cardd.crypto.money import LOAD, PURCHASE, Amounts
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, StatusError
from cardd.rules.files import FILES
from cardd.rules.names import AIDS

RECORDS: Final = FILES["DF04EF08"]
_CLASS: Final = 0xB0
_WHOLE: Final = 256
_BY_NUMBER: Final = 4
_SEQUENCE: Final = 2
_AMOUNT: Final = 4


class Sum(IntEnum):
    """What GET BALANCE asks for: its P2."""

    ACCOUNT = 0x01
    SELF_PAID = 0x02
    POOL = 0x03


class Deed(IntEnum):
    """What was done to the account, as EF08 and GET TRANSACTION PROOF number it: ASCII digits."""

    LOAD = LOAD[0]
    PURCHASE = PURCHASE[0]


class Balance(Struct, frozen=True):
    """An amount in fen; of the yearly sums also the payment year, four digits, None where none was begun."""

    amount: int
    year: str | None = None

    __repr__ = object.__repr__


class Started(Struct, frozen=True):
    """What every INITIALIZE answers beside amounts: `sequence` is the one that proof and record will have."""

    balance: Hidden[int]
    sequence: int
    version: int
    cipher: int
    random: bytes


class LoadStarted(Started, frozen=True):
    """INITIALIZE FOR LOAD: the card's MAC1 over balance, amount and terminal."""

    mac1: bytes = b""


class PurchaseStarted(Started, frozen=True):
    """INITIALIZE FOR PURCHASE: the yearly sums before it."""

    self_paid: Hidden[int] = 0
    pool: Hidden[int] = 0
    year: str | None = None


class Certificate(Struct, frozen=True):
    """What the card gives for money that moved: TAC, and the MAC that is its own (of a load, the host's MAC2)."""

    tac: bytes
    mac: bytes


class Account:
    """The account's application, selected. Whatever else is selected on the card ends it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @classmethod
    def select(cls, channel: Channel) -> "Account | None":
        """Select DF04 by its identifier; None where the card has no such application."""
        select = Command(0x00, 0xA4, 0x04, 0x00, AIDS["DF04"], _WHOLE)
        response = channel.send(select)
        if response.sw == SW.FILE_NOT_FOUND:
            return None
        if not response.ok:
            raise StatusError(response.sw, select)
        return cls(channel)

    def balance(self, what: Sum) -> Balance:
        """Return one of the three sums (GET BALANCE)."""
        length = _AMOUNT if what is Sum.ACCOUNT else _AMOUNT + 2
        answer = self._expect(Command(_CLASS, 0x26, 0x00, what, le=length), length)
        return Balance(_number(answer[:_AMOUNT]), _year(answer[_AMOUNT:]))

    def begin_load(self, key_index: int, amount: int, terminal: bytes) -> LoadStarted:
        """Begin a load of `amount` (INITIALIZE FOR LOAD); nothing has moved yet."""
        data = bytes((key_index,)) + amount.to_bytes(_AMOUNT, "big") + terminal
        answer = self._expect(Command(_CLASS, 0x28, 0x00, 0x01, data, 0x10), 0x10)
        return LoadStarted(
            balance=_number(answer[:4]),
            sequence=_number(answer[4:6]),
            version=answer[6],
            cipher=answer[7],
            random=answer[8:12],
            mac1=answer[12:16],
        )

    def credit(self, time: bytes, mac2: bytes) -> bytes:
        """Raise the balance (CREDIT FOR LOAD) and return the TAC. Without an answer nobody knows whether it was."""
        return self._expect(Command(_CLASS, 0x2A, 0x00, 0x00, time + mac2, 4), 4)

    def begin_purchase(self, key_index: int, amounts: Amounts, terminal: bytes) -> PurchaseStarted:
        """Begin a purchase (INITIALIZE FOR PURCHASE); nothing has moved yet."""
        data = bytes((key_index,)) + amounts.encode() + terminal
        answer = self._expect(Command(_CLASS, 0x28, 0x01, 0x01, data, 0x16), 0x16)
        return PurchaseStarted(
            balance=_number(answer[:4]),
            self_paid=_number(answer[4:8]),
            pool=_number(answer[8:12]),
            year=_year(answer[12:14]),
            sequence=_number(answer[14:16]),
            version=answer[16],
            cipher=answer[17],
            random=answer[18:22],
        )

    def debit(self, terminal_sequence: int, time: bytes, mac1: bytes) -> Certificate:
        """Take the money (DEBIT FOR PURCHASE). Without an answer nobody knows whether it was taken."""
        data = terminal_sequence.to_bytes(4, "big") + time + mac1
        answer = self._expect(Command(_CLASS, 0x2C, 0x01, 0x00, data, 8), 8)
        return Certificate(tac=answer[:4], mac=answer[4:])

    def proof(self, deed: Deed, sequence: int) -> Certificate | None:
        """Ask whether the transaction with this sequence moved money (GET TRANSACTION PROOF).

        None is the card's word that it did not: 9406. The card keeps the proof until its next money command.
        """
        try:
            answer = self._expect(Command(_CLASS, 0x2E, 0x00, deed, sequence.to_bytes(_SEQUENCE, "big"), 8), 8)
        except StatusError as error:
            if error.sw == SW.PROOF_NOT_AVAILABLE:
                return None
            raise
        return Certificate(mac=answer[:4], tac=answer[4:])

    def starting_day(self) -> str:
        """Return the day on which the payment year begins, mmdd."""
        return self._expect(Command(_CLASS, 0x56, 0x01, 0x00, le=2), 2).hex()

    def set_starting_day(self, day: str) -> None:
        """Set it, four digits mmdd; the card wants DSK proved before."""
        self._channel.expect(Command(_CLASS, 0x56, 0x00, 0x00, bytes.fromhex(day)))

    def records(self) -> Iterator[bytes]:
        """Give the records of EF08, the newest first, as they are stored; the card wants the PIN verified before.

        Ends at the first number that is not there; without the file there are none.
        """
        for number in range(1, _WHOLE - 1):
            command = Command(0x00, 0xB2, number, RECORDS.sfi << 3 | _BY_NUMBER, le=_WHOLE)
            response = self._channel.send(command)
            if response.sw in _NO_MORE:
                return
            if not response.ok:
                raise StatusError(response.sw, command)
            yield response.data

    def _expect(self, command: Command, length: int) -> bytes:
        answer = self._channel.expect(command)
        if len(answer) != length:
            raise CarddError(
                Reason.STATUS_WORD,
                f"the card answered {len(answer)} bytes instead of {length} to {command.header.hex().upper()}",
            )
        return answer


_NO_MORE: Final = frozenset({SW.FILE_NOT_FOUND, SW.RECORD_NOT_FOUND})


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _year(raw: bytes) -> str | None:
    text = raw.hex()
    return text if text.isdigit() and text.strip("0") else None
