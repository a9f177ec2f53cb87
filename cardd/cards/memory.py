"""Memory cards in a PC/SC reader: pseudo-APDUs that the reader itself understands, by a table of readers.

Only reading: the chips guard writing by a secret code with a few tries, and no command here could spend one.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct
from cardd.iso7816.apdu import Command
from cardd.iso7816.atr import Atr, parse_atr
from cardd.iso7816.channel import Channel
from cardd.rules.old_cards import ATR_STARTS, TELLTALE, TELLTALE_VALUES, Chip

_READER: Final = 0xFF
_CHIP_ANSWER: Final = 4
_MOST: Final = 128


class PseudoApdus(Struct, frozen=True):
    """How a family of readers is told to read memory cards: `FF A4 00 00 01 type`, then `FF B0 address length`."""

    name: str
    types: Mapping[Chip, int]

    def choose(self, chip: Chip) -> Command:
        """Return the command that chooses the chip; the reader resets it."""
        return Command(_READER, 0xA4, 0x00, 0x00, bytes((self.types[chip],)))

    def read(self, address: int, length: int) -> Command:
        """Return the command that reads up to 128 bytes."""
        return Command(_READER, 0xB0, address >> 8, address & 0xFF, le=length)


ACS: Final = PseudoApdus("ACS", MappingProxyType({Chip.SLE4442: 0x06, Chip.SLE4428: 0x05}))

READERS: Final[tuple[tuple[str, PseudoApdus], ...]] = (
    ("*ACS*", ACS),
    ("*ACR[0-9]*", ACS),
    # showing the chip's answer as historical bytes is the same makers' habit
    ("*", ACS),
)
"""Which family a reader belongs to, by a glob for its PC/SC name; the first that fits counts."""


def family_of(reader: str) -> PseudoApdus | None:
    """Return the family of the reader with this PC/SC name, None where no row fits."""
    return next((family for glob, family in READERS if fnmatchcase(reader, glob)), None)


def is_memory_card(atr: bytes) -> bool:
    """Tell whether a reader shows a memory card: a bare answer to reset with the chip's four bytes in it.

    Which chip is another question. A processor card with four historical bytes and nothing else would look the same,
    and refuses what only readers understand.
    """
    return _chip_answer(parse_atr(atr)) is not None


def choose_chip(channel: Channel, family: PseudoApdus, atr: bytes) -> Chip | None:
    """Have the reader choose the chip, and return which it is; None where this is no memory card.

    The chip's answer to reset tells it; where it does not, one byte of the memory does.
    """
    answer = _chip_answer(parse_atr(atr))
    if answer is None:
        return None
    known = ATR_STARTS.get(answer[0])
    if known is not None:
        return known if channel.send(family.choose(known)).ok else None
    if not channel.send(family.choose(Chip.SLE4428)).ok:
        return None
    telltale = channel.send(family.read(TELLTALE, 1))
    chip = TELLTALE_VALUES.get(telltale.data[0]) if telltale.ok and telltale.data else None
    return chip if chip is not None and channel.send(family.choose(chip)).ok else None


def read_memory(channel: Channel, family: PseudoApdus, length: int) -> bytes | None:
    """Read so many bytes from the beginning; None where the reader refuses, or gives another length than asked."""
    memory = b""
    while len(memory) < length:
        size = min(_MOST, length - len(memory))
        response = channel.send(family.read(len(memory), size))
        if not response.ok or len(response.data) != size:
            return None
        memory += response.data
    return memory


def _chip_answer(atr: Atr) -> bytes | None:
    """Return the chip's own four bytes; None for an answer to reset that says anything of its own."""
    bare = not atr.interface and len(atr.historical) == _CHIP_ANSWER
    return atr.historical if bare else None
