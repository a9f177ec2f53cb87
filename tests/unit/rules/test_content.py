import pytest

from cardd.iso7816.tlv import Record
from cardd.rules.content import read_fields, read_records, read_value, read_whole, write_fields, write_whole
from cardd.rules.files import FILES, Generation
from cardd.rules.items import Item
from cardd.rules.values import ValueFault, encode

DEGREE = bytes.fromhex("5703343033 5803080600 5928" + "00" * 0x28)


def item(file: str, tag: int) -> Item:
    found = FILES[file].item(tag)
    assert found is not None
    return found


def test_a_date_in_characters_is_a_fault_that_keeps_its_bytes_and_the_rest_is_read() -> None:
    records = [Record(0x05, b"20240101"), Record(0x06, bytes.fromhex("20340102"))]
    issued, valid = read_records(FILES["SSSEEF05"], Generation.V2, records)
    assert (issued.raw, issued.text) == (b"20240101", None)
    assert issued.fault is not None
    assert "ASCII" in issued.fault
    assert valid.text == "20340102"


def test_an_unset_value_is_no_fault() -> None:
    value = read_value(item("DF01EF0A", 0x39), b"\xff" * 4)
    assert (value.text, value.fault, value.raw) == (None, None, b"\xff" * 4)


def test_a_chain_gives_its_inner_values_and_their_texts() -> None:
    value = read_value(item("DF01EF15", 0x40), DEGREE)
    assert value.text == "403^080600^^"
    assert [(inner.tag, inner.text) for inner in value.inner] == [(0x57, "403"), (0x58, "080600"), (0x59, None)]


def test_a_broken_inner_value_spoils_the_text_and_not_its_neighbours() -> None:
    value = read_value(item("DF01EF15", 0x40), DEGREE.replace(b"\x08\x06\x00", b"\xab\xcd\xef"))
    assert value.text is None
    assert value.fault == "degree, field_of_study: a nibble is no digit"
    assert [inner.text for inner in value.inner] == ["403", None, None]


def test_an_absent_inner_item_is_not_set_and_a_foreign_one_is_kept_beside() -> None:
    value = read_value(item("DF01EF15", 0x40), bytes.fromhex("5803080600 7002ABCD"))
    assert (value.text, value.fault) == ("^080600^^", None)
    assert [(inner.item.key, inner.text) for inner in value.inner] == [
        ("field_of_study", "080600"),
        ("tag_70", "ABCD"),
    ]


def test_the_first_of_two_inner_items_with_one_tag_counts() -> None:
    assert read_value(item("DF01EF15", 0x40), bytes.fromhex("5803080600 5803111111")).text == "^080600^^"


@pytest.mark.parametrize("raw", [b"", bytes(0x34), b"\xff" * 0x34])
def test_a_chain_of_padding_is_not_set(raw: bytes) -> None:
    value = read_value(item("DF01EF15", 0x40), raw)
    assert (value.text, value.fault, value.inner) == (None, None, ())


def test_a_chain_that_is_cut_off_is_a_fault() -> None:
    value = read_value(item("DF01EF15", 0x40), bytes.fromhex("570934"))
    assert value.fault is not None
    assert (value.text, value.inner, value.raw) == (None, (), bytes.fromhex("570934"))


def test_a_separator_inside_a_text_is_a_fault_and_not_another_text() -> None:
    value = read_value(item("DF01EF15", 0x40), bytes.fromhex("5703345E33"))
    assert value.fault is not None
    assert value.text is None


def test_an_inner_text_that_cannot_be_stored_is_a_fault_that_names_both() -> None:
    with pytest.raises(ValueFault, match="degree, field_of_study: digits only"):
        encode(item("DF01EF15", 0x40), "403^x^^")
    with pytest.raises(ValueFault, match="2 texts, there are 3"):
        encode(item("DF01EF15", 0x40), "403^080600^")


