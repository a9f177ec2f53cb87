import os
import struct
from pathlib import Path

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal.keyfile import load_key, load_or_create_key, load_token

TEXT = "000102030405060708090a0b0c0d0e0f"


def key_file(path: Path, text: str = TEXT, mode: int = 0o600) -> Path:
    path = path / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(CarddError) as caught:
        load_or_create_key(path)
    assert caught.value.reason is Reason.INVALID
    assert TEXT[:8] not in repr(caught.value)
    assert caught.value.__context__ is None
    return caught.value.detail


def test_a_key_is_made_once_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "key"
    first = load_or_create_key(path)
    assert len(first) == 16
    assert load_or_create_key(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


def test_two_keys_differ(tmp_path: Path) -> None:
    assert load_or_create_key(tmp_path / "one") != load_or_create_key(tmp_path / "two")


@pytest.mark.parametrize("text", [TEXT, TEXT + "\n", TEXT.upper()])
def test_a_key_in_hexadecimal_is_read(tmp_path: Path, text: str) -> None:
    assert load_key(key_file(tmp_path, text)).reveal() == bytes(range(16))


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_of_the_user_alone_is_read(tmp_path: Path, mode: int) -> None:
    assert len(load_key(key_file(tmp_path, mode=mode))) == 16


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_file_that_others_can_reach_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    assert "chmod 600" in refusal(key_file(tmp_path, mode=mode))


@pytest.mark.parametrize("text", ["", "\n", TEXT[:-1], TEXT + "00", "g" + TEXT[1:], "é" * 16, " ".join(TEXT[:16])])
def test_a_file_without_a_key_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = key_file(tmp_path, text)
    assert "32 hexadecimal digits" in refusal(path)
    assert path.read_text() == text


def test_a_token_is_read_without_its_newline(tmp_path: Path) -> None:
    assert load_token(key_file(tmp_path, "s3cr3t-t0ken\n")).reveal() == b"s3cr3t-t0ken"


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("s3cr3t-t0ken", 0o644, "chmod 600"),
        ("", 0o600, "must hold a token"),
        ("\n", 0o600, "must hold a token"),
        ("s3cr3t\nt0ken", 0o600, "must hold a token"),
        ("s3cr3té", 0o600, "must hold a token"),
        ("s3cr3t" * 1000, 0o600, "must hold a token"),
    ],
)
def test_a_token_is_for_this_user_alone_and_can_be_sent_as_it_is(
    tmp_path: Path, text: str, mode: int, says: str
) -> None:
    with pytest.raises(CarddError) as caught:
        load_token(key_file(tmp_path, text, mode))
    assert caught.value.reason is Reason.INVALID
    assert says in caught.value.detail
    assert "s3cr3t" not in repr(caught.value)


def test_a_token_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CarddError) as caught:
        load_token(tmp_path / "absent")
    assert "missing" in caught.value.detail


def test_a_directory_is_no_key(tmp_path: Path) -> None:
    assert str(tmp_path) in refusal(tmp_path)


def test_a_credential_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_key(tmp_path / "key")
    assert list(tmp_path.iterdir()) == []


def access_list(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF
OWNER, NO_GROUP, MASK, NO_OTHER = (1, 4, NOBODY), (4, 0, NOBODY), (16, 4, NOBODY), (32, 0, NOBODY)


def with_access_list(path: Path, user: int) -> Path:
    try:
        os.setxattr(path, "system.posix_acl_access", access_list(OWNER, (2, 4, user), NO_GROUP, MASK, NO_OTHER))
    except OSError:
        pytest.skip("this file system keeps no access lists")
    return path


def test_a_credential_that_systemd_lets_this_user_read_by_an_access_list_is_read(tmp_path: Path) -> None:
    path = with_access_list(key_file(tmp_path), os.geteuid())
    assert path.stat().st_mode & 0o040  # as a mode alone it would look shared
    assert len(load_key(path)) == 16


def test_an_access_list_that_lets_another_user_read_is_refused(tmp_path: Path) -> None:
    assert "chmod 600" in refusal(with_access_list(key_file(tmp_path), 54321))


def test_a_key_of_another_length_is_read_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_text("0123456789ABCDEF\n", encoding="ascii")
    path.chmod(0o600)
    assert load_key(path, length=8).reveal() == bytes.fromhex("0123456789ABCDEF")
    with pytest.raises(CarddError):
        load_key(path)
