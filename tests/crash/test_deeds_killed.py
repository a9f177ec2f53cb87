"""The daemon is killed before and after every commit and every card command of a deed, and the deed asked for again.

Cards live in the test's process and go on. What is checked is what the card itself holds, what reached it, and what the
journal says: nothing lost, nothing done twice, no PIN shown that nobody typed for it.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support.account import account_card, till
from support.kill_points import KillPoints
from support.mortal_desk import FRONT, Answer, MortalDesk

from cardd.crypto.block import Algorithm
from cardd.wire.accounts import AccountDebitParams, AccountLoadParams, AccountProofParams
from cardd.wire.base import Params
from cardd.wire.deeds import CardPinParams, CardWriteParams
from cardsim.card.chip import Chip
from cardsim.card.image import take_image
from cardsim.card.make import make_card
from cardsim.persona import load_persona

PIN, NEW, WRONG = "123456", "654321", "111111"
TRIES = 6
FILES = {"DF04EF05": {"84": "510700"}, "DF04EF15": {"1": "0002^1^", "2": "0001^1^"}, "SSSEEF07": {"whole": "FFD8"}}
EXTERNAL_AUTHENTICATION = "0082"
VERIFY, CHANGE_PIN, CREDIT, DEBIT = "0020000003", "805E", "B02A", "B02C"
FILE_KEYS = {"85", "86", "04"}
"""The update keys of the three files."""
CHANGING = ("00DC", "00D6", VERIFY, CHANGE_PIN, CREDIT, DEBIT)
"""Commands that write, count or move."""


@dataclass
class Run:
    """One deed that was killed and asked for again."""

    counter: MortalDesk
    chip: Chip
    request: str
    killed_at: list[str]
    """The place of each killing; a deed asked for again may be answered before it comes to the second."""
    first: list[str]
    """What was executed by the card before the killing."""
    second: list[str]
    answer: Answer
    typed: int
    """How many PINs were typed for it in all; while it lasts, before it."""

    def sent(self, command: str, commands: Sequence[str] | None = None) -> int:
        return sum(one.startswith(command) for one in (self.first + self.second if commands is None else commands))

    def told(self, kind: str) -> list[Answer]:
        return self.counter.events(kind, request=self.request)


@dataclass(frozen=True)
class Case:
    """A deed: how it is asked for, what is typed, and what must hold whatever happened."""

    method: str
    params: Callable[[str], Params]
    check: Callable[[Run, Mapping[str, Any]], None]
    pins: tuple[str, ...] = ()
    ends: tuple[str, ...] = field(default=())
    """The events of which exactly one ends it."""


def memory(chip: Chip) -> dict[str, Any]:
    """Return what the card remembers, but for how many random numbers it has given."""
    return {key: value for key, value in take_image(chip.machine).items() if key != "challenges"}


def pin_of(chip: Chip) -> tuple[str, int]:
    environment = next(one for one in take_image(chip.machine)["applications"].values() if one["pin"])
    return environment["pin"], environment["pin_tries"]


# -- what must hold


def check_written(run: Run, clean: Mapping[str, Any]) -> None:
    assert memory(run.chip) == clean
    assert run.answer["written"] == {"DF04EF05": ["84"], "DF04EF15": ["1", "2"], "SSSEEF07": ["whole"]}
    assert len(run.told("card.write_intended")) == 1
    # an update key is shown once more at most, and only for a file that was not as it was to be
    for commands in (run.first, run.second):
        shown = Counter(one[6:8] for one in commands if one.startswith(EXTERNAL_AUTHENTICATION))
        assert all(shown[key] <= 1 for key in FILE_KEYS), shown


def check_verified(run: Run, clean: Mapping[str, Any]) -> None:
    assert memory(run.chip) == clean
    assert run.sent(VERIFY) <= run.typed
    assert run.sent(VERIFY) <= 1
    known = {"insertion": run.answer["insertion"], "done": "verified", "tries_left": None}
    assert run.answer == (known if run.sent(VERIFY, run.second) or run.told("pin.verified") else unknown(run))


def check_refused(run: Run, clean: Mapping[str, Any]) -> None:
    """A wrong PIN costs one try and no second one."""
    assert run.sent(VERIFY) <= 1
    assert pin_of(run.chip)[1] == TRIES - run.sent(VERIFY)
    if run.told("pin.refused"):
        assert memory(run.chip) == clean
        assert (run.answer["reason"], run.answer["tries_left"]) == ("PIN_WRONG", TRIES - 1)
    else:
        assert run.answer == unknown(run)


def check_changed(run: Run, clean: Mapping[str, Any]) -> None:
    assert run.sent(CHANGE_PIN) <= 1
    assert pin_of(run.chip) == ((NEW if run.sent(CHANGE_PIN) else PIN), TRIES)
    if run.told("pin.changed"):
        assert memory(run.chip) == clean
        assert run.answer["done"] == "changed"
    else:
        assert run.answer == unknown(run)


def unknown(run: Run) -> Answer:
    """Return the answer where nobody can find out; that is on record, and the tries are the card's own."""
    assert len(run.told("pin.unknown")) == 1
    return {"insertion": run.answer["insertion"], "done": "unknown", "tries_left": pin_of(run.chip)[1]}


