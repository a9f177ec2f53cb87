"""What a running daemon takes up of a configuration that was changed, and what waits until it is started anew."""

import copy
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from typing import Final

from cardd.base.options import Strict
from cardd.base.structs import Struct
from cardd.config import Config
from cardd.readers.options import StationOptions

Place = tuple[str, ...]
"""Where in the file: `("socket", "rights")`; a station by its name, `("stations", "counter-1", "auto")`."""


class Part(Enum):
    """What can be told its new settings while it runs."""

    RIGHTS = auto()
    LOGS = auto()
    RULES = auto()
    RETENTION = auto()


_ANY: Final = "*"

_TAKEN_UP: Final[Mapping[Place, Part]] = {
    ("socket", "rights"): Part.RIGHTS,
    ("web", "grant"): Part.RIGHTS,
    ("logs", "level"): Part.LOGS,
    ("activation",): Part.RULES,
    ("stations", _ANY, "auto"): Part.RULES,
    ("journal", "keep_days"): Part.RETENTION,
    ("journal", "floor_days"): Part.RETENTION,
    ("journal", "most_mb"): Part.RETENTION,
}
"""A place stands for everything under it. What is not named needs parts that are made at the start."""

Takers = Mapping[Part, Callable[[Config], None]]


class Taken(Struct, frozen=True):
    """Which keys were taken up, and which still differ from what the daemon runs on."""

    taken: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def remedy(self) -> str:
        """What is to be done about the refused ones, in a sentence; empty where there are none."""
        if not self.refused:
            return ""
        return f"{', '.join(self.refused)}: not changed while running, restart cardd for that (systemctl restart cardd)"


class Reloading:
    """Holds the configuration that is in force, and has parts take up what differs in another."""

    def __init__(self, running: Config, takers: Takers) -> None:
        self._running = running
        self._takers = takers

    def take(self, new: Config) -> Taken:
        """Take up what can be, and return what was and what was not. Raises what a part raises that cannot."""
        running = copy.deepcopy(self._running)
        taken: list[str] = []
        refused: list[str] = []
        parts: dict[Part, None] = {}
        for place in differing(self._running, new):
            part = _part_of(place)
            if part is None or part not in self._takers:
                refused.append(".".join(place))
                continue
            _adopt(running, new, place)
            parts[part] = None
            taken.append(".".join(place))
        for part in parts:
            self._takers[part](running)
        self._running = running
        return Taken(tuple(taken), tuple(refused))


def differing(old: object, new: object, place: Place = ()) -> Iterator[Place]:
    """Yield where two configurations differ, as deep as both have the same shape."""
    if isinstance(old, Strict) and type(old) is type(new):
        for name in old.__struct_fields__:
            yield from differing(getattr(old, name), getattr(new, name), (*place, name))
    elif (stations := _stations(old)) and stations.keys() == (others := _stations(new)).keys():
        for name, station in stations.items():
            yield from differing(station, others[name], (*place, name))
    elif old != new:
        yield place


def _stations(value: object) -> dict[str, StationOptions]:
    if not isinstance(value, list):
        return {}
    return {station.name: station for station in value if isinstance(station, StationOptions)}


def _part_of(place: Place) -> Part | None:
    for rule, part in _TAKEN_UP.items():
        if len(rule) <= len(place) and all(wanted in {_ANY, step} for wanted, step in zip(rule, place, strict=False)):
            return part
    return None


def _adopt(running: Config, new: Config, place: Place) -> None:
    """Copy what stands at a place."""
    to: object = running
    out_of: object = new
    *way, last = place
    for step in way:
        to, out_of = _inside(to, step), _inside(out_of, step)
    setattr(to, last, getattr(out_of, last))


def _inside(value: object, step: str) -> object:
    inner: object = _stations(value)[step] if isinstance(value, list) else getattr(value, step)
    return inner
