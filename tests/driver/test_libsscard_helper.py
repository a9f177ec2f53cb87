"""Passwords by a helper of the user's: what it is told, what it may say, and what comes of one that misbehaves."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.asking_daemon import Asker, opened
from support.sscard import Library, Teller, environment

Load = Callable[..., Library]
Write = Callable[[str], str]

LATE, LENGTH, DIFFERENT = -32, -33, -34
BROKEN = (-14, "密码输入程序(SSCARD_PIN_HELPER)无法运行或输出有误".encode("gbk"))
TOLD = 'echo "$@" >> "$0.told"\n'


@pytest.fixture
def asker(teller: Teller) -> Asker:
    return Asker(teller)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a helper and return its path."""

    def written(script: str) -> str:
        path = tmp_path / "helper"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return written


def told(tmp_path: Path) -> list[str]:
    return (tmp_path / "helper.told").read_text().splitlines()


@pytest.mark.usefixtures("asker")
def test_the_helper_is_told_purpose_digits_and_tries_and_what_it_prints_is_the_password(
    load: Load, write: Write, tmp_path: Path
) -> None:
    library = load(SSCARD_PIN_HELPER=write(f"{TOLD}echo 246813"))
    assert library.call("iVerifyPIN", 3) == (0, b"246813")
    assert told(tmp_path) == ["social_pin 4 16 6"]


def test_what_a_card_or_daemon_does_not_tell_is_an_empty_word(load: Load, asker: Asker, write: Write) -> None:
    asker.prompts = [("social_pin", None)]
    assert load(SSCARD_PIN_HELPER=write('[ $# = 4 ] && [ -z "$4" ] && echo 1234')).call("iVerifyPIN", 3)[0] == 0


def test_a_new_password_is_typed_twice(load: Load, asker: Asker, write: Write, tmp_path: Path) -> None:
    asker.prompts = [("social_pin", 5), ("new_pin", None)]
    library = load(SSCARD_PIN_HELPER=write(f"{TOLD}case $1 in new*) printf 8642;; *) printf 1357;; esac"))
    assert library.call("iChangePIN", 3) == (0, b"1357|8642")
    assert [line.split()[0] for line in told(tmp_path)] == ["social_pin", "new_pin", "new_pin_again"]


def test_two_that_differ_are_minus_34_and_neither_is_sent(load: Load, asker: Asker, write: Write) -> None:
    asker.prompts = [("new_pin", None)]
    library = load(SSCARD_PIN_HELPER=write("case $1 in new_pin) echo 1357;; *) echo 1358;; esac"))
    assert library.call("iReloadPIN", 3, b"a|b|")[0] == DIFFERENT
    assert asker.cancelled == 1


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 1", -31),
        ("echo 123", LENGTH),
        ("echo", LENGTH),
        ("exit 0", LENGTH),
        ("echo 12345678901234567", LENGTH),
        ("while :; do printf 1234567890; done", LENGTH),
        ("echo secret", -14),
        ("echo ' 1234'", -14),
        ("printf '1234\\n1234\\n'", -14),
        ("printf '1234\\0005678'", -14),
        ("echo １２３４", -14),
        ("exec cat /dev/zero", -14),
        ("echo 1234; exit 2", -14),
        ("echo 1234; kill -9 $$", -14),
    ],
)
def test_what_is_no_password_has_its_number_cancels_the_prompt_and_the_next_call_works(
    script: str, code: int, load: Load, asker: Asker, write: Write
) -> None:
    library = load(SSCARD_PIN_HELPER=write(script))
    assert library.call("iVerifyPIN", 3)[0] == code
    assert asker.cancelled == 1
    write("echo 123456")
    assert library.call("iVerifyPIN", 3) == (0, b"123456")


@pytest.mark.parametrize("digits", ["1234", "1234567890123456"])
@pytest.mark.parametrize("end", ["", "\\n", "\\r\\n"])
def test_four_to_sixteen_digits_are_taken_with_an_end_of_the_line_or_without(
    digits: str, end: str, load: Load, asker: Asker, write: Write
) -> None:
    assert load(SSCARD_PIN_HELPER=write(f"printf '{digits}{end}'")).call("iVerifyPIN", 3) == (0, digits.encode())
    assert asker.cancelled == 0


@pytest.mark.parametrize("wrong", ["missing", "not a program", "no rights", "directory"])
def test_a_helper_that_cannot_be_run_is_minus_14_and_the_next_call_works(
    wrong: str, load: Load, asker: Asker, tmp_path: Path
) -> None:
    path = tmp_path / "helper"
    library = load(SSCARD_PIN_HELPER=str(path))
    if wrong == "not a program":
        path.write_bytes(b"\x7fELF")
        path.chmod(0o755)
    elif wrong == "no rights":
        path.write_text("#!/bin/sh\necho 1234\n")
    elif wrong == "directory":
        path.mkdir()
    assert library.call("iVerifyPIN", 3) == BROKEN
    assert asker.cancelled == 1
    assert library.call("iReadCardBas", 3)[0] == 0


