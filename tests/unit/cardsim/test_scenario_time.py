"""Virtual time: it stands still while anybody works, and leaps when all sleep; one seed gives one run."""

import errno
import gc
import json
import os
import pwd
import socket
import threading
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
from support.scenarios import ran, told

from cardd.journal.writer import Record, Writer
from cardsim.scenario.chance import Chance
from cardsim.scenario.grounds import clocks
from cardsim.scenario.grounds.clocks import RealTime, VirtualTime
from cardsim.scenario.grounds.house import SOCKET
from cardsim.scenario.grounds.inprocess import InProcessGround
from cardsim.scenario.outcome import Came

DEADLINES = """
- repeat: 1000
  short: 50
  do:
    - activate: {route: pharmacy}
    - pass: 121
- expect: {events: {activation.expired: 1000}}
"""


def test_deadlines_pass_in_virtual_time_and_nobody_waits_for_the_machines(tmp_path: Path) -> None:
    with told(tmp_path, DEADLINES.replace("expired: 1000", "expired: 50"), short=True) as story:
        assert story.failures == []
        clock = story.ground.time
        assert isinstance(clock, VirtualTime)
        # a deadline and the end of a `pass` for each, beside the heartbeats of two connections
        assert clock.elapsed() == 50 * 121
        assert clock.leaps < 50 * 121 / 15 * 2 + 3 * 50


@pytest.mark.slow
def test_a_thousand_deadlines_expire(tmp_path: Path) -> None:
    result = ran(tmp_path, DEADLINES)
    assert (result.failures, result.passed_s) == ([], 121_000)


def test_a_thread_that_has_run_between_two_looks_was_not_asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, over = count(), threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    awake = (lambda _: (b"S", str(next(runs)).encode()), lambda _: (b"R", b"1"), lambda _: (b"D", b"1"))
    seen = []
    for look in (*awake, lambda _: (b"S", b"1")):
        monkeypatch.setattr(clocks, "_look_at", look)
        seen.append(clocks.Looks().all_asleep())
    over.set()
    other.join()
    assert seen == [False, False, False, True]


def test_nothing_leaps_while_a_thread_works() -> None:
    clock = VirtualTime()
    seen: list[float] = []

    def watched() -> None:
        end = time.thread_time() + 0.2
        while time.thread_time() < end:
            pass
        seen.append(clock.elapsed())

    threads = [threading.Thread(target=clock.loop.run_forever), threading.Thread(target=watched)]
    for thread in threads:
        thread.start()
    clock.start()
    clock.sleep(10)
    after = clock.elapsed()
    threads[1].join()
    clock.give_up()
    clock.loop.call_soon_threadsafe(clock.loop.stop)
    threads[0].join()
    clock.loop.close()
    assert (seen, after) == ([0.0], 10)


def test_a_slow_card_takes_virtual_time(tmp_path: Path) -> None:
    timeline = """
- insert: social-jia-3.0
  faults: [{do: slow, ms: 300}]
- wait: card.identified
  within_s: 600
"""
    result = ran(tmp_path, timeline, "psam: none")
    assert result.failures == []
    assert result.passed_s > 2
    assert result.took_s < result.passed_s


