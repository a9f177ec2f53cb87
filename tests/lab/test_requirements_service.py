"""R01 to R11 of docs/reliability.md: PC/SC and its event loop, on a real pcscd and the daemon as a process."""

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest
from support.bare_daemon import bare_daemon
from support.clerk import Clerk, counter
from support.moments import Recorded
from support.resources import Resources, steady, wake_ups
from support.shared_counter import clerk, kind_of, opened, read, reader, refusal, stays
from support.waiting import until

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.client.errors import CallError
from cardd.pcsc.backend import PcscBackend, PcscConnection
from cardd.pcsc.scard import Disposition, Protocol, ReaderState, Scard, Share
from cardd.wire.cards import CardReadParams
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import CARD_READ, READERS_LIST, SYSTEM_STATUS
from cardd.wire.system import NoParams
from cardsim.lab import Lab
from cardsim.links.echo import EchoCard

__all__ = ["clerk", "opened"]

CARD = "social-bing-2.0"
LOOKING_UP = min(32, (os.cpu_count() or 1) + 4)
"""As many threads as asyncio keeps for calls that block."""


def pid(clerk: Clerk) -> int:
    assert clerk.rig.daemon is not None
    return clerk.rig.daemon.pid


def _cpu_s(process: int) -> float:
    """Return how long a process has worked so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _subscriber(clerk: Clerk) -> socket.socket:
    """Subscribe to everything on a connection whose other end is never read."""
    sock = socket.socket(socket.AF_UNIX)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.connect(os.fspath(clerk.rig.socket))
    params = '{"after":"earliest"}'
    sock.sendall(f'{{"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{params}}}\n'.encode())
    return sock


def _one_day(clerk: Clerk) -> None:
    """Let a card come, be read and go, a reader's service restart, and a client look on."""
    clerk.insert(CARD)
    clerk.wait("card.identified")
    read(clerk)
    clerk.remove()
    clerk.wait("card.removed")
    clerk.rig.lab.restart_pcscd()
    clerk.wait("pcsc.up")
    until(lambda: reader(clerk, "sam-0").state == "present", "the module")


def _waiting(clerk: Clerk, seconds: float) -> list[threading.Thread]:
    """Have twenty clients wait for a card that does not come."""
    threads = [threading.Thread(target=refusal, args=(clerk,), kwargs={"wait_s": seconds}) for _ in range(20)]
    for thread in threads:
        thread.start()
    return threads


def test_r01_a_restart_of_pcscd_is_survived_and_reported_each_time(clerk: Clerk) -> None:
    clerk.insert(CARD)
    before = clerk.wait("card.identified")["insertion"]
    for _ in range(3):
        clerk.rig.lab.kill_pcscd()
        gone = clerk.wait("card.removed", lambda event: event["subject"] == "reader-0")
        assert (gone["insertion"], gone["data"]["cause"]) == (before, "service_down")
        assert clerk.wait("pcsc.down")["data"]["reason"] == "PCSC_UNAVAILABLE"
        clerk.rig.lab.restart_pcscd()
        clerk.wait("pcsc.up")
        after = clerk.wait("card.identified")["insertion"]
        assert after != before
        before = after
    assert read(clerk).insertion == before


def test_r02_a_reader_that_goes_leaves_the_watch_on_the_others(tmp_path: Path) -> None:
    with counter(tmp_path / "c", stations=2) as clerk:
        clerk.rig.lab.restart_pcscd(unplugged=[1])
        gone = {clerk.wait("reader.detached")["subject"] for _ in range(2)}
        assert gone == {"reader-1", "sam-1"}
        clerk.insert(CARD)
        assert clerk.wait("card.identified")["subject"] == "reader-0"
        clerk.remove()
        clerk.wait("card.removed")
        clerk.rig.lab.restart_pcscd()
        assert {clerk.wait("reader.attached")["subject"] for _ in range(2)} == gone
        clerk.insert(CARD, 2)
        assert clerk.wait("card.identified")["subject"] == "reader-1"


