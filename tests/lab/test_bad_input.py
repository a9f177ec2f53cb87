"""What is missing or wrong around the daemon: one sentence with the remedy, and work goes on when it is mended."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clerk import Clerk, counter

from cardd.base.reasons import Reason
from cardd.client.blocking import Client
from cardd.client.errors import CallError, UnreachableError
from cardd.wire.cards import CardReadParams
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import CARD_READ, READERS_LIST, SYSTEM_STATUS
from cardd.wire.system import NoParams, PcscStatus
from cardsim.lab import Lab
from cardsim.rig import program


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [program("cardd"), *arguments]
    around = {**os.environ, **environment}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=20, env=around)


@contextlib.contextmanager
def daemon(directory: Path, log: Path | None = None, **environment: str) -> Iterator[Client]:
    """A daemon with the default configuration in a directory, and a client of it; its log, once it has ended."""
    config = directory / "cardd.yaml"
    config.write_text("socket: {path: cardd.sock}\nstate_dir: state\n", encoding="utf-8")
    process = subprocess.Popen(
        [program("cardd"), "run", "--config", str(config)], env={**os.environ, **environment}, stderr=subprocess.PIPE
    )
    try:
        client = None
        for _ in range(500):
            with contextlib.suppress(UnreachableError):
                client = Client.connect(directory / "cardd.sock")
                break
            time.sleep(0.02)
        assert client is not None
        with client:
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        _, logged = process.communicate(timeout=15)
        assert b"Traceback" not in logged
        if log is not None:
            log.write_bytes(logged)


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_wrong_configuration_is_told_with_file_line_and_column(tmp_path: Path, command: str) -> None:
    config = tmp_path / "cardd.yaml"
    config.write_text(
        'stations:\n  - name: a\n    readers:\n      - {match: {name: "*"}, role: till}\n', encoding="utf-8"
    )
    done = run(command, "--config", str(config))
    assert done.returncode == os.EX_CONFIG
    where, what = "`stations[0].readers[0].role`", "invalid enum value 'till': one of counter, ignored, sam"
    assert done.stderr == f"cardd: {config}:4:36: {where}: {what}\n"
    assert done.stdout == ""


def test_a_missing_configuration_is_one_sentence(tmp_path: Path) -> None:
    done = run("check", "--config", str(tmp_path / "absent.yaml"))
    assert done.returncode == os.EX_CONFIG
    assert done.stderr.endswith("cannot be read: No such file or directory\n")


def test_a_wrong_register_is_told_with_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "cardd.yaml").write_text("authority: {register: people.yaml}\nstate_dir: s\n", encoding="utf-8")
    (tmp_path / "people.yaml").write_text('region: "510100"\npeople:\n  - nam: 测试甲\n', encoding="utf-8")
    done = run("check", "--config", str(tmp_path / "cardd.yaml"))
    assert done.returncode == os.EX_CONFIG
    assert f"{tmp_path / 'people.yaml'}:3:5: unknown key `nam`: did you mean `name`?" in done.stderr


def test_without_pcscd_the_daemon_waits_says_so_and_goes_on_when_it_comes(tmp_path: Path) -> None:
    directory = tmp_path / "p"
    with daemon(tmp_path, PCSCLITE_CSOCK_NAME=str(directory / "pcscd.comm")) as client:
        client.subscribe(EventsSubscribeParams(after="earliest", types=["pcsc.down"]))
        assert next(client.events(5)).event.data["reason"] == "PCSC_UNAVAILABLE"
        with pytest.raises(CallError) as refused:
            client.call(CARD_READ, CardReadParams())
        assert refused.value.reason == Reason.PCSC_UNAVAILABLE
        assert "pcscd" in str(refused.value)
        with Lab.start(directory, 1) as lab:
            lab.insert_persona("social-bing-2.0", 0)
            result = client.call(CARD_READ, CardReadParams(wait_s=5), wait_s=5)
            assert result.generation == "2.0"
            assert result.authentic is None


def test_without_pcscd_the_log_says_what_to_start(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "pcscd.comm")
    log = tmp_path / "log"
    with daemon(tmp_path, log, PCSCLITE_CSOCK_NAME=nowhere) as client, pytest.raises(CallError):
        client.call(CARD_READ, CardReadParams(wait_s=0.2), wait_s=0.2)
    (told,) = [line for line in log.read_text(encoding="utf-8").splitlines() if "warning" in line]
    assert "systemctl start pcscd.socket" in told


def test_without_libpcsclite_the_daemon_says_what_to_install(tmp_path: Path) -> None:
    config = tmp_path / "cardd.yaml"
    config.write_text("socket: {path: cardd.sock}\nstate_dir: state\n", encoding="utf-8")
    broken = tmp_path / "lib"
    broken.mkdir()
    (broken / "libpcsclite.so.1").write_text("no library", encoding="utf-8")
    done = run("run", "--config", str(config), LD_LIBRARY_PATH=str(broken), LIBPCSCLITE_PATH=str(broken))
    assert done.returncode == os.EX_UNAVAILABLE
    assert "libpcsclite1" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_without_a_psam_the_handoff_waits_with_the_remedy_and_goes_on_when_it_comes(tmp_path: Path) -> None:
    with counter(tmp_path / "c", psam=None) as clerk:
        clerk.insert("old-jia")
        clerk.step("waiting_social_card")
        clerk.remove()
        clerk.insert("social-jia-3.0")
        assert clerk.wait("card.identified")["data"]["unproven"] == "PSAM_ABSENT"
        step = clerk.step("waiting_social_card", "PSAM_ABSENT")
        assert "sam" in step["data"]["prompt"]["text"]["en"]
        clerk.insert("psam", 1)
        assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"


def test_a_second_daemon_on_the_same_state_is_refused_in_words(tmp_path: Path) -> None:
    with counter(tmp_path / "c") as clerk:
        done = run("run", "--config", str(clerk.rig.config), **clerk.rig.environment)
        assert done.returncode == os.EX_TEMPFAIL
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_broken_line_gets_an_error_and_the_connection_lives(tmp_path: Path) -> None:
    with counter(tmp_path / "c") as clerk:
        client: Client = clerk.client
        client._sock.sendall(b'{"jsonrpc": \n')
        answer = json.loads(client._line(None))
        assert answer["id"] is None
        assert answer["error"]["data"]["reason"] == "INVALID"
        assert client.call(READERS_LIST, NoParams()).readers


def test_the_status_tells_that_pcscd_is_away_and_that_it_is_back(tmp_path: Path) -> None:
    with counter(tmp_path / "c") as clerk:
        assert _pcsc(clerk)["state"] == "up"
        clerk.rig.lab.kill_pcscd()
        clerk.wait("pcsc.down")
        down = _pcsc(clerk)
        assert (down["state"], down["reason"]) == ("down", "PCSC_UNAVAILABLE")
        clerk.rig.lab.restart_pcscd()
        clerk.wait("pcsc.up")
        assert _pcsc(clerk)["state"] == "up"


def _pcsc(clerk: Clerk) -> PcscStatus:
    return clerk.client.call(SYSTEM_STATUS, NoParams())["pcsc"]
