"""Cards opened through a real pcscd."""

import gc
import os
import subprocess
import sys
import threading
import time

import pytest
from support.notebook import Notebook
from support.resources import steady

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import Presence, Slots, Transport
from cardd.pcsc.backend import PcscBackend
from cardd.pcsc.watcher import Watcher
from cardsim.lab import Lab
from cardsim.links.echo import CONTACT_ATR, CONTACTLESS_ATR, EchoCard

GET_CHALLENGE = bytes.fromhex("0084000008")


def refusal(backend: PcscBackend, reader: str, *, exclusive: bool) -> Reason:
    with pytest.raises(CarddError) as caught:
        backend.connect(reader, exclusive=exclusive)
    return caught.value.reason


@pytest.mark.parametrize(
    ("atr", "transport"), [(CONTACT_ATR, Transport.T0), (CONTACTLESS_ATR, Transport.T1)], ids=["contact", "contactless"]
)
def test_a_command_reaches_the_card_and_its_answer_comes_back(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend, atr: bytes, transport: Transport
) -> None:
    lab.insert(EchoCard(atr), 0)
    connection = backend.connect(readers[0], exclusive=True)
    try:
        assert connection.atr == atr
        assert connection.transport is transport
        assert connection.transmit(GET_CHALLENGE) == GET_CHALLENGE + b"\x90\x00"
        long = bytes.fromhex("00D60000FF") + bytes(range(255))
        assert connection.transmit(long) == long + b"\x90\x00"
    finally:
        connection.disconnect(reset=False)


def test_a_card_held_exclusively_is_in_use_for_everybody_else(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend
) -> None:
    lab.insert(EchoCard(), 0)
    other = PcscBackend()
    connection = backend.connect(readers[0], exclusive=True)
    assert refusal(other, readers[0], exclusive=True) is Reason.READER_IN_USE
    assert refusal(other, readers[0], exclusive=False) is Reason.READER_IN_USE
    connection.disconnect(reset=False)
    shared = backend.connect(readers[0], exclusive=False)
    assert refusal(other, readers[0], exclusive=True) is Reason.READER_IN_USE
    other.connect(readers[0], exclusive=False).disconnect(reset=False)
    shared.disconnect(reset=False)


HOLD = """
import sys
from smartcard import scard

_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
code, handle, _ = scard.SCardConnect(context, sys.argv[1], scard.SCARD_SHARE_EXCLUSIVE, 3)
print(code, flush=True)
sys.stdin.read()
"""


