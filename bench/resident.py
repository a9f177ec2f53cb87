"""What the daemon holds and how often it wakes: with sixteen readers, with two, and with a centre and metrics.

Resident memory is what the kernel counts for the process; private is what no other process shares with it. Both are
read when the daemon knows its readers and has answered a client, and again when a card has come into each reader. At
rest, with no card in, it is then counted how often any of its threads is woken. What a reader costs is the difference
between sixteen readers and two, by fourteen.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.holdings import Holdings, wake_ups
from bench.journal import compiled
from bench.report import Bound, Goal, Quotient, Row, Settings, amount, publish
from cardd.wire.methods import SYSTEM_METRICS
from cardd.wire.system import NoParams
from cardsim.rig import Rig

READERS: Final = amount(16, short=4)
FEW: Final = 2
ROUNDS: Final = amount(3, short=1)
QUIET_S: Final = amount(10, short=1)
SETTLED_S: Final = 1.5
"""pcscd takes the power from cards 0.4 s after their last use, and the watch looks once more a second after that."""
WAKE_UPS: Final = 0.2
KIBI: Final = 1024

_STATIONS: Final[Mapping[str, object]] = {
    "stations": [{"name": "hall", "readers": [{"match": {"name": "Cardsim*"}, "role": "counter"}]}],
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to run it. `wanted`: what it may hold when it knows its readers, in MiB. `quiet_s`: how long it rests."""

    name: str
    readers: int
    settings: Mapping[str, object]
    metrics: bool = False
    wanted: float | None = None
    quiet_s: int = 0


PLAIN: Final = Kind("as it is", READERS, _STATIONS, wanted=45.0, quiet_s=QUIET_S)
SMALL: Final = Kind("with two readers", FEW, _STATIONS)
# nobody listens there: a centre that does not answer has been asked with all of the client's code
_CENTRE: Final = {"provider": "http", "url": "http://127.0.0.1:9/cards"}
BESIDE: Final = Kind("with http and metrics", READERS, {**_STATIONS, "authority": _CENTRE}, metrics=True, wanted=52.0)
KINDS: Final = (PLAIN, SMALL, BESIDE)


@dataclass(frozen=True, slots=True)
class Look:
    """What one daemon held, and how often a second it was woken at rest."""

    rest: Holdings
    cards: Holdings
    woken: float


def one_round(kind: Kind) -> Look:
    """Look at one daemon."""
    with (
        tempfile.TemporaryDirectory(prefix="cardd-bench-") as directory,
        Rig.start(Path(directory) / "rig", stations=kind.readers // 2, psam=None, settings=kind.settings) as rig,
        rig.client() as client,
    ):
        assert rig.daemon is not None
        daemon = rig.daemon.pid
        if kind.metrics:
            client.call(SYSTEM_METRICS, NoParams())
        rest = Holdings.of(daemon)
        woken = woken_at_rest(daemon, kind.quiet_s) if kind.quiet_s else 0.0
        for index in range(kind.readers):
            rig.lab.insert_persona("social-jia-3.0", index, name=f"card-{index}")
        if kind.metrics:
            client.call(SYSTEM_METRICS, NoParams())
        return Look(rest, Holdings.of(daemon), woken)


def woken_at_rest(daemon: int, seconds: int) -> float:
    """Return how often a second a daemon is woken that nobody asks anything of."""
    time.sleep(SETTLED_S)
    before = wake_ups(daemon)
    time.sleep(seconds)
    return (wake_ups(daemon) - before) / seconds


def per_reader(many: Sequence[Look], few: Sequence[Look]) -> list[Quotient]:
    """Return what another reader costs, round by round."""
    pairs = [*zip(many, few, strict=True)]
    more = READERS - FEW
    return [
        Quotient.of(
            "private memory of a reader at rest, KiB",
            [(one.rest.private - other.rest.private) * KIBI / more for one, other in pairs],
        ),
        Quotient.of(
            "private memory of a reader whose card has come, KiB",
            [(one.cards.private - other.cards.private) * KIBI / more for one, other in pairs],
        ),
        Quotient.of("threads of a reader", [(one.rest.threads - other.rest.threads) / more for one, other in pairs]),
    ]


def main() -> None:
    """Measure, print, write."""
    compiled()
    rounds: Mapping[str, list[Look]] = {kind.name: [] for kind in KINDS}
    for _ in range(ROUNDS):
        for kind in KINDS:
            rounds[kind.name].append(one_round(kind))
    rows = [
        Row.of(f"{name}, {when}, {what}", [getattr(getattr(look, moment), what) for look in looks])
        for name, looks in rounds.items()
        for moment, when in (("rest", "at rest"), ("cards", "with cards"))
        for what in ("resident", "private")
    ]
    goals = [
        Goal.of(
            f"{kind.name}: resident with {READERS} readers, MiB", Bound.AT_MOST, kind.wanted, _resident(rounds, kind)
        )
        for kind in KINDS
        if kind.wanted is not None
    ]
    woken = [look.woken for look in rounds[PLAIN.name]]
    goals.append(Goal.of("woken at rest, times a second", Bound.AT_MOST, WAKE_UPS, woken))
    figures = per_reader(rounds[PLAIN.name], rounds[SMALL.name])
    settings: Settings = {"readers": READERS, "few": FEW, "rounds": ROUNDS, "quiet_s": QUIET_S}
    publish("resident", "what the daemon holds", rows, settings, goals, figures, unit="MiB")


def _resident(rounds: Mapping[str, list[Look]], kind: Kind) -> list[float]:
    return [look.rest.resident for look in rounds[kind.name]]


if __name__ == "__main__":
    main()
