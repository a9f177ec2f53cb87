"""Two traces side by side, command by command: what is the same, and where they part.

Random numbers differ from run to run, and with them what is computed of them: challenges, the data of authentications,
MACs, and the terminal's own transactions. They are taken as the same where they are of the same length.
"""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from cardd.base.structs import Struct
from cardsim.trace import Exchange, Trace, without_secrets

_HEADER: Final = 5
_WORD: Final = 2
_MAC: Final = 4
_SECURE: Final = 0x04
_GET_RESPONSE: Final = b"\x00\xc0"
_PROPRIETARY: Final = 0x80

Kind = tuple[int, int, int]
"""CLA, INS, P1."""

_ALL: Final = 256

_RANDOM_COMMANDS: Final[Mapping[tuple[int, int], int]] = MappingProxyType(
    {
        (0x00, 0x88): _ALL,  # INTERNAL AUTHENTICATION: factor and original are the terminal's
        (0x00, 0x82): _ALL,  # EXTERNAL AUTHENTICATION
        (0x80, 0xFA): _ALL,  # a security module ciphers such data
        (0x80, 0x70): _ALL,  # and makes MAC1 of the card's random number
        (0x80, 0x72): _ALL,
        (0xB0, 0x2A): _ALL,  # CREDIT FOR LOAD: time and MAC2
        (0xB0, 0x2C): 11,  # DEBIT FOR PURCHASE: the terminal's sequence, then time and MAC1
    }
)
"""So many bytes at the end of these commands' data hang on somebody's random number or on the time of day."""

_RANDOM_ANSWERS: Final[Mapping[tuple[int, int, int | None], int]] = MappingProxyType(
    {
        (0x00, 0x84, None): _ALL,  # GET CHALLENGE
        (0x00, 0x88, None): _ALL,
        (0x80, 0xFA, None): _ALL,
        (0x80, 0x70, None): 4,  # MAC1
        (0xB0, 0x28, 0): 8,  # INITIALIZE FOR LOAD: random number and MAC1
        (0xB0, 0x28, 1): 4,  # INITIALIZE FOR PURCHASE: random number
        (0xB0, 0x2A, None): _ALL,
        (0xB0, 0x2C, None): _ALL,
        (0xB0, 0x2E, None): _ALL,  # GET TRANSACTION PROOF
    }
)
"""And of these commands' answers."""


class What(StrEnum):
    """How two traces differ at one place."""

    ATR = "atr"
    ONLY_FIRST = "only in the first"
    ONLY_SECOND = "only in the second"
    COMMAND = "command data"
    WORD = "status word"
    LENGTH = "answer length"
    ANSWER = "answer data"


class Difference(Struct, frozen=True):
    """One of them: the exchange's place in each trace (from 1, None where it is not there), and both sides in hex."""

    what: What
    first: int | None
    second: int | None
    command: str
    mine: str
    other: str

    def __str__(self) -> str:
        if self.what is What.ATR:
            return f"answer to reset: {self.mine}, {self.other}"
        places = f"exchange {self.first or '-'}/{self.second or '-'}"
        if self.what in {What.ONLY_FIRST, What.ONLY_SECOND}:
            return f"{places}: {self.what}: {self.command} -> {self.mine or self.other or 'nothing'}"
        return f"{places}: {self.what}: {self.command}: {self.mine or 'nothing'}, {self.other or 'nothing'}"


