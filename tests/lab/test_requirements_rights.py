"""R25 to R28 of docs/reliability.md: rights and secrets, with the daemon as a process."""

import contextlib
import json
import os
import pwd
import signal
import socket
import stat
import threading
import time
from pathlib import Path

import pytest
from support.bare_daemon import bare_daemon
from support.clerk import Clerk, counter
from support.moments import EXTERNAL_AUTHENTICATION, READ_RECORD, Torn
from support.private import PIN, found_in
from support.shared_counter import read

from cardd.base.reasons import Reason
from cardd.client.errors import CallError
from cardd.wire.activation import PromptAnswerParams
from cardd.wire.cards import CardReadParams
from cardd.wire.deeds import CardPinParams
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import CARD_PIN_VERIFY, CARD_READ, PROMPT_ANSWER, READERS_LIST
from cardd.wire.system import NoParams

CARD = "social-jia-3.0"
ME = pwd.getpwuid(os.getuid()).pw_name


def test_r25_a_day_of_faults_leaves_nothing_of_a_person_in_log_or_journal(tmp_path: Path) -> None:
    """The quiet day is in test_secrets.py; this one is the day on which everything goes wrong."""
    with counter(tmp_path / "c", settings={"logs": {"level": "debug", "format": "text"}}) as clerk:
        for instruction in (READ_RECORD, EXTERNAL_AUTHENTICATION):
            clerk.insert_card(Torn(CARD, instruction, 2))
            clerk.wait("card.identified")
            for _ in range(2):
                _try(clerk)
            clerk.remove()
        clerk.insert(CARD)
        clerk.wait("card.identified")
        _type_and_kill(clerk)
        clerk.rig.lab.restart_pcscd()
        clerk.wait("card.identified")
        _try(clerk)
        clerk.rig.stop_daemon()
        log = clerk.rig.log.read_bytes()
        stored = b"".join(file.read_bytes() for file in (clerk.rig.directory / "state").glob("journal*"))
    assert log.count(b"apdu") > 50
    assert found_in(log) == []
    assert found_in(stored) == []


def _try(clerk: Clerk) -> None:
    said = ""
    try:
        read(clerk, purpose="test")
    except CallError as error:
        said = str(error)
    assert found_in(said.encode()) == []


def _type_and_kill(clerk: Clerk) -> None:
    """Type a PIN and kill the service under it."""

    def ask() -> None:
        with clerk.rig.client() as client, pytest.raises(CallError):
            client.call(CARD_PIN_VERIFY, CardPinParams())

    thread = threading.Thread(target=ask)
    thread.start()
    prompt = clerk.wait("prompt.opened")["data"]["prompt"]
    clerk.rig.lab.kill_pcscd()
    # it may be answered or not, as the removal of the card has come by before it or not
    with contextlib.suppress(CallError):
        clerk.client.call(PROMPT_ANSWER, PromptAnswerParams(prompt=prompt, pin=PIN))
    thread.join(40)


def test_r26_without_a_right_and_a_purpose_nobody_learns_who_a_card_is(tmp_path: Path) -> None:
    rights = [{"user": ME, "grant": ["observe", "read_card"]}]
    with counter(tmp_path / "c", settings={"socket": {"path": "cardd.sock", "rights": rights}}) as clerk:
        clerk.insert(CARD)
        clerk.wait("card.identified")
        with clerk.rig.client() as client:
            masked = client.call_raw("card.read", CardReadParams())
            listed = client.call_raw("readers.list", NoParams())
            with pytest.raises(CallError) as refused:
                client.call(CARD_READ, CardReadParams(purpose="curiosity"))
            with pytest.raises(CallError) as unheard:
                client.subscribe(EventsSubscribeParams(after="earliest", personal=True, purpose="curiosity"))
        assert refused.value.reason == Reason.FORBIDDEN
        assert unheard.value.reason == Reason.FORBIDDEN
        denied = clerk.wait("access.denied")
        assert denied["data"]["method"] == "card.read"
        told = json.dumps(clerk.events, ensure_ascii=False).encode()
        assert found_in(masked + listed + told) == []
        assert "personal.disclosed" not in clerk.types()
    with counter(tmp_path / "d") as clerk:
        clerk.insert(CARD)
        clerk.wait("card.identified")
        holder = read(clerk, purpose="registration").holder
        assert holder is not None
        assert holder.name == "测试甲"
        disclosed = clerk.wait("personal.disclosed")["data"]
        assert disclosed["purpose"] == "registration"
        assert "holder.name" in disclosed["fields"]


def test_r27_no_port_is_open_and_the_socket_is_not_everybodys(tmp_path: Path) -> None:
    with bare_daemon(tmp_path, environment={"PCSCLITE_CSOCK_NAME": str(tmp_path / "nowhere")}) as daemon:
        process = Path(f"/proc/{daemon.process.pid}")
        own = {os.readlink(link) for link in (process / "fd").iterdir()}  # noqa: PTH115 - `socket:[…]` is no path
        for table in ("tcp", "tcp6", "udp", "udp6"):
            rows = (process / "net" / table).read_text(encoding="ascii").splitlines()[1:]
            assert [row for row in rows if f"socket:[{row.split()[9]}]" in own] == []
        assert stat.S_IMODE(daemon.socket.stat().st_mode) & 0o007 == 0
        # what a browser would send through a forwarded port is refused line by line and reaches no method
        with socket.socket(socket.AF_UNIX) as browser:
            browser.settimeout(5)
            browser.connect(os.fspath(daemon.socket))
            browser.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n")
            answer = json.loads(browser.makefile("rb").readline())
        assert answer["id"] is None
        assert answer["error"]["data"]["reason"] == "INVALID"
        with daemon.client() as client:
            assert client.call(READERS_LIST, NoParams()).readers == []


def test_r28_the_daemon_gives_signs_of_life_and_none_when_it_stands_still(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(os.fspath(tmp_path / "notify"))
        environment = {
            "PCSCLITE_CSOCK_NAME": str(tmp_path / "nowhere"),
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "300000",
        }
        with bare_daemon(tmp_path, environment=environment) as daemon:
            assert _signs(manager, 0.9) >= 4
            os.kill(daemon.process.pid, signal.SIGSTOP)
            _signs(manager, 0.1)
            assert _signs(manager, 0.9) == 0
            os.kill(daemon.process.pid, signal.SIGCONT)
            assert _signs(manager, 0.9) >= 3


def _signs(manager: socket.socket, seconds: float) -> int:
    """Count the signs of life of so many seconds."""
    end, count = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        manager.settimeout(left)
        try:
            count += manager.recv(64) == b"WATCHDOG=1"
        except TimeoutError:
            break
    return count
