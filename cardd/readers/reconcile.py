"""What a new look at the slots means: a pure function from what was known and what is seen to facts.

Nothing here waits, asks or remembers: every function takes a `State` and gives a `Change`. So each question of "was
that one card or two" has one answer, which can be tried out for every pair of looks.

The rules: an insertion ends at the first sign. A counter that moved while a card is present means that cards were
exchanged unseen: one pair of facts, however far it moved. A card that was never seen between two looks is not told.
After the service went down everything is looked at as if for the first time.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.iso7816.device import Observation, Presence, ServiceDown, ServiceUp, Slot, Slots
from cardd.readers.config import Role
from cardd.readers.facts import (
    CardInserted,
    CardRemoved,
    CardTrouble,
    Cause,
    Fact,
    ReaderAttached,
    ReaderDetached,
    ReaderState,
    ReaderUnavailable,
    ServiceCameUp,
    ServiceWentDown,
)
from cardd.readers.insertion import Insertion, insertion_id
from cardd.readers.looks import NO_DEVICE, device, is_another_card, is_blind, verdict
from cardd.readers.matching import Place

SETTLE_S: Final = 0.6
"""pcscd looks every 0.4 s whether a card is there: after that long it has seen what a lost connection meant."""

SETTLE_DOUBLINGS: Final = 7
"""A card that is lost again and again is looked at less and less often, down to every 77 s."""

FREE_RELAPSES: Final = 2
"""So often a card is lost and does well again without being kept waiting longer."""
FORGIVEN: Final = 8
"""So many jobs that a card does well without being lost."""

_NO_PAST: Final[Mapping[str, object]] = MappingProxyType(
    {"losses": 0, "relapses": 0, "well": 0, "answered": b"", "silent": None, "stay": ""}
)
"""What is known of a card of which nothing is."""

_TROUBLE: Final = {Presence.MUTE: Reason.CARD_MUTE, Presence.UNPOWERED: Reason.CARD_UNPOWERED}
_DARK: Final = frozenset({Presence.EMPTY, Presence.MUTE, Presence.UNPOWERED})
_STATES: Final = {
    Presence.EMPTY: ReaderState.EMPTY,
    Presence.PRESENT: ReaderState.PRESENT,
    Presence.MUTE: ReaderState.MUTE,
    Presence.UNPOWERED: ReaderState.UNPOWERED,
    Presence.UNAVAILABLE: ReaderState.UNAVAILABLE,
}
_SILENT: Final = {Reason.CARD_MUTE: ReaderState.MUTE, Reason.CARD_UNPOWERED: ReaderState.UNPOWERED}


class SlotState(Struct, frozen=True):
    """What is known of one slot.

    `look` is the last look (none since the service came back: None). `found`: nobody saw the present card go in.
    `ticket` is set while a lost card settles. `losses` counts transport errors of the present card without a success
    between, `relapses` those after one, until `FORGIVEN` jobs have done well since: `well` counts them. `answered` is
    the answer to reset that a connection gave where it differed from the look's. `hung`: why a call into the reader
    does not return. `silent` is why the last power-up failed. `stay` is that of the card, once
    an insertion of it ended.
    """

    place: Place
    look: Slot | None = None
    insertion: Insertion | None = None
    found: bool = False
    ticket: int | None = None
    losses: int = 0
    relapses: int = 0
    well: int = 0
    answered: bytes = b""
    hung: Reason | None = None
    silent: Reason | None = None
    stay: str = ""


class State(Struct, frozen=True):
    """What is known of all slots, and how many insertions and tickets were given out.

    `lent` names the readers that another program works with: what is in them is seen and is nobody's insertion. A name
    stays lent when its reader goes and comes back, which is what a program that loads new firmware makes it do.
    """

    boot: int
    slots: Mapping[str, SlotState] = msgspec.field(default_factory=dict)
    down: ServiceDown | None = None
    insertions: int = 0
    tickets: int = 0
    lent: frozenset[str] = frozenset()

    def holding(self, insertion: str) -> SlotState | None:
        """Return the slot in which an insertion lasts, None if it is over or never was."""
        return next((s for s in self.slots.values() if s.insertion and s.insertion.id == insertion), None)


class Settling(Struct, frozen=True):
    """A wish to be asked again by `settle` after so many seconds."""

    slot: str
    ticket: int
    seconds: float


class Change(Struct, frozen=True):
    """What follows: the new state, facts in order, and settling times to wait for."""

    state: State
    facts: tuple[Fact, ...] = ()
    settling: tuple[Settling, ...] = ()


Placing = Callable[[Slot, Collection[str]], Place]
"""Gives a slot its place; the second argument holds the reader names in use."""


def reconcile(state: State, observation: Observation, place: Placing) -> Change:
    """Return what an observation means."""
    turn = _Turn(state)
    match observation:
        case ServiceDown():
            turn.go_down(observation)
        case ServiceUp():
            turn.come_up()
        case Slots(slots=slots):
            turn.come_up()
            turn.look_at({slot.name: slot for slot in slots}, place)
    return turn.change()


def lose(state: State, insertion: str, cause: Cause, *, answered: bytes = b"") -> Change:
    """End an insertion whose card was lost on the way; it may settle into a new one.

    `answered` is the answer to reset that a connection gave, if it was not the insertion's. Nothing follows if the
    insertion is over already.
    """
    turn = _Turn(state)
    slot = state.holding(insertion)
    if slot is not None:
        turn.close(slot.place.pcsc_name, cause)
        turn.update(
            slot.place.pcsc_name,
            losses=slot.losses + 1,
            # what another program does to a card is not the card's fault
            relapses=slot.relapses + (slot.losses == 0 and cause is Cause.TRANSPORT_ERROR),
            well=0,
            answered=answered or slot.answered,
        )
        turn.wait(slot.place.pcsc_name)
    return turn.change()


def settle(state: State, name: str, ticket: int) -> Change:
    """Open a new insertion for a lost card that is still there, unless something was seen since."""
    turn = _Turn(state)
    slot = state.slots.get(name)
    if slot is not None and slot.ticket == ticket:
        turn.update(name, ticket=None)
        turn.open(name)
    return turn.change()


def hang(state: State, name: str, error: CarddError) -> Change:
    """Note that a call into a reader does not return: its insertion is over, its answers will not be believed."""
    turn = _Turn(state)
    slot = state.slots.get(name)
    if slot is not None and not slot.hung:
        turn.close(name, Cause.TRANSPORT_ERROR)
        turn.update(name, hung=error.reason, ticket=None)
        programs = str(error.facts.get("programs", ""))
        turn.tell(ReaderUnavailable(slot.place.reader, error.detail, error.reason, programs))
    return turn.change()


def revive(state: State, name: str) -> Change:
    """Note that the hung call has returned, or was given up: a card inside becomes a new insertion when settled."""
    turn = _Turn(state)
    slot = state.slots.get(name)
    if slot is not None and slot.hung:
        turn.update(name, hung=None)
        turn.wait(name)
    return turn.change()


def lend(state: State, reader: str) -> Change:
    """Give a reader to another program: its insertion is over, and no new one begins in it."""
    turn = _Turn(state)
    turn.lent |= {reader}
    for name in turn.of(reader):
        turn.close(name, Cause.LENT)
        turn.update(name, ticket=None)
    return turn.change()


def take_back(state: State, reader: str) -> Change:
    """Take a reader back: a card inside is a new insertion, which nobody saw go in."""
    turn = _Turn(state)
    turn.lent -= {reader}
    for name in turn.of(reader):
        turn.update(name, found=True, **_NO_PAST)
        turn.open(name)
    return turn.change()


def note_answer(state: State, insertion: str, silent: Reason | None) -> Change:
    """Note how a job found an insertion's card: None for well, else CARD_MUTE or CARD_UNPOWERED at power-up."""
    turn = _Turn(state)
    slot = state.holding(insertion)
    if slot is not None:
        if silent is None:
            well = slot.well + 1
            # a card that is lost at one and the same command does well before it each time
            relapses = slot.relapses if well < FORGIVEN else 0
            turn.update(slot.place.pcsc_name, silent=None, losses=0, relapses=relapses, well=well)
        else:
            turn.update(slot.place.pcsc_name, silent=silent)
    return turn.change()


