"""One counter for the tests of a module: brought up once, handed to each test as if it had just been opened."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from cardd.base.errors import CarddError
from cardd.client.errors import CallError
from cardd.wire.cards import CardReadParams, CardReadResult, ReaderView
from cardd.wire.methods import CARD_READ, READERS_LIST
from cardd.wire.system import NoParams
from support.clerk import Clerk, Event, counter
from support.waiting import until

STATION: Final = {
    "name": "counter-0",
    "readers": [
        {"match": {"name": "Cardsim 0 * 00"}, "role": "counter", "name": "reader-0"},
        {"match": {"name": "Cardsim 0 * 01"}, "role": "sam", "name": "sam-0"},
    ],
}
"""A station at which no card begins anything by itself."""

_STAYS: Final = frozenset({"card.inserted", "card.removed"})


@contextlib.contextmanager
def cleared(clerk: Clerk) -> Iterator[Clerk]:
    """Hand out a counter with empty readers and a screen on which nothing stands, and clear it up afterwards."""
    clerk._mark = len(clerk.events)
    yield clerk
    lab = clerk.rig.lab
    if not lab.answers:
        lab.continue_pcscd()
    with contextlib.suppress(CarddError):
        clerk.remove()
    until(lambda: reader(clerk).card is None, "an empty reader")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clerk]:
    directory: Path = tmp_path_factory.mktemp("r") / "c"
    with counter(directory, settings={"stations": [STATION]}) as clerk:
        yield clerk


@pytest.fixture
def clerk(opened: Clerk) -> Iterator[Clerk]:
    with cleared(opened) as clerk:
        yield clerk


def read(clerk: Clerk, **params: Any) -> CardReadResult:
    """Read the card that is in, on a connection of its own."""
    with clerk.rig.client() as client:
        return client.call(CARD_READ, CardReadParams(**params), wait_s=params.get("wait_s", 0.0))


def refusal(clerk: Clerk, **params: Any) -> CallError:
    """Read the card that is in, and return why it could not be read."""
    with pytest.raises(CallError) as caught:
        read(clerk, **params)
    return caught.value


def reader(clerk: Clerk, name: str = "reader-0") -> ReaderView:
    """Return a reader as clients see it."""
    with clerk.rig.client() as client:
        views = client.call(READERS_LIST, NoParams()).readers
    return next(view for view in views if view.reader == name)


def stays(clerk: Clerk, since: int, name: str = "reader-0") -> list[tuple[str, str]]:
    """Return what was told of one reader's insertions since a place in the clerk's events."""
    told = [event for event in clerk.events[since:] if event["subject"] == name]
    return [(kind_of(event), event["insertion"]) for event in told if kind_of(event) in _STAYS]


def kind_of(event: Event) -> str:
    """Return an event's short type."""
    whole: str = event["type"]
    return whole.removeprefix("org.cardd.").removesuffix(".v1")
