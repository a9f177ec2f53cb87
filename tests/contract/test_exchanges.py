"""What docs show of each method, said again to a whole daemon with virtual cards; and all that it told meanwhile."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.counter import Message
from support.exchanges import Book, everything, fit_for_docs, shape, told, whole_daemon
from support.json_schema import contract

import cardd
from cardd.api.methods import METHODS

SHOWN: Mapping[str, list[dict[str, Message]]] = json.loads(
    (Path(cardd.__file__).parents[1] / "docs" / "exchanges.json").read_text(encoding="utf-8")
)
OPEN = {"system.status"}
"""Results whose members depend on what the parts of the daemon know at that moment."""


@dataclass
class Day:
    """What was said on one day, as it was and as docs would show it, and what was told."""

    said: Book
    fit: Book
    events: list[Message]
    masked: list[Message]
    whole: list[Message]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    directory = tmp_path_factory.mktemp("d")

    async def spend() -> Day:
        async with whole_daemon(directory) as desk:
            await everything(desk)
            path = directory / "cardd.sock"
            masked, whole = await told(path), await told(path, personal=True, purpose="test")
            return Day(desk.book, fit_for_docs(desk.book), desk.events, masked, whole)

    return asyncio.run(spend())


def test_docs_have_an_exchange_for_every_method_and_no_other() -> None:
    assert sorted(SHOWN) == sorted(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_what_docs_show_of_a_method_is_what_the_daemon_says(day: Day, method: str) -> None:
    """`tools/api_exchanges.py` writes it anew."""
    shown = [(arrow, message) for line in SHOWN[method] for arrow, message in line.items()]
    assert _shapes(method, shown) == _shapes(method, day.fit[method])


def _shapes(method: str, said: list[tuple[str, Message]]) -> list[tuple[str, Any]]:
    shapes = [(arrow, shape(message)) for arrow, message in said]
    if method not in OPEN:
        return shapes
    return [(arrow, sorted(made["result"]) if "result" in made else made) for arrow, made in shapes]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_sent_follows_the_schemas_and_refusals_are_among_the_reasons(day: Day, method: str) -> None:
    asked: dict[int, str] = {}
    for _, message in day.said[method]:
        if "params" in message and "id" in message:
            asked[message["id"]] = message["method"]
            assert contract().faults_of_params(message["method"], message["params"]) == []
        elif "id" in message:
            assert contract().faults_of_answer(asked[message["id"]], message) == []
    assert method in asked.values()


def test_every_event_that_came_follows_its_schema(day: Day) -> None:
    for event in [*day.events, *day.masked, *day.whole]:
        assert contract().faults_of_event(event) == []


def test_a_day_tells_most_of_what_there_is_to_tell(day: Day) -> None:
    kinds = {event["type"].removeprefix("org.cardd.").removesuffix(".v1") for event in day.whole}
    assert kinds >= {
        *("service.started", "reader.attached", "reader.lent", "reader.taken_back", "station.cleared"),
        *("card.inserted", "card.identified", "card.removed", "card.transmitted", "card.written", "card.blocked"),
        *("pin.intended", "pin.verified", "pin.changed", "pin.unblocked", "account.debited", "account.loaded"),
        *("account.starting_day_set", "activation.started", "activation.step", "activation.completed"),
        *("activation.cancelled", "prompt.opened", "prompt.closed", "personal.disclosed", "journal.erased"),
    }


def test_personal_data_come_whole_where_they_were_granted_and_masked_elsewhere(day: Day) -> None:
    debited = [next(e for e in events if "account.debited" in e["type"]) for events in (day.masked, day.whole)]
    assert debited[0]["data"]["amounts"] is None
    assert debited[1]["data"]["amounts"] == {"account": 1250, "self_paid": 300, "pool": 2000}
