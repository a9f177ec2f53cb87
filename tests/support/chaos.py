"""A counter that is disturbed on purpose, and what must be so of it whatever happened.

Everything is real but the plastic: pcscd, the daemon as a process, its socket. One counter serves many disturbed
handoffs and jobs, each with a person and cards of its own, so that every next one shows that the last did no harm.
"""

import json
import os
import pwd
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

from cardd.client.blocking import Client
from cardd.client.errors import CallError
from cardd.wire.activation import ENDS, ActivationListParams, ActivationResult, PromptAnswerParams, State
from cardd.wire.base import Params
from cardd.wire.cards import ReaderView
from cardd.wire.events import short_type
from cardd.wire.methods import ACTIVATION_LIST, PROMPT_ANSWER, READERS_LIST, Signature
from cardd.wire.system import NoParams
from support.clerk import Clerk, counter
from support.moments import Recorded
from support.neighbour import NO_ACCESS, build
from support.people import PASSWORD, PIN, Person, invent

P = TypeVar("P", bound=Params)
R = TypeVar("R")

Visit = tuple[tuple[str, str], ...]
"""What somebody ordered at a reader and what came of it, in turn; an order that was not answered has no answer."""

FRONT, MODULE = 0, 2
"""The laboratory's readers at the counter, and of the security module: on two devices, so that one can go alone."""

PROMPT_S: Final = 1.0
"""A question that no card is needed for is answered within this, whatever pcscd does."""

_END_S: Final = 25.0
_OK: Final = "ok"
_PATIENCE_S: Final = 2.5
"""So long a clerk looks at a card that leads to nothing, before taking it out and putting it in again."""

_PEOPLE: Final = 200
_STATIONS: Final = [
    {
        "name": "counter-0",
        "auto": True,
        "readers": [
            {"match": {"name": "Cardsim 0* 00"}, "role": "counter", "name": "reader-0"},
            {"match": {"name": "Cardsim 1* 00"}, "role": "sam", "name": "sam-0"},
        ],
    }
]
_DEADLINES: Final = {"authorising": 1.5}
_OWN_READERS: Final = {"reader-0", "sam-0"}
_HARM: Final = frozenset({"key.stopped", "pin.locked", "reader.unavailable", "activation.expired"})