class Comparison(msgspec.Struct, frozen=True):
    """What was found: how many exchanges each has, how many stand side by side and are the same, all differences."""

    exchanges: tuple[int, int]
    alike: int
    random: int
    """How many of those differ in random numbers, or in what is computed of them."""
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Say whether there is no difference."""
        return not self.differences

    @property
    def summary(self) -> Mapping[str, int]:
        """Return how many differences there are of each kind."""
        counts: dict[str, int] = {}
        for difference in self.differences:
            counts[str(difference.what)] = counts.get(str(difference.what), 0) + 1
        return counts


def compare(first: Trace, second: Trace, *, values: bool = True) -> Comparison:
    """Compare two traces. Without `values` any data are the same as any others of the same length."""
    differences: list[Difference] = []
    if first.atr != second.atr and (values or len(first.atr) != len(second.atr)):
        differences.append(Difference(What.ATR, None, None, "", first.atr.hex().upper(), second.atr.hex().upper()))
    alike = random = 0
    sides = _Side(first), _Side(second)
    for left, right in _aligned(*sides):
        found = list(_differences(sides, left, right, values=values))
        differences += found
        alike += not found
        random += not found and left is not None and right is not None and _differs(sides, left, right)
    return Comparison((len(first.exchanges), len(second.exchanges)), alike, random, tuple(differences))


class _Side:
    """One trace, with the command that each GET RESPONSE belongs to."""

    def __init__(self, trace: Trace) -> None:
        self.exchanges = trace.exchanges
        self.kinds: list[Kind] = []
        last: Kind = (-1, -1, -1)
        for exchange in trace.exchanges:
            header = exchange.command[: _HEADER - 1]
            if header[:2] != _GET_RESPONSE and len(header) == _HEADER - 1:
                last = (header[0], header[1], header[2])
            self.kinds.append(last)

    @property
    def shapes(self) -> list[tuple[bytes, int, Kind]]:
        """Return what commands are aligned by: header, number of bytes, what a GET RESPONSE belongs to."""
        return [
            (exchange.command[: _HEADER - 1], len(exchange.command), kind)
            for exchange, kind in zip(self.exchanges, self.kinds, strict=True)
        ]


def _aligned(first: _Side, second: _Side) -> Iterator[tuple[int | None, int | None]]:
    matcher = SequenceMatcher(None, first.shapes, second.shapes, autojunk=False)
    for _, start1, end1, start2, end2 in matcher.get_opcodes():
        equal = end1 - start1 == end2 - start2 and first.shapes[start1:end1] == second.shapes[start2:end2]
        if equal:
            yield from zip(range(start1, end1), range(start2, end2), strict=True)
            continue
        for index in range(start1, end1):
            yield index, None
        for index in range(start2, end2):
            yield None, index


def _differences(
    sides: tuple[_Side, _Side], left: int | None, right: int | None, *, values: bool
) -> Iterator[Difference]:
    if left is None or right is None:
        yield _alone(sides, left, right)
        return
    mine, other = sides[0].exchanges[left], sides[1].exchanges[right]
    kind = sides[0].kinds[left]

    def difference(what: What, one: bytes, two: bytes) -> Difference:
        return Difference(what, left + 1, right + 1, _shown(mine.command), one.hex().upper(), two.hex().upper())

    if values and _told_command(mine, other, kind) != _told_command(other, mine, kind):
        yield difference(What.COMMAND, without_secrets(mine.command), without_secrets(other.command))
    if mine.response[-_WORD:] != other.response[-_WORD:]:
        yield difference(What.WORD, mine.response[-_WORD:], other.response[-_WORD:])
    if len(mine.response) != len(other.response):
        yield difference(What.LENGTH, mine.response[:-_WORD], other.response[:-_WORD])
    elif values and _told_answer(mine, other, kind) != _told_answer(other, mine, kind):
        yield difference(What.ANSWER, mine.response[:-_WORD], other.response[:-_WORD])


def _alone(sides: tuple[_Side, _Side], left: int | None, right: int | None) -> Difference:
    if left is not None:
        exchange = sides[0].exchanges[left]
        return Difference(
            What.ONLY_FIRST, left + 1, None, _shown(exchange.command), exchange.response[-_WORD:].hex().upper(), ""
        )
    assert right is not None  # noqa: S101 # one of the two is there
    exchange = sides[1].exchanges[right]
    return Difference(
        What.ONLY_SECOND, None, right + 1, _shown(exchange.command), "", exchange.response[-_WORD:].hex().upper()
    )


def _differs(sides: tuple[_Side, _Side], left: int, right: int) -> bool:
    mine, other = sides[0].exchanges[left], sides[1].exchanges[right]
    return (mine.command, mine.response) != (other.command, other.response)


def _told_command(exchange: Exchange, other: Exchange, kind: Kind) -> bytes:
    """Return a command without what random numbers or masks, of either side, make of it."""
    command = exchange.command
    random = min(_RANDOM_COMMANDS.get(kind[:2], _mac_of(command)), max(0, len(command) - _HEADER))
    return _without(command[: len(command) - random], exchange.masked, other.masked)


def _mac_of(command: bytes) -> int:
    """Return how many bytes at the end of a command with secure messaging are random: a cipher is, as its MAC is."""
    if not command or not command[0] & _SECURE:
        return 0
    return _ALL if command[0] & _PROPRIETARY else _MAC


def _told_answer(exchange: Exchange, other: Exchange, kind: Kind) -> bytes:
    data = exchange.response[:-_WORD]
    random = _RANDOM_ANSWERS.get((*kind[:2], None), _RANDOM_ANSWERS.get(kind, 0))
    return _without(data[: max(0, len(data) - random)], exchange.unread, other.unread)


def _without(text: bytes, *places: tuple[int, int] | None) -> bytes:
    for place in places:
        if place is not None:
            offset, length = place
            text = text[:offset] + bytes(len(text[offset : offset + length])) + text[offset + length :]
    return text


def _shown(command: bytes) -> str:
    return without_secrets(command).hex().upper()
