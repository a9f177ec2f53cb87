import io
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.aside import Aside, counter_aside
from support.counter import NAME, PIN, reader_view
from support.waiting import eventually

from cardd.base.reasons import REASONS, Reason
from cardd.ctl import pins
from cardd.ctl.exits import exit_code
from cardd.ctl.main import main
from cardd.wire.activation import ActivationStartParams, Route, State
from cardd.wire.cards import CardSummary, Kind

CARDCTL = [sys.executable, "-m", "cardd.ctl.main"]


@pytest.fixture
def aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aside]:
    with counter_aside(tmp_path) as running:
        monkeypatch.setenv("CARDD_SOCKET", str(running.desk.path))
        yield running


def objects(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def test_readers_are_a_table_in_which_chinese_stands_in_its_columns(
    aside: Aside, capsys: pytest.CaptureFixture[str]
) -> None:
    card = CardSummary(insertion="1-1", kind=Kind.SOCIAL_SECURITY, generation="3.0", authentic=True, number="***1")
    view = reader_view(card)
    view.reader = "窗口一"
    aside.desk.readers[:] = [view, reader_view()]
    assert main(["readers"]) == os.EX_OK
    lines = [line for line in capsys.readouterr().out.splitlines() if "debug" not in line]
    assert lines[0].split() == [
        *("READER", "STATION", "ROLE", "STATE"),
        *("CARD", "NUMBER", "GENUINE"),
        *("SERIAL", "USB", "DEVICE"),
    ]
    told = ["R-1234", "1-2", "usb", "1-2"]
    shown = ["social_security", "3.0", "***1", "yes"]
    assert lines[1].split() == ["窗口一", "default", "counter", "present", *shown, *told]
    assert lines[2].split() == ["front", "default", "counter", "empty", "-", "-", "-", *told]
    assert lines[1].index("default") + 3 == lines[2].index("default") == lines[0].index("STATION")


@pytest.mark.parametrize("arguments", [["--json", "readers"], ["readers", "--json"]])
def test_json_is_the_sockets_answer_on_a_line_wherever_the_option_stands(
    aside: Aside, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert aside.desk.path.exists()
    assert main(arguments) == os.EX_OK
    (answer,) = objects(capsys)
    assert answer["readers"][0]["pcsc_name"] == "Virtual PCD 00 00"


@pytest.mark.parametrize("position", ["before", "after"])
def test_a_socket_can_be_named_before_or_behind_the_command(
    aside: Aside, monkeypatch: pytest.MonkeyPatch, position: str
) -> None:
    monkeypatch.delenv("CARDD_SOCKET")
    option = ["--socket", str(aside.desk.path)]
    assert main([*option, "status"] if position == "before" else ["status", *option]) == os.EX_OK


def test_status_shows_what_the_daemon_says(aside: Aside, capsys: pytest.CaptureFixture[str]) -> None:
    assert aside.desk.path.exists()
    assert main(["status"]) == os.EX_OK
    out = capsys.readouterr().out
    assert "uptime_s: 1.5" in out
    assert "pcsc:\n  state: up" in out


def test_a_card_is_read_masked_and_with_a_purpose_whole(aside: Aside, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "front", "--files", "SSSEEF05|01|$"]) == os.EX_OK
    out = capsys.readouterr().out
    assert "name: 测*甲" in out
    assert NAME not in out
    assert (aside.desk.cards.reads[0].reader, aside.desk.cards.reads[0].files) == ("front", "SSSEEF05|01|$")
    assert main(["read", "--purpose", "visit"]) == os.EX_OK
    assert NAME in capsys.readouterr().out


def test_a_refusal_is_one_line_in_both_languages_with_its_exit_code(
    aside: Aside, capsys: pytest.CaptureFixture[str]
) -> None:
    aside.desk.cards.present.clear()
    assert main(["read"]) == os.EX_TEMPFAIL
    (line,) = capsys.readouterr().err.splitlines()
    row = REASONS[Reason.NO_CARD]
    assert row.en in line
    assert row.zh in line
    assert "NO_CARD" in line


def test_a_refusal_in_json_is_the_sockets_error_object(aside: Aside, capsys: pytest.CaptureFixture[str]) -> None:
    assert aside.desk.path.exists()
    assert main(["--json", "cancel", "act-9"]) == os.EX_NOINPUT
    assert json.loads(capsys.readouterr().err)["error"]["data"]["reason"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.FORBIDDEN, os.EX_NOPERM),
        (Reason.INVALID, os.EX_USAGE),
        (Reason.NOT_FOUND, os.EX_NOINPUT),
        (Reason.PCSC_UNAVAILABLE, os.EX_UNAVAILABLE),
        (Reason.BUSY, os.EX_TEMPFAIL),
        (Reason.OTHER_PERSON, os.EX_DATAERR),
        (Reason.INTERNAL, os.EX_SOFTWARE),
    ],
)
def test_every_reason_has_an_exit_code_of_sysexits(reason: Reason, code: int) -> None:
    assert exit_code(reason, REASONS[reason].retry) == code
    assert all(64 <= exit_code(one, row.retry) <= 78 for one, row in REASONS.items())


