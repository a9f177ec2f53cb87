"""Who decides on cards, as the configuration says it."""

import os
from pathlib import Path

import pytest

from cardd.base.document import DocumentError
from cardd.cli import main
from cardd.config import load_config


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "cardd.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_files_for_tls_are_relative_to_the_configuration(tmp_path: Path) -> None:
    text = (
        "authority: {provider: http, url: 'https://centre.example/cards', ca_file: a, certificate_file: b, key_file: c}"
    )
    authority = load_config(written(tmp_path, text)).authority
    assert authority.url == "https://centre.example/cards"
    assert [authority.ca_file, authority.certificate_file, authority.key_file] == [
        str(tmp_path / name) for name in ("a", "b", "c")
    ]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("{provider: http}", "1:23", "`url` is missing"),
        ("{provider: http, url: 'http://centre.example'}", "1:34", "plain http is for this machine itself"),
        ("{provider: http, url: centre.example}", "1:34", "write https://"),
        ("{provider: http, url: 'https://[centre'}", "1:34", "write https://"),
        ("{provider: http, url: 'https://c.example', key_file: k}", "1:12", "belong together"),
        ("{provider: post}", "1:23", "local"),
        ("{provider: http, url: 'https://c.example', timeout_s: 0}", "1:66", "> 0"),
    ],
)
def test_a_centre_that_cannot_be_asked_is_a_mistake_with_its_place(
    tmp_path: Path, text: str, place: str, said: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        load_config(written(tmp_path, f"authority: {text}"))
    problem = str(caught.value).removeprefix(f"{tmp_path}/cardd.yaml:")
    assert problem.startswith(f"{place}:")
    assert said in problem


def test_a_centre_on_this_machine_may_be_asked_in_clear(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "authority: {provider: http, url: 'http://127.0.0.1:8080'}"))
    assert config.authority.url == "http://127.0.0.1:8080"


def test_what_a_centre_on_the_network_holds_is_not_shown_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "state_dir: state\nauthority: {provider: http, url: 'http://127.0.0.1:8080'}")
    assert main(["register", "show", "--config", str(file)]) == os.EX_CONFIG
    assert "ask there" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()
