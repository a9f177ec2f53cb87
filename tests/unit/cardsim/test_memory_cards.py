"""Old memory cards behind a reader's pseudo-APDUs: what every layout holds, and a secret code that counts down."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cardd.base.document import DocumentError
from cardd.rules.old_cards import Chip as Kind
from cardd.rules.old_cards import read_old_card
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_chip
from cardsim.card.memory_card import MemoryChip
from cardsim.persona import load_persona

AS_4442, AS_4428 = "FFA400000106", "FFA400000105"
JINAN = "identity_number: 510101190001010012\nname: 测试甲\nissue_date: 20010203\nemployer: 测试单位\n"


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], MemoryChip]:
    def chip(text: str, card: str = "memory") -> MemoryChip:
        path = tmp_path / "card.yaml"
        path.write_text(f"card: {card}\n{text}", encoding="utf-8")
        made = make_chip(load_persona(path))
        assert isinstance(made, MemoryChip)
        return made

    return chip


def powered(chip: MemoryChip) -> Callable[..., list[str]]:
    card: VirtualCard = chip.on("contact")
    card.power_on()
    return lambda *commands: [card.transmit(bytes.fromhex(command)).hex().upper() for command in commands]


def whole(chip: MemoryChip, kind: Kind) -> bytes:
    select, size = {Kind.SLE4442: (AS_4442, 256), Kind.SLE4428: (AS_4428, 1024)}[kind]
    answers = powered(chip)(select, *(f"FFB0{address:04X}80" for address in range(0, size, 128)))
    return b"".join(bytes.fromhex(answer)[:-2] for answer in answers[1:])


@pytest.mark.parametrize(
    ("text", "place", "stored"),
    [
        ("kind: sle4442\nnumber: 19000001\n", 100, b"19000001 "),
        ("kind: sle4428\nlayout: loudi-a\nnumber: 190000012\n", 50, bytes.fromhex("190000012FFF")),
        ("kind: sle4428\nlayout: loudi-b\nnumber: 19000001\n", 100, b"19000001 "),
        ("kind: sle4428\nlayout: loudi-c\nnumber: 19000001\n", 27, b"19000001 "),
        ("kind: sle4428\nlayout: loudi-d\nnumber: 190\n", 37, bytes.fromhex("EC 6C FC FD FD")),
        ("kind: sle4428\nlayout: jinan\nnumber: A19000001\n" + JINAN, 0x20, b"A19000001"),
        ("kind: sle4428\nlayout: jinan\nnumber: A19000001\n" + JINAN, 0x33, b"510101190001010012"),
        ("kind: sle4428\nlayout: jinan\nnumber: A19000001\n" + JINAN, 0x45, b"20010203"),
        ("kind: sle4428\nlayout: jinan\nnumber: A19000001\n" + JINAN, 0x6A, "测试甲 ".encode("gbk")),
        ("kind: sle4428\nlayout: jinan\nnumber: A19000001\n" + JINAN, 0x92, "测试单位 ".encode("gbk")),
    ],
)
def test_a_layout_lies_where_it_was_seen(
    make: Callable[[str], MemoryChip], text: str, place: int, stored: bytes
) -> None:
    kind = Kind.SLE4442 if "4442" in text else Kind.SLE4428
    assert whole(make(text), kind)[place : place + len(stored)] == stored


@pytest.mark.parametrize("layout", ["loudi-a", "loudi-b", "loudi-c", "loudi-d", "jinan"])
def test_a_card_is_written_in_one_layout_only(make: Callable[[str], MemoryChip], layout: str) -> None:
    more = JINAN if layout == "jinan" else ""
    told = read_old_card(
        Kind.SLE4428, whole(make(f"kind: sle4428\nlayout: {layout}\nnumber: 190000017\n{more}"), Kind.SLE4428)
    )
    assert told is not None
    assert (told.layout, told.number) == (layout, "190000017")


def test_the_answer_to_reset_is_the_chip_s_own(make: Callable[[str], MemoryChip]) -> None:
    answers = [make(f"kind: {kind}\nnumber: 19000001\n").on().power_on().hex() for kind in ("sle4442", "sle4428")]
    assert answers == ["3b04a2131091", "3b0492231091"]


def test_an_old_card_may_be_called_one(make: Callable[..., MemoryChip]) -> None:
    assert whole(make("kind: sle4442\nnumber: 19000001\n", "medical-insurance"), Kind.SLE4442)[100:108] == b"19000001"


def test_the_reader_wants_to_be_told_the_type_first(make: Callable[[str], MemoryChip]) -> None:
    send = powered(make("kind: sle4442\nnumber: 19000001\n"))
    assert send("FFB0006404", "FFA400000109", AS_4442, "FFB0006404", "FFB0010004", "00A4000000") == [
        "6985",
        "6A80",
        "9000",
        "313930309000",
        "6B00",
        "6E00",
    ]


def test_read_as_the_other_type_byte_1022_tells_which_it_is(make: Callable[[str], MemoryChip]) -> None:
    telltale = [
        powered(make(f"kind: {kind}\nnumber: 19000001\n"))(AS_4428, "FFB003FE01")[1] for kind in ("sle4442", "sle4428")
    ]
    assert telltale == ["FF9000", "009000"]


@pytest.mark.parametrize(
    ("kind", "select", "wrong", "right", "answers", "opened"),
    [
        ("sle4442", AS_4442, "FF20000003000000", "FF20000003FFFFFF", ["9003", "9001", "9000", "9000"], "9007"),
        (
            "sle4428",
            AS_4428,
            "FF200000020000",
            "FF20000002FFFF",
            ["907F", "903F", "901F", "900F", "9007", "9003", "9001", "9000", "9000"],
            "90FF",
        ),
    ],
)
def test_a_wrong_secret_code_counts_down_for_good(
    make: Callable[[str], MemoryChip],
    kind: str,
    select: str,
    wrong: str,
    right: str,
    answers: list[str],
    opened: str,
) -> None:
    chip = make(f"kind: {kind}\nnumber: 19000001\n")
    send = powered(chip)
    assert send(select, right)[1] == opened
    assert send(*[wrong] * len(answers)) == answers
    assert send(right, "FFD000C80131") == ["9000", "6982"]
    assert chip.presented == len(answers) + 2


def test_only_the_right_code_opens_writing_until_power_goes(make: Callable[[str], MemoryChip]) -> None:
    chip = make("kind: sle4442\nnumber: 19000001\nsecret_code: '123456'\n")
    send = powered(chip)
    assert send(AS_4442, "FFD000C80131", "FF20000003123456", "FFD000C80131", "FFB000C801") == [
        "9000",
        "6982",
        "9007",
        "9000",
        "319000",
    ]
    assert powered(chip)(AS_4442, "FFD000C80132", "FFB000C801") == ["9000", "6982", "319000"]


def test_the_secret_code_is_changed_by_whoever_presented_it(make: Callable[[str], MemoryChip]) -> None:
    chip = make("kind: sle4442\nnumber: 19000001\n")
    change = "FFD2000103ABCDEF"
    assert powered(chip)(AS_4442, change, "FF20000003FFFFFF", change) == ["9000", "6982", "9007", "9000"]
    assert powered(chip)(AS_4442, "FF20000003FFFFFF", "FF20000003ABCDEF") == ["9000", "9003", "9007"]


def test_reading_presents_no_code_and_costs_no_try(make: Callable[[str], MemoryChip]) -> None:
    chip = make("kind: sle4428\nnumber: 19000001\n")
    whole(chip, Kind.SLE4428)
    assert chip.presented == 0
    assert powered(chip)(AS_4428, "FFB1000003") == ["9000", "FF00009000"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("kind: sle4442\nnumber: 19000001\nlayout: jinan\n", "no such layout"),
        ("kind: sle4442\nnumber: 19000001\nname: 甲\n", "has no place for it"),
        ("kind: sle4442\nnumber: A1\n", "cannot be written"),
        ("kind: sle4428\nlayout: jinan\nnumber: A190000012\n", "no place in 9 bytes"),
        ("kind: sle4442\nnumber: 19000001\nsecret_code: '1234'\n", "3 bytes"),
    ],
)
def test_what_a_layout_cannot_hold_is_told(make: Callable[[str], MemoryChip], text: str, hint: str) -> None:
    with pytest.raises(DocumentError, match=hint):
        make(text)