def test_r03_a_service_that_is_away_causes_no_storm_and_the_end_is_clean(tmp_path: Path) -> None:
    with counter(tmp_path / "c") as clerk:
        before = len(clerk.rig.log.read_bytes().splitlines())
        clerk.rig.lab.kill_pcscd()
        clerk.wait("pcsc.down")
        worked = _cpu_s(pid(clerk))
        time.sleep(3.0)
        assert _cpu_s(pid(clerk)) - worked < 0.15
        told = clerk.rig.log.read_text(encoding="utf-8").splitlines()[before:]
        assert len(told) <= 3, told
        assert sum("pcscd.socket" in line for line in told) == 1
        assert len([event for event in clerk.events if kind_of(event) == "pcsc.down"]) == 1
        process = clerk.rig.daemon
        assert process is not None
        assert clerk.rig.stop_daemon() < 2.0
        assert process.returncode == os.EX_OK
        assert b"Traceback" not in clerk.rig.log.read_bytes()


def _told(clerk: Clerk, since: int, at_least: int) -> bool:
    return len(stays(clerk, since)) >= at_least


def test_r04_each_exchange_of_like_cards_is_one_removal_and_one_insertion(clerk: Clerk) -> None:
    since = len(clerk.events)
    cards = [Recorded(CARD) for _ in range(2)]
    clerk.insert_card(cards[0])
    for number in range(1, 7):
        # the same answer to reset each time: only the reader's count tells
        clerk.rig.lab.swap(cards[number % 2], 0, gap_seconds=0.45)
        until(partial(_told, clerk, since, 2 * number + 1), f"exchange {number}")
    clerk.remove()
    until(lambda: stays(clerk, since)[-1][0] == "card.removed", "the last removal")
    told = stays(clerk, since)
    assert [kind for kind, _ in told] == ["card.inserted", "card.removed"] * 7
    insertions = [insertion for _, insertion in told]
    assert insertions[::2] == insertions[1::2]
    assert len(set(insertions)) == 7


def test_r05_what_is_there_already_is_told_when_somebody_subscribes(clerk: Clerk) -> None:
    clerk.insert(CARD)
    insertion = clerk.wait("card.identified")["insertion"]
    with clerk.rig.client() as client:
        snapshot = client.subscribe(EventsSubscribeParams(after="now")).snapshot
    assert snapshot is not None
    shown = {view.reader: view for view in snapshot.readers}
    assert set(shown) == {"reader-0", "sam-0"}
    assert (shown["reader-0"].state, shown["sam-0"].state) == ("present", "present")
    card = shown["reader-0"].card
    assert card is not None
    assert (card.insertion, card.generation) == (insertion, "2.0")


def test_r06_clients_that_do_not_read_or_die_disturb_no_card(clerk: Clerk) -> None:
    deaf = [_subscriber(clerk) for _ in range(5)]
    clerk.insert(CARD)
    clerk.wait("card.identified")
    took: list[float] = []
    for number in range(25):
        dying = _subscriber(clerk)
        # a reset instead of an orderly end, with events on their way
        dying.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        began = time.monotonic()
        assert read(clerk, purpose=f"reading {number}").generation == "2.0"
        took.append(time.monotonic() - began)
        dying.close()
    # who waited for the deaf would wait for as long as they do not read
    assert max(took) < 2.0, took
    clerk.remove()
    clerk.wait("card.removed", patience_s=2.0)
    for sock in deaf:
        sock.close()


def test_r07_idling_costs_nothing_and_nothing_is_left_over(clerk: Clerk) -> None:
    process = pid(clerk)
    # each worker keeps its context of a service that has ended until it next needs one: after two days all have one
    for _ in range(2):
        _one_day(clerk)
    steady(lambda: _counted(process), 0.5)
    before = Resources.of(process)
    for _ in range(4):
        _one_day(clerk)
    waiting = _waiting(clerk, 3.0)
    until(lambda: Resources.of(process).sockets >= before.sockets + 20, "twenty who wait")
    # users' names are looked up by a few threads that come when they are needed and stay; nobody waits in one
    assert Resources.of(process).threads <= before.threads + LOOKING_UP
    for thread in waiting:
        thread.join(10)
    until(lambda: Resources.of(process).sockets <= before.sockets, "the end of all who waited", 30.0)
    steady(lambda: _counted(process), 0.5)
    after = Resources.of(process)
    assert after.threads <= before.threads + LOOKING_UP
    assert after.descriptors <= before.descriptors
    assert after.memory - before.memory < 4096
    # the last second look is over, and pcscd has taken the power from a card that nobody uses
    steady(lambda: wake_ups(process), 1.5)
    woken, worked = wake_ups(process), _cpu_s(process)
    time.sleep(5.0)
    assert wake_ups(process) - woken <= 4
    assert _cpu_s(process) - worked <= 0.02


