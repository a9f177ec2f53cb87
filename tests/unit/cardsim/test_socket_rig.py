"""A rig of simulated readers in another process: what dies, and what survives it."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.notebook import Notebook

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import ServiceDown, ServiceUp, Slots
from cardsim.links.echo import EchoCard
from cardsim.links.socket import SocketBackend, SocketConnection, SocketRig

COMMAND = bytes.fromhex("0084000008")

HOLD_AND_DIE = """
import os
from cardsim.links.socket import SocketBackend
connection = SocketBackend().connect("one", exclusive=True)
connection.transmit(bytes.fromhex("0020000003123456"))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def rig() -> Iterator[SocketRig]:
    # not pytest's directory: a socket's path has to be short
    with tempfile.TemporaryDirectory() as directory:
        rig = SocketRig(Path(directory) / "rig")
        rig.add_slot("one")
        rig.start()
        yield rig
        rig.close()


def test_the_environment_names_the_rig(rig: SocketRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARDSIM_SOCKET", str(rig.path))
    rig.insert("one", EchoCard())
    connection = SocketBackend().connect("one", exclusive=True)
    assert connection.transmit(COMMAND) == COMMAND + b"\x90\x00"
    connection.disconnect(reset=False)


def test_without_a_name_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARDSIM_SOCKET", raising=False)
    with pytest.raises(CarddError, match="set CARDSIM_SOCKET"):
        SocketBackend()


def test_a_card_survives_the_death_of_its_program_and_is_reset(rig: SocketRig) -> None:
    card = EchoCard()
    rig.insert("one", card)
    subprocess.run(
        [sys.executable, "-c", HOLD_AND_DIE], env={**os.environ, "CARDSIM_SOCKET": str(rig.path)}, check=False
    )
    deadline = time.monotonic() + 2
    while not card.warm_resets:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    # nobody is found holding it, nobody finds it unlocked
    backend = SocketBackend(rig.path)
    connection = _connect_soon(backend)
    assert connection.transmit(COMMAND) == COMMAND + b"\x90\x00"
    connection.disconnect(reset=False)
    assert card.warm_resets == 1


def _connect_soon(backend: SocketBackend) -> SocketConnection:
    """Connect; the rig lets go of a dead program's card just after it has reset it."""
    deadline = time.monotonic() + 2
    while True:
        try:
            return backend.connect("one", exclusive=True)
        except CarddError as error:
            if error.reason is not Reason.READER_IN_USE or time.monotonic() > deadline:
                raise


def test_another_program_that_holds_a_slot_is_told_as_use(rig: SocketRig) -> None:
    rig.insert("one", EchoCard())
    notebook = Notebook()
    watch = SocketBackend(rig.path).watch(notebook)
    other = SocketBackend(rig.path).connect("one", exclusive=True)
    notebook.until_slot("one", lambda slot: slot.in_use)
    other.disconnect(reset=False)
    notebook.until_slot("one", lambda slot: not slot.in_use)
    watch.close()


def test_a_rig_that_goes_and_comes_back_is_told_once_each_with_its_cards_where_they_were(rig: SocketRig) -> None:
    rig.insert("one", EchoCard())
    notebook = Notebook()
    watch = SocketBackend(rig.path).watch(notebook)
    notebook.until(bool)
    rig.close()
    time.sleep(0.3)
    rig.start()
    notebook.until(lambda told: len(told) == 4)
    watch.close()
    before, down, up, after = notebook.told
    assert isinstance(before, Slots)
    assert isinstance(down, ServiceDown)
    assert down.reason is Reason.PCSC_UNAVAILABLE
    assert up == ServiceUp()
    assert after == before


def test_an_open_card_of_a_rig_that_goes_says_so(rig: SocketRig) -> None:
    rig.insert("one", EchoCard())
    connection = SocketBackend(rig.path).connect("one", exclusive=True)
    rig.close()
    with pytest.raises(CarddError) as caught:
        connection.transmit(COMMAND)
    assert caught.value.reason is Reason.PCSC_UNAVAILABLE
    connection.disconnect(reset=True)


def test_a_watch_closed_while_the_rig_is_away_ends(rig: SocketRig) -> None:
    rig.close()
    notebook = Notebook()
    watch = SocketBackend(rig.path).watch(notebook)
    notebook.until(bool)
    watch.close()
    deadline = time.monotonic() + 1
    while any(thread.name == "socket-watch" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_client_that_talks_nonsense_harms_nobody(rig: SocketRig) -> None:
    rig.insert("one", EchoCard())
    for nonsense in (b"\n", b"{}\n", b'{"do":"transmit","command":""}\n', b"\xff\xfe\n"):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(rig.path))
            link.sendall(nonsense)
            link.settimeout(2)
            assert link.recv(1) == b""
    SocketBackend(rig.path).connect("one", exclusive=True).disconnect(reset=False)