class Stage:
    """The counter, and a clerk who does what the screen says."""

    def __init__(self, clerk: Clerk, people: Iterator[Person], neighbour: Path, access: str) -> None:
        self.clerk = clerk
        self.access = access
        self.lab = clerk.rig.lab
        self.neighbour = neighbour
        self.module = Recorded("psam")
        self.typed = 0
        self.target = FRONT
        """The reader that neighbours and pullers turn to."""
        self.strangers = 0
        self.driven = 0
        self.visits: list[Visit] = []
        self._visitors: list[threading.Thread] = []
        self._people = people
        self._log_read = 0
        self._judged = 0
        self._inside: Recorded | None = None
        self._put_in_at = 0.0
        self._answered: set[str] = set()
        self._threads: list[threading.Thread] = []
        assert clerk.rig.daemon is not None
        self._daemon = clerk.rig.daemon
        self.put_module()
        clerk.wait("card.inserted", lambda event: event["subject"] == "sam-0")

    def person(self) -> tuple[Recorded, Recorded]:
        """Have the next customer come with an old card and a new one."""
        person = next(self._people)
        self.typed = 0
        self.target = FRONT
        self.visits.clear()
        self._visitors.clear()
        self.clerk.turn_the_page()
        return Recorded(person.old), Recorded(person.social)

    # -- hands

    def put(self, card: Recorded) -> None:
        """Have this card in the reader at the counter, and no other."""
        if self._inside is not card:
            self.take()
            self.clerk.insert_card(card, FRONT)
            self._inside = card
        self._put_in_at = time.monotonic()

    def take(self) -> None:
        """Take out what is in the reader at the counter, once those who visit it have done what they came for."""
        if self._inside is not None:
            _wait_for(self._visitors)
            self._inside = None
            self.clerk.remove(FRONT)

    @property
    def occupied(self) -> bool:
        """Whether a card is in the reader at the counter."""
        return self._inside is not None

    def put_module(self) -> None:
        """Have the security module in its reader."""
        self.clerk.insert_card(self.module, MODULE)

    def take_module(self) -> None:
        """Take the security module out."""
        self.clerk.remove(MODULE)

    def aside(self, act: Callable[[], object]) -> None:
        """Do something on a thread of its own; `settle` waits for it."""
        self._threads.append(_begun(act))

    def visited(self, visit: Callable[[], Visit]) -> None:
        """Have somebody come aside, for whom the card at the counter is left where it is until the visit is over."""
        self._visitors.append(_begun(lambda: self.visits.append(visit())))

    def call_aside(self, method: Signature[P, R], params: P, line: Client | None = None) -> "Future[R]":
        """Call on a line of its own, or on one that nobody else uses meanwhile."""
        future: Future[R] = Future()

        def ask() -> None:
            with nullcontext(line) if line is not None else self.clerk.rig.client() as client:
                try:
                    future.set_result(client.call(method, params))
                except BaseException as error:  # noqa: BLE001 - handed to the test
                    future.set_exception(error)

        self.aside(ask)
        return future

    def call_typing(self, method: Signature[P, R], params: P) -> "Future[R]":
        """Call aside, and type the PIN if it is asked for; returns once it is typed, or there is an answer."""
        before = len(self.clerk.events)
        future = self.call_aside(method, params)
        deadline = time.monotonic() + _END_S
        while not future.done():
            assert time.monotonic() < deadline, self.clerk.since()
            for event in list(self.clerk.events)[before:]:
                if short_type(event["type"]) == "prompt.opened":
                    self.type(event["data"]["prompt"], PIN)
                    return future
            time.sleep(0.01)
        return future

    def settle(self) -> None:
        """Wait until everything that was begun aside has ended."""
        threads, self._threads = self._threads, []
        _wait_for(threads)
        _wait_for(self._visitors)

    def type(self, prompt: str, digits: str) -> None:
        """Answer a prompt, once."""
        self._answered.add(prompt)
        self.typed += digits == PIN
        self.clerk.client.call(PROMPT_ANSWER, PromptAnswerParams(prompt=prompt, pin=digits))

    def type_next(self, digits: str) -> None:
        """Answer the prompt that opens next."""
        self.type(self.clerk.wait("prompt.opened")["data"]["prompt"], digits)

    def drive(self, activation: str, old: Recorded, social: Recorded) -> ActivationResult:
        """Do as the screen says until the activation ends; a card that leads to nothing is put in once more."""
        wanted = {
            State.WAITING_OLD_CARD: old,
            State.WAITING_SOCIAL_CARD: social,
            State.WAITING_SAME_CARD: social,
        }
        digits = {State.WAITING_OLD_PASSWORD: PASSWORD, State.WAITING_PIN: PIN}
        deadline = time.monotonic() + _END_S
        while (view := self.clerk.look(activation)).state not in ENDS:
            assert time.monotonic() < deadline, f"{view.state}: {self.clerk.since()}"
            if view.state in wanted:
                self._offer(wanted[view.state])
            elif view.state in digits and view.prompt is not None:
                self._answer(view, digits[view.state])
            time.sleep(0.02)
        self.driven += 1
        return view

    def _offer(self, card: Recorded) -> None:
        if self._inside is not card:
            self.put(card)
        elif time.monotonic() - self._put_in_at > _PATIENCE_S:
            self.take()
            self.put(card)

    def _answer(self, view: ActivationResult, digits: str) -> None:
        prompt = view.prompt.prompt if view.prompt is not None else None
        if prompt is not None and prompt not in self._answered:
            try:
                self.type(prompt, digits)
            except CallError:
                # it was closed in this very moment
                assert self.clerk.look(view.activation).state is not view.state

    # -- eyes

    def views(self) -> dict[str, ReaderView]:
        """Return the readers by name. Raises AssertionError if that takes longer than a question may."""
        began = time.monotonic()
        readers = self.clerk.client.call(READERS_LIST, NoParams()).readers
        assert time.monotonic() - began < PROMPT_S, "the daemon is held up"
        return {view.reader: view for view in readers}

    def until(self, holds: Callable[[Mapping[str, ReaderView]], bool]) -> None:
        """Wait until something is so of the readers."""
        deadline = time.monotonic() + _END_S
        while not holds(views := self.views()):
            assert time.monotonic() < deadline, views
            time.sleep(0.02)

    def identified(self) -> None:
        """Wait until the card at the counter is known; one that leads to nothing is put in once more."""
        deadline = time.monotonic() + _END_S
        while (inside := self.views().get("reader-0")) is None or inside.card is None or inside.card.kind == "unknown":
            assert time.monotonic() < deadline, self.clerk.since()
            if self._inside is not None:
                self._offer(self._inside)
            time.sleep(0.02)

    # -- what must be so

    def check(self, *cards: Recorded, expected: frozenset[str] = frozenset()) -> None:
        """Judge the counter after a disturbance that is over, and make it ready for the next one.

        `expected` are events that tell of harm, and had to come.
        """
        self.settle()
        self._check_visits()
        self.take()
        self.until(_in_order)
        assert self._daemon.poll() is None, "the daemon has ended"
        assert self.clerk.client.call(ACTIVATION_LIST, ActivationListParams(open_only=True)).activations == []
        for card in (*cards, self.module):
            _sent_once(card)
        self._check_events(expected)
        self._check_log()
        self.module.exchanges.clear()

    def _check_visits(self) -> None:
        """Check that whoever came did all that it came for, or the cell would show nothing.

        Where the daemon has cards for itself it may have been refused instead, and for that reason only.
        """
        assert len(self.visits) == len(self._visitors), "a visit came to no end"
        for visit in self.visits:
            refused = self.access == "exclusive" and [answer for _, answer in visit] == [NO_ACCESS]
            assert refused or all(answer.split(" ")[0] == _OK for _, answer in visit), self.visits

    def _check_events(self, expected: frozenset[str]) -> None:
        # what is so is on record a moment later, and here a moment after that
        deadline = time.monotonic() + _PATIENCE_S
        # all are over but the module's, which is inside
        while len(set(self._told("card.inserted")) - set(self._told("card.removed"))) != 1:
            assert time.monotonic() < deadline, self.clerk.since()
            time.sleep(0.01)
        events = list(self.clerk.events)
        sequences = [int(event["sequence"]) for event in events]
        assert sequences == list(range(1, len(sequences) + 1))
        new, self._judged = events[self._judged :], len(events)
        assert _HARM & {short_type(event["type"]) for event in new} == expected
        for kind in ("card.inserted", "card.removed"):
            assert len(set(self._told(kind))) == len(self._told(kind))

    def _told(self, kind: str) -> list[str]:
        """Return the insertions of which an event of this kind was told."""
        return [event["insertion"] for event in list(self.clerk.events) if short_type(event["type"]) == kind]

    def _check_log(self) -> None:
        lines = self.clerk.rig.log.read_text(encoding="utf-8", errors="replace").splitlines()
        new, self._log_read = lines[self._log_read :], len(lines)
        bad = [line for line in new if not line.startswith("{") or json.loads(line)["level"] in {"error", "critical"}]
        assert not bad, bad[:5]

    def once_each(self) -> None:
        """Check in the register that everybody whose handoff was driven to its end was activated, once and for good."""
        entries: list[dict[str, Any]] = self.clerk.rig.register()
        done = [entry for entry in entries if entry["activations"]]
        assert len(done) == self.driven
        for entry in done:
            assert [card["status"] for card in entry["cards"]] == ["normal"]
            assert [card["status"] for card in entry["old_cards"]] == ["void"]
            assert len(entry["activations"]) == 1

    @contextmanager
    def register_held(self) -> Iterator[Callable[[], None]]:
        """Hold the register's file so that the authority reads and cannot write, until the block or a call ends it."""
        file = self.clerk.rig.directory / "state" / "register.sqlite"
        database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database.close
        finally:
            database.close()


