"""Logs of pcsc-lite's spy library: lines as it wrote them on a real pcscd, put together by hand."""

import os
from pathlib import Path

import pytest

from cardd.base.document import DocumentError
from cardsim.cli import main
from cardsim.spied import read_spied

ATR = "3B 6D 00 00 00 81 54 4C 96 86 84 51 01 C0 FF EE 01 "


def call(thread: str, name: str, *lines: str, code: int = 0, at: int = 100) -> list[str]:
    begin, end = f">|{at}|500000|{name}", f"<|{at}|750000|{name}|text|0x{code:08X}"
    return [f"{thread}@{line}" for line in (begin, *lines, end)]


def connect(handle: str, reader: str = "Front 0", thread: str = "A1") -> list[str]:
    return call(thread, "SCardConnect", "0x1", reader, "0x1", "0x3", "0x1", "0x7F", handle, "0x1")


def status(handle: str, atr: str = ATR, thread: str = "A1") -> list[str]:
    words = ("0x100", "0x24", "0x10", "Front 0", "0x00010034", "0x1", "0x11", atr)
    return call(thread, "SCardStatus", handle, *words)


def changed(state: str, atr: str = "") -> list[str]:
    before = ("Front 0", "0x00000000", "0x00000000", "0x00000000", "")
    return call("B2", "SCardGetStatusChange", "0x2", "0x0", "0x1", *before, "Front 0", "0x0", state, "0x11", atr)


def transmit(handle: str, command: str, answer: str, code: int = 0, thread: str = "A1") -> list[str]:
    words = (handle, "0x1", "0x10", "0x5", command, "0x1", "0x10", "0x2", answer)
    return call(thread, "SCardTransmit", *words, code=code)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "pcsc-spy"


def stays(log: Path, *calls: list[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    log.write_text("\n".join(line for lines in calls for line in lines) + "\n")
    return [
        (stay.atr.hex(), [(command.hex(), answer.hex()) for _, command, answer in stay.exchanges])
        for stay in read_spied(log)
    ]


def test_exchanges_of_one_card_are_one_stay_over_several_handles(log: Path) -> None:
    first = (connect("0xA"), status("0xA"), transmit("0xA", "00 84 00 00 08 ", "90 00 "))
    again = (connect("0xB"), transmit("0xB", "00 B2 01 04 00 ", "6A 83 "))
    expected = [("0084000008", "9000"), ("00b2010400", "6a83")]
    assert stays(log, *first, *again) == [(bytes.fromhex(ATR).hex(), expected)]


def test_calls_of_several_threads_are_told_apart(log: Path) -> None:
    one = [*connect("0xA"), *status("0xA"), *transmit("0xA", "00 84 00 00 08 ", "90 00 ")]
    other = [
        *connect("0xB", "Other 1", "C3"),
        *status("0xB", "3B 00 ", "C3"),
        *transmit("0xB", "00", "6D 00 ", 0, "C3"),
    ]
    mixed = [line for pair in zip(one, other, strict=True) for line in pair]
    assert [len(exchanges) for _, exchanges in stays(log, mixed)] == [1, 1]


@pytest.mark.parametrize(
    "between",
    [
        changed("0x00010012"),
        [*changed("0x00010022", ATR), *changed("0x00030022", ATR)],
        changed("0x00010022", "3B 00 "),
    ],
)
def test_a_card_that_was_taken_out_ends_a_stay(log: Path, between: list[str]) -> None:
    one = (connect("0xA"), status("0xA"), transmit("0xA", "00", "90 00 "))
    after = (between, connect("0xB"), status("0xB"), transmit("0xB", "00", "90 00 "))
    assert len(stays(log, *one, *after)) == 2


def test_an_answer_that_nobody_heard_is_empty_and_a_command_that_was_not_sent_is_none(log: Path) -> None:
    torn = transmit("0xA", "00 20 00 00 ", "NULL", 0x80100069)
    unsent = transmit("0xA", "00 84 00 00 08 ", "NULL", 0x80100068)
    assert stays(log, connect("0xA"), status("0xA"), unsent, torn)[0][1] == [("00200000", "")]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["nothing"], ":1:1: is no line of pcsc-lite's spy"),
        (["A1@0x00000002"], ":1:1: belongs to no call"),
        (call("A1", "SCardTransmit", "0xA"), ":1:1: holds no exchange with a card"),
        ([*connect("0xA"), *call("A1", "SCardTransmit", "0xA")], ":11:1: the call SCardTransmit"),
        ([*connect("0xA"), *transmit("0xA", "no hex", "90 00")], ":11:1: the call SCardTransmit"),
        ([*connect("0xA"), *transmit("0xA", "00", "90 00")], ":11:1: no line tells the ATR"),
    ],
)
def test_a_log_that_cannot_be_is_told_with_its_line(log: Path, lines: list[str], problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        stays(log, lines)


def test_a_program_that_was_killed_leaves_its_last_call_open(log: Path) -> None:
    open_call = ["A1@>|1|2|SCardTransmit", "A1@0xA"]
    (stay,) = stays(log, connect("0xA"), status("0xA"), transmit("0xA", "00", "90 00"), open_call)
    assert stay[1] == [("00", "9000")]


def test_a_log_in_which_nobody_was_heard_is_told_as_that_and_makes_no_trace(log: Path, tmp_path: Path) -> None:
    log.touch()
    made = tmp_path / "trace.jsonl"
    assert main(["spy", str(log), str(made)]) == os.EX_DATAERR
    assert not made.exists()
