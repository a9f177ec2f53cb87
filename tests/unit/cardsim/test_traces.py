"""Exchanges written down, and cards that say them again."""

import io
import json
import os
import random
import secrets
import stat
import sys
from pathlib import Path

import pytest
from support.cards import DEADLINE, on_channel, software_keys

from cardd.base.document import DocumentError
from cardd.desk.read import read_card
from cardd.desk.reading import CardReading
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.device import Transport
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.cli import main
from cardsim.persona import load_persona
from cardsim.replay import ReplayCard
from cardsim.trace import RecordingCard, load_trace, load_traces

ATR = "3B6D00000081544C9686845101C0FFEE01"
SELECT = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
VERIFY = "0020000003123456"
UNEXPECTED = b"\x6f\x00"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "trace.jsonl"


def lines(trace: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in trace.read_text(encoding="ascii").splitlines()]


def recorded(trace: Path, *commands: str, masked: bool = True) -> list[str]:
    card = RecordingCard(make_card(load_persona("social-jia-3.0")), trace, masked=masked)
    card.power_on()
    return [card.transmit(bytes.fromhex(command)).hex().upper() for command in commands]


def replayed(trace: Path) -> ReplayCard:
    card = ReplayCard(load_trace(trace))
    card.power_on()
    return card


def desk_reads(card: VirtualCard, transport: Transport, monkeypatch: pytest.MonkeyPatch) -> CardReading:
    """Read everything, with the same random numbers each time: they are part of a terminal's commands."""
    with monkeypatch.context() as patch:
        patch.setattr(secrets, "token_bytes", random.Random(7).randbytes)
        place = on_channel(card, transport)
        files = "SSSEEF05|01|02|03|04|05|06|07|$SSSEEF06|08|09|0A|0B|0C|0D|$"
        return read_card(place.channel, place.insertion, software_keys(), None, DEADLINE, files, stopped=StoppedKeys())


