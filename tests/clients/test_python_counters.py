"""A whole handoff through the Python counters, whose daemon is killed in the middle of it."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cardd.client import aio_counter, blocking_counter
from cardd.client.aio import Watch
from cardd.client.resume import Reconnect
from cardd.client.steps import Ended, Instruction, Question
from cardd.wire.activation import Outcome, State
from cardd.wire.events import EventsSubscribeParams
from cardsim.rig import Rig

PASSWORD = "123456"  # noqa: S105 - of a card that does not exist
PROGRAM = "till-3"
QUICKLY = Reconnect(first_s=0.02, most_s=0.2)

RESTARTS = pytest.mark.parametrize("restart_at", ["", "old card", "question", "social card"])


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig.start(tmp_path / "r") as rig:
        yield rig


class Hands:
    """Does once what each step wants; the daemon is killed and started again before one of these deeds."""

    def __init__(self, rig: Rig, restart_at: str) -> None:
        self._rig = rig
        self._restart_at = restart_at
        self._done: set[str] = set()

    def do(self, step: object) -> None:
        match step:
            case Instruction(state=State.WAITING_OLD_CARD) if self._is_new("old card"):
                self._rig.lab.insert_persona("old-bing", 0)
            case Question(purpose="old_card_password"):
                self._is_new("question")
            case Instruction(state=State.WAITING_SOCIAL_CARD) if self._is_new("social card"):
                self._rig.lab.remove(0)
                self._rig.lab.insert_persona("social-bing-2.0", 0)
            case _:
                pass

    def _is_new(self, deed: str) -> bool:
        if deed in self._done:
            return False
        self._done.add(deed)
        if deed == self._restart_at:
            self._rig.stop_daemon(signal.SIGKILL)
            self._rig.start_daemon()
        return True


def activations(rig: Rig) -> list[str]:
    """What the centre was asked to do, over all people."""
    return [
        str(done["activation"])
        for person in rig.register()
        if isinstance(person["activations"], list)
        for done in person["activations"]
    ]


@RESTARTS
def test_a_handoff_goes_on_over_a_restart_in_a_plain_loop(rig: Rig, restart_at: str) -> None:
    hands = Hands(rig, restart_at)
    counter = blocking_counter.Counter(rig.socket, program=PROGRAM, reconnect=QUICKLY)
    activation = counter.activate_pharmacy(operator="0421")
    steps = []
    for step in activation:
        steps.append(step)
        hands.do(step)
        if isinstance(step, Question):
            step.answer(PASSWORD)
    end = steps[-1]
    assert isinstance(end, Ended)
    assert end.outcome is Outcome.ACTIVATED
    assert activations(rig) == [activation.id]


@RESTARTS
@pytest.mark.asyncio
async def test_a_handoff_goes_on_over_a_restart_on_an_event_loop(rig: Rig, restart_at: str) -> None:
    hands = Hands(rig, restart_at)
    watch = await Watch.begin(EventsSubscribeParams(), path=rig.socket, reconnect=QUICKLY)
    watching = asyncio.create_task(until_completed(watch))
    activation = aio_counter.Counter(rig.socket, program=PROGRAM, reconnect=QUICKLY).activate_pharmacy()
    async with asyncio.timeout(30), watch:
        async for step in activation:
            hands.do(step)
            match step:
                case Question():
                    await step.answer(PASSWORD)
                case Ended():
                    assert step.outcome is Outcome.ACTIVATED
        seen = await watching
    assert activations(rig) == [activation.id]
    assert seen == list(range(seen[0], seen[0] + len(seen)))


async def until_completed(watch: Watch) -> list[int]:
    """Return the sequences of all events up to the end of an activation."""
    seen = []
    async for arrival in watch.events():
        seen.append(int(arrival.event.sequence))
        if arrival.event.type == "org.cardd.activation.completed.v1":
            break
    return seen


def test_another_process_goes_on_with_the_same_request(rig: Rig) -> None:
    hands = Hands(rig, "")
    counter = blocking_counter.Counter(rig.socket, program=PROGRAM, reconnect=QUICKLY)
    with counter.activate_pharmacy(request="20261123/17") as first:
        for step in first:
            hands.do(step)
            if isinstance(step, Question):
                break
    again = blocking_counter.Counter(rig.socket, program=PROGRAM).activate_pharmacy(request="20261123/17")
    states = []
    for step in again:
        states.append(step.state)
        hands.do(step)
        if isinstance(step, Question):
            assert step.answer(PASSWORD)
    assert states[0] is State.WAITING_OLD_PASSWORD
    assert (states[-1], again.id) == (State.COMPLETED, first.id)