def check_loaded(run: Run, clean: Mapping[str, Any]) -> None:
    check_moved(run, clean, CREDIT, 5000, "account.loaded")


def check_debited(run: Run, clean: Mapping[str, Any]) -> None:
    check_moved(run, clean, DEBIT, -1250, "account.debited")


def check_moved(run: Run, _: Mapping[str, Any], command: str, amount: int, event: str) -> None:
    assert run.sent(command) <= 1
    assert run.sent(VERIFY) <= run.typed
    if run.answer["outcome"] == "in_doubt":
        proof = AccountProofParams(request=run.request)
        run.answer = run.counter.call("account.proof", proof, [PIN]) or {}
    (ended,) = run.told(event)
    assert ended["outcome"] == run.answer["outcome"]
    assert run.answer["outcome"] == ("done" if run.sent(command) else "not_done")
    assert len(run.told("account.intended")) == 1
    run.counter.remove()
    assert till(run.chip).ready().balance() == 100_000 + (amount if run.sent(command) else 0)


PIN_ENDS = ("pin.verified", "pin.changed", "pin.refused", "pin.unknown")
CASES = {
    "write": Case(
        "card.write",
        lambda request: CardWriteParams(request=request, files=FILES),
        check_written,
        (),
        ("card.written",),
    ),
    "verify": Case("card.pin.verify", lambda request: CardPinParams(request=request), check_verified, (PIN,), PIN_ENDS),
    "verify wrong": Case(
        "card.pin.verify", lambda request: CardPinParams(request=request), check_refused, (WRONG,), PIN_ENDS
    ),
    "change": Case(
        "card.pin.change", lambda request: CardPinParams(request=request), check_changed, (PIN, NEW), PIN_ENDS
    ),
    "load": Case(
        "account.load",
        lambda request: AccountLoadParams(request=request, amount=5000),
        check_loaded,
        (PIN,),
        ("account.loaded",),
    ),
    "debit": Case(
        "account.debit",
        lambda request: AccountDebitParams(request=request, account=1250),
        check_debited,
        (PIN,),
        ("account.debited",),
    ),
}


class Matrix:
    """All places of one deed."""

    def __init__(self, directory: Path, counter: MortalDesk, case: Case) -> None:
        self.directory = directory
        self.counter = counter
        self.case = case
        self._requests = 0
        chip, request = self.card(), self.request()
        counter.watch()
        assert counter.call(case.method, case.params(request), case.pins) is not None
        self.places = counter.points.unwatch()
        assert sum("commit" in place for place in self.places) >= 4
        assert sum("card" in place for place in self.places) > 30
        counter.remove()
        self.clean = memory(chip)

    def card(self) -> Chip:
        chip = account_card(self.directory, Algorithm.SM4)
        self.counter.insert(chip)
        return chip

    def request(self) -> str:
        self._requests += 1
        return f"r-{self._requests}"

    @property
    def telling(self) -> list[int]:
        """The places around the commits of intent and end, and around commands that change something."""
        commits = [number for number, place in enumerate(self.places) if "commit" in place]
        changing = [number for number, place in enumerate(self.places) if place.split()[-1].startswith(CHANGING)]
        return commits[-4:] + changing

    def kill(self, *at: int) -> Run:
        """Kill the daemon at one place, then when the deed is asked for again at another, and let it end then."""
        begun = self.begin()
        for place in at:
            self.attempt(begun, place)
            self.counter.start()
        return self.end(begun)

    def begin(self) -> Run:
        """Put a card in for a deed that is to be killed."""
        return Run(self.counter, self.card(), self.request(), [], [], [], {}, self.counter.typed)

    def attempt(self, run: Run, place: int) -> None:
        """Ask for the deed and kill the daemon at a place of it, if it comes there."""
        counter, case = self.counter, self.case
        counter.watch(place)
        counter.call(case.method, case.params(run.request), case.pins)
        # what is recorded behind the answer may be still under way
        assert counter.points.await_death(5) or run.killed_at, f"{place} of {self.places}"
        if counter.points.killed_at is not None:
            run.killed_at.append(counter.points.killed_at)
        run.first += executed(counter.points.unwatch())
        counter.stop()

    def end(self, run: Run) -> Run:
        """Ask for the deed again and let it come to its end."""
        counter, case = self.counter, self.case
        counter.watch()
        run.answer = counter.call(case.method, case.params(run.request), case.pins) or {}
        assert run.answer
        settled = run.answer.get("outcome") != "in_doubt"
        counter.wait(lambda: not settled or any(run.told(kind) for kind in case.ends), "an end")
        run.second = executed(counter.points.unwatch())
        run.typed = counter.typed - run.typed
        return run

    def check(self, run: Run) -> None:
        if run.answer.get("outcome") != "in_doubt":
            # and asked for once more, it is answered the same, by nobody's typing
            again = self.counter.call(self.case.method, self.case.params(run.request))
            assert again == run.answer
        self.case.check(run, self.clean)
        assert sum(len(run.told(kind)) for kind in self.case.ends) == 1
        assert keys_of(run.chip) == keys_of(account_card(self.directory, Algorithm.SM4))
        if self.counter.rig.rack.look().slots[0].atr:
            self.counter.remove()