@pytest.mark.parametrize(
    ("persona", "interface", "transport"),
    [
        ("social-jia-3.0", "contact", Transport.T0),
        ("social-jia-3.0", "contactless", Transport.T1),
        ("social-bing-2.0", "contact", Transport.T0),
        ("social-ding-1.0", "contact", Transport.T0),
    ],
)
def test_a_recorded_full_reading_by_the_desk_is_replayed_with_the_same_result(
    persona: str, interface: str, transport: Transport, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    character = load_persona(persona)
    card = RecordingCard(make_card(character, interface=interface), trace)
    first = desk_reads(card, transport, monkeypatch)
    player = ReplayCard(load_trace(trace))
    assert disclosed(desk_reads(player, transport, monkeypatch)) == disclosed(first)
    assert first.identity.authentic
    assert first.holder is not None
    assert player.progress(inserted=False).faithful
    assert player.total > 15


def disclosed(reading: CardReading) -> object:
    files = {
        name: {tag: getattr(value, "disclose", lambda v=value: v)() for tag, value in values.items()}
        for name, values in reading.records.items()
    }
    return reading.identity.generation, reading.issuer, files


def test_a_trace_is_an_answer_to_reset_and_then_commands_with_their_answers(trace: Path) -> None:
    answers = recorded(trace, SELECT, "00A4020002EF06", "00B2080013")
    assert lines(trace) == [
        {"atr": ATR},
        {"c": SELECT, "r": answers[0]},
        {"c": "00A4020002EF06", "r": "9000"},
        {"c": "00B2080013", "r": "6982"},
    ]
    assert stat.S_IMODE(trace.stat().st_mode) == 0o600


def test_pins_are_not_written_down(trace: Path) -> None:
    recorded(trace, SELECT, VERIFY, "805E010007123456FF246813", VERIFY)
    told = trace.read_text(encoding="ascii")
    assert "123456" not in told
    assert "246813" not in told
    assert [line["c"] for line in lines(trace)[2:]] == [
        "0020000003000000",
        "805E01000700000000000000",
        "0020000003000000",
    ]
    assert [line["masked"] for line in lines(trace)[2:]] == [[5, 3], [5, 7], [5, 3]]


def test_pins_are_written_down_where_a_flag_says_so(trace: Path) -> None:
    recorded(trace, SELECT, VERIFY, masked=False)
    assert lines(trace)[2] == {"c": VERIFY, "r": "9000"}


def test_the_new_pin_that_a_security_module_enciphers_is_not_written_down(trace: Path) -> None:
    card = RecordingCard(make_card(load_persona("psam")), trace)
    card.power_on()
    card.transmit(bytes.fromhex("80FA000008" + "0312345680000000"))
    card.transmit(bytes.fromhex("80FA000008" + "0812345678901234"))
    card.transmit(bytes.fromhex("80FA000008" + "0102030405060708"))
    assert [line["c"] for line in lines(trace)[1:]] == [
        "80FA0000080000000000000000",
        "80FA0000080812345678901234",
        "80FA0000080102030405060708",
    ]


def test_a_replayed_card_takes_any_pin_where_one_was_masked_and_nothing_else(trace: Path) -> None:
    recorded(trace, SELECT, VERIFY)
    card = replayed(trace)
    card.transmit(bytes.fromhex(SELECT))
    assert card.transmit(bytes.fromhex("002000000412345678")) == UNEXPECTED
    assert card.transmit(bytes.fromhex("0020000103123456")) == UNEXPECTED
    assert card.transmit(bytes.fromhex("0020000003654321")) == b"\x90\x00"


def test_an_unexpected_command_gets_6f00_and_is_noted_and_the_record_waits(trace: Path) -> None:
    select, challenge = recorded(trace, SELECT, "0084000008")
    card = replayed(trace)
    assert card.transmit(bytes.fromhex("0084000008")) == UNEXPECTED
    assert card.transmit(bytes.fromhex(SELECT)).hex().upper() == select
    assert card.transmit(bytes.fromhex("0084000008")).hex().upper() == challenge
    assert card.transmit(bytes.fromhex(VERIFY)) == UNEXPECTED
    progress = card.progress(inserted=False)
    assert (progress.played, progress.total, progress.unexpected, progress.faithful) == (2, 2, 2, False)
    assert progress.surprises == (
        f"exchange 1: got 0084000008, expected {SELECT}",
        "exchange 3: got 0020000003000000, expected the end",
    )


def test_a_record_that_was_not_played_to_its_end_is_not_replayed(trace: Path) -> None:
    recorded(trace, SELECT, "0084000008")
    card = replayed(trace)
    card.transmit(bytes.fromhex(SELECT))
    progress = card.progress(inserted=False)
    assert not progress.faithful
    assert not progress.decided


def test_power_and_reset_leave_the_record_where_it_is(trace: Path) -> None:
    recorded(trace, SELECT, "00A4020002EF05")
    card = replayed(trace)
    card.transmit(bytes.fromhex(SELECT))
    assert card.reset().hex().upper() == ATR
    card.power_off()
    assert card.transmit(bytes.fromhex("00A4020002EF05")) == b""
    card.power_on()
    assert card.transmit(bytes.fromhex("00A4020002EF05")) == b"\x90\x00"


def test_an_answer_that_never_came_takes_the_power_in_the_replay_too(trace: Path) -> None:
    trace.write_text(f'{{"atr":"{ATR}"}}\n{{"c":"0084000008","r":""}}\n{{"c":"0084000008","r":"6D00"}}\n')
    card = replayed(trace)
    assert card.transmit(bytes.fromhex("0084000008")) == b""
    assert card.transmit(bytes.fromhex("0084000008")) == b""
    card.power_on()
    assert card.transmit(bytes.fromhex("0084000008")) == b"\x6d\x00"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", ":1:1: is empty"),
        ('{"c":"00","r":"9000"}\n', ":1:1: is no line"),
        (f'{{"atr":"{ATR}"}}\n\n{{"c":"0","r":"9000"}}\n', ":3:1: is no line"),
        (f'{{"atr":"{ATR}"}}\n{{"c":"00A4"}}\n', ":2:1: is no line"),
        (f'{{"atr":"{ATR}"}}\nnothing\n', ":2:1: is no line"),
    ],
)
def test_a_broken_trace_is_told_with_its_line(trace: Path, text: str, place: str) -> None:
    trace.write_text(text)
    with pytest.raises(DocumentError, match=place):
        load_trace(trace)


