import csv
from pathlib import Path

import pytest

from cardd.rules.files import FILES
from cardd.rules.items import Form, Item, ItemType
from cardd.rules.values import ValueFault, decode, encode, iso_date, join_name, split_name

VECTORS = Path(__file__).parents[2] / "vectors"
DIGITS = Item(0x0C, "birthplace", ItemType.CN, 3, "birthplace", "出生地")
DATE = Item(0x0D, "birth_date", ItemType.CN, 4, "birth date", "出生日期", Form.DATE)
TEXT = Item(0x09, "name", ItemType.AN, 30, "name", "姓名")
NUMBER = Item(0x07, "card_number", ItemType.AN, 9, "card number", "卡号", Form.HEAD)
CODE = Item(0x01, "identification_code", ItemType.CN, 16, "identification code", "卡的识别码", Form.IDENTIFIER)
BINARY = Item(0x01, "amount", ItemType.B, 4, "amount", "金额")


def rows(name: str) -> list[dict[str, str]]:
    with (VECTORS / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", rows("files.csv"), ids=lambda row: f"{row['file']}-{row['tag']}")
def test_every_item_of_the_vectors_is_read_and_written_byte_for_byte(row: dict[str, str]) -> None:
    item = FILES[row["file"]].item(int(row["tag"], 16))
    assert item is not None
    raw = bytes.fromhex(row["raw"])
    assert decode(item, raw) == (row["text"] or None)
    assert encode(item, row["text"]) == raw


@pytest.mark.parametrize("row", rows("names.csv"), ids=lambda row: row["name"])
def test_names_are_joined_before_they_are_decoded(row: dict[str, str]) -> None:
    raw09, raw4e = bytes.fromhex(row["tag_09"]), bytes.fromhex(row["tag_4e"])
    assert join_name(raw09, raw4e or None) == row["name"]
    assert split_name(row["name"]) == (raw09, raw4e or bytes(20))


def test_a_character_cut_by_the_border_is_whole_again() -> None:
    name = "A" + "测" * 20
    raw09, raw4e = split_name(name)
    assert (len(raw09), len(raw4e)) == (30, 20)
    assert join_name(raw09, raw4e) == name


def test_a_blank_at_the_border_of_a_latin_name_stays() -> None:
    name = "B" * 29 + " CC"
    assert join_name(*split_name(name)) == name


def test_a_name_that_was_padded_before_its_extension_is_read_whole() -> None:
    assert join_name("测试".encode("gbk").ljust(30, b"\0"), "甲".encode("gbk").ljust(20, b"\0")) == "测试甲"


@pytest.mark.parametrize("raw", [(bytes(30), bytes(20)), (b"\xff" * 30, b"\xff" * 20), (b"", None), (b" " * 30, None)])
def test_a_name_of_padding_is_not_set(raw: tuple[bytes, bytes | None]) -> None:
    assert join_name(*raw) is None


def test_a_name_has_room_for_50_bytes() -> None:
    with pytest.raises(ValueFault, match="room for 50"):
        split_name("测" * 26)


@pytest.mark.parametrize(
    ("item", "raw"),
    [
        (DIGITS, b"\xff\xff\xff"),
        (DATE, b"\xff" * 4),
        (TEXT, bytes(30)),
        (TEXT, b" " * 30),
        (TEXT, b"\xff" * 30),
        (CODE, b"\xff" * 16),
        (NUMBER, bytes(9)),
        (DIGITS, b""),
        (BINARY, b""),
    ],
)
def test_padding_alone_is_not_set(item: Item, raw: bytes) -> None:
    assert decode(item, raw) is None


@pytest.mark.parametrize(
    ("item", "padding"),
    [(DIGITS, b"\xff" * 3), (DATE, b"\xff" * 4), (TEXT, bytes(30)), (CODE, b"\xff" * 16), (BINARY, bytes(4))],
)
def test_an_empty_text_is_written_as_padding(item: Item, padding: bytes) -> None:
    assert encode(item, "") == padding


def test_digits_lose_their_padding_and_keep_their_zeros() -> None:
    assert decode(DIGITS, bytes.fromhex("00123F")) == "00123"
    assert encode(DIGITS, "00123") == bytes.fromhex("00123F")


def test_a_card_number_is_its_first_nine_characters() -> None:
    assert decode(NUMBER, b"T0000001X123") == "T0000001X"


def test_an_identifier_keeps_every_byte() -> None:
    assert decode(CODE, bytes.fromhex("510100D156000005C0FFEE01FFFFFFFF")) == "510100D156000005C0FFEE01FFFFFFFF"


def test_binary_is_hexadecimal() -> None:
    assert decode(BINARY, b"\x00\x00\x01\xff") == "000001FF"
    assert encode(BINARY, "000001ff") == b"\x00\x00\x01\xff"


def test_characters_beyond_gbk_are_read() -> None:
    assert decode(TEXT, "测𠮷".encode("gb18030").ljust(30, b"\0")) == "测𠮷"


@pytest.mark.parametrize(
    ("item", "raw", "message"),
    [
        (DIGITS, bytes.fromhex("5101A0"), "nibble"),
        (DIGITS, bytes.fromhex("51F100"), "nibble"),
        (DATE, b"20240102", "ASCII"),
        (DATE, b"2024", "calendar"),
        (DATE, bytes.fromhex("00000000"), "calendar"),
        (DATE, bytes.fromhex("20240230"), "calendar"),
        (DATE, bytes.fromhex("202401FF"), "eight digits"),
        (DATE, bytes.fromhex("2024010203"), "eight digits"),
        (TEXT, b"\xb2\xe2\xca" + bytes(27), "GB 18030"),
        (TEXT, b"A\x00B" + bytes(27), "control"),
        (TEXT, b"A\x07" + bytes(28), "control"),
    ],
)
def test_a_value_against_the_rule_is_a_fault_that_names_the_item(item: Item, raw: bytes, message: str) -> None:
    with pytest.raises(ValueFault, match=message) as caught:
        decode(item, raw)
    assert str(caught.value).startswith(item.key)


@pytest.mark.parametrize(
    ("item", "text", "message"),
    [
        (DIGITS, "51010A", "digits only"),
        (DIGITS, "５１０１００", "digits only"),
        (DIGITS, "5101001", "room for 6"),
        (DATE, "20240230", "calendar"),
        (DATE, "2024-1-2", "digits only"),
        (TEXT, "测" * 16, "room for 30"),
        (TEXT, "A\x00B", "control"),
        (TEXT, "A ", "blank"),
        (TEXT, "\ud800", "control"),
        (CODE, "5101", "the rule has 16"),
        (CODE, "zz" * 16, "hexadecimal"),
    ],
)
def test_a_text_that_cannot_be_stored_is_a_fault_that_names_the_item(item: Item, text: str, message: str) -> None:
    with pytest.raises(ValueFault, match=message) as caught:
        encode(item, text)
    assert str(caught.value).startswith(item.key)


def test_faults_do_not_repeat_the_value() -> None:
    for raw in (b"19001332", bytes.fromhex("19001332")):
        with pytest.raises(ValueFault) as caught:
            decode(DATE, raw)
        assert "1900" not in str(caught.value)


def test_dates_are_shown_as_in_iso_8601() -> None:
    assert iso_date("19000101") == "1900-01-01"
    assert iso_date("20240229") == "2024-02-29"


@pytest.mark.parametrize("text", ["", "2024", "2024010１", "20240230", "20241301", "00000101", "-2024010", "2024 101"])
def test_what_is_no_day_of_the_calendar_is_a_fault(text: str) -> None:
    with pytest.raises(ValueFault):
        iso_date(text)
