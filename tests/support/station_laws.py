"""What must hold of whole stations whatever happens, as counted on the cards, read from the centre and the journal."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cardd.activation.moves import AFTER_NO_RETURN
from cardd.activation.pins import PIN_RULES, PinPolicy
from cardd.journal.events import StoredEvent
from cardd.wire.activation import ENDS, ActivationResult, Outcome, State
from support.matrix_cards import PIN_SETTING, VERIFY, WRITING, Plastic
from support.matrix_house import House
from support.matrix_judge import ENDS as END_EVENTS
from support.matrix_judge import RECORD, Centre
from support.people import PIN, Person, invent
from support.typed import Typed, uses

_GRANTED: Final = frozenset({"activated", "activated_update_pending"})
_FORESEEN: Final = frozenset({"activation.not_stored", "reception.unrecorded"})
_BEYOND: Final = frozenset({*AFTER_NO_RETURN, State.COMPLETED, State.REFUSED})


@dataclass
class Holder:
    """A person with both cards, and how much of what they were asked has been looked at."""

    person: Person
    old: Plastic = field(init=False)
    social: Plastic = field(init=False)
    judged: int = 0
    written: list[int] = field(default_factory=list)
    """What has changed the new card since anybody asked whose work it was: instructions."""

    def __post_init__(self) -> None:
        self.old, self.social = Plastic(self.person.old), Plastic(self.person.social)

    def news(self) -> Sequence[bytes]:
        """Return the commands that reached the new card since the last time."""
        fresh = [command for command, _ in self.social.exchanges[self.judged :]]
        self.judged += len(fresh)
        self.written += [command[1] for command in fresh if command[1] in WRITING]
        return fresh


class Laws:
    """Keeps what was begun and typed, and holds everything that happens against it. Raises AssertionError."""

    def __init__(self, house: House, pins: PinPolicy, people: int) -> None:
        self.house = house
        self.pins = pins
        self.holders = [Holder(person) for person in invent(house.directory, people)[1]]
        self.states: dict[str, State] = {}
        self.typed = Typed()
        self._cards: dict[str, set[int]] = {}
        """Whose card each activation has read, by number."""

    @property
    def cards(self) -> list[Plastic]:
        return [card for holder in self.holders for card in (holder.old, holder.social)]

    def begin(self, activation: str, state: State) -> None:
        self.states[activation] = state

    def bearer(self, view: ActivationResult) -> int | None:
        """Return whose new card an activation has read, from its whole view."""
        number = None if view.holder is None else str(view.holder["social_security_number"])
        return next((index for index, one in enumerate(self.holders) if one.person.number == number), None)

    # -- while it goes on

    async def look(self) -> None:
        """Look at everything while nothing moves."""
        before = dict(self.states)
        for activation, state in before.items():
            view = await self.house.engine.view(activation, personal=state not in ENDS)
            self._go_on(activation, view)
        self._look_at_digits()
        self._look_at_writing({one for one, state in before.items() if state not in ENDS})
        self.typed.keep_only(one for one, state in self.states.items() if state not in ENDS)

    def daemon_gone(self) -> None:
        """Note that nothing that was typed can be used any more."""
        self._look_at_digits()
        self.typed.forget_all()

    def _go_on(self, activation: str, view: ActivationResult) -> None:
        before, self.states[activation] = self.states[activation], view.state
        assert before not in ENDS or view.state is before, f"{before} became {view.state}"
        assert before not in AFTER_NO_RETURN or view.state in _BEYOND, f"{before} became {view.state}"
        bearer = self.bearer(view) if before not in ENDS else None
        if bearer is not None:
            self._cards.setdefault(activation, set()).add(bearer)

    def _look_at_digits(self) -> None:
        """Hold what the cards were given against what was typed for them."""
        for index, holder in enumerate(self.holders):
            for part, digits in uses(holder.news()):
                self.typed.given(index, part, digits)
            assert not holder.social.failed_authentications(), "a right key was not taken"
            assert not holder.old.sent({*WRITING, VERIFY}), "an old card was written, or got a PIN"

    def _look_at_writing(self, active: Collection[str]) -> None:
        """Hold what was written against the activations that were open meanwhile: to each its own card."""
        granted = {deed.holder for deed in Centre.read(self.house.register).granted()}
        own = {index for activation in active for index in self._cards.get(activation, ())}
        early = PIN_SETTING if self.pins is PinPolicy.CHANGE_IS_ACTIVATION else frozenset[int]()
        for index, holder in enumerate(self.holders):
            written, holder.written = holder.written, []
            assert index in own or not written, "written, and no activation of this card was open"
            assert holder.person.number in granted or early.issuperset(written), "written and not activated"

    def nobody_is_activated_twice(self) -> None:
        granted = [deed.card for deed in Centre.read(self.house.register).granted()]
        assert len(set(granted)) == len(granted)

    # -- at the end

    def judge(self, stored: Sequence[StoredEvent]) -> Counter[str]:
        """Hold centre, cards and journal against each other; return how activations ended."""
        assert [one.sequence for one in stored] == list(range(1, len(stored) + 1))
        ends = [one for one in stored if one.type in END_EVENTS]
        assert Counter(one.correlation for one in ends) == Counter(self.states.keys()), "not one end each"
        _never_go_back(stored)
        centre = Centre.read(self.house.register)
        assert set(centre.deeds) <= set(self.states), "the centre was asked for what nobody began"
        found: Counter[str] = Counter()
        for end in ends:
            data = json.loads(end.data)
            found[str(data.get("outcome") or data.get("reason") or data["state"])] += 1
            self._judge(str(end.correlation), data, centre)
        return found

    def _judge(self, activation: str, data: dict[str, Any], centre: Centre) -> None:
        deed = centre.deeds.get(activation)
        granted = deed is not None and deed.standing == "granted"
        assert granted == (data.get("outcome") in _GRANTED), (activation, data, deed)
        if deed is not None and data.get("outcome") == Outcome.ACTIVATED:
            card = next(one.social for one in self.holders if one.person.number == deed.holder)
            assert card.holds(*RECORD), "said to be activated, and the card has not got its record"
            assert deed.written is not False, "said to be activated, and the centre was told otherwise"
            if PIN_RULES[self.pins].setter is not None:
                assert card.pin[0] != PIN, "said to be activated, and the card has the PIN it came with"


def _never_go_back(stored: Iterable[StoredEvent]) -> None:
    """Raise AssertionError where an activation is on record as going back from beyond the point of no return."""
    beyond: set[str | None] = set()
    for event in stored:
        state = json.loads(event.data).get("state") if event.type.startswith("activation.") else None
        if state is not None:
            assert event.correlation not in beyond or state in _BEYOND, f"went back to {state}"
            beyond |= {event.correlation} if state in AFTER_NO_RETURN else set()


def complaints(lines: Iterable[Any]) -> list[Any]:
    """Return the log's errors that nobody has foreseen."""
    bad = [line for line in lines if line["log_level"] in {"error", "critical"}]
    return [line for line in bad if line["event"] not in _FORESEEN]