def test_record_is_an_exchange_that_is_written_down(
    trace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{SELECT}\n00A4020002EF05\n".encode())))
    assert main(["record", "social-jia-3.0", str(trace)]) == os.EX_OK
    answers = capsys.readouterr().out.splitlines()
    assert lines(trace) == [{"atr": ATR}, {"c": SELECT, "r": answers[0]}, {"c": "00A4020002EF05", "r": "9000"}]


SEVERAL = (
    '{"insertion":"7-1","reader":"front","t":1.0,"atr":"3B00"}\n'
    '{"insertion":"7-2","reader":"sam","t":1.0,"atr":"3B01AA"}\n'
    '{"insertion":"7-2","t":1.1,"ms":2.5,"c":"0084000008","r":"01020304050607089000"}\n'
    '{"insertion":"7-1","t":1.2,"ms":1.0,"c":"0020000003000000","r":"63C5","masked":[5,3]}\n'
    '{"lost":3,"t":1.3}\n'
    '{"insertion":"7-1","reader":"front","t":1.4,"atr":"3B00"}\n'
    '{"insertion":"7-1","t":1.5,"ms":1.0,"c":"00B2092C22","r":"09030000009000","r_masked":[2,3]}\n'
)


def test_a_trace_of_several_stays_is_split_into_its_cards(trace: Path) -> None:
    trace.write_text(SEVERAL)
    front, sam = load_traces(trace)
    assert (front.insertion, front.reader, front.atr, front.lost) == ("7-1", "front", b"\x3b\x00", 3)
    assert [exchange.command[1] for exchange in front.exchanges] == [0x20, 0xB2]
    assert (front.exchanges[0].masked, front.exchanges[1].unread) == ((5, 3), (2, 3))
    assert (sam.reader, [exchange.milliseconds for exchange in sam.exchanges]) == ("sam", [2.5])
    assert load_trace(trace, "7-2") == sam


@pytest.mark.parametrize(("insertion", "problem"), [("", "has several insertions"), ("7-9", "has no insertion `7-9`")])
def test_it_has_to_be_said_which_of_several_stays(insertion: str, problem: str, trace: Path) -> None:
    trace.write_text(SEVERAL)
    with pytest.raises(DocumentError, match=problem) as caught:
        load_trace(trace, insertion)
    assert "7-1 (front), 7-2 (sam)" in str(caught.value)


def test_a_line_that_a_killed_daemon_left_unfinished_is_left_out(trace: Path) -> None:
    trace.write_text(SEVERAL + '{"insertion":"7-2","t":1.')
    assert len(load_trace(trace, "7-2").exchanges) == 1


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('{"insertion":"7-3","t":1.1,"c":"00","r":""}', ":8:1: is of insertion `7-3`"),
        ('{"insertion":"7-1","t":1.1,"c":"00"}', ":8:1: is no line of the form"),
        ('{"insertion":"7-3","atr":"3B0"}', ":8:1: is no line of the form"),
        ("nothing", ":8:1: is no line of the form"),
    ],
)
def test_a_broken_trace_of_several_is_told_with_its_line(line: str, place: str, trace: Path) -> None:
    trace.write_text(SEVERAL + line + "\n")
    with pytest.raises(DocumentError, match=place):
        load_traces(trace)


def test_a_masked_stay_is_replayed_with_nothing_in_the_place_of_what_was_masked(trace: Path) -> None:
    trace.write_text(SEVERAL)
    card = ReplayCard(load_trace(trace, "7-1"))
    card.power_on()
    assert card.transmit(bytes.fromhex("0020000003123456")) == b"\x63\xc5"
    assert card.transmit(bytes.fromhex("00B2092C22")) == bytes.fromhex("09030000009000")
    assert card.progress(inserted=False).faithful