def recount(state: State) -> tuple[Fact, ...]:
    """Return the facts that lead a newcomer to this state."""
    facts: list[Fact] = []
    if state.down is not None:
        facts.append(_went_down(state.down))
    for slot in state.slots.values():
        facts.append(_attached(slot.place))
        if slot.insertion is not None:
            facts.append(CardInserted(slot.insertion))
    return tuple(facts)


def view(state: State, slot: SlotState, *, ours: bool) -> ReaderState:
    """Return a reader's state as clients see it. `ours`: the handle that makes it look in use is our own."""
    if state.down is not None or slot.look is None:
        return ReaderState.UNAVAILABLE
    if slot.hung is not None:
        return ReaderState.IN_USE if slot.hung is Reason.READER_IN_USE else ReaderState.UNAVAILABLE
    if slot.place.reader in state.lent:
        return ReaderState.IN_USE
    if slot.look.presence is not Presence.PRESENT:
        return _STATES[slot.look.presence]
    if slot.look.in_use and not ours:
        return ReaderState.IN_USE
    return _SILENT[slot.silent] if slot.silent is not None else ReaderState.PRESENT


def dark(state: State) -> tuple[str, ...]:
    """Return the SAM slots that announce no card and show none: one may be inside all the same."""
    return tuple(
        name
        for name, slot in state.slots.items()
        if slot.place.role is Role.SAM
        and not slot.place.announces
        and slot.insertion is None
        and slot.look is not None
        and slot.look.presence in _DARK
        and not slot.hung
        and slot.place.reader not in state.lent
    )


