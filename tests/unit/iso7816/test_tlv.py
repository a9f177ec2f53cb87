import pytest

from cardd.iso7816.tlv import Record, Tlv, TlvError, encode, find, iterate, parse, parse_records

FCI_OLD = bytes.fromhex("6F16 840F7378312E73682EC9E7BBE1B1A3D5CF A503 88011E")
FCI_SM4 = bytes.fromhex("6F1C 840F7378312E73682EC9E7BBE1B1A3D5CF A509 88011E 9F0C03860103")


def test_the_answer_to_select_tells_name_directory_and_algorithm() -> None:
    assert find(FCI_SM4, 0x6F, 0x84) == bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
    assert find(FCI_SM4, 0x6F, 0xA5, 0x88) == b"\x1e"
    assert find(FCI_SM4, 0x6F, 0xA5, 0x9F0C, 0x86) == b"\x03"


def test_a_tag_that_is_not_there_is_none() -> None:
    assert find(FCI_OLD, 0x6F, 0xA5, 0x9F0C, 0x86) is None
    assert find(b"", 0x6F) is None


def test_objects_come_with_tag_value_and_kind() -> None:
    assert parse(FCI_OLD) == (Tlv(0x6F, FCI_OLD[2:]),)
    assert parse(FCI_OLD)[0].constructed
    assert not Tlv(0x9F0C, b"").constructed
    assert Tlv(0xBF0C, b"").constructed


def test_zero_bytes_between_objects_are_skipped() -> None:
    assert parse(bytes.fromhex("00008801 1E00008401AA00")) == (Tlv(0x88, b"\x1e"), Tlv(0x84, b"\xaa"))


@pytest.mark.parametrize(("length", "head"), [(0x7F, "847F"), (0x80, "848180"), (0x100, "84820100")])
def test_long_values_get_long_lengths(length: int, head: str) -> None:
    raw = encode(0x84, bytes(length))
    assert raw[: len(head) // 2].hex().upper() == head
    assert parse(raw) == (Tlv(0x84, bytes(length)),)


@pytest.mark.parametrize("raw", ["6F", "9F", "9F8C", "8480", "8402AA", "8481", "8484000000 00", "88011E 84"])
def test_broken_objects_are_errors(raw: str) -> None:
    with pytest.raises(TlvError):
        parse(bytes.fromhex(raw))


def test_objects_before_a_broken_one_are_still_found() -> None:
    assert find(bytes.fromhex("88011E 84FF"), 0x88) == b"\x1e"
    assert next(iterate(bytes.fromhex("88011E 84FF"))) == Tlv(0x88, b"\x1e")


@pytest.mark.parametrize("tag", [0x00, 0x9F, 0x1FFF, 0x8401, -1])
def test_a_number_that_is_no_tag_is_not_written(tag: int) -> None:
    with pytest.raises((TlvError, OverflowError)):
        encode(tag, b"")


def test_records_are_split_and_padding_after_them_is_dropped() -> None:
    raw = bytes.fromhex("020133 0504FFFFFFFF")
    expected = (Record(0x02, b"3"), Record(0x05, b"\xff" * 4))
    for padding in (b"", bytes(5), b"\xff" * 3, b"\x00\xff\x00"):
        assert parse_records(raw + padding) == expected


@pytest.mark.parametrize("raw", ["02", "0202AA", "020133 00 020133", "FF 020133"])
def test_broken_records_are_errors(raw: str) -> None:
    with pytest.raises(TlvError):
        parse_records(bytes.fromhex(raw))


def test_one_record_is_read_as_one() -> None:
    assert Record.decode(bytes.fromhex("02013300")) == Record(0x02, b"3")
    for raw in (b"", bytes.fromhex("020133020133")):
        with pytest.raises(TlvError):
            Record.decode(raw)


def test_a_record_holds_tags_01_to_fe_and_255_bytes() -> None:
    assert Record(0xFE, bytes(255)).encode() == b"\xfe\xff" + bytes(255)
    for tag, value in ((0x00, b""), (0xFF, b""), (0x100, b""), (0x01, bytes(256))):
        with pytest.raises(TlvError):
            Record(tag, value)


def test_a_record_does_not_show_its_value() -> None:
    assert repr(Record(0x08, b"510101190001010012")) == "<Record 08 18 bytes>"