def test_a_helper_that_is_no_whole_path_is_a_variable_that_cannot_be_used(load: Load, asker: Asker) -> None:
    assert load(SSCARD_PIN_HELPER="helper").call("iVerifyPIN", 3)[0] == -14
    assert load(SSCARD_PIN_HELPER="/" * 1024).call("iVerifyPIN", 3)[0] == -14
    assert asker.cancelled == 0


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


HANGS = 'echo $$ > "$0.process"; {trap}; while :; do sleep 0.05; done'


@pytest.mark.parametrize("trap", ["trap 'exit 3' TERM", "trap '' TERM"])
def test_a_helper_that_hangs_is_ended_at_its_time(
    trap: str, load: Load, asker: Asker, write: Write, tmp_path: Path
) -> None:
    library = load(SSCARD_PIN_HELPER=write(HANGS.format(trap=trap)), SSCARD_PERSON_TIMEOUT="1", SSCARD_TIMEOUT="10")
    started = time.monotonic()
    assert library.call("iVerifyPIN", 3)[0] == LATE
    assert 0.9 < time.monotonic() - started < 8
    assert not lives(int((tmp_path / "helper.process").read_text()))
    assert asker.cancelled == 1
    write("echo 123456")
    assert library.call("iVerifyPIN", 3) == (0, b"123456")


def test_a_helper_that_has_printed_and_does_not_end_is_late_as_well(load: Load, asker: Asker, write: Write) -> None:
    library = load(SSCARD_PIN_HELPER=write("echo 1234; exec sleep 60"), SSCARD_PERSON_TIMEOUT="1")
    assert library.call("iVerifyPIN", 3)[0] == LATE
    assert asker.cancelled == 1


def test_what_a_helper_leaves_running_is_not_waited_for(load: Load, asker: Asker, write: Write) -> None:
    started = time.monotonic()
    assert load(SSCARD_PIN_HELPER=write("sleep 5 & echo 1234")).call("iVerifyPIN", 3) == (0, b"1234")
    assert time.monotonic() - started < 4
    assert asker.cancelled == 0


def test_a_call_that_ends_while_the_holder_is_asked_ends_the_helper(
    load: Load, asker: Asker, write: Write, tmp_path: Path
) -> None:
    asker.instead = b'{"id":ID,"result":{"code":-4,"out":"gone"}}\n'
    library = load(SSCARD_PIN_HELPER=write(HANGS.format(trap=":")))
    started = time.monotonic()
    assert library.call("iVerifyPIN", 3) == (-4, b"gone")
    assert time.monotonic() - started < 10
    process = tmp_path / "helper.process"
    assert not process.exists() or not process.read_text() or not lives(int(process.read_text()))


def test_prompts_of_others_and_lines_that_are_none_are_passed_over(load: Load, asker: Asker, write: Write) -> None:
    others = (
        opened("x1", "social_pin", 6, None),
        opened("x2", "social_pin", 6, "another's"),
        b'{"method":"heartbeat","params":{"subscription":"s1"}}\n',
        b'{"method":"event","params":{"event":{"type":"org.cardd.prompt.opened.v1","data":[]}}}\n',
        b'{"method":"event","params":{"event":{"type":5,"data":{"prompt":{},"tries_left":"x"}}}}\n',
        b"{{{\n",
    )
    asker.before = b"".join(others)
    assert load(SSCARD_PIN_HELPER=write("echo 1234")).call("iVerifyPIN", 3) == (0, b"1234")


@pytest.mark.parametrize("purpose", ["", "Social", "../x", "a" * 129, "-x"])
def test_a_purpose_that_is_no_plain_word_starts_no_program(
    purpose: str, load: Load, asker: Asker, write: Write, tmp_path: Path
) -> None:
    asker.prompts = [(purpose, 6)]
    asker.instead = b'{"id":ID,"result":{"code":-32,"out":""}}\n'
    assert load(SSCARD_PIN_HELPER=write(TOLD)).call("iVerifyPIN", 3)[0] == -32
    assert not (tmp_path / "helper.told").exists()


@pytest.mark.parametrize("missing", ["observe", "pin"])
def test_a_user_who_may_not_answer_is_told_before_the_card_is_touched(
    missing: str, load: Load, asker: Asker, teller: Teller, write: Write
) -> None:
    asker.rights.remove(missing)
    code, message = load(SSCARD_PIN_HELPER=write("echo 1234")).call("iVerifyPIN", 3)
    assert (code, missing in message.decode("gbk")) == (-13, True)
    assert "driver.call" not in [request["method"] for asked in teller.asked for request in asked]