def _begun(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def _wait_for(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(_END_S)
        assert not thread.is_alive(), "something hangs"


def _in_order(views: Mapping[str, ReaderView]) -> bool:
    """Say whether our two readers are there, the one empty, the module in the other."""
    return views.keys() >= _OWN_READERS and (views["reader-0"].state, views["sam-0"].state) == ("empty", "present")


def _sent_once(card: Recorded) -> None:
    """Check that no external authentication was refused or repeated, and that no PIN cost a try."""
    authentications = card.asked(0x82)
    assert len({sent for sent, _ in authentications}) == len(authentications)
    assert {got for _, got in authentications} <= {b"\x90\x00"}
    assert {got for _, got in card.asked(0x20)} <= {b"\x90\x00"}


@contextmanager
def stage(directory: Path, *, access: str, people: int) -> Iterator[Stage]:
    """Bring up a counter in a directory; `access` is how the daemon opens cards: exclusive or shared."""
    directory.mkdir(parents=True)
    register, invented = invent(directory, people)
    rights = [{"user": pwd.getpwuid(os.getuid()).pw_name, "grant": ["desk", "operator", "write_card", "raw_apdu"]}]
    settings: dict[str, object] = {
        "socket": {"path": "cardd.sock", "rights": rights},
        "access": access,
        "stations": _STATIONS,
        "activation": {"pin_policy": "verify", "deadlines": _DEADLINES},
    }
    program = build(directory)
    with counter(directory / "c", stations=2, psam=None, register=register, settings=settings) as clerk:
        yield Stage(clerk, iter(invented), program, access)


class Stages:
    """A counter for each mode. One at which something went wrong is replaced, so that each cell is judged by itself."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._begun = 0
        self._open: dict[str, tuple[ExitStack, Stage]] = {}

    @contextmanager
    def at(self, mode: str) -> Iterator[Stage]:
        """Lend the counter of a mode for one cell of a matrix."""
        if mode not in self._open:
            self._begun += 1
            ended = ExitStack()
            begun = ended.enter_context(stage(self._directory / str(self._begun), access=mode, people=_PEOPLE))
            self._open[mode] = (ended, begun)
        try:
            yield self._open[mode][1]
        except BaseException:
            self._open.pop(mode)[0].close()
            raise

    def close(self) -> None:
        """Check what the registers say of all that was done, and close the counters."""
        for ended, at in self._open.values():
            with ended:
                at.once_each()