def test_tags_that_repeat_stay_apart_and_in_order() -> None:
    records = [Record(0x40, DEGREE), Record(0x40, DEGREE.replace(b"403", b"404")), Record(0x2A, b"\x21")]
    values = read_records(FILES["DF01EF15"], Generation.V3, records)
    assert [(value.tag, value.text) for value in values] == [
        (0x40, "403^080600^^"),
        (0x40, "404^080600^^"),
        (0x2A, "21"),
    ]


@pytest.mark.parametrize(("file", "tag"), [("DF06EF06", 0xC9), ("SSSEEF05", 0x7A)])
def test_what_the_rule_does_not_describe_is_shown_in_hexadecimal(file: str, tag: int) -> None:
    (value,) = read_records(FILES[file], Generation.V2, [Record(tag, b"\x01\x02")])
    assert (value.tag, value.text, value.raw) == (tag, "0102", b"\x01\x02")


def test_a_code_tells_its_meaning_and_an_unset_one_none() -> None:
    assert read_value(item("SSSEEF06", 0x0B), b"\x01").meaning == "汉"
    assert read_value(item("SSSEEF06", 0x0B), b"\xff").meaning is None


def test_no_repr_tells_a_value() -> None:
    value = read_value(item("SSSEEF06", 0x09), "测试甲".encode("gbk"))
    assert repr(value) == "<Value name 6 bytes>"
    assert repr(read_fields(FILES["DF04EF15"], b"\x00\x01\x33")) == "<Fields 3 bytes>"


def test_a_record_of_another_length_is_read_as_far_as_it_goes_and_is_a_fault() -> None:
    short = read_fields(FILES["DF04EF15"], b"\x00\x01")
    assert [value.text for value in short.values] == ["0001", None]
    assert short.fault == "2 bytes, the rule has 3"
    assert read_fields(FILES["DF04EF15"], b"\x00\x013\x00").fault == "4 bytes, the rule has 3"


def test_the_faults_of_a_record_are_told_together() -> None:
    fields = read_fields(FILES["DF02EF16"], b"\xff" * 3 + bytes.fromhex("20210230 20210132") + bytes(7))
    assert fields.fault is not None
    assert fields.fault.startswith("approved: ")
    assert "; start: " in fields.fault


def test_the_number_of_texts_tells_the_layout_of_a_transaction() -> None:
    assert len(write_fields(FILES["DF04EF08"], "0001^1^510100000001^20240229120000^1.00^")) == 0x14
    assert len(write_fields(FILES["DF04EF08"], "0001^1^510100000001^20240229120000^1.00^0.00^0.00^")) == 0x1C
    with pytest.raises(ValueFault, match="3 texts"):
        write_fields(FILES["DF04EF08"], "0001^1^510100000001^")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12.5", "two decimals"),
        ("12", "two decimals"),
        ("-1.00", "two decimals"),
        ("١.00", "two decimals"),
        ("42949672.96", "more money"),
    ],
)
def test_money_has_two_decimals_and_fits(text: str, message: str) -> None:
    amount = FILES["DF04EF08"].fields[4]
    with pytest.raises(ValueFault, match=message):
        encode(amount, text)


@pytest.mark.parametrize("raw", ["20240229240000", "20240230120000", "2024022912FFFF", "20240229126000"])
def test_a_moment_that_is_none_is_a_fault(raw: str) -> None:
    value = read_value(FILES["DF04EF08"].fields[3], bytes.fromhex(raw))
    assert value.text is None
    assert value.fault is not None


def test_a_transparent_file_is_hexadecimal_and_written_whole() -> None:
    photo = FILES["SSSEEF08"]
    assert read_whole(b"\xff\xd8") == "FFD8"
    assert write_whole(photo, "ffd8") == b"\xff\xd8" + bytes(0x1000 - 2)
    with pytest.raises(ValueFault, match="room for 4096"):
        write_whole(photo, "00" * 0x1001)
    with pytest.raises(ValueFault, match="hexadecimal"):
        write_whole(photo, "xx")
