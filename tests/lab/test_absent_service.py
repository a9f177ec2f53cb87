"""Why pcscd cannot be used: what the installed libpcsclite makes of sockets that are not pcscd's, or refuse."""

import itertools
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cardd.base.reasons import Reason

# libpcsclite asks once in a process where pcscd is, so each place has a process of its own
ASK = """
import json, queue, sys
from cardd.base.errors import CarddError
from cardd.pcsc.backend import PcscBackend

backend, told = PcscBackend(), queue.Queue()
if sys.argv[1] == "watch":
    backend.watch(told.put)
    first = told.get(timeout=10)
    print(json.dumps([first.reason, first.detail]))
else:
    try:
        backend.connect("any reader", exclusive=True)
    except CarddError as error:
        print(json.dumps([error.reason, error.detail]))
"""

SERVICE_STOPPED = 0x8010001E
NO_SERVICE = 0x8010001D
ESTABLISH_CONTEXT, CONNECT = 0x01, 0x04

# libpcsclite asks again for ever where it is given a number that it has
CONTEXTS = itertools.count(77)

Serve = Callable[[socket.socket], None]


def asked(place: Path, how: str, user: int | None = None) -> tuple[Reason, str]:
    """Return the reason and the sentence that a process gets that watches or connects there."""
    command = [sys.executable, "-c", ASK, how]
    environment = os.environ | {"PCSCLITE_CSOCK_NAME": os.fspath(place)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=True, user=user)
    reason, sentence = json.loads(done.stdout)
    return Reason(reason), sentence


@contextmanager
def served(place: Path, serve: Serve) -> Iterator[Path]:
    """Have something other than pcscd listen at a place."""
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(os.fspath(place))
        listening.listen()

        def accept() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(line,), daemon=True).start()

        def answer(line: socket.socket) -> None:
            with line:
                serve(line)

        threading.Thread(target=accept, daemon=True).start()
        yield place
        listening.shutdown(socket.SHUT_RDWR)


def hang_up(_line: socket.socket) -> None:
    """Do as a pcscd whose polkit says no, which takes it a moment: hang up before reading anything."""
    time.sleep(0.05)


def speak_version(code: int) -> Serve:
    """Do as a pcscd that speaks 4.9: answer the client's version with a code."""

    def serve(line: socket.socket) -> None:
        line.recv(20, socket.MSG_WAITALL)
        line.sendall(struct.pack("=iiI", 4, 9, code))

    return serve


def refuse_cards(line: socket.socket) -> None:
    """Do as a pcscd up to 2.0.0 whose polkit refuses the cards only: hang up where one is to be opened."""
    line.recv(20, socket.MSG_WAITALL)
    line.sendall(struct.pack("=iiI", 4, 4, 0))
    while len(header := line.recv(8, socket.MSG_WAITALL)) == 8:
        size, command = struct.unpack("=II", header)
        line.recv(size, socket.MSG_WAITALL)
        if command == CONNECT:
            return
        assert command == ESTABLISH_CONTEXT
        line.sendall(struct.pack("=III", 2, next(CONTEXTS), 0))


HOW = pytest.mark.parametrize("how", ["watch", "connect"])


@HOW
def test_a_service_that_is_not_installed_or_not_started_is_to_be_started(tmp_path: Path, how: str) -> None:
    reason, sentence = asked(tmp_path / "absent", how)
    assert reason is Reason.PCSC_UNAVAILABLE
    assert "socket is not there. Install pcscd and start it: systemctl start pcscd.socket." in sentence


@HOW
def test_a_socket_that_nobody_listens_on_is_told_as_that(tmp_path: Path, how: str) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(os.fspath(tmp_path / "left"))
    reason, sentence = asked(tmp_path / "left", how)
    assert reason is Reason.PCSC_UNAVAILABLE
    assert "Nobody listens" in sentence
    assert "systemctl restart pcscd.socket" in sentence


@HOW
def test_a_service_of_another_protocol_version_is_no_service_that_is_not_running(tmp_path: Path, how: str) -> None:
    with served(tmp_path / "newer", speak_version(SERVICE_STOPPED)) as place:
        reason, sentence = asked(place, how)
    assert reason is Reason.PCSC_UNAVAILABLE
    assert "different versions" in sentence
    assert "not running" not in sentence


@HOW
def test_a_client_that_polkit_refuses_is_told_which_rule_it_lacks(tmp_path: Path, how: str) -> None:
    with served(tmp_path / "refusing", hang_up) as place:
        reason, sentence = asked(place, how)
    assert reason is Reason.PCSC_DENIED
    assert "org.debian.pcsc-lite.access_pcsc" in sentence


def test_a_client_to_whom_polkit_refuses_cards_only_is_told_that_rule(tmp_path: Path) -> None:
    with served(tmp_path / "refusing", refuse_cards) as place:
        reason, sentence = asked(place, "connect")
    assert reason is Reason.PCSC_DENIED
    assert "org.debian.pcsc-lite.access_card" in sentence


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@HOW
def test_a_socket_that_this_user_may_not_open_is_a_refusal(how: str) -> None:
    # a directory that the other user may enter, which pytest's own is not
    place = Path(f"/tmp/cardd-closed-{os.getpid()}-{how}")  # noqa: S108
    with served(place, hang_up):
        place.chmod(0o600)
        try:
            reason, sentence = asked(place, how, user=65534)
        finally:
            place.unlink()
    assert reason is Reason.PCSC_DENIED
    assert "may not open" in sentence
