"""Two traces side by side."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.cards import altered, on_channel, software_keys

from cardd.desk.read import read_card
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.device import Transport
from cardsim.card.make import make_card
from cardsim.cli import main
from cardsim.comparison import What, compare
from cardsim.persona import load_persona
from cardsim.trace import Exchange, RecordingCard, Trace, load_trace

ATR = bytes.fromhex("3B00")
SELECT = ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "9000")

Lines = tuple[tuple[str, str], ...]


def trace(*lines: tuple[str, str], atr: bytes = ATR) -> Trace:
    return Trace(atr, tuple(Exchange(bytes.fromhex(c), bytes.fromhex(r)) for c, r in lines))


def found(first: Lines, second: Lines, *, values: bool = True) -> list[tuple[What, int | None, int | None]]:
    differences = compare(trace(*first), trace(*second), values=values).differences
    return [(difference.what, difference.first, difference.second) for difference in differences]


def test_a_trace_is_the_same_as_itself() -> None:
    one = trace(SELECT, ("00B2092C22", "0903B2E2CA9000"))
    told = compare(one, one)
    assert (told.same, told.exchanges, told.alike, told.random) == (True, (2, 2), 2, 0)


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        (("00B2092C22", "9000"), ("00B2092C22", "6A83"), What.WORD),
        (("00B2092C22", "09019000"), ("00B2092C22", "0902019000"), What.LENGTH),
        (("00B2092C22", "0901029000"), ("00B2092C22", "0901039000"), What.ANSWER),
        (("00A40200020005", "9000"), ("00A40200020006", "9000"), What.COMMAND),
        (("00DC093403010203", "9000"), ("00DC093403010204", "9000"), What.COMMAND),
        (("B02C01000F" + "00" * 15, "9000"), ("B02C01000F" + "01" * 15, "9000"), What.COMMAND),
        (
            ("B0280001080102", "00000001" + "00" * 12 + "9000"),
            ("B0280001080102", "00000002" + "00" * 12 + "9000"),
            What.ANSWER,
        ),
        (("B0280101080102", "00" * 8 + "9000"), ("B0280101080102", "00" * 3 + "01" * 5 + "9000"), What.ANSWER),
    ],
)
def test_what_differs_is_named_with_its_place(first: tuple[str, str], second: tuple[str, str], what: What) -> None:
    assert found((SELECT, first), (SELECT, second)) == [(what, 2, 2)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("0084000008", "01" * 8 + "9000"), ("0084000008", "02" * 8 + "9000")),
        (("0088000010" + "01" * 16, "01" * 8 + "9000"), ("0088000010" + "02" * 16, "02" * 8 + "9000")),
        (("0082000A10" + "01" * 16, "9000"), ("0082000A10" + "02" * 16, "9000")),
        (("04DC093407010203" + "01" * 4, "9000"), ("04DC093407010203" + "02" * 4, "9000")),
        (("841E000104" + "01" * 4, "9000"), ("841E000104" + "02" * 4, "9000")),
        (("B0280001080102", "07" * 8 + "01" * 8 + "9000"), ("B0280001080102", "07" * 8 + "02" * 8 + "9000")),
        (("B02C01000F" + "00" * 4 + "01" * 11, "9000"), ("B02C01000F" + "00" * 4 + "02" * 11, "9000")),
    ],
)
def test_random_numbers_and_what_is_computed_of_them_are_the_same(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    told = compare(trace(SELECT, first), trace(SELECT, second))
    assert (told.differences, told.alike, told.random) == ((), 2, 1)


def test_a_mac_covers_its_own_bytes_only() -> None:
    one, other = (("04DC093407" + data + "01" * 4, "9000") for data in ("010203", "010204"))
    assert found((one,), (other,)) == [(What.COMMAND, 1, 1)]


def test_get_response_is_random_where_what_it_fetches_is() -> None:
    ask = ("0088000010" + "01" * 16, "6108")
    assert found((ask, ("00C0000008", "01" * 8 + "9000")), (ask, ("00C0000008", "02" * 8 + "9000"))) == []
    select = ("00A40000020001", "6108")
    answers = tuple(("00C0000008", byte * 8 + "9000") for byte in ("01", "02"))
    assert found((select, answers[0]), (select, answers[1])) == [(What.ANSWER, 2, 2)]


def test_commands_are_aligned_where_one_side_has_more() -> None:
    extra = ("0020000003123456", "9000")
    rest = (("00B2012C00", "9000"), ("00B2022C00", "9000"))
    assert found((SELECT, *rest), (SELECT, extra, *rest)) == [(What.ONLY_SECOND, None, 2)]
    assert found((SELECT, extra, *rest), (SELECT, *rest)) == [(What.ONLY_FIRST, 2, None)]


def test_a_card_with_another_answer_to_reset_is_another_card() -> None:
    (found,) = compare(trace(SELECT), trace(SELECT, atr=b"\x3b\x01\x00")).differences
    assert (found.what, str(found)) == (What.ATR, f"answer to reset: {ATR.hex().upper()}, 3B0100")


def test_what_is_masked_on_either_side_is_the_same_as_anything() -> None:
    whole = Trace(ATR, (Exchange(bytes.fromhex("0020000003123456"), b"\x01\x02\x90\x00"),))
    masked = Trace(ATR, (Exchange(bytes.fromhex("0020000003000000"), b"\x01\x00\x90\x00", (5, 3), (1, 1)),))
    assert compare(whole, masked).same
    assert compare(masked, whole).same
    other = Trace(ATR, (Exchange(bytes.fromhex("0020000003123456"), b"\x03\x02\x90\x00"),))
    assert not compare(masked, other).same


def test_without_values_only_lengths_and_words_count() -> None:
    assert found((("00B2092C22", "09010290009000"),), (("00B2092C22", "09010390009000"),), values=False) == []
    assert found((("00B2092C22", "0901029000"),), (("00B2092C22", "09029000"),), values=False) == [(What.LENGTH, 1, 1)]


def test_no_difference_shows_a_pin() -> None:
    one, other = (trace(("0020000003123456", word)) for word in ("9000", "63C5"))
    assert "123456" not in str(compare(one, other).differences[0])


@pytest.fixture
def reading(tmp_path: Path) -> Callable[..., Path]:
    def record(name: str, **changes: object) -> Path:
        card = make_card(load_persona(altered(tmp_path, "social-jia-3.0", **changes)), interface="contact")
        path = tmp_path / name
        place = on_channel(RecordingCard(card, path), Transport.T0)
        read_card(place.channel, place.insertion, software_keys(), None, 1e12, stopped=StoppedKeys())
        return path

    return record


def test_two_readings_of_one_card_differ_in_nothing_but_random_numbers(reading: Callable[..., Path]) -> None:
    one, two = reading("a.jsonl"), reading("b.jsonl", seed=7)
    assert one.read_bytes() != two.read_bytes()
    told = compare(load_trace(one), load_trace(two))
    assert told.same
    assert told.random >= 3


def test_the_command_tells_the_first_difference_and_a_summary(
    reading: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = reading("a.jsonl"), reading("b.jsonl", card_number="T00000099")
    assert main(["diff", str(one), str(one)]) == os.EX_OK
    assert capsys.readouterr().out.endswith("; no difference\n")
    assert main(["diff", str(one), str(two)]) == 1
    first, summary = capsys.readouterr().out.splitlines()
    assert ": answer data: 00B207280B: 0709" in first
    assert summary.endswith("; differences: 1 x answer data")
    assert main(["diff", "--masked", str(one), str(two)]) == os.EX_OK


def test_the_command_tells_json(reading: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    one, two = reading("a.jsonl"), reading("b.jsonl", card_number="T00000099")
    assert main(["diff", "--json", str(one), str(two)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["same"], told["summary"]) == (False, {"answer data": 1})
    assert told["differences"][0]["command"] == "00B207280B"


def test_a_broken_trace_is_told_and_is_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken"
    broken.write_text("nothing\n")
    assert main(["diff", str(broken), str(broken)]) == os.EX_DATAERR
    assert f"{broken}:1:1: is no line" in capsys.readouterr().err