def test_the_other_program_is_named_where_a_reader_is_in_use(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend
) -> None:
    lab.insert(EchoCard(), 0)
    environment = os.environ | {"PCSCLITE_CSOCK_NAME": str(lab.pcscd_socket)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, readers[0]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"0\n"
        with pytest.raises(CarddError) as caught:
            backend.connect(readers[0], exclusive=True)
        # its input ends: so does it
        other.communicate()
    assert caught.value.reason is Reason.READER_IN_USE
    assert f"({other.pid})" in caught.value.detail
    assert f"({other.pid})" in str(caught.value.facts["programs"])


def test_a_look_says_in_use_of_other_programs_readers_only(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend, notebook: Notebook
) -> None:
    lab.insert(EchoCard(), 0)
    lab.insert(EchoCard(), 1)
    ours = backend.connect(readers[0], exclusive=True)
    theirs = PcscBackend().connect(readers[1], exclusive=True)
    watcher = backend.watch(notebook)
    first = notebook.until(bool)[0]
    theirs.disconnect(reset=False)
    notebook.until_slot(readers[1], lambda slot: not slot.in_use)
    watcher.close()
    ours.disconnect(reset=False)
    assert isinstance(first, Slots)
    assert [slot.in_use for slot in first.slots] == [False, True]


def test_connecting_says_why_there_is_nothing_to_connect_to(readers: tuple[str, ...], backend: PcscBackend) -> None:
    assert refusal(backend, readers[0], exclusive=True) is Reason.NO_CARD
    assert refusal(backend, "no such reader", exclusive=True) is Reason.READER_UNAVAILABLE


def test_a_card_that_makes_no_sense_is_mute(lab: Lab, readers: tuple[str, ...], backend: PcscBackend) -> None:
    lab.insert(EchoCard(bytes.fromhex("00")), 0)
    assert refusal(backend, readers[0], exclusive=True) is Reason.CARD_MUTE


def test_a_card_torn_out_in_the_middle_of_a_command_was_removed(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend
) -> None:
    card = EchoCard()
    lab.insert(card, 0)
    connection = backend.connect(readers[0], exclusive=True)
    card.powered = False
    with pytest.raises(CarddError) as caught:
        connection.transmit(GET_CHALLENGE)
    connection.disconnect(reset=True)
    assert caught.value.reason is Reason.CARD_REMOVED


def test_a_command_after_the_removal_says_removed(lab: Lab, readers: tuple[str, ...], backend: PcscBackend) -> None:
    lab.insert(EchoCard(), 0)
    connection = backend.connect(readers[0], exclusive=True)
    lab.remove(0)
    for call in (lambda: connection.transmit(GET_CHALLENGE), connection.begin):
        with pytest.raises(CarddError) as caught:
            call()
        assert caught.value.reason is Reason.CARD_REMOVED
    connection.disconnect(reset=True)


def test_a_disconnection_resets_the_card_only_if_told_so(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend
) -> None:
    card = EchoCard()
    lab.insert(card, 0)
    backend.connect(readers[0], exclusive=True).disconnect(reset=False)
    left = card.warm_resets
    connection = backend.connect(readers[0], exclusive=True)
    connection.disconnect(reset=True)
    connection.disconnect(reset=True)
    assert (left, card.warm_resets) == (0, 1)


def test_a_reader_without_functions_of_its_own_refuses_control(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend
) -> None:
    lab.insert(EchoCard(), 0)
    connection = backend.connect(readers[0], exclusive=True)
    with pytest.raises(CarddError) as caught:
        connection.control(0x42000D48, b"")
    connection.disconnect(reset=False)
    assert caught.value.reason is Reason.READER_UNAVAILABLE


def test_after_a_restart_of_pcscd_the_same_thread_connects_again(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend
) -> None:
    lab.insert(EchoCard(), 0)
    before = backend.connect(readers[0], exclusive=True)
    lab.restart_pcscd()
    with pytest.raises(CarddError) as caught:
        before.transmit(GET_CHALLENGE)
    assert caught.value.reason is Reason.PCSC_UNAVAILABLE
    after = backend.connect(readers[0], exclusive=True)
    before.disconnect(reset=True)
    assert after.transmit(GET_CHALLENGE) == GET_CHALLENGE + b"\x90\x00"
    after.disconnect(reset=False)


def test_while_pcscd_is_away_connecting_says_so(lab: Lab, readers: tuple[str, ...], backend: PcscBackend) -> None:
    lab.kill_pcscd()
    try:
        assert refusal(backend, readers[0], exclusive=True) is Reason.PCSC_UNAVAILABLE
    finally:
        lab.restart_pcscd()


def test_nobody_comes_between_the_commands_of_a_transaction(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend
) -> None:
    lab.insert(EchoCard(), 0)
    ours = backend.connect(readers[0], exclusive=False)
    connected, answered = threading.Event(), threading.Event()

    def somebody_else() -> None:
        theirs = backend.connect(readers[0], exclusive=False)
        connected.set()
        theirs.begin()
        theirs.transmit(GET_CHALLENGE)
        answered.set()
        theirs.end()
        theirs.disconnect(reset=False)

    thread = threading.Thread(target=somebody_else)
    thread.start()
    assert connected.wait(10)
    ours.begin()
    # whoever came first has it; the other one waits until it is given back
    waited = answered.is_set() or not answered.wait(0.2)
    ours.transmit(GET_CHALLENGE)
    ours.end()
    assert answered.wait(10)
    assert waited
    thread.join(10)
    ours.disconnect(reset=False)


def test_the_context_of_a_thread_that_ended_is_given_back(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend
) -> None:
    lab.insert(EchoCard(), 0)

    def once() -> None:
        backend.connect(readers[0], exclusive=True).disconnect(reset=False)

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 # only how many there are

    # what other tests left behind is given back now, in threads of its own, and not while we count
    gc.collect()
    before = steady(descriptors, 0.5)
    for _ in range(5):
        thread = threading.Thread(target=once)
        thread.start()
        thread.join()
    deadline = time.monotonic() + 10
    while descriptors() != before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert descriptors() == before


def test_an_empty_reader_is_told_empty(readers: tuple[str, ...], watch: Watcher, notebook: Notebook) -> None:
    assert watch.thread.is_alive()
    assert all(notebook.until_slot(name, lambda slot: slot.presence is Presence.EMPTY).atr == b"" for name in readers)