def _counted(process: int) -> tuple[int, int]:
    seen = Resources.of(process)
    return seen.threads, seen.descriptors


class Contexts(Scard):
    """PC/SC that notes which thread used which context for what, and whose handle belongs to which context."""

    def __init__(self) -> None:
        super().__init__()
        self.used: set[tuple[int, str]] = set()
        self.handles: dict[int, int] = {}

    def _note(self, context: int) -> None:
        self.used.add((context, threading.current_thread().name))

    def list_readers(self, context: int) -> tuple[str, ...]:
        self._note(context)
        return super().list_readers(context)

    def wait(self, context: int, known: Iterable[ReaderState], timeout_ms: int) -> tuple[ReaderState, ...]:
        self._note(context)
        return super().wait(context, known, timeout_ms)

    def connect(self, context: int, reader: str, share: Share, protocols: Protocol) -> tuple[int, Protocol]:
        self._note(context)
        handle, protocol = super().connect(context, reader, share, protocols)
        self.handles[handle] = context
        return handle, protocol

    def transmit(self, handle: int, protocol: Protocol, command: bytes) -> bytes:
        self._note(self.handles[handle])
        return super().transmit(handle, protocol, command)

    def disconnect(self, handle: int, disposition: Disposition) -> None:
        self._note(self.handles[handle])
        super().disconnect(handle, disposition)


def _patiently(backend: PcscBackend, name: str) -> PcscConnection:
    """Connect; whoever asks the reader for its serial number holds it for a moment."""
    for _ in range(40):
        try:
            return backend.connect(name, exclusive=True)
        except CarddError as error:
            assert error.reason is Reason.READER_IN_USE  # noqa: PT017 - anything else is a failure
            time.sleep(0.05)
    raise AssertionError(name)


def test_r08_each_thread_has_a_context_of_its_own_and_waits_for_no_other(lab: Lab, readers: tuple[str, ...]) -> None:
    slow, quick = EchoCard(), EchoCard()
    lab.insert(slow, 0)
    lab.insert(quick, 1)
    scard = Contexts()
    backends = [PcscBackend(scard), PcscBackend(scard)]
    seen = threading.Event()
    watchers = [backend.watch(lambda _: seen.set()) for backend in backends]
    slow.hold()

    def work(backend: PcscBackend, name: str) -> None:
        connection = _patiently(backend, name)
        connection.transmit(b"\x00\x84\x00\x00\x08")
        connection.disconnect(reset=False)

    held = threading.Thread(target=work, args=(backends[0], readers[0]), name="held")
    held.start()
    assert slow.asked.wait(5)
    assert seen.wait(10)
    seen.clear()
    # neither another thread of the same backend, nor another backend, nor the watch waits for the held command
    others = [
        threading.Thread(target=work, args=(backend, readers[1]), name=f"other {number}")
        for number, backend in enumerate(backends)
    ]
    for thread in others:
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
    lab.remove(1)
    assert seen.wait(10)
    assert held.is_alive()
    slow.let_go()
    held.join(10)
    for watcher in watchers:
        watcher.close()
        watcher.thread.join(2)
    users: dict[int, set[str]] = {}
    for context, thread_name in scard.used:
        users.setdefault(context, set()).add(thread_name)
    assert len(users) >= 5
    assert [names for names in users.values() if len(names) > 1] == []