@pytest.mark.parametrize("step", ["- pass: 1", "- wait: card.removed\n  within_s: 1000000"])
def test_a_run_whose_threads_cannot_be_looked_at_ends_as_one_on_a_broken_machine(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, look = count(), clocks._look_at

    def short_of_descriptors(task: str) -> tuple[bytes, bytes]:
        if next(looks) > 500:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return look(task)

    monkeypatch.setattr(clocks, "_look_at", short_of_descriptors)
    result = ran(tmp_path, f"- repeat: 100000\n  do:\n    {step.replace(chr(10), chr(10) + '    ')}")
    assert (result.came, [one.came for one in result.failures]) == (Came.MACHINE, ["[Errno 24] Too many open files"])


@pytest.mark.parametrize("power", ["{restart: centre}", "{kill: centre}, {start: centre}", "{restart: daemon}"])
def test_what_is_ended_and_started_again_takes_no_time_at_the_counter(power: str, tmp_path: Path) -> None:
    result = ran(tmp_path, f"- repeat: 4\n  do: [{power}]", "centre: true")
    assert (result.failures, result.passed_s) == ([], 0)


def test_given_up_nobody_waits_any_longer() -> None:
    clock = RealTime()
    sleeper = threading.Thread(target=clock.sleep, args=(3600,))
    sleeper.start()
    clock.give_up()
    sleeper.join(5)
    assert not sleeper.is_alive()


CHALLENGE = """
- insert: social-jia-3.0
- wait: card.identified
- call: lease.acquire
  params: {ttl_s: 60}
  as: held
- call: card.transmit
  params: {lease: "{held.lease}", apdu: "0084000008"}
  as: random
- repeat: 4
  do:
    - choose: [{do: [{pass: 1}]}, {do: [{pass: 2}]}, {do: [{pass: 4}]}]
- call: card.transmit
  params: {lease: "{held.lease}", apdu: "0084000008"}
  where: {response: "{random.response}"}
"""


HEAD = f"""
settings:
  keys: {{provider: none}}
  socket:
    rights: [{{user: {pwd.getpwuid(os.geteuid()).pw_name}, grant: [desk, raw_apdu]}}]
"""


def drawn(folder: Path, seed: int) -> tuple[str, float]:
    """Return what the card drew at last, as a failed expectation tells it, and how long the choices took."""
    result = ran(folder, CHALLENGE, HEAD, seed=seed)
    (failure,) = result.failures
    return failure.came, result.passed_s


def test_the_same_seed_gives_the_cards_random_bytes_and_every_choice_again(tmp_path: Path) -> None:
    first, again, other = (drawn(tmp_path, seed) for seed in (5, 5, 6))
    assert "response is" in first[0]
    assert first == again
    assert first[0] != other[0]


@pytest.fixture
def laborious_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the journal work long at each commit, so that events are told well after what they tell of."""
    append = Writer._append

    def slowly(self: Writer, records: Sequence[Record]) -> object:
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass
        return append(self, records)

    monkeypatch.setattr(Writer, "_append", slowly)


@pytest.mark.usefixtures("laborious_journal")
def test_a_run_is_told_nothing_of_the_counters_own_setting_up_and_everything_of_its_last_step(tmp_path: Path) -> None:
    result = ran(tmp_path, "- insert: social-jia-3.0\n- read: reader-0\n  purpose: a visit\n- remove:")
    # inserted, identified, disclosed, removed
    assert (result.failures, result.events) == ([], 4)


def test_a_run_that_ends_in_the_middle_of_a_deed_leaves_nothing_that_nobody_saw(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    timeline = "- insert: p5-offline\n- wait: card.identified\n"
    deed = {"method": "account.debit", "params": {"request": "r-1", "account": 100}}
    with told(tmp_path, timeline) as story, socket.socket(socket.AF_UNIX) as line:
        assert isinstance(story.ground, InProcessGround)
        line.settimeout(10)
        line.connect(str(story.ground.directory / SOCKET))
        for number, asked in enumerate(({"method": "events.subscribe", "params": {}}, deed), 1):
            line.sendall(json.dumps({"jsonrpc": "2.0", "id": number, **asked}).encode() + b"\n")
        said = b""
        while b"prompt.opened" not in said:
            said += line.recv(65536)
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def test_every_use_has_a_stream_of_its_own() -> None:
    chance = Chance(1)
    assert chance.number("card", "a") == Chance(1).number("card", "a")
    assert len({chance.number("card", "a"), chance.number("card", "b"), Chance(2).number("card", "a")}) == 3
    assert chance.stream("x", "y").random() != chance.stream("xy").random()
    assert len(chance.digits(6, "pin")) == 6


def test_of_several_steps_that_begin_at_one_moment_each_goes_on_when_the_one_before_rests_by_their_names() -> None:
    clock = VirtualTime()
    went: list[str] = []

    def step(name: str) -> None:
        clock.settle(name)
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        went.append(name)

    threads = [threading.Thread(target=step, args=(name,)) for name in "cab"]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    clock.start()
    for thread in threads:
        thread.join()
    clock.give_up()
    clock.settle("nobody waits any longer")
    clock.loop.close()
    assert went == ["a", "b", "c"]
