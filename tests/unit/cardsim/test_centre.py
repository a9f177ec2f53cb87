"""The simulated centre: its faults, what it tells of itself, and its command."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from support.centre import JIA, OLD, PEOPLE, open_centre, request

from cardd.activation.http_authority import Trust
from cardd.wire.centre import ACTIVATE, LOOK_UP_OLD_CARD, OPERATIONS, OUTCOME, ActivateQuestion
from cardsim.centre.faults import KINDS, Fault, Faults
from cardsim.centre.server import CALLS, FAULTS

CARDSIM = str(Path(sys.executable).with_name("cardsim"))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("silent_after", "no KIND@METHOD"),
        ("sleepy@activate", "no kind sleepy"),
        ("slow@settle", "no method settle"),
        ("slow@activate:0", "no KIND@METHOD"),
        ("slow@activate:x", "no KIND@METHOD"),
    ],
)
def test_a_fault_that_does_not_exist_is_told_with_those_that_do(spec: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Fault.parse(spec)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_written_as_it_is_ordered(kind: str) -> None:
    assert [str(Fault.parse(f"{kind}@{end}")) for end in ("activate:2", "*")] == [f"{kind}@activate:2", f"{kind}@*"]


def test_faults_happen_as_often_as_ordered_and_in_order() -> None:
    faults = Faults()
    faults.order("500@activate:1", "cut_after@*:2")
    happened = [faults.happen(name) for name in ("outcome", "activate", "activate", "activate")]
    assert happened[:3] == [KINDS["cut_after"], KINDS["500"], KINDS["cut_after"]]
    assert happened[3].text == "carried out once, answered"
    assert faults.left() == []


def test_the_centre_tells_what_it_holds_one_object_a_person(tmp_path: Path) -> None:
    with open_centre(tmp_path) as centre:
        asked = ActivateQuestion(question="q", key="k", request=request("k", msgspec.structs.replace(JIA)))
        httpx.post(centre.url + ACTIVATE.path, content=msgspec.json.encode(asked))
        told = httpx.get(f"{centre.url}/v1/people")
    assert told.headers["content-type"] == "application/x-ndjson"
    jia, yi = map(json.loads, told.text.splitlines())
    assert (jia["name"], yi["name"]) == ("测试甲", "测试乙")
    assert jia["account"] == "normal"
    assert jia["cards"] == [{"number": "A00000012", "identification_code": "510100AABBCCDDEE", "status": "normal"}]
    assert jia["old_cards"] == [{"number": OLD, "status": "void", "password": True, "password_tries": 5}]
    assert [(row["activation"], row["standing"]) for row in jia["activations"]] == [("k", "granted")]


def test_faults_are_ordered_and_calls_are_seen_while_it_works(tmp_path: Path) -> None:
    with open_centre(tmp_path) as centre, httpx.Client(base_url=centre.url) as client:
        assert client.put(FAULTS, json=["500@outcome:1"]).json() == {"faults": ["500@outcome:1"]}
        question = {"question": "q1", "key": "k1"}
        assert client.post(OUTCOME.path, json=question).status_code == 500
        assert client.post(OUTCOME.path, json=question).json() == {"question": "q1", "key": "k1", "result": None}
        calls = [json.loads(line) for line in client.get(CALLS).text.splitlines()]
        assert calls == [
            {"method": "outcome", "question": "q1", "key": "k1", "deliveries": deliveries} for deliveries in (0, 1)
        ]
        assert client.put(FAULTS, json=["sleepy@outcome"]).status_code == 400
        assert client.get(FAULTS).json() == {"faults": []}


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"[" * 30_000, b'{"question": ""}', b"\xff"])
def test_what_is_no_question_is_not_taken(tmp_path: Path, body: bytes) -> None:
    with open_centre(tmp_path) as centre:
        for row in OPERATIONS.values():
            assert httpx.post(centre.url + row.path, content=body).status_code == 400
        assert centre.calls == []


def test_a_question_that_is_too_long_or_for_nobody_is_not_taken(tmp_path: Path) -> None:
    with open_centre(tmp_path) as centre:
        assert httpx.post(centre.url + OUTCOME.path, content=b" " * 70_000).status_code == 400
        assert httpx.post(f"{centre.url}/v1/nothing", content=b"{}").status_code == 404
        assert httpx.get(f"{centre.url}/v1/nothing").status_code == 404


def test_a_register_that_fails_is_told_as_such(tmp_path: Path) -> None:
    with open_centre(tmp_path) as centre:
        with sqlite3.connect(tmp_path / "centre.sqlite") as other:
            other.execute("DROP TABLE old_cards")
        answer = httpx.post(centre.url + LOOK_UP_OLD_CARD.path, json={"question": "q", "number": OLD})
    assert answer.status_code == 500


@contextmanager
def running(*arguments: str) -> Iterator[dict[str, str]]:
    with subprocess.Popen([CARDSIM, "centre", *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == os.EX_OK


def test_the_command_serves_a_register_that_it_keeps_if_it_is_told_where(tmp_path: Path) -> None:
    people = tmp_path / "people.yaml"
    people.write_text(PEOPLE, encoding="utf-8")
    options = ["--register", str(people), "--database", str(tmp_path / "kept.sqlite")]
    asked = ActivateQuestion(question="q", key="k", request=request("k"))
    with running(*options, "--fault", "500@activate:1") as told:
        post = [httpx.post(told["url"] + ACTIVATE.path, content=msgspec.json.encode(asked)) for _ in range(2)]
        assert [answer.status_code for answer in post] == [500, 200]
    with running(*options) as told:
        jia = json.loads(httpx.get(told["people"]).text.splitlines()[0])
    assert [card["status"] for card in jia["cards"]] == ["normal"]


def test_the_command_invents_certificates_and_asks_for_one(tmp_path: Path) -> None:
    tls = tmp_path / "tls"
    with running("--tls-invent", str(tls)) as told:
        shown = Trust(tls / "ca.pem", tls / "counter.pem", tls / "counter-key.pem").context()
        assert "测试甲" in httpx.get(told["people"], verify=shown).text
        with pytest.raises(httpx.HTTPError):
            httpx.get(told["people"], verify=Trust(tls / "ca.pem").context())
    assert (tls / "counter-key.pem").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--fault", "sleepy@activate"], "no kind sleepy"), (["--tls-key", __file__], "--tls-certificate")],
)
def test_the_command_says_what_is_wrong_with_its_options(arguments: list[str], said: str) -> None:
    done = subprocess.run([CARDSIM, "centre", *arguments], capture_output=True, check=False, timeout=20)
    assert done.returncode == os.EX_USAGE
    assert said in done.stderr.decode()
