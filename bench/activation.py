"""How many cards a counter can activate in a second, and how soon a restart has taken up what was open.

Everything but the reader is real: readers' workers, reception, PSAM, journal and register, each with its own syncs to
the disk. One activation follows the other; the card is put in when it has begun. The commits alone are measured
in turns with them: what they take, nobody else can save.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from bench.report import Bound, Goal, Row, Settings, amount, out, publish, rates
from cardd.activation.counter import DeskCounter
from cardd.activation.engine import Engine
from cardd.activation.policy import Policy
from cardd.activation.register import LocalRegister
from cardd.base.clock import SystemClock
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.reception import Reception
from cardd.desk.stopped import StoppedKeys
from cardd.journal.events import ActivationRow, NewEvent
from cardd.journal.store import Journal
from cardd.keys.psam import PsamKeys
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.registry import Readers
from cardd.rules.identity import card_number_check, citizen_number_ok
from cardd.service import settle
from cardd.wire.activation import ActivationStartParams, OldCard, Outcome, Route, State
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.links.inprocess import InProcessBackend
from cardsim.persona import PERSONAS, Persona, load_persona

ROUNDS: Final = amount(5, short=1)
EACH: Final = amount(20, short=2)
COMMITS: Final = {Route.HOSPITAL: 5, Route.PHARMACY: 7}
WANTED: Final = 100.0
LONGEST_S: Final = 30.0


@dataclass(frozen=True)
class Person:
    """Somebody invented, with a card."""

    old_number: str
    persona: Persona
    card: VirtualCard
    row: dict[str, object]


@dataclass(frozen=True)
class Place:
    """A counter with its centre."""

    backend: InProcessBackend
    engine: Engine


def stations(count: int) -> list[StationConfig]:
    """Return so many stations; the first one's security module serves them all."""
    sam = ReaderConfig(ReaderMatch(name="sam"), Role.SAM, "sam")
    counters = [ReaderConfig(ReaderMatch(name=slot(at)), Role.COUNTER, slot(at)) for at in range(count)]
    return [
        StationConfig(station(at), readers=(counter,) if at else (counter, sam)) for at, counter in enumerate(counters)
    ]


def station(at: int) -> str:
    """Return a station's name."""
    return f"counter-{at}"


def slot(at: int) -> str:
    """Return the name of a station's reader."""
    return f"front-{at}"


def citizen(number: int) -> str:
    """Return an invented citizen number with its right check character."""
    day, of_day = divmod(number, 1000)
    head = f"5101011900{1 + day // 28:02}{1 + day % 28:02}{of_day:03}"
    return next(head + last for last in "0123456789X" if citizen_number_ok(head + last))


