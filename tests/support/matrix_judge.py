"""Judges what became of activations by what the centre, the cards and the journal have on record, each by itself."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cardd.activation.pins import PinPolicy
from cardd.journal.events import StoredEvent
from cardd.wire.activation import Route
from support.matrix_cards import CHANGE_PIN, WRITING, Plastic
from support.matrix_clerk import NEW_PIN, Customer
from support.people import PIN

RECORD: Final = ("SSSE", "EF05", "060420440101")
"""Where the centre's update lies once it is written: the record of `support.people.UPDATES`."""

TRIES: Final = 6
"""How many tries a card's PIN has."""

ENDS: Final = ("activation.completed", "activation.refused", "activation.cancelled", "activation.expired")
_GRANTED: Final = frozenset({"activated", "activated_update_pending"})


@dataclass(frozen=True)
class Deed:
    """One activation as the centre has it."""

    key: str
    holder: str
    card: str
    standing: str
    written: bool | None


@dataclass(frozen=True)
class Centre:
    """What a register's file says, read without the daemon."""

    deeds: Mapping[str, Deed]
    cards: Mapping[str, list[str]]
    """The status of each person's new cards, by number."""
    old_cards: Mapping[str, list[str]]

    @classmethod
    def read(cls, register: Path) -> "Centre":
        with sqlite3.connect(f"file:{register}?mode=ro", uri=True) as database:
            deeds = {
                key: Deed(key, holder, card, standing, None if written is None else bool(written))
                for key, holder, card, standing, written in database.execute(
                    "SELECT key, ssn, card, standing, written FROM activations"
                )
            }
            cards = _by_person(database.execute("SELECT ssn, status FROM cards"))
            old_cards = _by_person(database.execute("SELECT ssn, status FROM old_cards"))
        database.close()
        return cls(deeds, cards, old_cards)

    def granted(self) -> list[Deed]:
        """Return what it has activated."""
        return [deed for deed in self.deeds.values() if deed.standing == "granted"]


def _by_person(rows: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for ssn, status in rows:
        found.setdefault(ssn, []).append(status)
    return found


@dataclass(frozen=True)
class Told:
    """One event as it was told: of the journal's page, of its export or of a subscription."""

    sequence: int
    kind: str
    activation: str | None
    data: Mapping[str, Any]

    @classmethod
    def of(cls, event: StoredEvent) -> "Told":
        return cls(event.sequence, event.type, event.correlation, json.loads(event.data))


def judge(customers: Sequence[Customer], told: Sequence[Told], centre: Centre, strangers: Iterable[Customer]) -> None:
    """Raise AssertionError where the three do not agree, or somebody has done what nobody may do."""
    assert [event.sequence for event in told] == list(range(1, len(told) + 1)), "events were lost or doubled"
    ends = _ends(told)
    activated = [deed.card for deed in centre.granted()]
    assert len(set(activated)) == len(activated), "a card was activated twice"
    ours = {customer.activation for customer in customers}
    assert {deed.key for deed in centre.granted()} <= ours, "the centre activated what nobody asked for"
    for customer in customers:
        judge_one(customer, ends[customer.activation], centre)
    served = {deed.holder for deed in centre.granted()}
    for stranger in strangers:
        assert not stranger.old.sent(WRITING)
        if stranger.person.number not in served:
            assert not stranger.social.sent(WRITING), "a stranger's card was written"
            assert not stranger.social.presented(), "a stranger's card got a PIN"
        assert not stranger.social.failed_authentications()


def _ends(told: Sequence[Told]) -> dict[str, Told]:
    started = {event.activation for event in told if event.kind == "activation.started"}
    ended = [event for event in told if event.kind in ENDS]
    assert len({event.activation for event in ended}) == len(ended), "an activation ended twice"
    assert {event.activation for event in ended} == started, "an activation has not ended"
    return {str(event.activation): event for event in ended}


def judge_one(customer: Customer, end: Told, centre: Centre) -> None:
    """Compare one end with the centre's row and the card's own memory."""
    deed = centre.deeds.get(customer.activation)
    granted = deed is not None and deed.standing == "granted"
    bearer = _bearer(customer, deed) if deed is not None and granted else customer
    number, social = bearer.person.number, bearer.social
    outcome = end.data.get("outcome")
    assert granted == (outcome in _GRANTED), f"{customer.activation}: {end.kind} {outcome}, and the centre says {deed}"
    normal = centre.cards[number] == ["normal"]
    assert normal or outcome not in {*_GRANTED, "already_active"}
    if granted:
        assert normal
        assert centre.old_cards[number] == ["void"]
        assert deed is not None
        known = outcome == "activated" if customer.heard else None
        assert deed.written == known, f"{outcome}, and the centre heard {deed.written}"
    if outcome == "activated":
        assert social.holds(*RECORD), "said to be activated, and the card has not got its record"
        expected = NEW_PIN if customer.variation.sets_pin else PIN
        assert social.pin == (expected, TRIES), f"said to be activated, and the card's PIN is {social.pin}"
    if not normal:
        allowed = {CHANGE_PIN} if customer.variation.pins is PinPolicy.CHANGE_IS_ACTIVATION else set()
        assert not social.sent(WRITING - allowed), "written, and the centre has not activated it"
    _judge_cards(social, customer.typed)
    assert not customer.old.sent(WRITING)


def _bearer(customer: Customer, deed: Deed) -> Customer:
    """Return whose card was activated: at a hospital another patient may have come instead."""
    if deed.holder == customer.person.number:
        return customer
    assert customer.variation.route is Route.HOSPITAL, "another person's card was activated"
    assert customer.stranger is not None
    assert customer.stranger.person.number == deed.holder
    return customer.stranger


def _judge_cards(social: Plastic, typed: Mapping[str, int]) -> None:
    presented = social.presented()
    assert presented.count(PIN) <= typed["social_pin"], "the PIN was presented more often than it was typed"
    assert presented.count(NEW_PIN) <= typed["new_pin"], "the new PIN was presented more often than it was typed"
    assert set(presented) <= {PIN, NEW_PIN}
    assert len(social.sent({CHANGE_PIN})) <= min(typed["social_pin"], typed["new_pin"])
    assert social.pin[0] in {PIN, NEW_PIN}
    assert not social.failed_authentications()
