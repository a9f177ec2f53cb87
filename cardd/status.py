"""What `system.status` tells of the daemon, and whom a page of metrics asks."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from sqlite3 import sqlite_version

from cardd import __version__
from cardd.activation.authority import Centre
from cardd.activation.engine import Engine
from cardd.base.clock import Clock
from cardd.config import Config
from cardd.desk.stations import StationDesk
from cardd.desk.stopped import StoppedKeys
from cardd.keys.service import KeyService
from cardd.metrics.page import Sources
from cardd.pcsc.sleep import asleep_so_far
from cardd.readers.config import StationConfig
from cardd.readers.facts import Fact, ServiceCameUp, ServiceWentDown
from cardd.readers.registry import Readers
from cardd.records import Records
from cardd.wire.base import Json


class Status:
    """What `system.status` tells, asked anew each time."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        records: Records,
        readers: Readers,
        keys: KeyService | None,
        stopped: StoppedKeys,
        stations: StationDesk,
        engine: Engine,
        authority: Centre,
    ) -> None:
        self._config = config
        self._clock = clock
        self._records = records
        self._readers = readers
        self._keys = keys
        self._stopped = stopped
        self._stations = stations
        self._engine = engine
        self._authority = authority
        self._began = clock.monotonic()
        self._began_at = clock.now().timestamp()
        self._set_at_first = self._set()
        self._down: ServiceWentDown | None = None
        readers.subscribe(self._look)

    def __call__(self) -> Mapping[str, Json]:
        """Return it as it is now."""
        journal = self._records.journal
        statistics = journal.statistics()
        return {
            "versions": {"cardd": __version__, "python": sys.version.split()[0], "sqlite": sqlite_version},
            "uptime_s": round(self._clock.monotonic() - self._began, 3),
            "pcsc": self._pcsc(),
            "keys": {"provider": "none"} if self._keys is None else dict(self._keys.status()),
            "authority": dict(self._authority.status()),
            "journal": {
                "stream": journal.stream,
                "last": statistics.last,
                "bytes": statistics.bytes,
                "boot": journal.boot,
                "evicted": journal.evicted,
                "head": journal.head,
                "key": self._records.notary.key,
                "space": str(statistics.space),
            },
            "clock": {"set_by_s": round(self._set() - self._set_at_first), "ahead": self._records.keeper.ahead},
            "stations": [self._station(station) for station in self._readers.stations()],
            "activations": {"open": self._engine.open_count()},
        }

    def _set(self) -> float:
        """Return what grows only where somebody sets the clock, in seconds."""
        return self._clock.now().timestamp() - self._clock.monotonic() - asleep_so_far()

    def _pcsc(self) -> Json:
        shown: dict[str, Json] = {"backend": str(self._config.backend), "readers": len(self._readers.views())}
        if self._down is None:
            return {**shown, "state": "up"}
        down = self._down
        code = down.text_code or str(down.reason)
        return {**shown, "state": "down", "reason": str(down.reason), "code": code, "detail": down.detail}

    def sources(self, *, clients: Callable[[], int]) -> Sources:
        """Return whom a page of metrics asks; `clients` tells how many are connected."""
        journal = self._records.journal
        return Sources(
            versions=(__version__, sys.version.split()[0]),
            began=self._began_at,
            state=Path(self._config.state_dir),
            readers=self._readers.views,
            serves=lambda: self._down is None,
            statistics=journal.statistics,
            evicted=lambda: journal.evicted,
            stopped=self._stopped_keys,
            authority=self._is_heard,
            open_activations=self._engine.open_count,
            clients=clients,
        )

    def _stopped_keys(self) -> dict[str, int]:
        return {station.name: len(self._stopped.of(station.name)) for station in self._readers.stations()}

    def _is_heard(self) -> bool | None:
        available = self._authority.status().get("available")
        return available if isinstance(available, bool) else None

    def _look(self, fact: Fact) -> None:
        if isinstance(fact, ServiceWentDown):
            self._down = fact
        elif isinstance(fact, ServiceCameUp):
            self._down = None

    def _station(self, station: StationConfig) -> Json:
        stopped: list[Json] = [str(key) for key in self._stopped.of(station.name)]
        inside = [view.insertion for view in self._readers.views() if view.station == station.name]
        leased: list[Json] = [one.reader for one in inside if one and self._readers.lease_of(one.id)]
        return {
            "station": station.name,
            "auto": station.name in self._engine.policy.auto,
            "activation": self._readers.reserved_by(station.name),
            "stopped_keys": stopped,
            "leased": leased,
            "lent": {**self._stations.lent(station.name)},
        }
