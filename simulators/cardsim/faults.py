"""Cards with something wrong: a wrapper that does what a list of faults says, around any card."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final

from cardd.rules.psam import TERMINAL_SEQUENCE
from cardsim.card.base import VirtualCard
from cardsim.card.chip import Chip, ContactlessCard
from cardsim.card.filesystem import TransparentFile
from cardsim.card.keyring import set_tries
from cardsim.card.money_file import Cell, MoneyFile
from cardsim.card.status import WAITING
from cardsim.card.system import GET_RESPONSE
from cardsim.fault_list import (
    EVERY,
    RESET,
    Answer,
    AnyFault,
    Endless,
    Flip,
    Mute,
    Slow,
    Stick,
    Tear,
    Twin,
    Worn,
    WrongMac,
)

Sleep = Callable[[float], None]
Undo = Callable[[], None]

_WORD: Final = 2
_MAC: Final = 4
_HEADER: Final = 5
"""CLA INS P1 P2 P3, as T=0 sends them."""
_CHARACTER: Final = 12
"""Elementary time units of a character at T=0."""
_LONGEST: Final = 256
_NOTHING: Final = b""


class ImpossibleFaultError(ValueError):
    """A fault that a card cannot have: which one of the list, and which of its fields is wrong (empty: all of it)."""

    def __init__(self, index: int, field: str, problem: str) -> None:
        super().__init__(problem)
        self.index = index
        self.field = field

    @property
    def place(self) -> str:
        """Return where it stands in the list, as documents say it: `[2].at`."""
        return f"[{self.index}].{self.field}" if self.field else f"[{self.index}]"


class Faults:
    """What is wrong with one chip, whatever interface it is seen through.

    `sleep` is what a slow card does (seconds), `find_twin` makes the chip that takes this one's place. Raises
    ImpossibleFaultError for a fault that this card cannot have: an unknown command, a counter that it has not.
    """

    def __init__(
        self,
        chip: Chip,
        faults: Sequence[AnyFault],
        sleep: Sleep = time.sleep,
        find_twin: Callable[[Twin], Chip] | None = None,
    ) -> None:
        self.chip: Final = chip
        self.sleep: Final = sleep
        self.answering = chip
        """The chip that answers: this one, until a twin takes its place."""
        self._faults = faults
        self._commands = 0
        self._resets = 0
        self._named: dict[str, int] = {}
        self._twins: dict[Twin, Chip] = {}
        for index, fault in enumerate(faults):
            for field, problem in _problems(fault, chip):
                raise ImpossibleFaultError(index, field, problem)
            if isinstance(fault, Twin):
                self._twins[fault] = _twin(index, fault, chip, find_twin)

    def around(self, card: VirtualCard) -> VirtualCard:
        """Return a card that has these faults."""
        return FaultyCard(self, card)

    def strike(self, command: bytes) -> list[AnyFault]:
        """Count a command and return the faults that hit it."""
        name = self.chip.system.name(command) or ""
        self._commands += 1
        self._named[name] = self._named.get(name, 0) + 1
        return self._told(fault for fault in self._faults if self._hits(fault, name))

    def strike_reset(self) -> list[AnyFault]:
        """Count a reset and return the faults that hit it."""
        self._resets += 1
        return self._told(fault for fault in self._faults if fault.at == RESET and fault.nth in {None, self._resets})

    def hold(self, counter: str) -> Undo:
        """Note where a counter stands; return what puts it back there."""
        held = list(_COUNTERS[counter](self.answering))

        def undo() -> None:
            for put_back in held:
                put_back()

        return undo

    def _hits(self, fault: AnyFault, name: str) -> bool:
        if fault.at == EVERY:
            return fault.nth in {None, self._commands}
        if fault.at.isdecimal():
            return int(fault.at) == self._commands
        return fault.at.upper() == name and fault.nth in {None, self._named[name]}

    def _told(self, struck: Iterable[AnyFault]) -> list[AnyFault]:
        hits = list(struck)
        if self.chip.tell is not None:
            for fault in hits:
                self.chip.tell(f"---- fault: {type(fault).__name__.lower()}")
        return hits

    def exchange(self, fault: Twin) -> None:
        """Let the twin answer from now on."""
        self.answering = self._twins[fault]


class FaultyCard:
    """A card through which its faults are seen."""

    def __init__(self, faults: Faults, card: VirtualCard) -> None:
        self._faults = faults
        self._card = card
        self._chip = faults.chip
        self._interface = "contactless" if isinstance(card, ContactlessCard) else "contact"
        self._mute = False
        self._out = False
        self._endless = 0
        self._alterations: list[Flip | WrongMac] = []
        self._rates: list[Slow] = []

    def power_on(self) -> bytes:
        """Give power and return the answer to reset."""
        return self._begin(self._present().power_on())

    def reset(self) -> bytes:
        """Reset without taking power away and return the answer to reset."""
        return self._begin(self._present().reset())

    def power_off(self) -> None:
        """Take power away."""
        self._card.power_off()

    def transmit(self, command: bytes) -> bytes:
        """Return what the card answers, or what its faults make of that."""
        if self._mute:
            return _NOTHING
        if command[:2] == GET_RESPONSE:
            return self._at_its_rate(command, self._more(command))
        self._endless, self._alterations = 0, []
        struck = self._faults.strike(command)
        self._rates = [fault for fault in struck if isinstance(fault, Slow) and fault.baud]
        return self._at_its_rate(command, self._struck(command, struck))

    def _begin(self, answer: bytes) -> bytes:
        answer = self._first_answer or answer
        self._mute, self._endless, self._alterations, self._rates = self._out, 0, [], []
        for fault in self._faults.strike_reset():
            if isinstance(fault, Slow):
                self._faults.sleep(fault.ms / 1000 if fault.ms else _CHARACTER * len(answer) / (fault.baud or 1))
            elif isinstance(fault, Flip):
                answer = _flipped(answer, fault)
            elif isinstance(fault, Twin):
                self._exchange(fault)
            else:
                self._mute = True
        return _NOTHING if self._mute else answer

    @property
    def _first_answer(self) -> bytes | None:
        """Return what the card answered to a reset before anything took its place."""
        answers = self._faults.chip.answers
        return answers.contactless if self._interface == "contactless" else answers.contact

    def _present(self) -> VirtualCard:
        """Return the card that is there now, which the other interface may have exchanged."""
        if self._chip is not self._faults.answering:
            self._chip = self._faults.answering
            self._card = self._chip.on(self._interface)
        return self._card

    def _exchange(self, fault: Twin) -> None:
        self._card.power_off()
        self._faults.exchange(fault)
        self._present().power_on()

    def _at_its_rate(self, command: bytes, answer: bytes) -> bytes:
        for fault in self._rates:
            self._faults.sleep(_seconds(fault, command, answer))
        return answer

    def _struck(self, command: bytes, struck: Sequence[AnyFault]) -> bytes:
        self._before(struck)
        for fault in struck:
            if isinstance(fault, Mute | Answer | Endless) or (isinstance(fault, Tear) and fault.when == "before"):
                return self._instead(fault)
        self._alterations = [fault for fault in struck if isinstance(fault, Flip | WrongMac)]
        tears = [fault for fault in struck if isinstance(fault, Tear)]
        memory = self._chip.machine.memory
        for fault in tears:
            if fault.when == "during":
                memory.cut_after(fault.bytes)
        for fault in struck:
            if isinstance(fault, Worn):
                memory.wear_out_after(fault.bytes)
        held = [self._faults.hold(fault.counter) for fault in struck if isinstance(fault, Stick)]
        answer = self._card.transmit(command)
        for undo in held:
            undo()
        return self._torn(*tears) if tears else self._altered(answer)

    def _before(self, struck: Sequence[AnyFault]) -> None:
        for fault in struck:
            if isinstance(fault, Slow) and fault.ms:
                self._faults.sleep(fault.ms / 1000)
            elif isinstance(fault, Twin):
                self._exchange(fault)

    def _instead(self, fault: Tear | Mute | Answer | Endless) -> bytes:
        """Answer a command that the card does not get."""
        if isinstance(fault, Tear):
            self._rates = []
            return self._torn(fault)
        if isinstance(fault, Mute):
            self._mute = True
            return _NOTHING
        if isinstance(fault, Answer):
            return bytes.fromhex(fault.word)
        self._endless = fault.waiting
        return (WAITING | fault.waiting).to_bytes(_WORD, "big")

    def _more(self, command: bytes) -> bytes:
        if not self._endless:
            return self._altered(self._card.transmit(command))
        asked = (command[4] if len(command) > 4 else 0) or _LONGEST  # noqa: PLR2004 # Le follows the header
        return bytes(min(asked, self._endless)) + (WAITING | self._endless).to_bytes(_WORD, "big")

    def _altered(self, answer: bytes) -> bytes:
        """Alter the data; where it still waits for GET RESPONSE, later."""
        data, word = answer[:-_WORD], answer[-_WORD:]
        if data:
            for fault in self._alterations:
                data = _flipped(data, fault if isinstance(fault, Flip) else _MAC_FLIP)
            self._alterations = []
        return data + word

    def _torn(self, *tears: Tear) -> bytes:
        self._out = self._mute = any(tear.stays_out for tear in tears)
        self._card.power_off()
        return _NOTHING


_MAC_FLIP: Final = Flip(bits="FF" * _MAC, offset=-_MAC)


def _flipped(data: bytes, fault: Flip) -> bytes:
    changed = bytearray(data)
    start = fault.offset if fault.offset >= 0 else max(0, len(data) + fault.offset)
    for index, bits in enumerate(bytes.fromhex(fault.bits), start):
        if index < len(changed):
            changed[index] ^= bits
    return bytes(changed)


def _seconds(fault: Slow, command: bytes, answer: bytes) -> float:
    """Return how long a command and its answer travel; a command without an answer travels one way only."""
    data = command[_HEADER : _HEADER + command[_HEADER - 1]] if len(command) > _HEADER else b""
    travels = bool(data) or len(answer) > _WORD
    to_card, from_card = _HEADER + len(data), len(answer) + (travels and bool(answer))
    return (to_card * (_CHARACTER + fault.guard) + from_card * _CHARACTER) / (fault.baud or 1)


def _problems(fault: AnyFault, chip: Chip) -> Iterator[tuple[str, str]]:
    """Yield which field of a fault cannot be so on a card, and why."""
    known = chip.system.names
    if fault.at.isdecimal():
        if int(fault.at) == 0:
            yield "at", "commands are counted from 1"
        if fault.nth is not None:
            yield "nth", f"goes with a name: `at: {fault.at}` is that one command"
    elif fault.at not in {EVERY, RESET} and fault.at.upper() not in known:
        yield "at", f"no command `{fault.at}` here; known are {', '.join(sorted(known))}"
    if fault.at == RESET and not isinstance(fault, Mute | Flip | Slow | Twin):
        yield "at", "at a reset a card can be mute, slow, exchanged for a twin, or its answer wrong"
    if isinstance(fault, Stick) and not list(_COUNTERS[fault.counter](chip)):
        yield "counter", f"this card has no counter `{fault.counter}`"
    if isinstance(fault, WrongMac) and not known & _WITH_MAC:
        yield "do", "this card computes no MAC; to make its data wrong, `do: flip`"


_WITH_MAC: Final = frozenset({"INITIALIZE FOR LOAD", "80 70", "84 D4"})
"""Commands of the cards whose answers bear MACs: by them such a card is known."""


def _twin(index: int, fault: Twin, chip: Chip, find: Callable[[Twin], Chip] | None) -> Chip:
    if find is None:
        raise ImpossibleFaultError(index, "do", "nobody is there to make a twin of this card")
    try:
        twin = find(fault)
    except ValueError as error:
        raise ImpossibleFaultError(index, "persona", str(error)) from None
    for interface in ("contact", "contactless"):
        if getattr(chip.answers, interface) and not getattr(twin.answers, interface):
            raise ImpossibleFaultError(index, "persona", f"its card has no interface `{interface}`, as this one has")
    return twin


def _loads(chip: Chip) -> Iterator[Undo]:
    return _cells(chip, Cell.ONLINE)


def _purchases(chip: Chip) -> Iterator[Undo]:
    return _cells(chip, Cell.OFFLINE)


def _cells(chip: Chip, cell: Cell) -> Iterator[Undo]:
    return (_cell(application.money, cell) for application in chip.machine.root.walk() if application.money)


def _cell(money: MoneyFile, cell: Cell) -> Undo:
    value = money[cell]

    def undo() -> None:
        money[cell] = value

    return undo


def _debits(chip: Chip) -> Iterator[Undo]:
    for application in chip.machine.root.walk():
        file = application.files.get(TERMINAL_SEQUENCE.fid)
        if isinstance(file, TransparentFile):
            yield partial(file.put, 0, bytes(file.content))


def _tries(chip: Chip) -> Iterator[Undo]:
    for application in chip.machine.root.walk():
        if application.pin is not None:
            yield partial(set_tries, application.pin, application.pin.tries)


_COUNTERS: Final[Mapping[str, Callable[[Chip], Iterator[Undo]]]] = MappingProxyType(
    {"online": _loads, "offline": _purchases, "terminal": _debits, "pin": _tries}
)
