import pytest

from cardd.rules.old_cards import Chip, end_of, read_old_card

CITIZEN = "510101190001010012"


def memory(size: int, *fields: tuple[int, bytes]) -> bytes:
    image = bytearray(b"\xff" * size)
    for offset, content in fields:
        image[offset : offset + len(content)] = content
    return bytes(image)


def number(chip: Chip, image: bytes) -> str | None:
    card = read_old_card(chip, image)
    return None if card is None else card.number


def turned(text: bytes) -> bytes:
    # written out the long way round: "1" is 31, swapped 13, inverted EC
    return bytes(0xFF - int(f"{byte:02x}"[::-1], 16) for byte in text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"12345678901234", "12345678901234"),
        (b"123456789012345678", "12345678901234"),
        (b"1234567\x00890", "1234567"),
        (b"1234567X890", "1234567"),
        (b"X1234567", None),
        (b"\x00" * 14, None),
        (b" " * 14, None),
    ],
)
def test_an_sle4442_has_digits_at_byte_100_up_to_the_first_that_is_none(content: bytes, expected: str | None) -> None:
    assert number(Chip.SLE4442, memory(256, (100, content))) == expected


@pytest.mark.parametrize(
    ("layout", "fields", "expected"),
    [
        ("loudi-a", [(50, bytes.fromhex("1234567890FF"))], "1234567890"),
        ("loudi-a", [(50, bytes.fromhex("12345678901234567890123456789012345678 90"))], "1234567890" * 4),
        ("loudi-b", [(50, bytes.fromhex("1234567F")), (100, b"1234X")], "1234"),
        ("loudi-b", [(100, b"12345678901234"), (27, b"88888888")], "12345678901234"),
        ("loudi-c", [(100, b"123X"), (27, b"12345678")], "12345678"),
        ("loudi-d", [(27, b"1234567"), (37, turned(b"1900000005 "))], "1900000005"),
    ],
)
def test_an_sle4428_is_tried_in_the_order_of_its_layouts(
    layout: str, fields: list[tuple[int, bytes]], expected: str
) -> None:
    card = read_old_card(Chip.SLE4428, memory(1024, *fields))
    assert card is not None
    assert (card.layout, card.number) == (layout, expected)


def test_a_turned_digit_is_its_code_with_nibbles_swapped_and_bits_inverted() -> None:
    assert turned(b"1 ") == b"\xec\xfd"
    assert number(Chip.SLE4428, memory(1024, (37, b"\xec\xfd"))) == "1"


def jinan(identity: bytes = CITIZEN.encode()) -> bytes:
    return memory(
        1024,
        (0x20, b"A1234567 "),
        (0x33, identity),
        (0x45, b"20050102"),
        (0x6A, "测试甲".encode("gb18030") + b"    "),
        (0x92, "测试单位".encode("gb18030") + b" "),
    )


def test_a_card_of_jinan_tells_its_number_the_identity_number_and_the_name() -> None:
    card = read_old_card(Chip.SLE4428, jinan())
    assert card is not None
    assert (card.layout, card.number, card.identity_number, card.name) == ("jinan", "A1234567", CITIZEN, "测试甲")


def test_a_card_of_jinan_may_have_an_identity_number_of_fifteen_digits_or_none() -> None:
    for identity, told in ((b"510101000101001   ", "510101000101001"), (b" " * 18, None), (b"\xff" * 18, None)):
        card = read_old_card(Chip.SLE4428, jinan(identity))
        assert card is not None
        assert (card.number, card.identity_number) == ("A1234567", told)


def test_something_else_in_the_place_of_the_identity_number_speaks_for_the_other_layouts() -> None:
    image = bytearray(jinan(b"A" * 18))
    image[100:104] = b"1234"
    assert number(Chip.SLE4428, bytes(image)) == "1234"


def test_a_processor_cards_file_is_digits_and_then_filler_or_nothing() -> None:
    assert number(Chip.CPU, b"1900000001          ") == "1900000001"
    assert number(Chip.CPU, b"19000A0001          ") is None


@pytest.mark.parametrize("filler", [b"\xff", b"\x00", b" "])
@pytest.mark.parametrize("chip", list(Chip))
def test_a_memory_that_nobody_wrote_tells_nothing(chip: Chip, filler: bytes) -> None:
    assert read_old_card(chip, filler * 1024) is None


def test_a_name_that_is_no_text_is_left_out_and_the_number_stays() -> None:
    image = bytearray(jinan())
    image[0x6A:0x70] = b"\x81\x20\x81\x20\x81\x20"
    card = read_old_card(Chip.SLE4428, bytes(image))
    assert card is not None
    assert (card.number, card.name) == ("A1234567", None)


def test_what_an_old_card_tells_stays_out_of_its_repr() -> None:
    assert repr(read_old_card(Chip.SLE4428, jinan())) == "<OldCard jinan>"


def test_no_more_is_read_than_the_layouts_need() -> None:
    assert end_of(Chip.CPU) == 20
    assert end_of(Chip.SLE4442) == 114
    assert end_of(Chip.SLE4428) == 0x6A + 40