@pytest.mark.parametrize(("reason", "retry", "code"), [("OF_TOMORROW", "now", 75), ("OF_TOMORROW", "never", 65)])
def test_a_reason_of_a_newer_daemon_has_one_too(reason: str, retry: str, code: int) -> None:
    assert exit_code(reason, retry) == code


@pytest.mark.parametrize("command", [["status"], ["read"], ["watch"], ["activate", "pharmacy", "--wait", "1"]])
def test_without_a_daemon_every_command_says_how_to_start_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert main(["--socket", str(tmp_path / "nobody.sock"), *command]) == os.EX_UNAVAILABLE
    (line,) = capsys.readouterr().err.splitlines()
    assert "systemctl start cardd" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["activate", "boat"],
        ["cancel"],
        ["read", "--wait", "x"],
        ["activate", "hospital", "--visit-kind", "outpatient"],
        ["activate", "bank", "--document-name", "x"],
    ],
)
def test_a_wrong_use_is_told_with_the_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == os.EX_USAGE
    assert "Usage: cardctl" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["raed"], "No such command 'raed'. Did you mean read?"),
        (["zzz"], "No such command 'zzz'."),
        (["read", "--wait", "x"], "'x' is not a valid number of seconds."),
    ],
)
def test_a_slip_of_the_keyboard_is_told_in_plain_words(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(arguments) == os.EX_USAGE
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_help_lists_the_commands_without_loading_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == os.EX_OK
    out = capsys.readouterr().out
    assert all(name in out for name in ("status", "readers", "read", "watch", "activate", "cancel", "answer"))


def test_an_activation_is_started_with_everything_that_was_given(
    aside: Aside, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    start = aside.desk.activations.start

    async def noted(params: Any, *, client: str) -> str:
        seen.append(params)
        return await start(params, client=client)

    monkeypatch.setattr(aside.desk.activations, "start", noted)
    given = "--station s --reader r --operator o --old-card 1 --visit-kind inpatient --visit-number 2 --request q"
    document = "--document-type 01 --document-number 3 --document-name n"
    assert main(["activate", "hospital", *given.split(), *document.split()]) == os.EX_OK
    assert "act-1: waiting_old_card" in capsys.readouterr().out
    (params,) = seen
    assert (params.route, params.station, params.reader, params.operator) == ("hospital", "s", "r", "o")
    assert (params.old_card.number, params.visit.kind, params.visit.number) == ("1", "inpatient", "2")
    assert (params.identity_document.number, params.request) == ("3", "q")


def test_an_activation_that_does_not_end_in_time_is_a_temporary_failure(
    aside: Aside, capsys: pytest.CaptureFixture[str]
) -> None:
    assert aside.desk.path.exists()
    assert main(["activate", "pharmacy", "--wait", "0.2"]) == os.EX_TEMPFAIL
    out = capsys.readouterr().out
    assert "请插入原医保卡" in out
    assert "act-1: waiting_old_card" in out


def test_the_end_of_somebody_elses_activation_is_not_taken_for_this_ones(
    aside: Aside, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["activate", "pharmacy"]) == os.EX_OK

    async def second() -> bool:
        return len(await aside.desk.recorded("activation.step")) == 2

    async def soon() -> None:
        await eventually(second)
        await aside.desk.activations.end("act-1", State.COMPLETED)

    aside.begin(soon())
    began = time.monotonic()
    assert main(["activate", "pharmacy", "--wait", "0.5"]) == os.EX_TEMPFAIL
    assert time.monotonic() - began >= 0.5
    assert "act-2: waiting_old_card" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [
        (State.COMPLETED, None, os.EX_OK),
        (State.REFUSED, Reason.OTHER_PERSON, os.EX_DATAERR),
        (State.REFUSED, Reason.AUTHORITY_UNAVAILABLE, os.EX_UNAVAILABLE),
        (State.EXPIRED, None, os.EX_TEMPFAIL),
        (State.CANCELLED, None, os.EX_TEMPFAIL),
    ],
)
def test_an_activation_that_is_followed_gives_its_end_as_exit_code(
    aside: Aside, capsys: pytest.CaptureFixture[str], state: State, reason: Reason | None, code: int
) -> None:
    async def soon() -> None:
        await eventually(aside.desk.under_way)
        await aside.desk.activations.end("act-1", state, reason)

    aside.begin(soon())
    assert main(["--json", "activate", "pharmacy", "--wait", "5"]) == code
    (result,) = objects(capsys)
    assert result["state"] == state
    assert result["reason"] == reason


def test_a_password_for_a_prompt_is_one_line_of_standard_input(aside: Aside, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["activate", "pharmacy"]) == os.EX_OK
    prompt = aside.do(aside.desk.activations.ask_pin("act-1"))
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PIN}\n"))
    assert main(["answer", prompt]) == os.EX_OK
    ((_, pin),) = aside.desk.activations.answers
    assert pin is not None
    assert pin.reveal() == PIN.encode()


