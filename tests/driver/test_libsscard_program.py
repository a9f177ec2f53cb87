"""A program in C that has only the header calls every function."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.asking_daemon import Asker
from support.sscard import FUNCTIONS, PAIRS, SIGNING, Reply, Teller, build, environment, said

HERE = Path(__file__).parent
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-Wpedantic")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")

Program = Callable[..., subprocess.CompletedProcess[bytes]]


def compiled(directory: Path, library: Path, *flags: str) -> Path:
    program = directory / "every_function"
    source = HERE / "every_function.c"
    where = [f"-I{library.parent}", f"-L{library.parent}", f"-Wl,-rpath,{library.parent}"]
    subprocess.run(["cc", *FLAGS, *flags, *where, "-o", str(program), str(source), f"-l:{library.name}"], check=True)
    return program


def run(program: Path, teller: Teller, **variables: str) -> list[list[str]]:
    settings = environment(SSCARD_SOCKET=str(teller.path), SSCARD_TIMEOUT="20", **variables)
    done = subprocess.run([program], env=settings, capture_output=True, check=False, timeout=100)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return [line.split("|") for line in done.stdout.decode("gb18030").splitlines()]


def test_a_program_that_is_linked_with_the_library_runs_every_function(
    built: Path, teller: Teller, tmp_path: Path
) -> None:
    teller.reply = lambda request: said(request, -25538, f"测试甲 {request['params']['function']}")
    lines = run(compiled(tmp_path, built), teller)
    names = [*FUNCTIONS, *SIGNING, *PAIRS]
    assert sorted(line[0] for line in lines) == sorted(names)
    for name, code, as_int, *out in lines:
        assert (code, as_int, out[-1]) == ("-25538", "-25538", f"测试甲 {name}")


def test_the_name_of_the_national_library_links_as_well(built: Path, teller: Teller, tmp_path: Path) -> None:
    assert len(run(compiled(tmp_path, built.parent / "libSSCardDriver.so"), teller)) == 29


def hostile(line: bytes) -> Reply:
    return lambda request: line.replace(b"ID", b"%d" % request["id"]) + b"\n"


REPLIES: dict[str, Reply] = {
    "in order": lambda request: said(request, 0, "510100|测试甲|"),
    "message longer than any buffer": lambda request: said(request, -1, "卡" * 30_000),
    "answer longer than any buffer": lambda request: said(request, 0, "卡|" * 30_000),
    "no text": lambda request: said(request, 0, ""),
    "hangs up": lambda _: None,
    "no json": hostile(b"\x00\xff{{{"),
    "deep": hostile(b'{"id":ID,"x":' + b"[" * 500_000),
    "longer than a line may be": hostile(b"x" * (1 << 21)),
    "cut in a character": hostile(b'{"id":ID,"result":{"code":0,"out":"\xe6\xb5'),
    "numbers without end": hostile(b'{"id":ID,"result":{"code":-' + b"9" * 100_000 + b"}}"),
}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program and the library, with every access to memory looked at."""
    directory = tmp_path_factory.mktemp("watched")
    return compiled(directory, build(directory, f"MORE=-g {' '.join(SANITIZERS)}"), *SANITIZERS)


@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("charset", ["gbk", "utf-8"])
def test_every_function_touches_only_its_own_memory(reply: str, charset: str, watched: Path, teller: Teller) -> None:
    teller.reply = REPLIES[reply]
    settings: dict[str, Any] = {"SSCARD_CHARSET": charset, "ASAN_OPTIONS": "detect_leaks=1"}
    done = subprocess.run(
        [watched],
        env=environment(SSCARD_SOCKET=str(teller.path), SSCARD_TIMEOUT="20", **settings),
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr.decode(errors="replace")) == (0, "")
    assert done.stdout.count(b"\n") == 29


HELPERS = {
    "digits": "echo 246813",
    "cancels": "exit 1",
    "rubbish": "exec cat /dev/urandom",
    "differs": "case $1 in *_again) echo 1357;; *) echo 2468;; esac",
    "late": "exec sleep 30",
    "missing": None,
}


@pytest.mark.parametrize("helper", [*sorted(HELPERS.keys() - {"late"}), pytest.param("late", marks=pytest.mark.slow)])
def test_every_function_does_so_with_a_helper_too(helper: str, watched: Path, teller: Teller, tmp_path: Path) -> None:
    Asker(teller, [("social_pin", 3), ("new_pin", None)])
    path, script = tmp_path / "helper", HELPERS[helper]
    if script is not None:
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    quick = {"SSCARD_PERSON_TIMEOUT": "1"} if helper == "late" else {}
    lines = run(watched, teller, SSCARD_PIN_HELPER=str(path), ASAN_OPTIONS="detect_leaks=1", **quick)
    assert len(lines) == 29
    codes = {"digits": "0", "cancels": "-31", "rubbish": "-14", "differs": "-34", "late": "-32", "missing": "-14"}
    assert {line[1] for line in lines} == {"0", codes[helper]}
