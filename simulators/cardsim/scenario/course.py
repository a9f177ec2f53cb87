"""The course that a timeline takes: which readers hold a card at each step, and whether there is a daemon to ask.

Only what is certain is refused: where several ways lead to a step, or several timelines have a hand in it, nothing is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cardd.base.structs import Struct
from cardsim.scenario import model
from cardsim.scenario.expected import Standing
from cardsim.scenario.model import AnyStep, Scenario
from cardsim.scenario.plan import Keys, Read, planned, possible, stations_of

_FULL: Final = "full"
_EMPTY: Final = "empty"
_DAEMON: Final = "daemon"
_UP: Final = "up"
_AWAY: Final[Mapping[str, str]] = {"kill": "was killed", "stop": "was stopped"}
_MEND: Final[Mapping[str, str]] = {"kill": "start", "stop": "continue"}


class _Since(Struct, frozen=True):
    """How something stands, and the line of the step that left it so (0: it was so from the beginning)."""

    how: str
    line: int = 0


Standings = Mapping[str, _Since]
"""How readers and the daemon stand; what is not in it is not known."""


class _Mistake(Struct, frozen=True):
    step: AnyStep
    keys: Keys
    problem: str


class _Lane(Struct, frozen=True):
    """Steps that are done side by side with others: at which station, and in how many rounds at most."""

    steps: tuple[AnyStep, ...]
    station: str | None
    rounds: int = 1


def follow_course(read: Read, ground: str) -> None:
    """Raise DocumentError at the first step that its own timeline makes impossible on a ground."""
    course = _Course(read.scenario, ground)
    course.follow(read.scenario.timeline, course.beginning(), course.only)
    for mistake in course.mistakes:
        raise read.fault(mistake.step.place.where, mistake.problem, *mistake.keys)


class _Course:
    def __init__(self, scenario: Scenario, ground: str) -> None:
        self._ground = ground
        self._people = scenario.people
        self._psam = scenario.psam
        self._stations = planned(scenario)
        self._open = stations_of(scenario)
        self.only: Final = self._open[0] if len(self._open) == 1 else None
        self.mistakes: Final[list[_Mistake]] = []
        self._touched: set[str] = set()
        self._shared: frozenset[str] = frozenset()

    def beginning(self) -> Standings:
        """Return how all stands when the first step begins; the readers of others may hold whatever they do."""
        standings = {_DAEMON: _Since(_UP)}
        if self._ground == "running":
            return standings
        readers = [reader for station in self._stations for reader in station.readers]
        standings |= {reader.name: _Since(_EMPTY) for reader in readers}
        modules = [reader.name for reader in readers if reader.role == "sam"]
        if self._psam != "none" and modules:
            standings[modules[0]] = _Since(_FULL)
        return standings

    def follow(self, steps: Sequence[AnyStep], standings: Standings, station: str | None) -> Standings:
        """Return how all stands after some steps, noting those that cannot be done."""
        for step in steps:
            standings = self._after(step, standings, station)
        return standings

    def _after(self, step: AnyStep, now: Standings, station: str | None) -> Standings:
        match step:
            case model.Insert() | model.Swap() | model.Remove():
                after = self._hand(step, now, station)
            case model.Kill() | model.Stop() | model.Continue() | model.Start() | model.Restart():
                after = self._power(step, now)
            case model.Repeat() | model.ForEach():
                after = self._loop(step, now, station)
            case model.Choose():
                ways = possible(step, self._ground)
                after = _either([self.follow(one.do, now, station) for one in ways]) if ways else now
            case model.Together():
                after = self._aside([_Lane(steps, station) for steps in step.together], now)
            case model.At():
                after = self.follow(step.do, now, step.at)
            case _:
                self._ask(step, now)
                after = now
        return after

    # -- hands

    def _hand(self, step: model.Insert | model.Swap | model.Remove, now: Standings, station: str | None) -> Standings:
        reader = self._reader(step.remove if isinstance(step, model.Remove) else step.reader, station)
        if reader is None:
            # it may be any of them
            return self._changed(now, {name: None for name in now if name != _DAEMON})
        verb = str(type(step).__struct_config__.tag)
        wanted = _EMPTY if isinstance(step, model.Insert) else _FULL
        found = now.get(reader)
        if found is not None and found.how != wanted:
            self.mistakes.append(_Mistake(step, (verb,), _told(verb, reader, found)))
        after = _EMPTY if isinstance(step, model.Remove) else _FULL
        return self._changed(now, {reader: _Since(after, step.place.line)})

    def _reader(self, named: str | None, station: str | None) -> str | None:
        if named is not None:
            return None if "{" in named else named
        found = next((one for one in self._stations if one.name == station), None)
        readers = () if found is None else found.readers
        return next((reader.name for reader in readers if reader.role == "counter"), None)

    # -- power

    def _power(
        self, step: model.Kill | model.Stop | model.Continue | model.Start | model.Restart, now: Standings
    ) -> Standings:
        verb = str(type(step).__struct_config__.tag)
        if step.machine == "pcscd":
            # whether cards are in after that is the laboratory's doing
            return self._changed(now, {name: None for name in now if name != _DAEMON})
        if step.machine != _DAEMON:
            return now
        found = now.get(_DAEMON)
        # as a process of its own it is let be
        if verb == "start" and self._ground == "in-process" and found is not None and found.how == _UP:
            self.mistakes.append(_Mistake(step, (verb,), "the daemon runs: kill it first, or write `restart`"))
        return self._changed(now, {_DAEMON: _Since(verb if verb in _AWAY else _UP, step.place.line)})

    def _ask(self, step: AnyStep, now: Standings) -> None:
        """Note a question that nobody is there to answer."""
        asks = isinstance(step, model.Call | model.Activate | model.Read | model.Answer)
        asks = asks or (isinstance(step, model.Expect) and isinstance(step.expect, Standing))
        found = now.get(_DAEMON)
        if asks and found is not None and found.how in _AWAY:
            verb = str(type(step).__struct_config__.tag)
            problem = f"the daemon {_AWAY[found.how]} (line {found.line}): `{_MEND[found.how]}: daemon` first"
            self.mistakes.append(_Mistake(step, (verb,), problem))

    # -- order

    def _loop(self, step: model.Repeat | model.ForEach, now: Standings, station: str | None) -> Standings:
        times = step.repeat if isinstance(step, model.Repeat) else self._count(step.for_each)
        stations = self._open if step.across == "all" else step.across
        if not stations:
            return self._rounds(_Lane(step.do, station, times), now)
        shares = [(one, len(range(number, times, len(stations)))) for number, one in enumerate(stations)]
        return self._aside([_Lane(step.do, one, share) for one, share in shares if share], now)

    def _count(self, group: str) -> int:
        spec = self._people[group].generate
        return 1 if spec is None else spec.count

    def _rounds(self, lane: _Lane, now: Standings) -> Standings:
        """Go through the first round and the second: what a round does, each later one does as well."""
        for _ in range(min(lane.rounds, 2)):
            now = self.follow(lane.steps, now, lane.station)
        return now

    def _aside(self, lanes: Sequence[_Lane], now: Standings) -> Standings:
        """Go through timelines side by side; none knows of what the others change."""
        touched = [self._touches(lane, now) for lane in lanes]
        ends = list[Standings]()
        before = self._shared
        for number, lane in enumerate(lanes):
            others = frozenset[str]().union(*touched[:number], *touched[number + 1 :])
            self._shared = before | others
            ends.append(self._rounds(lane, {name: since for name, since in now.items() if name not in others}))
        self._shared = before
        # a station may have no share in a short run
        return _either([now, *ends]) if ends else now

    def _touches(self, lane: _Lane, now: Standings) -> set[str]:
        before, self._touched = self._touched, set()
        noted = len(self.mistakes)
        self._rounds(lane, now)
        del self.mistakes[noted:]
        touched, self._touched = self._touched, before | self._touched
        return touched

    def _changed(self, now: Standings, changes: Mapping[str, _Since | None]) -> Standings:
        self._touched |= changes.keys()
        kept = {name: since for name, since in now.items() if name not in changes}
        known = {name: one for name, one in changes.items() if one is not None and name not in self._shared}
        return {**kept, **known}


def _either(ends: Iterable[Standings]) -> Standings:
    """Return what is so whichever way was taken."""
    first, *others = ends
    return {
        name: since
        for name, since in first.items()
        if all(name in other and other[name].how == since.how for other in others)
    }


def _told(verb: str, reader: str, found: _Since) -> str:
    since = f" since line {found.line}" if found.line else ""
    if verb == "insert":
        return f"there is a card in `{reader}`{since}: remove it first, or write `swap`"
    remedy = "write `insert`" if verb == "swap" else "put one in first"
    return f"there is no card in `{reader}`{since}: {remedy}"
