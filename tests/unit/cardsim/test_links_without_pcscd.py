"""Simulated readers in the process and over a socket keep to the same reader protocol."""

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from support.notebook import Notebook

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import Backend, Presence, Slot, Slots, Transport, Watch
from cardsim.card.base import VirtualCard
from cardsim.links.echo import CONTACT_ATR, CONTACTLESS_ATR, EchoCard
from cardsim.links.inprocess import InProcessBackend
from cardsim.links.socket import SocketBackend, SocketRig

COMMAND = bytes.fromhex("0084000008")
DONE = COMMAND + b"\x90\x00"


class Slotted(Protocol):
    def add_slot(self, name: str) -> None: ...
    def remove_slot(self, name: str) -> None: ...
    def insert(self, slot: str, card: VirtualCard) -> None: ...
    def remove(self, slot: str) -> None: ...


Bench = tuple[Slotted, Backend]


@pytest.fixture(params=["in-process", "socket"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as directory:
        if request.param == "in-process":
            backend = InProcessBackend()
            backend.add_slot("one")
            yield backend, backend
            return
        rig = SocketRig(Path(directory) / "rig")
        rig.add_slot("one")
        rig.start()
        yield rig, SocketBackend(rig.path)
        rig.close()


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@contextlib.contextmanager
def watching(backend: Backend, notebook: Notebook) -> Iterator[Watch]:
    watch = backend.watch(notebook)
    notebook.until(bool)
    yield watch
    watch.close()


def refusal(backend: Backend, slot: str, *, exclusive: bool = True) -> Reason:
    with pytest.raises(CarddError) as caught:
        backend.connect(slot, exclusive=exclusive)
    return caught.value.reason


def test_the_first_look_shows_what_is_there_already(bench: Bench, notebook: Notebook) -> None:
    readers, backend = bench
    readers.insert("one", EchoCard())
    with watching(backend, notebook):
        assert notebook.told == [Slots((Slot("one", Presence.PRESENT, 1, CONTACT_ATR),))]


def test_cards_and_readers_that_come_and_go_are_told_in_order(bench: Bench, notebook: Notebook) -> None:
    readers, backend = bench
    with watching(backend, notebook):
        readers.insert("one", EchoCard())
        readers.remove("one")
        readers.add_slot("two")
        readers.remove_slot("one")
        notebook.until(lambda told: len(told) == 5)
    empty, two = Slot("one", Presence.EMPTY, 2), Slot("two", Presence.EMPTY, 0)
    assert notebook.told[1:] == [
        Slots((Slot("one", Presence.PRESENT, 1, CONTACT_ATR),)),
        Slots((empty,)),
        Slots((empty, two)),
        Slots((two,)),
    ]


def test_a_card_without_an_answer_to_reset_is_mute(bench: Bench, notebook: Notebook) -> None:
    readers, backend = bench
    readers.insert("one", EchoCard(b""))
    with watching(backend, notebook):
        assert notebook.until_slot("one", lambda slot: slot.counter == 1).presence is Presence.MUTE
    assert refusal(backend, "one") is Reason.CARD_MUTE


@pytest.mark.parametrize(
    ("atr", "transport"), [(CONTACT_ATR, Transport.T0), (CONTACTLESS_ATR, Transport.T1)], ids=["contact", "contactless"]
)
def test_a_command_reaches_the_card_and_its_answer_comes_back(bench: Bench, atr: bytes, transport: Transport) -> None:
    readers, backend = bench
    readers.insert("one", EchoCard(atr))
    connection = backend.connect("one", exclusive=True)
    assert (connection.atr, connection.transport) == (atr, transport)
    assert connection.transmit(COMMAND) == DONE
    connection.disconnect(reset=False)


def test_connecting_says_why_there_is_nothing_to_connect_to(bench: Bench) -> None:
    _, backend = bench
    assert refusal(backend, "one") is Reason.NO_CARD
    assert refusal(backend, "two") is Reason.READER_UNAVAILABLE


def test_a_card_held_exclusively_is_nobody_elses(bench: Bench) -> None:
    readers, backend = bench
    readers.insert("one", EchoCard())
    held = backend.connect("one", exclusive=True)
    assert refusal(backend, "one", exclusive=True) is Reason.READER_IN_USE
    assert refusal(backend, "one", exclusive=False) is Reason.READER_IN_USE
    held.disconnect(reset=False)
    shared = [backend.connect("one", exclusive=False) for _ in range(2)]
    assert refusal(backend, "one", exclusive=True) is Reason.READER_IN_USE
    for connection in shared:
        connection.disconnect(reset=False)
    backend.connect("one", exclusive=True).disconnect(reset=False)


def test_our_own_hold_is_not_told_as_use_by_another_program(bench: Bench, notebook: Notebook) -> None:
    readers, backend = bench
    readers.insert("one", EchoCard())
    held = backend.connect("one", exclusive=True)
    with watching(backend, notebook):
        slot = notebook.slot("one")
    held.disconnect(reset=False)
    assert slot is not None
    assert not slot.in_use


def test_a_card_is_powered_once_and_keeps_its_power_until_it_is_reset(bench: Bench) -> None:
    readers, backend = bench
    card = EchoCard()
    readers.insert("one", card)
    before = card.cold_resets
    for reset in (False, True, False):
        connection = backend.connect("one", exclusive=True)
        connection.disconnect(reset=reset)
        connection.disconnect(reset=True)
    assert (card.cold_resets - before, card.warm_resets) == (1, 1)


def test_a_removed_card_answers_no_more_even_if_another_one_came(bench: Bench) -> None:
    readers, backend = bench
    card = EchoCard()
    readers.insert("one", card)
    connection = backend.connect("one", exclusive=True)
    readers.remove("one")
    readers.insert("one", EchoCard())
    for call in (lambda: connection.transmit(COMMAND), connection.begin):
        with pytest.raises(CarddError) as caught:
            call()
        assert caught.value.reason is Reason.CARD_REMOVED
    connection.disconnect(reset=True)
    assert not card.powered
    assert card.warm_resets == 0


def test_a_card_torn_out_in_the_middle_of_a_command_is_removed_and_without_power(bench: Bench) -> None:
    readers, backend = bench
    card = EchoCard()
    readers.insert("one", card)
    connection = backend.connect("one", exclusive=True)
    card.hold()
    reasons: list[Reason] = []

    def send() -> None:
        try:
            connection.transmit(COMMAND)
        except CarddError as error:
            reasons.append(error.reason)

    thread = threading.Thread(target=send)
    thread.start()
    assert card.asked.wait(2)
    readers.remove("one")
    card.let_go()
    thread.join(2)
    connection.disconnect(reset=True)
    assert reasons == [Reason.CARD_REMOVED]
    assert not card.powered


def test_a_card_that_lost_its_power_is_removed_and_gets_power_at_the_next_connection(bench: Bench) -> None:
    readers, backend = bench
    card = EchoCard()
    readers.insert("one", card)
    connection = backend.connect("one", exclusive=True)
    card.powered = False
    with pytest.raises(CarddError) as caught:
        connection.transmit(COMMAND)
    assert caught.value.reason is Reason.CARD_REMOVED
    connection.disconnect(reset=True)
    again = backend.connect("one", exclusive=True)
    assert again.transmit(COMMAND) == DONE
    again.disconnect(reset=False)


def test_nobody_comes_between_the_commands_of_a_transaction(bench: Bench) -> None:
    readers, backend = bench
    readers.insert("one", EchoCard())
    ours, theirs = backend.connect("one", exclusive=False), backend.connect("one", exclusive=False)
    answered = threading.Event()

    def somebody_else() -> None:
        theirs.transmit(COMMAND)
        answered.set()

    ours.begin()
    thread = threading.Thread(target=somebody_else)
    thread.start()
    assert ours.transmit(COMMAND) == DONE
    assert not answered.wait(0.1)
    ours.end()
    assert answered.wait(2)
    thread.join(2)
    ours.disconnect(reset=False)
    theirs.disconnect(reset=False)


def test_a_reader_of_a_rig_has_no_functions_of_its_own(bench: Bench) -> None:
    readers, backend = bench
    readers.insert("one", EchoCard())
    connection = backend.connect("one", exclusive=True)
    with pytest.raises(CarddError) as caught:
        connection.control(0x42000D48, b"")
    connection.disconnect(reset=False)
    assert caught.value.reason is Reason.READER_UNAVAILABLE


def test_a_slot_takes_one_card_and_only_where_there_is_a_slot(bench: Bench) -> None:
    readers, _ = bench
    readers.insert("one", EchoCard())
    calls: dict[Reason, Callable[[], None]] = {
        Reason.BUSY: lambda: readers.insert("one", EchoCard()),
        Reason.NOT_FOUND: lambda: readers.insert("two", EchoCard()),
    }
    for reason, call in calls.items():
        with pytest.raises(CarddError) as caught:
            call()
        assert caught.value.reason is reason
    with pytest.raises(CarddError) as caught:
        readers.remove("two")
    assert caught.value.reason is Reason.NOT_FOUND


def test_nothing_is_told_after_closing(bench: Bench, notebook: Notebook) -> None:
    readers, backend = bench
    with watching(backend, notebook):
        pass
    marker = Notebook()
    with watching(backend, marker):
        readers.insert("one", EchoCard())
        marker.until_slot("one", lambda slot: slot.counter == 1)
    assert len(notebook.told) == 1
