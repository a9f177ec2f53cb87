"""What the timelines of one run share, and what each of them has for itself."""

import threading
from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from cardd.base.document import DocumentError
from cardd.base.errors import CarddError
from cardd.client.blocking import Client
from cardd.client.errors import ProtocolError, UnreachableError
from cardsim.scenario.cast import Cast
from cardsim.scenario.chance import Chance
from cardsim.scenario.expect import at, differences, mask, text, wishes
from cardsim.scenario.expected import Wanted, Where
from cardsim.scenario.feed import Feed, Told
from cardsim.scenario.grounds.ground import Card, Ground
from cardsim.scenario.model import Person, Place, Scenario
from cardsim.scenario.names import FILLED
from cardsim.scenario.outcome import Came, Failure, OverError, StepFailedError, came_of, said_by
from cardsim.scenario.plan import Read, planned, readers_of, stations_of

_SHOWN: Final = 8


class Story:
    """One run: the ground, who is there, what was told, and what went wrong."""

    def __init__(self, read: Read, ground: Ground, cast: Cast, chance: Chance, *, short: bool) -> None:
        self.read: Final = read
        self.ground: Final = ground
        self.cast: Final = cast
        self.chance: Final = chance
        self.short: Final = short
        self.readers: Final = readers_of(read.scenario)
        self.feed: Final = Feed(ground, self.readers)
        self.failures: Final[list[Failure]] = []
        self.came = Came.PASSED
        self.steps = 0
        self.seen: Final[dict[str, list[Card]]] = {}
        """The cards that were put in at each station, the newest last."""
        self._lock = threading.Lock()

    @property
    def scenario(self) -> Scenario:
        """Return what is run."""
        return self.read.scenario

    def took(self, card: Card, reader: str) -> None:
        """Note that a card is put in."""
        with self._lock:
            self.seen.setdefault(self.readers.get(reader, ""), []).append(card)

    def step(self) -> None:
        """Count a step. Raises OverError where the run is over."""
        with self._lock:
            if self.came is not Came.PASSED:
                raise OverError
            self.steps += 1

    def end(self, came: Came, place: Place, expected: str, what: str) -> None:
        """Note what went wrong; all timelines end before their next step."""
        column = f":{place.column}" if came is Came.BROKEN else ""
        where = f"{self.read.path}:{place.line}{column}" if place.line else str(self.read.path)
        with self._lock:
            # what comes after the first failure comes of it
            if self.came is Came.PASSED and came is not Came.INTERRUPTED:
                self.failures.append(Failure(where, expected, what))
            if self.came is Came.PASSED or came is Came.INTERRUPTED:
                self.came = came
        with self.feed.changed:
            self.feed.changed.notify_all()

    @property
    def over(self) -> bool:
        """Say whether the run is over before its timelines are."""
        return self.came is not Came.PASSED


class Wish:
    """Which event is waited for: the glob of its type, values, and whose it is."""

    def __init__(self, kind: str, where: Where, correlation: str | None = None) -> None:
        self._kind = kind
        self._where = where
        self._correlation = correlation

    def fits(self, told: Told) -> bool:
        """Say whether an event is one."""
        if not fnmatchcase(told.kind, self._kind):
            return False
        if self._correlation is not None and told.event.correlationid != self._correlation:
            return False
        return not any(differences(event_view(told), self._where))

    def __str__(self) -> str:
        return f"{self._kind}{wishes(self._where)}"


