"""Cards without end in sixteen readers: each is told once and in order, nothing grows, and rest is rest."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import pytest
from support.resources import Resources, steady, wake_ups
from support.treadmill import NumberedCard, Treadmill

from cardd.client.blocking import Client
from cardd.wire.events import EventsSubscribeParams, short_type
from cardsim.links.vpcd import VpcdLink
from cardsim.pcscd import MOST_READERS
from cardsim.rig import Rig

log = logging.getLogger(__name__)
"""What a run found is shown by `--log-cli-level=info`."""

QUIET_S: Final = 10.0
WAKE_UPS_A_SECOND: Final = 0.2
SETTLED_S: Final = 3.0
"""pcscd takes the power from a card that nobody uses 0.4 s later, and the watch looks once more a second after that."""

ONE_STATION: Final[dict[str, object]] = {
    "stations": [{"name": "hall", "readers": [{"match": {"name": "Cardsim*"}, "role": "counter"}]}],
    "logs": {"level": "info", "format": "json"},
}


@dataclass(frozen=True, slots=True)
class Course:
    """How many cards go through before one counts, and after; by how many KiB memory may grow meanwhile.

    Until some 2000 cards have come the ring of recent events and the database's cache fill: by 3 MiB as measured.
    """

    warm_up: int
    cards: int
    growth: int


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig.start(tmp_path / "r", stations=MOST_READERS // 2, psam=None, settings=ONE_STATION) as rig:
        yield rig


@pytest.fixture
def client(rig: Rig) -> Iterator[Client]:
    with rig.client() as client:
        yield client


def holdings(rig: Rig) -> tuple[Resources, Resources]:
    """Return what the daemon and its pcscd hold, once both are at rest: a context is a thread and a socket of pcscd."""
    assert rig.daemon is not None
    daemon, pcscd = rig.daemon.pid, rig.lab.pcscd_process
    assert pcscd is not None

    def counted() -> list[int]:
        both = (Resources.of(process) for process in (daemon, pcscd))
        return [count for one in both for count in (one.threads, one.descriptors)]

    steady(counted, SETTLED_S)
    return Resources.of(daemon), Resources.of(pcscd)


@pytest.mark.parametrize(
    "course",
    [
        pytest.param(Course(warm_up=100, cards=200, growth=4096), id="300"),
        pytest.param(
            Course(warm_up=2000, cards=8000, growth=1024),
            id="10000",
            marks=[pytest.mark.night, pytest.mark.timeout(3600)],
        ),
    ],
)
def test_every_card_is_told_once_and_in_order_and_nothing_grows(rig: Rig, client: Client, course: Course) -> None:
    with closing(Treadmill(client, rig.lab.places)) as treadmill:
        treadmill.run(course.warm_up)
        before, service_before = holdings(rig)
        began = time.monotonic()
        treadmill.run(course.cards)
        took = time.monotonic() - began
        after, service_after = holdings(rig)
    found = f"{course.cards} cards in {took:.0f} s; daemon {before}, {after}; pcscd {service_before}, {service_after}"
    log.info(found)
    assert (after.threads, after.descriptors) == (before.threads, before.descriptors), found
    assert (service_after.threads, service_after.sockets) == (service_before.threads, service_before.sockets), found
    assert after.memory - before.memory <= course.growth, found


def test_a_daemon_at_rest_over_sixteen_readers_is_not_woken(rig: Rig, client: Client) -> None:
    assert rig.daemon is not None
    client.subscribe(EventsSubscribeParams())
    links = [VpcdLink(NumberedCard(number), place.port) for number, place in enumerate(rig.lab.places[::2])]
    for link in links:
        link.start()
    try:
        known = (arrival for arrival in client.events(10) if short_type(arrival.event.type) == "card.identified")
        assert len(list(islice(known, len(links)))) == len(links)
        daemon = rig.daemon.pid
        steady(lambda: wake_ups(daemon), SETTLED_S)
        before = wake_ups(daemon)
        time.sleep(QUIET_S)
        woken = wake_ups(daemon) - before
    finally:
        for link in links:
            link.close()
    assert woken <= QUIET_S * WAKE_UPS_A_SECOND
