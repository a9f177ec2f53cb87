import grp
import os
import socket
import stat
from pathlib import Path

import pytest

from cardd.api.sockets import adopt, listen
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason


def test_a_socket_is_made_with_its_mode_and_group_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "cardd.sock"
    # an ordinary user may give a file to a group of its own only
    group = "daemon" if os.geteuid() == 0 else grp.getgrgid(os.getgid()).gr_name
    listening = listen(path, mode=0o640, group=group)
    status = path.stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert path.group() == group
    assert [entry.name for entry in tmp_path.iterdir()] == ["cardd.sock"]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listening.sock.close()
    listening.remove()
    assert not path.exists()


def test_a_socket_that_a_dead_daemon_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "cardd.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    with listen(path).sock, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_on_which_a_daemon_answers_is_left_alone_even_when_its_backlog_is_full(tmp_path: Path) -> None:
    path = tmp_path / "cardd.sock"
    with socket.socket(socket.AF_UNIX) as alive, socket.socket(socket.AF_UNIX) as waiting:
        alive.bind(str(path))
        alive.listen(0)
        waiting.connect(str(path))
        inode = path.stat().st_ino
        with pytest.raises(CarddError) as refused:
            listen(path)
        assert refused.value.reason is Reason.BUSY
        assert path.stat().st_ino == inode


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "cardd.sock"
    path.write_text("precious")
    with pytest.raises(CarddError) as refused:
        listen(path)
    assert refused.value.reason is Reason.INVALID
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["no-such-directory/cardd.sock", "x" * 110])
def test_a_path_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(CarddError) as refused:
        listen(tmp_path / name)
    assert refused.value.reason is Reason.INVALID
    assert str(tmp_path) in refused.value.detail


def test_an_unknown_group_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CarddError):
        listen(tmp_path / "cardd.sock", group="no-such-group-here")
    assert not list(tmp_path.iterdir())


def test_the_path_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "cardd.sock"
    first = listen(path)
    first.sock.close()
    second = listen(path)
    first.remove()
    assert path.exists()
    second.sock.close()


def test_a_socket_that_was_handed_over_is_taken_if_it_listens(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as ours:
        ours.bind(str(tmp_path / "handed.sock"))
        with pytest.raises(CarddError):
            adopt(ours)
        ours.listen()
        adopt(ours).remove()
    assert (tmp_path / "handed.sock").exists()


def test_a_socket_of_the_network_is_not_taken() -> None:
    with socket.socket(socket.AF_INET) as foreign:
        foreign.bind(("127.0.0.1", 0))
        foreign.listen()
        with pytest.raises(CarddError):
            adopt(foreign)
