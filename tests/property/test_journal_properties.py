"""The journal against a model that is a plain list: whatever is recorded in whatever order, across openings."""

import asyncio
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.journal import cursor
from cardd.journal.delivery import Delivery
from cardd.journal.events import ActivationRow, Json, NewEvent, StoredEvent
from cardd.journal.store import Journal

SEALER = Sm4GcmSealer(Secret(b"0123456789abcdef"))

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
# "text" has a meaning of its own at delivery; the unit tests look at it
objects = st.dictionaries(words.filter(lambda word: word != "text"), values, max_size=4)
events = st.builds(
    NewEvent,
    st.sampled_from(["card.inserted", "activation.step"]),
    words,
    objects,
    objects,
    st.none() | words,
    st.none() | words,
)
activations = st.builds(
    ActivationRow, st.sampled_from("abc"), words, words, words, st.booleans(), data=objects, personal=objects
)
calls = st.tuples(st.lists(events, max_size=4), st.none() | activations)
steps = st.lists(st.lists(calls, max_size=6) | st.just("reopen"), max_size=8)


@dataclass
class Model:
    events: list[NewEvent] = field(default_factory=list)
    activations: dict[str, ActivationRow] = field(default_factory=dict)
    heard: list[StoredEvent] = field(default_factory=list)
    boots: int = 0

    def apply(self, call: tuple[list[NewEvent], ActivationRow | None]) -> None:
        self.events.extend(call[0])
        if call[1] is not None:
            self.activations[call[1].id] = call[1]


def opened(directory: Path, model: Model) -> Journal:
    journal = Journal.open(directory, sealer=SEALER, clock=SystemClock(), source="/cardd/test")
    journal.subscribe(model.heard.extend)
    model.boots += 1
    return journal


async def agree(journal: Journal, model: Model) -> None:
    stored: list[StoredEvent] = []
    while page := await journal.read(len(stored), 7):
        stored.extend(page)
    assert [event.sequence for event in stored] == list(range(1, len(model.events) + 1))
    assert stored == model.heard
    for event, wanted in zip(stored, model.events, strict=True):
        assert (event.type, event.subject) == (wanted.type, wanted.subject)
        assert (event.insertion, event.correlation) == (wanted.insertion, wanted.correlation)
        assert json.loads(event.data) == wanted.data
        if wanted.personal:
            assert json.loads(SEALER.open(event.sealed or b"", event.id.encode())) == wanted.personal
        else:
            assert event.sealed is None
    assert {row.id: row for row in await journal.activations(open_only=False)} == model.activations
    still_open = {name for name, row in model.activations.items() if row.open}
    assert {row.id for row in await journal.activations(open_only=True)} == still_open
    assert journal.statistics().open_activations == len(still_open)
    assert (journal.last, journal.boot) == (len(model.events), model.boots)


async def drive(directory: Path, sequence: list[list[tuple[list[NewEvent], ActivationRow | None]] | str]) -> None:
    model = Model()
    journal = opened(directory, model)
    for step in sequence:
        if isinstance(step, str):
            await journal.close()
            journal = opened(directory, model)
            continue
        futures = []
        for call in step:
            futures.append(journal.record(*call[0], activation=call[1]))
            model.apply(call)
        await asyncio.gather(*futures)
    await agree(journal, model)
    await journal.close()


@given(steps)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_journal_is_the_list_of_what_was_recorded(
    sequence: list[list[tuple[list[NewEvent], ActivationRow | None]] | str],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(drive(Path(directory), sequence))


def merged(masked: Json, whole: Json) -> Json:
    if isinstance(masked, dict) and isinstance(whole, dict):
        return {key: merged(masked.get(key), whole[key]) if key in whole else masked[key] for key in masked | whole}
    return whole


def without_texts(value: Json) -> bool:
    if isinstance(value, dict):
        return "text" not in value and all(without_texts(item) for item in value.values())
    return not isinstance(value, list) or all(without_texts(item) for item in value)


@given(objects.filter(without_texts), objects.filter(without_texts), words, words)
def test_a_delivered_event_is_its_data_with_the_personal_values_laid_over(
    data: dict[str, Json], personal: dict[str, Json], identity: str, subject: str
) -> None:
    sealed = SEALER.seal(json.dumps(personal).encode(), identity.encode())
    event = StoredEvent(
        7, identity, "card.read", "2031-05-07T08:09:10.000000Z", subject, None, None, json.dumps(data).encode(), sealed
    )
    delivery = Delivery(SEALER, "/cardd/test")
    masked = json.loads(delivery.event(event, personal=False))
    assert (masked["id"], masked["subject"], masked["data"]) == (identity, subject, data)
    assert json.loads(delivery.event(event, personal=True))["data"] == merged(data, personal)


@given(st.text())
def test_a_text_that_is_no_cursor_is_gone_whatever_it_is(text: str) -> None:
    with pytest.raises(CarddError) as caught:
        cursor.decode(text, "0123456789abcdef")
    assert caught.value.reason is Reason.CURSOR_GONE


@given(st.integers(0, 2**59))
def test_a_cursor_leads_back(sequence: int) -> None:
    assert cursor.decode(cursor.encode("0123456789abcdef", sequence), "0123456789abcdef") == sequence
