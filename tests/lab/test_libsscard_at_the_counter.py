"""Programs of the national driver on the real pcscd: through the library they see what is in the reader."""

import ctypes
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.sscard import DRIVER, EXTRA, FUNCTIONS, PAIRS, SIGNING, VARIABLES, Guarded, Library, build, environment

from cardd.wire.cards import CardReadParams
from cardd.wire.methods import CARD_READ
from cardsim.rig import Rig

Load = Callable[..., Library]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig.start(tmp_path_factory.mktemp("r")) as rig:
        yield rig


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture
def library(rig: Rig, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSCARD_SOCKET", str(rig.socket))
    yield Library(built, tmp_path)
    rig.lab.empty()
    rig.lab.insert_persona("psam", 1)


def insert(rig: Rig) -> None:
    """Return when the daemon knows the card: the library's functions do not wait for one."""
    rig.lab.insert_persona("social-jia-3.0", 0)
    with rig.client() as client:
        assert client.call(CARD_READ, CardReadParams(wait_s=10.0)).authentic


def test_basic_information_and_files_of_the_card_come_in_gbk_and_the_next_call_works_after_errors(
    rig: Rig, library: Library
) -> None:
    code, message = library.call("iReadCardBas", 3)
    assert (code, message.decode("gbk")[:1]) == (-2, "读"), "no card"
    insert(rig)
    code, out = library.call("iReadCardBas", 3)
    assert code == 0, out.decode("gbk")
    items = out.decode("gbk").split("|")
    assert (len(items), items[4]) == (12, "测试甲")
    info = f"{items[3]}|{items[2]}|".encode()
    assert library.call("iReadCard", 3, 1, info, b"SSSEEF06|08|09|$") == (
        0,
        f"SSSEEF06|{items[1]}|{items[4]}|$".encode("gbk"),
    )
    other = info.replace(info[:4], b"9999", 1)
    assert library.call("iReadCard", 3, 1, other, b"SSSEEF06|08|09|$")[0] == -22
    assert library.call("iReadCard", 3, 1, info, b"nonsense")[0] == -14
    assert library.call("iReadCard", 9, 1, info, b"SSSEEF06|08|$")[0] == -14
    assert library.call("iReadCardBas", 3) == (0, out)


def test_the_numbers_beside_the_standard_come_without_their_bars_where_there_are_two_buffers(
    rig: Rig, library: Library
) -> None:
    insert(rig)
    code, number = library.call("iReadCardNo", 3)
    assert (code, number[-1:]) == (0, b"|")
    first, second = Guarded(EXTRA), Guarded(EXTRA)
    function = library.function("iReadICCardNum")
    assert function(ctypes.c_void_p(first.address), ctypes.c_void_p(second.address)) == 0
    assert (first.text().isdigit(), second.text()) == (True, b"")
    function = library.function("iGetReaderInfo")
    assert function(ctypes.c_void_p(first.address), ctypes.c_void_p(second.address)) == 0
    assert first.text()


def test_steps_that_are_taken_in_two_threads_are_one_piece_of_business(rig: Rig, library: Library) -> None:
    insert(rig)
    steps_mixed = -12
    made_up = b"0123456789ABCDEF|"
    assert library.call("iReadCardBas_HSM_Step2", made_up)[0] == steps_mixed
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        assert first.submit(library.call, "iReadCardBas_HSM_Step1", 3).result()[0] == 0
        assert second.submit(library.call, "iReadCardBas_HSM_Step2", made_up).result()[0] not in {0, steps_mixed}
    assert library.call("iReadCardBas", 3)[0] == 0


SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def test_a_program_in_c_runs_every_function_with_every_access_to_memory_looked_at(rig: Rig, tmp_path: Path) -> None:
    made = build(tmp_path / "watched", f"MORE=-g {' '.join(SANITIZERS)}").parent
    program, helper = tmp_path / "every_function", tmp_path / "helper"
    source = DRIVER.parent / "tests" / "driver" / "every_function.c"
    where = (f"-I{made}", f"-L{made}", f"-Wl,-rpath,{made}", "-l:libSSCardDriver.so")
    subprocess.run(["cc", "-std=c11", "-g", *SANITIZERS, "-o", program, source, *where], check=True)
    helper.write_text("#!/bin/sh\ncase $1 in social_pin) echo 123456;; *) echo 246813;; esac\n")
    helper.chmod(0o755)
    insert(rig)
    around = environment(SSCARD_SOCKET=str(rig.socket), SSCARD_PIN_HELPER=str(helper))
    done = subprocess.run([program], env=around, capture_output=True, check=False, timeout=60)
    rig.lab.empty()
    rig.lab.insert_persona("psam", 1)
    assert (done.returncode, done.stderr.decode(errors="replace")) == (0, "")
    lines = [line.split("|") for line in done.stdout.decode("gb18030").splitlines()]
    codes = {name: int(code) for name, code, *_ in lines}
    assert codes.keys() == {*FUNCTIONS, *SIGNING, *PAIRS}
    fine = {name for name, code in codes.items() if code == 0}
    assert {"iReadCardBas", "iVerifyPIN", "iChangePIN", "iReadCardNo", "iGetReaderInfo"} <= fine
    assert {codes["iReadCard"], codes["iDoDebit"], codes["iReloadPIN"]} == {-22}, "the program's card is another one"