def executed(places: Sequence[str]) -> list[str]:
    """Return the commands that the card has executed: header and length."""
    return [place.split()[-1] for place in places if place.startswith("after card")]


def keys_of(chip: Chip) -> list[Mapping[str, int]]:
    """Return how many tries each key has left: one that was refused would have lost one."""
    return [one["key_tries"] for one in take_image(chip.machine)["applications"].values()]


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[MortalDesk]:
    with KillPoints(tmp_path) as points, MortalDesk(tmp_path, points) as counter:
        yield counter


@pytest.fixture
def with_module(tmp_path: Path) -> Iterator[MortalDesk]:
    """A counter whose keys are in a security module, in a reader of its own."""
    rules = [
        {"match": {"name": FRONT}, "name": FRONT},
        {"match": {"name": "sam"}, "name": "sam", "role": "sam"},
    ]
    settings = {"stations": [{"name": "desk", "readers": rules}], "keys": {"provider": "psam"}}
    with KillPoints(tmp_path) as points:
        counter = MortalDesk(tmp_path, points, slots=(FRONT, "sam"), settings=settings)
        counter.rig.insert("sam", points.card("module", make_card(load_persona("psam"))))
        with counter:
            yield counter


def killed_at_every(matrix: Matrix, places: Sequence[int]) -> int:
    for place in places:
        run = matrix.kill(place)
        try:
            matrix.check(run)
        except AssertionError as error:
            raise AssertionError(f"killed {run.killed_at} ({place} of {len(matrix.places)})") from error
    return len(places)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CASES)
def test_a_deed_killed_where_it_matters_is_not_lost_and_not_done_twice(
    name: str, counter: MortalDesk, tmp_path: Path
) -> None:
    matrix = Matrix(tmp_path, counter, CASES[name])
    killed_at_every(matrix, sorted({*matrix.telling, *range(0, len(matrix.places), 31)}))


@pytest.mark.night
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CASES)
def test_a_deed_killed_at_any_place_is_not_lost_and_not_done_twice(
    name: str, counter: MortalDesk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix = Matrix(tmp_path, counter, CASES[name])
    run = killed_at_every(matrix, range(len(matrix.places)))
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: killed at {run} of {len(matrix.places)} places\n")
    assert run == len(matrix.places)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CASES)
def test_a_deed_killed_twice_is_not_lost_and_not_done_twice(name: str, counter: MortalDesk, tmp_path: Path) -> None:
    matrix = Matrix(tmp_path, counter, CASES[name])
    total = len(matrix.places)
    for first, second in ((total - 3, 5), (total // 2, total // 2), (total - 2, 0)):
        run = matrix.kill(first, second)
        matrix.check(run)
        # half way through nothing is decided: the deed is done from its beginning, and comes there again
        assert len(run.killed_at) == 2 or first != second, run.killed_at


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "step"), [("write", 11), ("verify", 5), ("debit", 7)])
def test_a_daemon_killed_while_it_takes_up_a_deed_takes_it_up_at_its_next_start(
    name: str, step: int, counter: MortalDesk, tmp_path: Path
) -> None:
    matrix = Matrix(tmp_path, counter, CASES[name])
    run = matrix.begin()
    matrix.attempt(run, len(matrix.places) - 3)
    starts = 0
    for place in count(0, step):
        counter.begin()
        counter.watch(place)
        killed = not counter.is_ready() or counter.points.await_death(0.5)
        run.first += executed(counter.points.unwatch())
        if not killed:
            break
        starts += 1
        counter.stop()
    assert starts > 3
    matrix.check(matrix.end(run))


@pytest.mark.timeout(300)
def test_a_purchase_killed_between_card_and_module_is_not_lost_and_not_done_twice(
    with_module: MortalDesk, tmp_path: Path
) -> None:
    matrix = Matrix(tmp_path, with_module, CASES["debit"])
    by_module = [number for number, place in enumerate(matrix.places) if "module" in place]
    assert len(by_module) > 10
    killed_at_every(matrix, by_module[-10:])


@pytest.mark.night
@pytest.mark.timeout(900)
def test_a_purchase_killed_anywhere_between_card_and_module_is_not_lost_and_not_done_twice(
    with_module: MortalDesk, tmp_path: Path
) -> None:
    matrix = Matrix(tmp_path, with_module, CASES["debit"])
    assert killed_at_every(matrix, range(len(matrix.places))) == len(matrix.places)
