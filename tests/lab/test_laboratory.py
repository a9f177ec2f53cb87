"""The laboratory itself: as a class, and as the commands that testers type."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardsim.lab import Lab
from cardsim.links.echo import EchoCard
from cardsim.pcsclite import View, wait_for
from cardsim.rig import program


def processes_of(directory: Path) -> list[int]:
    """The processes whose command line names a directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(directory) in command and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def pcscd_of(directory: Path) -> int:
    (found,) = [pid for pid in processes_of(directory) if b"pcscd\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found


def view(lab: Lab) -> View:
    return wait_for(lab.pcscd_socket, bool, 15)


def gone(directory: Path, seconds: float = 3.0) -> bool:
    deadline = time.monotonic() + seconds
    while processes_of(directory) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not processes_of(directory)


class Terminal:
    """Somebody who types cardsim commands."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._running: list[subprocess.Popen[str]] = []

    def start(self, readers: int = 2) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        command = [program("cardsim"), "lab", "--dir", str(self.directory), "--readers", str(readers)]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._running.append(running)
        assert running.stdout is not None
        return running, json.loads(running.stdout.readline())

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CARDSIM_DIR": str(self.directory)}
        command = [program("cardsim"), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10, check=False)

    def leave(self) -> None:
        for running in self._running:
            running.terminate()
            running.wait(15)
            assert running.stdout is not None
            running.stdout.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path / "lab")
    yield terminal
    terminal.leave()


def test_a_laboratory_shows_sixteen_readers_under_names_of_their_own(tmp_path: Path) -> None:
    with Lab.start(tmp_path / "lab", 16) as lab:
        assert len(set(lab.readers)) == 16
        assert tuple(reader.name for reader in view(lab)) == lab.readers
        # the two of one entry and of two entries do not take each other's cards
        for index in (0, 1, 15):
            lab.insert(EchoCard(bytes([0x3B, 0x02, 0x14, index])), index)
        seen = {reader.name: reader.atr[-1] for reader in view(lab) if reader.present}
    assert seen == {lab.readers[index]: index for index in (0, 1, 15)}


def test_an_odd_number_of_readers_is_as_many_as_were_asked_for(tmp_path: Path) -> None:
    with Lab.start(tmp_path / "lab", 3) as lab:
        assert len(lab.readers) == 3


@pytest.mark.parametrize("readers", [0, 17])
def test_a_number_of_readers_that_no_pcscd_holds_is_refused(tmp_path: Path, readers: int) -> None:
    with pytest.raises(CarddError) as caught:
        Lab.start(tmp_path / "lab", readers)
    assert caught.value.reason is Reason.INVALID
    assert not (tmp_path / "lab").exists()


def test_a_closed_laboratory_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    lab = Lab.start(tmp_path / "lab", 4)
    lab.insert(EchoCard(), 0)
    assert processes_of(tmp_path)
    lab.close()
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_was_there_before_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("stays")
    Lab.start(tmp_path, 1).close()
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_two_laboratories_do_not_share_a_directory(tmp_path: Path) -> None:
    with Lab.start(tmp_path / "lab", 1) as lab:
        with pytest.raises(CarddError) as caught:
            Lab.start(tmp_path / "lab", 1)
        assert caught.value.reason is Reason.BUSY
        assert view(lab)
    assert processes_of(tmp_path) == []


def test_a_reader_is_found_by_name_by_index_and_by_a_part_that_fits_only_one(tmp_path: Path) -> None:
    with Lab.start(tmp_path / "lab", 2) as lab:
        # nothing has to be waited for
        lab.kill_pcscd()
        assert lab.insert(EchoCard(), lab.readers[1]) == lab.readers[1]
        assert lab.remove("1") == lab.readers[1]
        assert lab.insert(EchoCard(), "00 01") == lab.readers[1]
        for wrong in ("Cardsim", "nothing of that name", "2"):
            with pytest.raises(CarddError) as caught:
                lab.insert(EchoCard(), wrong)
            assert caught.value.reason is Reason.NOT_FOUND
            assert lab.readers[0] in caught.value.detail


def test_a_pcscd_that_is_killed_from_outside_comes_back_and_the_cards_with_it(tmp_path: Path) -> None:
    with Lab.start(tmp_path / "lab", 1) as lab:
        lab.insert(EchoCard(), 0)
        before = pcscd_of(tmp_path)
        os.kill(before, signal.SIGKILL)
        wait_for(lab.pcscd_socket, lambda readers: readers[0].present, 3)
        assert pcscd_of(tmp_path) != before


def test_one_json_line_tells_where_everything_is(terminal: Terminal) -> None:
    _, ready = terminal.start(2)
    assert set(ready) == {"pcscd_socket", "control_socket", "readers"}
    assert Path(ready["control_socket"]).is_socket()
    shown = wait_for(Path(ready["pcscd_socket"]), bool, 15)
    assert [reader.name for reader in shown] == ready["readers"]


def test_insert_and_remove_return_when_pcscd_has_seen_it(terminal: Terminal) -> None:
    _, ready = terminal.start(1)
    socket = Path(ready["pcscd_socket"])
    inserted = terminal.type("insert", "social-jia-3.0", "0")
    (there,) = wait_for(socket, bool, 1)[:1]
    removed = terminal.type("remove", ready["readers"][0])
    (away,) = wait_for(socket, bool, 1)[:1]
    assert (inserted.returncode, removed.returncode) == (0, 0), inserted.stderr + removed.stderr
    assert (there.present, away.present) == (True, False)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["insert", "nobody", "0"], os.EX_DATAERR, "no shipped persona"),
        (["insert", "old-jia", "7"], os.EX_UNAVAILABLE, "is no reader here"),
        (["remove", "0"], os.EX_UNAVAILABLE, "there is no card"),
        (["insert", "old-jia", "0", "--interface", "contactless"], os.EX_UNAVAILABLE, "no interface"),
        (["insert", "old-jia"], os.EX_USAGE, "READER"),
    ],
)
def test_a_command_that_cannot_be_done_says_why_in_one_line(
    command_lab: Terminal, words: list[str], code: int, told: str
) -> None:
    shown = command_lab.type(*words)
    assert shown.returncode == code
    assert told in shown.stderr
    assert shown.stdout == ""


@pytest.fixture(scope="module")
def command_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path_factory.mktemp("commands") / "lab")
    terminal.start(1)
    yield terminal
    terminal.leave()


def test_without_a_laboratory_the_commands_say_how_to_start_one(tmp_path: Path) -> None:
    shown = Terminal(tmp_path).type("remove", "0")
    assert shown.returncode == os.EX_UNAVAILABLE
    assert f"cardsim lab --dir {tmp_path}" in shown.stderr


def test_sigterm_ends_a_laboratory_and_leaves_nothing(terminal: Terminal) -> None:
    running, _ = terminal.start()
    running.terminate()
    assert running.wait(15) == 0
    assert gone(terminal.directory)
    assert not terminal.directory.exists()


def test_a_laboratory_that_is_killed_takes_its_pcscd_along(terminal: Terminal) -> None:
    running, _ = terminal.start()
    running.kill()
    running.wait(15)
    assert gone(terminal.directory)
    # and what it left behind does not stop the next one
    _, ready = terminal.start()
    assert wait_for(Path(ready["pcscd_socket"]), bool, 15)


def test_help_says_who_can_reach_the_readers() -> None:
    shown = subprocess.run([program("cardsim"), "lab", "--help"], capture_output=True, text=True, check=True)
    assert "every address" in shown.stdout.lower()


def test_a_pcscd_can_be_troubled_from_outside(terminal: Terminal) -> None:
    _, ready = terminal.start(1)
    assert terminal.type("insert", "old-jia", "0").returncode == 0
    assert terminal.type("pcscd", "restart").returncode == 0
    assert wait_for(Path(ready["pcscd_socket"]), bool, 1)[0].present


def test_pcscd_comes_back_with_other_readers_and_the_cards_where_they_lie(tmp_path: Path) -> None:
    with Lab.start(tmp_path / "lab", 4) as lab:
        before = lab.readers
        lab.insert(EchoCard(), 0)
        lab.insert(EchoCard(), 2)
        lab.restart_pcscd(strangers=1)
        assert len(view(lab)) == 6
        assert not set(lab.readers) & set(before)
        assert {seen.name for seen in view(lab) if seen.present} == {lab.readers[0], lab.readers[2]}
        lab.restart_pcscd(unplugged=[0])
        assert {seen.name for seen in view(lab)} == set(lab.readers[2:])
        lab.restart_pcscd()
        assert lab.readers == before
        assert {seen.name for seen in view(lab) if seen.present} == {lab.readers[0], lab.readers[2]}
        assert lab.remove(0) == before[0]
