"""What `cardctl conformance` refuses before any daemon is asked."""

import os
from pathlib import Path

import pytest

from cardd.ctl.main import main
from cardsim.persona import PERSONAS

KEYS = str(PERSONAS / "p3-3.0-sm4.yaml")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--case", "C-NONE"], "no case C-NONE; there are C-PIN-1"),
        (["--case", "C-PIN-2"], "C-PIN-2 costs the card something"),
        (["--case", "K-LOCK", "--keys", KEYS], "K-LOCK costs the card something"),
        (["--costly"], "--costly needs --keys"),
        (["--keys", "/nowhere.yaml"], "cannot be read"),
    ],
)
def test_what_would_harm_a_card_by_mistake_is_refused(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conformance", "front", *arguments]) == os.EX_USAGE
    assert says in " ".join(capsys.readouterr().err.split())


def test_a_file_of_another_kind_of_card_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "psam.yaml"
    file.write_text("card: psam\nlevel: national\n")
    assert main(["conformance", "front", "--keys", str(file)]) == os.EX_USAGE
    assert "psam.yaml:1:7" in capsys.readouterr().err


@pytest.mark.parametrize("final", [[], ["K-LOCK", "K-STK-BLOCK"]])
def test_the_warning_comes_first_and_names_what_ends_the_card(
    final: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CARDD_SOCKET", str(tmp_path / "nobody.sock"))
    words = [word for case in final for word in ("--case", case)]
    assert main(["conformance", "front", "--costly", "--keys", KEYS, *words]) == os.EX_UNAVAILABLE
    told = capsys.readouterr().err.splitlines()
    assert "Put no card to them that somebody needs." in told[0]
    assert "请勿使用" in told[0]
    assert ("K-LOCK, K-STK-BLOCK lock the PIN and keys or block the card for good." in told[1]) is bool(final)