def test_a_prompt_can_be_cancelled(aside: Aside) -> None:
    assert main(["activate", "pharmacy"]) == os.EX_OK
    prompt = aside.do(aside.desk.activations.ask_pin("act-1"))
    assert main(["answer", prompt, "--cancel"]) == os.EX_OK
    assert aside.desk.activations.answers == [(prompt, None)]


@pytest.mark.parametrize("typed", ["", "12a4", "１２３４"])
def test_what_is_no_password_is_not_sent_and_not_shown(
    aside: Aside, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
    assert main(["answer", "prompt-1"]) == os.EX_USAGE
    assert aside.desk.activations.answers == []
    assert not typed or typed not in capsys.readouterr().err


def test_a_new_password_is_typed_until_two_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["1234", "1235", "246813", "246813"])
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda _: True})())
    assert pins.read_pin(pins.NEW_PIN, lambda _: next(typed)) == "246813"


@pytest.mark.parametrize("told", ["by an event", "by the answer and an event"])
def test_a_followed_activation_asks_once_for_the_password_on_the_terminal_without_echo(
    aside: Aside, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    activations = aside.desk.activations
    start = activations.start

    async def asking(params: ActivationStartParams, *, client: str) -> str:
        identity = await start(params, client=client)
        await activations.ask_pin(identity)
        return identity

    async def soon() -> None:
        await eventually(aside.desk.under_way)
        if told == "by an event":
            await activations.ask_pin("act-1")

    if told != "by an event":
        monkeypatch.setattr(activations, "start", asking)
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*CARDCTL, "activate", "pharmacy", "--wait", "20"],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        start_new_session=True,
    ) as cardctl:
        os.close(slave)

        aside.do(soon())
        shown = _until(master, "Password 密码: ")
        os.write(master, f"{PIN}\n".encode())
        out, _ = cardctl.communicate(timeout=10)
        shown += _rest(master)
    assert cardctl.returncode == os.EX_OK
    assert PIN not in shown + out.decode()
    assert "act-1: completed" in out.decode()
    ((_, pin),) = aside.desk.activations.answers
    assert pin is not None
    assert pin.reveal() == PIN.encode()


def _until(descriptor: int, wanted: str) -> str:
    shown = b""
    while wanted.encode() not in shown:
        shown += os.read(descriptor, 1000)
    return shown.decode()


def _rest(descriptor: int) -> str:
    shown = b""
    try:
        while chunk := os.read(descriptor, 1000):
            shown += chunk
    except OSError:
        pass
    os.close(descriptor)
    return shown.decode()


def _cardctl(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*CARDCTL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )


def test_watch_prints_events_in_words_and_ends_cleanly_at_an_interrupt(aside: Aside) -> None:
    aside.do(aside.desk.happen("card.inserted", text={"code": "insert_old_card", "args": {}}))
    with _cardctl("watch", "--after", "earliest", "--types", "card.*") as cardctl:
        assert cardctl.stdout is not None
        line = cardctl.stdout.readline()
        assert "card.inserted" in line
        assert "front" in line
        assert "请插入原医保卡" in line
        cardctl.send_signal(2)
        _, err = cardctl.communicate(timeout=5)
    assert cardctl.returncode == 130
    assert err.strip() == ""