def _attached(place: Place) -> ReaderAttached:
    return ReaderAttached(place.reader, place.station, place.role, place.pcsc_name)


def _went_down(observation: ServiceDown) -> ServiceWentDown:
    return ServiceWentDown(observation.reason, observation.detail, observation.text_code)


class _Turn:
    """One change in the making. Lives inside one call, so the functions above stay pure."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._slots = dict(state.slots)
        self._facts: list[Fact] = []
        self._settling: list[Settling] = []
        self._down = state.down
        self._insertions = state.insertions
        self._tickets = state.tickets
        self.lent = state.lent

    def change(self) -> Change:
        state = State(self._state.boot, self._slots, self._down, self._insertions, self._tickets, self.lent)
        return Change(state, tuple(self._facts), tuple(self._settling))

    def of(self, reader: str) -> list[str]:
        """Return the slot that is called so, if it is there."""
        return [name for name, slot in self._slots.items() if slot.place.reader == reader]

    def tell(self, fact: Fact) -> None:
        self._facts.append(fact)

    def update(self, name: str, **fields: object) -> None:
        self._slots[name] = replace(self._slots[name], **fields)

    def close(self, name: str, cause: Cause) -> None:
        """End the slot's insertion, if it has one."""
        insertion = self._slots[name].insertion
        if insertion is not None:
            self.update(name, insertion=None, stay=insertion.stay)
            self.tell(CardRemoved(insertion, cause))

    def open(self, name: str) -> None:
        """Begin an insertion, if there is a card that answers, nothing settles and the reader can be used."""
        slot = self._slots[name]
        look = slot.look
        if look is None or look.presence is not Presence.PRESENT or not look.atr or slot.insertion is not None:
            return
        if slot.hung or slot.ticket is not None or slot.place.role is Role.IGNORED:
            return
        if slot.place.reader in self.lent:
            return
        self._insertions += 1
        insertion = Insertion(
            id=insertion_id(self._state.boot, self._insertions),
            reader=slot.place.reader,
            station=slot.place.station,
            atr=slot.answered or look.atr,
            at_start=slot.found,
            role=slot.place.role,
            pcsc_name=slot.place.pcsc_name,
            keypad_s=slot.place.keypad_s,
            since=slot.stay,
        )
        self.update(name, insertion=insertion)
        self.tell(CardInserted(insertion))

    def wait(self, name: str) -> None:
        """Let the slot settle before its card is believed in again."""
        self._tickets += 1
        self.update(name, ticket=self._tickets)
        slot = self._slots[name]
        doublings = max(slot.losses - 1, 0) + max(slot.relapses - FREE_RELAPSES, 0)
        self._settling.append(Settling(name, self._tickets, SETTLE_S * 2 ** min(doublings, SETTLE_DOUBLINGS)))

    def go_down(self, observation: ServiceDown) -> None:
        for name in self._slots:
            self.close(name, Cause.SERVICE_DOWN)
            self.update(name, look=None, ticket=None)
        told, fact = self._down and _went_down(self._down), _went_down(observation)
        if told is None or (told.reason, told.text_code) != (fact.reason, fact.text_code):
            self.tell(fact)
        self._down = observation

    def come_up(self) -> None:
        if self._down is not None:
            self._down = None
            self.tell(ServiceCameUp())

    def look_at(self, seen: Mapping[str, Slot], place: Placing) -> None:
        for name in [name for name in self._slots if name not in seen]:
            self._detach(name)
        for name, look in seen.items():
            if not _is_known(self._slots.get(name), look):
                self._find_place(look, place)
                self._look(name, look)

    def _find_place(self, look: Slot, place: Placing) -> None:
        """Attach a slot that is new, and one anew that turns out to be another device than it was taken for."""
        known = self._slots.get(look.name)
        if known is not None and known.look is not None and device(known.look) == device(look):
            return
        given = place(look, {slot.place.reader for name, slot in self._slots.items() if name != look.name})
        if known is not None and known.place.same(given) and device(known.look) == NO_DEVICE:
            # it has only now said who it is, and that changes nothing
            self.update(look.name, place=given)
            return
        hung = None if known is None or given.role is Role.IGNORED else known.hung
        if known is not None:
            self._detach(look.name)
        # its worker is the same, and hangs in the same call
        self._slots[look.name] = SlotState(given, hung=hung)
        self.tell(_attached(given))
        if hung is not None:
            self.tell(ReaderUnavailable(given.reader, "a call into the reader does not return", hung))

    def _detach(self, name: str) -> None:
        self.close(name, Cause.READER_DETACHED)
        place = self._slots.pop(name).place
        self.tell(ReaderDetached(place.reader, place.station))

    def _look(self, name: str, look: Slot) -> None:
        before = self._slots[name]
        if before.insertion is not None:
            cause = verdict(before.look, look)
            if cause is not None:
                self.close(name, cause)
        if is_another_card(before.look, look):
            found = is_blind(before.look) and look.presence is not Presence.EMPTY
            self.update(name, found=found, ticket=None, **_NO_PAST)
        elif before.look is not None and not look.atr:
            # the same card, its answer to reset hidden for a moment
            look = replace(look, atr=before.look.atr)
        self.update(name, look=look)
        if before.place.role is not Role.IGNORED and before.place.reader not in self.lent:
            for fact in _complaints(before, look):
                self.tell(fact)
        self.open(name)


def _is_known(slot: SlotState | None, look: Slot) -> bool:
    """Tell whether a look says what the last one said, of a card that is in or of an empty slot.

    So do nearly all: a look is at every slot, and one card comes at a time.
    """
    if slot is None or slot.look != look or slot.ticket is not None:
        return False
    return slot.insertion is not None or look.presence is Presence.EMPTY


def _complaints(before: SlotState, look: Slot) -> Iterator[Fact]:
    """Yield what a look has to say of a card or reader that does not answer, once for each."""
    same = before.look is not None and before.look.presence is look.presence
    if look.presence is Presence.UNAVAILABLE and not same:
        yield ReaderUnavailable(before.place.reader, "the device does not answer")
    elif look.presence in _TROUBLE and not (same and not is_another_card(before.look, look)):
        yield CardTrouble(before.place.reader, _TROUBLE[look.presence])
