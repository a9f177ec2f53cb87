"""Where the journal's keys come from: a credential of the service manager, a configured file, one of our own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.config import Config, load_config
from cardd.records import sealing_key, signing_key

KEYS = [
    pytest.param(sealing_key, "journal.key", "key_file", 16, id="sealing"),
    pytest.param(signing_key, "journal.signing", "signing_key_file", 32, id="signing"),
]


def written(path: Path, digit: str, length: int, mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(digit * 2 * length, encoding="ascii")
    path.chmod(mode)
    return path


def config(directory: Path, option: str, file: Path) -> Config:
    path = directory / "cardd.yaml"
    path.write_text(f"state_dir: {directory / 'state'}\njournal: {{{option}: {file}}}\n", encoding="utf-8")
    return load_config(path)


@pytest.mark.parametrize(("take", "credential", "option", "length"), KEYS)
def test_a_credential_goes_before_the_file_and_the_file_before_one_of_our_own(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    take: Callable[[Config], Secret],
    credential: str,
    option: str,
    length: int,
) -> None:
    configured = config(tmp_path, option, written(tmp_path / "keys" / "configured", "b", length))
    given = written(tmp_path / "credentials" / credential, "a", length)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given.parent))
    assert take(configured).reveal() == b"\xaa" * length
    given.unlink()
    assert take(configured).reveal() == b"\xbb" * length
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(("take", "credential", "option", "length"), KEYS)
def test_a_credential_that_is_there_and_cannot_be_opened_is_told_in_words_and_no_other_key_is_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    take: Callable[[Config], Secret],
    credential: str,
    option: str,
    length: int,
) -> None:
    configured = config(tmp_path, option, written(tmp_path / "keys" / "configured", "b", length))
    (tmp_path / credential).symlink_to(tmp_path / credential)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(CarddError, match="cannot be read"):
        take(configured)


@pytest.mark.parametrize(("take", "credential", "option", "length"), KEYS)
def test_a_credential_that_others_can_read_is_refused_and_no_other_key_is_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    take: Callable[[Config], Secret],
    credential: str,
    option: str,
    length: int,
) -> None:
    configured = config(tmp_path, option, written(tmp_path / "keys" / "configured", "b", length))
    given = written(tmp_path / "credentials" / credential, "a", length, 0o644)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given.parent))
    with pytest.raises(CarddError):
        take(configured)


def test_a_sealing_key_that_a_journal_had_and_that_is_gone_is_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    configured = config(tmp_path, "key_file", state / "journal.key")
    with capture_logs() as first:
        sealing_key(configured)
        (state / "journal.db").touch()
        sealing_key(configured)
    assert first == []
    (state / "journal.key").unlink()
    with capture_logs() as logged:
        made = sealing_key(configured)
    assert [(line["event"], line["file"]) for line in logged] == [("journal.key_lost", str(state / "journal.key"))]
    assert made.reveal().hex() not in str(logged)