def test_watch_in_json_gives_the_cursor_to_go_on_from(aside: Aside) -> None:
    for _ in range(2):
        aside.do(aside.desk.happen("card.inserted"))
    with _cardctl("--json", "watch", "--after", "earliest") as cardctl:
        assert cardctl.stdout is not None
        first = json.loads(cardctl.stdout.readline())
        cardctl.terminate()
    assert first["event"]["type"] == "org.cardd.card.inserted.v1"
    with _cardctl("--json", "watch", "--after", first["cursor"]) as cardctl:
        assert cardctl.stdout is not None
        assert int(json.loads(cardctl.stdout.readline())["event"]["sequence"]) == 2
        cardctl.terminate()


def test_watch_outlives_the_daemon_and_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARDD_SOCKET", str(tmp_path / "cardd.sock"))
    with counter_aside(tmp_path) as first:
        first.do(first.desk.happen("card.inserted"))
        cardctl = _cardctl("--json", "watch", "--after", "earliest")
        assert cardctl.stdout is not None
        assert cardctl.stderr is not None
        came = [cardctl.stdout.readline()]
    assert "等待守护进程" in cardctl.stderr.readline()
    with counter_aside(tmp_path) as second, cardctl:
        for _ in range(2):
            second.do(second.desk.happen("card.inserted"))
        came += [cardctl.stdout.readline() for _ in range(2)]
        cardctl.send_signal(2)
        _, err = cardctl.communicate(timeout=5)
    assert [int(json.loads(line)["event"]["sequence"]) for line in came] == [1, 2, 3]
    assert cardctl.returncode == 130
    assert err.strip() == ""


def test_watch_ends_where_the_daemon_no_longer_has_what_comes_next(
    aside: Aside, capsys: pytest.CaptureFixture[str]
) -> None:
    assert aside.desk.path.exists()
    assert main(["watch", "--after", "ab.7"]) == exit_code(Reason.CURSOR_GONE, REASONS[Reason.CURSOR_GONE].retry)
    assert "CURSOR_GONE" in capsys.readouterr().err


def test_a_followed_activation_outlives_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARDD_SOCKET", str(tmp_path / "cardd.sock"))
    with counter_aside(tmp_path):
        cardctl = _cardctl("activate", "pharmacy", "--wait", "20", "--request", "q")
        assert cardctl.stdout is not None
        assert cardctl.stderr is not None
        assert "请插入原医保卡" in cardctl.stdout.readline()
    assert "等待守护进程" in cardctl.stderr.readline()
    with counter_aside(tmp_path) as second, cardctl:
        # this double of a daemon begins anew: what it makes of the same request is act-1 again
        second.do(second.desk.activations.start(ActivationStartParams(route=Route.PHARMACY), client="root"))
        second.do(second.desk.activations.end("act-1", State.COMPLETED))
        out, _ = cardctl.communicate(timeout=5)
    assert cardctl.returncode == os.EX_OK
    assert "act-1: completed" in out


def test_a_reader_of_the_output_may_leave_early(aside: Aside) -> None:
    aside.do(aside.desk.happen("card.inserted"))
    with _cardctl("watch", "--after", "earliest") as cardctl:
        assert cardctl.stdout is not None
        cardctl.stdout.readline()
        cardctl.stdout.close()
        for _ in range(3):
            aside.do(aside.desk.happen("card.inserted"))
            time.sleep(0.02)
        assert cardctl.stderr is not None
        assert cardctl.stderr.read() == ""
    assert cardctl.returncode == os.EX_OK


def test_an_interrupted_activation_goes_on_and_says_how_to_end_it(aside: Aside) -> None:
    with _cardctl("activate", "pharmacy", "--wait", "20") as cardctl:
        assert cardctl.stdout is not None
        cardctl.stdout.readline()
        cardctl.send_signal(2)
        _, err = cardctl.communicate(timeout=5)
    assert cardctl.returncode == 130
    assert "cardctl cancel act-1" in err
    assert "Traceback" not in err
    views = aside.do(aside.desk.activations.list(open_only=True, limit=9))
    assert len(views) == 1


def test_starting_up_loads_neither_asyncio_nor_the_daemon() -> None:
    code = "import sys; from cardd.ctl import main, readers, activate; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "click" in out
    unwanted = {"asyncio", "structlog", "cardd.api", "cardd.journal", "sqlite3", "smartcard", "ssl"}
    assert not unwanted & set(out)