def test_a_watch_that_is_refused_is_minus_13(load: Load, asker: Asker, write: Write) -> None:
    asker.watching = False
    assert load(SSCARD_PIN_HELPER=write("echo 1234")).call("iVerifyPIN", 3)[0] == -13


def test_the_bills_that_a_card_keeps_are_behind_its_password(load: Load, asker: Asker, write: Write) -> None:
    assert load(SSCARD_PIN_HELPER=write("echo 1234")).call("iReadDebitRecord", 3) == (0, b"1234")
    assert asker.cancelled == 0


def test_functions_without_a_password_and_programs_without_a_helper_have_one_connection(
    load: Load, asker: Asker, teller: Teller, write: Write
) -> None:
    library = load(SSCARD_PIN_HELPER=write("echo 1234"))
    assert library.call("iReadCardBas", 3) == (0, b"nobody is asked")
    assert len(teller.asked) == 1
    assert library.call("iVerifyPIN", 3) == (0, b"1234")
    assert len(teller.asked) == 2
    assert load().call("iVerifyPIN", 3) == (0, b"nobody is asked")
    assert asker.cancelled == 0


@pytest.fixture
def nobody_waits() -> Iterator[None]:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize(("script", "code"), [("echo 1234", 0), ("exit 1", -31), ("echo x", -14)])
@pytest.mark.usefixtures("nobody_waits")
def test_a_program_that_takes_no_notice_of_its_children_is_served_all_the_same(
    script: str, code: int, load: Load, asker: Asker, write: Write
) -> None:
    assert load(SSCARD_PIN_HELPER=write(script)).call("iVerifyPIN", 3)[0] == code
    assert asker.prompts


def test_the_helper_has_ordinary_signals_no_input_and_no_connection_of_ours(
    load: Load, asker: Asker, write: Write, tmp_path: Path
) -> None:
    script = 'grep -E "Sig(Blk|Ign)" /proc/self/status > "$0.told"; ls -l /proc/self/fd >> "$0.told"; cat; echo 1234'
    path = write(script)
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        assert load(SSCARD_PIN_HELPER=path).call("iVerifyPIN", 3) == (0, b"1234")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        signal.signal(signal.SIGPIPE, before)
    seen = (tmp_path / "helper.told").read_text()
    blocked, ignored = (int(mask, 16) for mask in re.findall(r"Sig(?:Blk|Ign):\s+(\w+)", seen))
    assert blocked == 0
    assert not ignored & 1 << signal.SIGPIPE - 1
    assert " 0 -> /dev/null" in seen
    assert "socket:" not in seen
    assert asker.cancelled == 0


CALLS = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
out = ctypes.create_string_buffer(512)
code = library.iVerifyPIN(3, out)
print(code, flush=True)
sys.stdin.read()
"""


def memory(process: int) -> Iterator[bytes]:
    """Yield what a process may write to, area by area."""
    with Path(f"/proc/{process}/mem").open("rb", 0) as whole:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            (
                area,
                rights,
                *_,
            ) = line.split()
            if "w" in rights and "[v" not in line:
                start, end = (int(part, 16) for part in area.split("-"))
                whole.seek(start)
                yield whole.read(end - start)


def test_no_password_stays_in_the_programs_memory(built: Path, asker: Asker, teller: Teller, write: Write) -> None:
    asker.prompts = [("new_pin", None)]
    asker.instead = None
    settings = environment(SSCARD_SOCKET=str(teller.path), SSCARD_PIN_HELPER=write("echo 97531864209753"))
    original = teller.reply

    def silent(request: dict[str, object]) -> bytes:
        answer = original(request)
        assert isinstance(answer, bytes)
        # what a daemon says never has it either
        return answer.replace(b"97531864209753", b"")

    teller.reply = silent
    command = [sys.executable, "-c", CALLS, str(built)]
    with subprocess.Popen(command, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        assert program.stdout.readline() == b"0\n"
        areas = list(memory(program.pid))
        program.stdin.close()
    assert any(str(teller.path).encode() in area for area in areas), "the search finds what is there"
    assert not any(b"97531864209753" in area for area in areas)


def test_threads_have_their_passwords_asked_for_one_after_the_other(
    load: Load, asker: Asker, write: Write, tmp_path: Path
) -> None:
    guarded = 'mkdir "$0.busy" || { echo x; exit 0; }; sleep 0.1; rmdir "$0.busy"; echo 1234'
    library = load(SSCARD_PIN_HELPER=write(guarded))
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(library.call("iVerifyPIN", 3)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert codes == [0, 0, 0, 0]
    assert asker.cancelled == 0
    assert not (tmp_path / "helper.busy").exists()