def person(number: int, directory: Path) -> Person:
    """Make somebody with a card of the third generation."""
    persona = yaml.safe_load((PERSONAS / "social-jia-3.0.yaml").read_text(encoding="utf-8"))
    eight, ssn = f"T{number:07}", citizen(number)
    card_number = eight + card_number_check(eight)
    code = f"510100D156000005C0{number:06X}FFFFFFFF"
    persona.update(card_number=card_number, identification_code=code)
    persona["holder"]["social_security_number"] = ssn
    file = directory / f"person-{number}.yaml"
    file.write_text(yaml.safe_dump(persona, allow_unicode=True), encoding="utf-8")
    row = {
        "social_security_number": ssn,
        "name": persona["holder"]["name"],
        "cards": [{"number": card_number, "identification_code": code}],
        "old_cards": [{"number": f"19{number:08}"}],
    }
    character = load_persona(file)
    return Person(f"19{number:08}", character, make_card(character), row)


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a folder on the disk of the project: /tmp may be memory."""
    with tempfile.TemporaryDirectory(dir=out()) as path:
        yield Path(path)


def journal_in(directory: Path) -> Journal:
    """Open a journal as the daemon does."""
    sealer = Sm4GcmSealer(Secret(b"0123456789abcdef"))
    return Journal.open(directory, sealer=sealer, clock=SystemClock(), source="/cardd/bench")


@asynccontextmanager
async def place(directory: Path, people: Sequence[Person], count: int = 1) -> AsyncIterator[Place]:
    """Bring so many counters up, with a PSAM and a register of those people."""
    clock = SystemClock()
    register_file = directory / "register.yaml"
    content = {"region": "510100", "people": [one.row for one in people]}
    register_file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    journal = journal_in(directory)
    register = LocalRegister.open(directory / "register.sqlite", register_file, clock=clock)
    backend = InProcessBackend()
    for name in (*map(slot, range(count)), "sam"):
        backend.add_slot(name)
    backend.insert("sam", make_card(load_persona("psam")))
    readers = Readers(backend, stations(count), clock=clock, boot=journal.boot)
    keys, stopped = PsamKeys(readers), StoppedKeys()
    reception = Reception(readers, journal, keys, clock=clock)
    reception.start()
    counter = DeskCounter(readers, reception, keys, stopped, clock=clock)
    engine = Engine(counter, register, journal, policy=Policy(), clock=clock, terminal="bench")
    await engine.recover()
    readers.start()
    settle()
    try:
        yield Place(backend, engine)
    finally:
        await engine.close()
        reception.close()
        readers.close()
        await journal.close()
        register.close()


async def activated(at: Place, route: Route, one: Person, number: int = 0) -> float:
    """Activate one person's card at a station and return the microseconds from the request to the committed end."""
    old = OldCard(number=one.old_number) if route is Route.PHARMACY else None
    began = time.perf_counter()
    activation = await at.engine.start(
        ActivationStartParams(route=route, station=station(number), old_card=old), client="bench"
    )
    at.backend.insert(slot(number), one.card)
    await at.engine.wait_end(activation, LONGEST_S)
    taken = (time.perf_counter() - began) * 1e6
    view = await at.engine.view(activation, personal=False)
    assert (view.state, view.outcome) == (State.COMPLETED, Outcome.ACTIVATED), view.reason
    at.backend.remove(slot(number))
    return taken


async def one_round(directory: Path, route: Route) -> list[float]:
    """Return what each of many activations took, the first one left out: it warms everything up."""
    people = [person(number, directory) for number in range(1, EACH + 2)]
    async with place(directory, people) as at:
        return [await activated(at, route, one) for one in people][1:]


async def commits(directory: Path, count: int) -> list[float]:
    """Return what so many commits of the journal take that follow each other, each with an activation's row."""
    journal = journal_in(directory)
    taken = []
    for number in range(EACH):
        began = time.perf_counter()
        for step in range(count):
            row = ActivationRow(f"a-{number}", "s", "bank", "x", step < count - 1, {"step": step}, {"old_card": "1"})
            await journal.record(NewEvent("activation.step", "s", {"state": "x"}), activation=row)
        taken.append((time.perf_counter() - began) * 1e6)
    await journal.close()
    return taken


async def taken_up(directory: Path) -> float:
    """Leave an activation open, and return the microseconds until a new engine has put on record that it goes on."""
    people = [person(1, directory)]
    async with place(directory, people) as at:
        await at.engine.start(ActivationStartParams(route=Route.HOSPITAL), client="bench")
    began = time.perf_counter()
    async with place(directory, people) as at:
        taken = (time.perf_counter() - began) * 1e6
        assert at.engine.open_count() == 1
    return taken


def main() -> None:
    """Measure, print, write."""
    routes = tuple(COMMITS)
    times: dict[Route, list[list[float]]] = {route: [] for route in routes}
    alone: dict[Route, list[list[float]]] = {route: [] for route in routes}
    open_again = []
    for _ in range(ROUNDS):
        for route in routes:
            with folder() as path:
                times[route].append(asyncio.run(one_round(path, route)))
            with folder() as path:
                alone[route].append(asyncio.run(commits(path, COMMITS[route])))
        with folder() as path:
            open_again.append(asyncio.run(taken_up(path)))
    rows = [Row.of("restart, until an open activation is taken up", open_again)]
    goals = []
    for route in routes:
        whole = [one for each in times[route] for one in each]
        rows.append(Row.of(f"{route}, one activation", whole))
        rows.append(
            Row.of(f"{route}, its {COMMITS[route]} commits alone", [one for each in alone[route] for one in each])
        )
        means = [sum(each) / len(each) for each in times[route]]
        goals.append(
            Goal.of(f"{route}, activations a second, one after the other", Bound.AT_LEAST, WANTED, rates(means))
        )
    settings: Settings = {"rounds": ROUNDS, "activations a round": EACH}
    publish("activation", __doc__ or "", rows, settings, goals)


if __name__ == "__main__":
    main()