class Branch:
    """One timeline under way: its names, its station, and how far it has followed the events.

    `path` tells it from the others, also to the seed. Not for several threads.
    """

    def __init__(
        self, story: Story, path: str, names: MutableMapping[str, object], station: str | None, after: int
    ) -> None:
        self.story: Final = story
        self.path: Final = path
        self.names = names
        self.station = station
        self.after = after
        self.chance: Final = story.chance.stream("timeline", path)
        self.answered: Final[set[str]] = set()
        self._client: Client | None = None

    def child(self, name: object, *, station: str | None = None, **names: object) -> "Branch":
        """Return a timeline that begins now, beside this one or inside it."""
        mine: MutableMapping[str, object] = ChainMap(dict(names), self.names)
        branch = Branch(self.story, f"{self.path}/{name}", mine, station or self.station, len(self.story.feed.told))
        branch.answered.update(self.answered)
        return branch

    @contextmanager
    def at(self, place: Place) -> Iterator[None]:
        """Begin a step when all that the one before set off has come to rest, and note whatever goes wrong at it.

        Raises OverError then.
        """
        self.story.ground.time.settle(self.path)
        self.story.step()
        try:
            yield
        except StepFailedError as failed:
            self.story.end(Came.FAILED, place, failed.expected, failed.came)
        except (UnreachableError, ProtocolError, TimeoutError) as error:
            self.story.end(Came.FAILED, place, "an answer of the daemon", said_by(error))
        except (DocumentError, CarddError, OSError) as error:
            self.story.end(came_of(error), place, "", said_by(error))
        except OverError:
            raise
        except Exception as error:  # noqa: BLE001 # whatever it is, no run that it broke has passed
            self.story.end(Came.MACHINE, place, "", f"{type(error).__name__}: {error}")
        if self.story.over:
            raise OverError

    @contextmanager
    def naming(self, names: Mapping[str, object]) -> Iterator[None]:
        """Have names for a while."""
        before = self.names
        self.names = ChainMap(dict(names), before)
        try:
            yield
        finally:
            self.names = before

    @contextmanager
    def standing(self, station: str) -> Iterator[None]:
        """Be at a station for a while."""
        before, self.station = self.station, station
        try:
            yield
        finally:
            self.station = before

    # -- names

    def wanted(self, said: Wanted | msgspec.UnsetType) -> Wanted:
        """Fill what is wanted of a value."""
        filled = self.filled(said)
        return filled if isinstance(filled, str | tuple) else None

    def fill(self, said: str) -> str:
        """Put values in the place of `{n}`, `{person.register.name}`, `{NAME.path}`."""
        return FILLED.sub(lambda found: text(self.value(found[1])), said)

    def filled(self, value: object) -> object:
        """Fill all texts inside a value."""
        if isinstance(value, str):
            return self.fill(value)
        if isinstance(value, dict):
            return {key: self.filled(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.filled(one) for one in value)
        return value

    def value(self, path: str) -> object:
        """Return what a name stands for. Raises StepFailedError where it stands for nothing."""
        head, _, rest = path.partition(".")
        names = {"seed": self.story.chance.seed, **self.names}
        if head == "station":
            names[head] = self.here()
        elif head not in names:
            names[head] = self.person(head)
        if not rest:
            return names[head]
        found = list(at(_plain(names[head]), rest))
        if not found:
            raise StepFailedError(f"`{{{path}}}` stands for something", f"`{head}` has no `{rest}`")
        return found[0]

    def card(self, said: str) -> Card:
        """Return the card that a text means. Raises DocumentError, StepFailedError."""
        name = self.fill(said)
        person, dot, alias = name.partition(".")
        if not dot or self.story.cast.has(name):
            return self.story.cast.card(name)
        somebody = self.person(person)
        card = self.story.cast.card_of(somebody, alias)
        if card is None:
            raise StepFailedError(f"a card `{alias}` of `{person}`", f"there are {', '.join(somebody.cards)}")
        return card

    def person(self, name: str) -> Person:
        """Return the person that a name means here: of a loop, or a group of one."""
        found = self.names.get(name)
        if isinstance(found, Person):
            return found
        group = self.story.cast.groups.get(name, ())
        if len(group) != 1:
            raise StepFailedError(f"something or somebody called `{name}`", f"there are {len(group)}")
        return group[0]

    # -- places

    def reader(self, named: str | None) -> str:
        """Return the reader that is meant: the named one, or the first of this station for people's cards."""
        if named is not None:
            return self.fill(named)
        station = self.here()
        sams = {one.name for plan in planned(self.story.scenario) for one in plan.readers if one.role == "sam"}
        return next(one for one, at_station in self.story.readers.items() if at_station == station and one not in sams)

    def here(self) -> str:
        """Return this timeline's station, or the only one."""
        if self.station is not None:
            return self.station
        stations = stations_of(self.story.scenario)
        if len(stations) != 1:
            raise StepFailedError("a station", f"say which with `at:` or `reader:`: {', '.join(stations)}")
        return stations[0]

    # -- events

    def find(self, wanted: Wish, seconds: float, waited: float = 0) -> Told:
        """Return the first event from here on that is wanted, and go on behind it. Raises StepFailedError.

        `waited` is how long somebody has waited for it already.
        """
        feed, found = self.story.feed, list[Told]()
        looked = self.after

        def came() -> bool:
            nonlocal looked
            for told in feed.of(self.station, looked):
                if wanted.fits(told):
                    found.append(told)
                    break
            looked = len(feed.told)
            return bool(found) or self.story.over or feed.lost

        with feed.changed:
            self.story.ground.time.wait(feed.changed, came, seconds)
            came()
            if not found:
                raise StepFailedError(f"{wanted} within {seconds + waited:g} s", self.since())
        self.after = found[0].number
        return found[0]

    def has_come(self, wanted: Wish) -> bool:
        """Say whether an event that is wanted has come from here on. The feed's lock is held."""
        return any(wanted.fits(told) for told in self.story.feed.of(self.station, self.after))

    def since(self) -> str:
        """Tell the last events that came instead. The feed's lock is held."""
        told = [_line(one) for one in self.story.feed.of(self.station, self.after)]
        gone = ["the daemon has gone"] if self.story.feed.lost else []
        more = [f"{len(told) - _SHOWN} earlier ones"] if len(told) > _SHOWN else []
        return "; ".join([*more, *told[-_SHOWN:], *gone]) or "no event"

    # -- the daemon

    def client(self) -> Client:
        """Return this timeline's connection, made when it is used first. Raises UnreachableError."""
        if self._client is None:
            self._client = self.story.ground.client()
        return self._client

    def hang_up(self) -> None:
        """Let go of the connection: at the end, or where the daemon goes."""
        if self._client is not None:
            self._client.close()
            self._client = None


def event_view(told: Told) -> dict[str, object]:
    """Return an event by the paths of expectations: its own members, and those of its data by themselves."""
    whole = msgspec.to_builtins(told.event)
    return {**told.event.data, "data": {}, **whole}


def _line(told: Told) -> str:
    data = {key: value for key, value in told.event.data.items() if key in _TOLD and value is not None}
    said = ", ".join(f"{key} {mask(text(value))}" for key, value in data.items())
    return f"{told.kind} {told.event.subject or ''}".rstrip() + (f" ({said})" if said else "")


_TOLD: Final = ("state", "outcome", "reason", "cause", "kind", "purpose")


def _plain(value: object) -> object:
    return msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value
