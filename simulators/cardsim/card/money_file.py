"""The medical account inside the card: what its money file holds, and a transaction that was begun (LD/T 32.6 8.5)."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from cardd.base.structs import Hidden, Struct
from cardd.crypto.money import Amounts
from cardd.rules.account import YearSums
from cardsim.card.memory import CellChange


class Cell(Enum):
    """Where each element stands: offset and length in bytes. Year and day are packed digits, the others binary.

    The proof of the last transaction lies behind them: type (00: none), sequence, MAC, certificate.
    """

    ONLINE = (0, 2)
    OFFLINE = (2, 2)
    BALANCE = (4, 4)
    SELF_PAID = (8, 4)
    POOL = (12, 4)
    YEAR = (16, 2)
    START_DAY = (18, 2)
    PROOF_TYPE = (20, 1)
    PROOF_SEQUENCE = (21, 2)
    PROOF_MAC = (23, 4)
    PROOF_TAC = (27, 4)


_SIZE: Final = 31
_NONE: Final = b"\x00"


class MoneyFile:
    """The account of one card: its elements, and its keys by index.

    `debit`, `load` and `certificate` are DPK, DLK and DTK, their values by version.
    """

    def __init__(self, debit: Mapping[int, bytes], load: Mapping[int, bytes], certificate: Mapping[int, bytes]) -> None:
        self.debit: Final = debit
        self.load: Final = load
        self.certificate: Final = certificate
        self.cells: Final = bytearray(_SIZE)

    def __getitem__(self, cell: Cell) -> bytes:
        offset, length = cell.value
        return bytes(self.cells[offset : offset + length])

    def __setitem__(self, cell: Cell, value: bytes) -> None:
        offset, length = cell.value
        if len(value) != length:
            raise ValueError(f"{cell.name} of {len(value)} bytes, not {length}")
        self.cells[offset : offset + length] = value

    def number(self, cell: Cell) -> int:
        """Return a binary element's value."""
        return int.from_bytes(self[cell], "big")

    def set_number(self, cell: Cell, value: int) -> None:
        """Set a binary element. Raises OverflowError for a value that has no place in it."""
        self[cell] = value.to_bytes(cell.value[1], "big")

    def change(self, cell: Cell, value: int | bytes) -> CellChange:
        """Return the change of one element, for a transaction. Raises OverflowError."""
        offset, length = cell.value
        return CellChange(self.cells, offset, value if isinstance(value, bytes) else value.to_bytes(length, "big"))

    @property
    def sums(self) -> YearSums:
        """Return what was paid in the payment year."""
        return YearSums(self.number(Cell.SELF_PAID), self.number(Cell.POOL), packed(self[Cell.YEAR]))

    @property
    def start_day(self) -> int:
        """Return the payment year's first day, mmdd."""
        return packed(self[Cell.START_DAY])

    @property
    def has_proof(self) -> bool:
        """Say whether the last transaction can still be proved."""
        return self[Cell.PROOF_TYPE] != _NONE

    def no_proof(self) -> CellChange:
        """Return the change that gives the proof up."""
        return self.change(Cell.PROOF_TYPE, _NONE)


def packed(digits: bytes) -> int:
    """Return the number that packed digits write. Raises ValueError for other nibbles."""
    return int(digits.hex())


class Load(Struct, frozen=True):
    """A load that INITIALIZE FOR LOAD began. `balance` is the one before it, `certificate` the DTK."""

    session: Hidden[bytes]
    certificate: Hidden[bytes]
    sequence: int
    balance: int
    amount: int
    terminal: bytes
    mac1: bytes
    name = "load"


class Purchase(Struct, frozen=True):
    """A purchase that INITIALIZE FOR PURCHASE began; its session key needs the terminal's sequence."""

    key: Hidden[bytes]
    certificate: Hidden[bytes]
    random: bytes
    sequence: int
    amounts: Amounts
    terminal: bytes
    name = "purchase"


Transaction = Load | Purchase