def test_r09_while_calls_into_pcscd_hang_everybody_is_answered(clerk: Clerk) -> None:
    clerk.insert(CARD)
    clerk.wait("card.identified")
    clerk.rig.lab.stop_pcscd()
    try:
        with clerk.rig.client() as hung:
            line = b'{"jsonrpc":"2.0","id":1,"method":"card.read","params":{}}\n'
            hung._sock.sendall(line)
            time.sleep(0.3)
            began = time.monotonic()
            with clerk.rig.client() as client:
                client.call(SYSTEM_STATUS, NoParams())
                client.call(READERS_LIST, NoParams())
            assert time.monotonic() - began < 0.5
            # the job's own deadline, in whatever call it hangs
            answer = hung._line(time.monotonic() + 22.0)
        assert b'"TIMEOUT"' in answer
        assert clerk.wait("reader.unavailable")["subject"] == "reader-0"
        assert reader(clerk).state == "unavailable"
    finally:
        clerk.rig.lab.continue_pcscd()
    clerk.wait("card.identified")
    assert read(clerk).generation == "2.0"


def test_r10_after_a_sleep_of_the_machine_everything_is_read_anew(clerk: Clerk) -> None:
    first, second = Recorded(CARD), Recorded("social-ding-1.0")
    clerk.insert_card(first)
    insertion = clerk.wait("card.identified")["insertion"]
    number = read(clerk).number
    process = pid(clerk)
    # everything stands still, as in a suspended machine; meanwhile somebody takes the card and lays in another
    os.kill(process, signal.SIGSTOP)
    clerk.rig.lab.stop_pcscd()
    clerk.remove()
    clerk.insert_card(second)
    time.sleep(0.5)
    clerk.rig.lab.continue_pcscd()
    os.kill(process, signal.SIGCONT)
    gone = clerk.wait("card.removed")
    assert gone["insertion"] == insertion
    known = clerk.wait("card.identified")
    assert known["insertion"] != insertion
    assert read(clerk).number != number
    assert refusal(clerk, insertion=insertion).reason == Reason.STALE_INSERTION


class FalsePcscd:
    """Something at pcscd's socket that answers the question for the protocol's version with a code.

    Without a code it hangs up with the question unread, as pcscd does when polkit says no.
    """

    def __init__(self, path: Path, code: int | None) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(os.fspath(path))
        self._listening.listen()
        self._code = code
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            with line:
                # the whole question is there: who hangs up in its middle looks like no service at all
                while 0 < len(line.recv(20, socket.MSG_PEEK)) < 20:
                    time.sleep(0.001)
                if self._code is None:
                    continue
                # size and command, then major, minor, code
                asked = line.recv(20)
                if len(asked) == 20:
                    line.sendall(asked[8:16] + struct.pack("<I", self._code))

    def close(self) -> None:
        # accept() does not notice a close
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.mark.parametrize(
    ("code", "reason", "remedy"),
    [
        ("absent", Reason.PCSC_UNAVAILABLE, "systemctl start pcscd"),
        (0x8010001E, Reason.PCSC_UNAVAILABLE, "version"),
        (None, Reason.PCSC_DENIED, "polkit"),
    ],
    ids=["no service", "another protocol version", "refused by polkit"],
)
def test_r11_why_the_service_cannot_be_used_is_one_sentence_with_the_remedy(
    tmp_path: Path, code: int | str | None, reason: Reason, remedy: str
) -> None:
    place = tmp_path / "pcscd.comm"
    pcscd = None if isinstance(code, str) else FalsePcscd(place, code)
    try:
        with bare_daemon(tmp_path, environment={"PCSCLITE_CSOCK_NAME": str(place)}) as daemon:
            with daemon.client() as client:
                client.subscribe(EventsSubscribeParams(after="earliest", types=["pcsc.down"]))
                told = next(client.events(5)).event.data
                with pytest.raises(CallError) as refused:
                    client.call(CARD_READ, CardReadParams())
                status = client.call(SYSTEM_STATUS, NoParams())
            time.sleep(0.5)
        log = daemon.log.read_text(encoding="utf-8")
    finally:
        if pcscd is not None:
            pcscd.close()
    assert told["reason"] == reason
    assert refused.value.reason == reason
    pcsc = status["pcsc"]
    assert isinstance(pcsc, dict)
    assert remedy in str(pcsc["detail"])
    (sentence,) = [line for line in log.splitlines() if "warning" in line]
    assert remedy in sentence
    assert "Traceback" not in log
