"""How much memory the daemon holds with sixteen readers: as it is, and with a centre on the network and metrics.

Resident memory is what the kernel counts for the process; private is what no other process shares with it. Both are
read when the daemon knows its readers and has answered a client, and again when a card has come into each reader.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.journal import compiled
from bench.report import Bound, Goal, Row, Settings, publish
from cardd.wire.methods import SYSTEM_METRICS
from cardd.wire.system import NoParams
from cardsim.rig import Rig

READERS: Final = 16
ROUNDS: Final = 5
MEBI: Final = 1024
PLAIN: Final = "as it is"
BESIDE: Final = "with http and metrics"
WANTED_MIB: Final[Mapping[str, float]] = {PLAIN: 45.0, BESIDE: 52.0}
"""What the daemon may hold when it knows its readers, in MiB."""

_STATIONS: Final[Mapping[str, object]] = {
    "stations": [{"name": "hall", "readers": [{"match": {"name": "Cardsim*"}, "role": "counter"}]}],
}
_SETTINGS: Final[Mapping[str, Mapping[str, object]]] = {
    PLAIN: _STATIONS,
    # nobody listens there: a centre that does not answer has been asked with all of the client's code
    BESIDE: {**_STATIONS, "authority": {"provider": "http", "url": "http://127.0.0.1:9/cards"}},
}


def memory_of(process: int) -> tuple[float, float]:
    """Return resident and private memory of a process, in MiB."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kib = {name: int(value.split()[0]) for name, value in (line.split(":") for line in lines)}
    return kib["Rss"] / MEBI, (kib["Private_Clean"] + kib["Private_Dirty"]) / MEBI


def one_round(kind: str) -> Mapping[str, tuple[float, float]]:
    """Return what the daemon holds at rest and with a card in each reader."""
    with (
        tempfile.TemporaryDirectory(prefix="cardd-bench-") as directory,
        Rig.start(Path(directory) / "rig", stations=READERS // 2, psam=None, settings=_SETTINGS[kind]) as rig,
        rig.client() as client,
    ):
        assert rig.daemon is not None
        if kind == BESIDE:
            client.call(SYSTEM_METRICS, NoParams())
        rest = memory_of(rig.daemon.pid)
        for index in range(READERS):
            rig.lab.insert_persona("social-jia-3.0", index, name=f"card-{index}")
        if kind == BESIDE:
            client.call(SYSTEM_METRICS, NoParams())
        return {"at rest": rest, "with cards": memory_of(rig.daemon.pid)}


def main() -> None:
    """Measure, print, write."""
    compiled()
    rounds: Mapping[str, list[Mapping[str, tuple[float, float]]]] = {kind: [] for kind in _SETTINGS}
    for _ in range(ROUNDS):
        for kind, found in rounds.items():
            found.append(one_round(kind))
    rows = [
        Row.of(f"{kind}, {when}, {what}", [one[when][index] for one in found])
        for kind, found in rounds.items()
        for when in ("at rest", "with cards")
        for index, what in enumerate(("resident", "private"))
    ]
    goals = [_goal(kind, [one["at rest"][0] for one in found]) for kind, found in rounds.items()]
    settings: Settings = {"readers": READERS, "rounds": ROUNDS}
    publish("resident", "what the daemon holds", rows, settings, goals, unit="MiB")


def _goal(kind: str, mib: Sequence[float]) -> Goal:
    return Goal.of(f"{kind}: resident with {READERS} readers, MiB", Bound.AT_MOST, WANTED_MIB[kind], mib)


if __name__ == "__main__":
    main()
