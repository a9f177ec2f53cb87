import asyncio
import threading

import pytest
from support.readers import ManualClock

from cardd.desk.away import PAUSE_S, AwayKeys
from cardd.keys.psam import PsamKeys
from cardd.keys.remote import RemoteKeys
from cardd.keys.service import Reachable
from cardd.keys.software import SoftwareKeys

pytestmark = pytest.mark.asyncio


class Machine:
    """A key service that answers when it is told to."""

    def __init__(self) -> None:
        self.answers = False
        self.asked = 0
        self.told = 0
        self.free = threading.Event()
        self.free.set()

    def reachable(self, *, deadline: float) -> bool:  # noqa: ARG002 - the protocol's
        self.asked += 1
        self.free.wait(5)
        return self.answers

    def came(self) -> None:
        self.told += 1


def away(machine: Machine, clock: ManualClock) -> AwayKeys:
    return AwayKeys(machine, machine.came, clock=clock)


async def pause(machine: Machine, clock: ManualClock) -> None:
    """Let the time for the next question come, and its answer."""
    asked = machine.asked
    clock.advance(PAUSE_S)
    await answered(machine, asked)


async def answered(machine: Machine, asked: int) -> None:
    for _ in range(2000):
        if machine.asked > asked and "key service away" not in {thread.name for thread in threading.enumerate()}:
            break
        await asyncio.sleep(0.001)
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_a_service_is_asked_again_and_again_until_it_answers_and_no_longer() -> None:
    machine, clock = Machine(), ManualClock()
    keys = away(machine, clock)
    with keys.awaited():
        for asked in (1, 2, 3):
            await pause(machine, clock)
            assert (machine.asked, machine.told) == (asked, 0)
        machine.answers = True
        await pause(machine, clock)
        assert (machine.asked, machine.told) == (4, 1)
        clock.advance(10 * PAUSE_S)
        assert machine.asked == 4


async def test_nobody_is_asked_while_nobody_waits_and_once_for_all_who_do() -> None:
    machine, clock = Machine(), ManualClock()
    keys = away(machine, clock)
    clock.advance(10 * PAUSE_S)
    assert machine.asked == 0
    with keys.awaited(), keys.awaited():
        await pause(machine, clock)
        assert machine.asked == 1
    clock.advance(10 * PAUSE_S)
    assert machine.asked == 1
    with keys.awaited():
        await pause(machine, clock)
        assert machine.asked == 2


async def test_a_question_that_is_not_answered_yet_is_not_asked_a_second_time() -> None:
    machine, clock = Machine(), ManualClock()
    keys = away(machine, clock)
    machine.free.clear()
    with keys.awaited():
        clock.advance(PAUSE_S)
    with keys.awaited():
        clock.advance(PAUSE_S)
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert machine.asked == 1
        machine.free.set()
        await answered(machine, 0)
        await pause(machine, clock)
        assert machine.asked == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_question_that_fails_in_an_unforeseen_way_is_asked_again() -> None:
    class Faulty(Machine):
        def reachable(self, *, deadline: float) -> bool:
            if super().reachable(deadline=deadline):
                return True
            raise ValueError("no answer at all")

    machine, clock = Faulty(), ManualClock()
    keys = away(machine, clock)
    with keys.awaited():
        await pause(machine, clock)
        machine.answers = True
        await pause(machine, clock)
        assert (machine.asked, machine.told) == (2, 1)


async def test_only_a_machine_on_the_network_has_to_be_asked() -> None:
    assert issubclass(RemoteKeys, Reachable)
    assert not issubclass(PsamKeys, Reachable)
    assert not issubclass(SoftwareKeys, Reachable)
    clock = ManualClock()
    with AwayKeys(None, lambda: None, clock=clock).awaited():
        clock.advance(PAUSE_S)
