"""The daemon's configuration: one YAML file, read strictly, with a default for everything.

Each floor declares what can be said of it, and what of that cannot work; here its sections are put together. The
defaults serve a first run with the simulator as an ordinary user. Secrets never stand in this file: they come from
files or systemd credentials that it names.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

import msgspec

from cardd.activation.options import ActivationOptions, AuthorityOptions
from cardd.api.options import SocketOptions
from cardd.base.document import load_document
from cardd.base.options import Place, Seconds, Strict
from cardd.driver.options import DriverOptions
from cardd.journal.options import JournalOptions
from cardd.keys.options import KeyOptions
from cardd.readers.options import Access, LeaseOptions, StationOptions
from cardd.web.options import WebOptions


class BackendName(StrEnum):
    """Where readers come from: PC/SC, or one of the simulator's, which are found by entry point `cardd.backends`."""

    PCSC = "pcsc"
    SOCKET = "socket"
    IN_PROCESS = "in-process"


class LogOptions(Strict):
    """What the log tells, and how; the same message at most `same_a_minute` times a minute, unless it is debugged."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "text"
    same_a_minute: Annotated[int, msgspec.Meta(ge=1)] = 60


class MetricsOptions(Strict):
    """What is measured, as a file for node_exporter.

    `textfile` ends in `.prom` and lies in the directory that its textfile collector reads; it is written every
    `every_s` seconds. Without one, figures are told on the socket alone, to those who ask.
    """

    textfile: str | None = None
    every_s: Seconds = 15.0

    FILES: ClassVar = ("textfile",)

    def check(self, place: Place) -> None:
        """Find a file that nobody would read. Raises DocumentError."""
        named = self.textfile
        if named is not None and not named.endswith(".prom"):
            raise place.wrong(".textfile", f"node_exporter reads files that end in .prom alone: `{named}.prom`")


class Config(Strict):
    """The whole file."""

    socket: SocketOptions = msgspec.field(default_factory=SocketOptions)
    state_dir: str = "/var/lib/cardd"
    backend: BackendName = BackendName.PCSC
    access: Access = Access.EXCLUSIVE
    stations: list[StationOptions] = msgspec.field(default_factory=list)
    keys: KeyOptions = msgspec.field(default_factory=KeyOptions)
    authority: AuthorityOptions = msgspec.field(default_factory=AuthorityOptions)
    activation: ActivationOptions = msgspec.field(default_factory=ActivationOptions)
    leases: LeaseOptions = msgspec.field(default_factory=LeaseOptions)
    driver: DriverOptions = msgspec.field(default_factory=DriverOptions)
    journal: JournalOptions = msgspec.field(default_factory=JournalOptions)
    logs: LogOptions = msgspec.field(default_factory=LogOptions)
    metrics: MetricsOptions = msgspec.field(default_factory=MetricsOptions)
    web: WebOptions | None = None

    FILES: ClassVar = ("state_dir",)

    def auto_stations(self) -> frozenset[str]:
        """Return the stations at which an old card put in begins a pharmacy handoff by itself."""
        return frozenset(station.name for station in self.stations if station.auto)

    def check(self, place: Place) -> None:
        """Find two stations of one name, then what cannot work in any section. Raises DocumentError."""
        names = [station.name for station in self.stations]
        for number, name in enumerate(names):
            if name in names[:number]:
                problem = f"two stations are called `{name}`: give each a name of its own"
                raise place.wrong(f".stations[{number}].name", problem)
        for name, section in _sections(self).items():
            section.check(Place(place.path, f"{place.key}.{name}"))

    def resolve(self, base: Path) -> None:
        """Make the paths of all sections whole."""
        super().resolve(base)
        for section in _sections(self).values():
            section.resolve(base)


def load_config(path: Path) -> Config:
    """Read and check a configuration; relative paths in it are relative to the file.

    Raises DocumentError: file, line, column and what to write instead.
    """
    config = load_document(path, Config)
    config.check(Place(path, "$"))
    config.resolve(path.resolve().parent)
    return config


_FIRST: Final = ("keys", "authority", "activation", "journal", "metrics")
"""What is told first where several sections cannot work; the others follow as they stand in the type."""


def _sections(config: Config) -> dict[str, Strict]:
    members = {name: getattr(config, name) for name in (*_FIRST, *config.__struct_fields__)}
    return {name: section for name, section in members.items() if isinstance(section, Strict)}
