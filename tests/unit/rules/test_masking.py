"""What of an exchange is written down, and what is not."""

import pytest

from cardd.rules.masking import Masker, Shown

SELECT = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")
FCI = bytes.fromhex("6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA5098801019F0C038601039000")
NAME = "测试甲".encode("gbk")


def shown(command: str, answer: bytes | str, *before: tuple[bytes, bytes]) -> Shown:
    masker = Masker()
    for earlier in before:
        masker.shown(*earlier)
    return masker.shown(bytes.fromhex(command), answer if isinstance(answer, bytes) else bytes.fromhex(answer))


def test_of_a_record_tag_length_and_word_are_told_and_its_value_is_not() -> None:
    told = shown("00B2092C22", b"\x09\x06" + NAME + b"\x90\x00", (SELECT, FCI))
    assert told.answer == b"\x09\x06" + bytes(6) + b"\x90\x00"
    assert told.answer_masked == (2, 6)


@pytest.mark.parametrize("answer", [NAME + b"\x90\x00", b"\x09\x05" + NAME + b"\x90\x00", b"\x09\x90\x00"])
def test_what_is_no_record_is_masked_whole(answer: bytes) -> None:
    told = shown("00B2092C22", answer)
    assert told.answer == bytes(len(answer) - 2) + b"\x90\x00"
    assert told.answer_masked == (0, len(answer) - 2)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("0020000003123456", "9000"),
        ("805E010007123456FF246813", "9000"),
        ("00DC0934080906B2E2CAD4BCD7", "9000"),
        ("80FA0000080312345680000000", "6108"),
        ("8024000110" + "12345678" * 4, "9000"),
        ("FF20000003FFFFFF", "9007"),
        ("FFFFFFFF04B2E2CAD4", "6D00"),
    ],
)
def test_the_data_of_commands_that_are_not_named_are_masked(command: str, answer: str) -> None:
    told, raw = shown(command, answer), bytes.fromhex(command)
    assert told.command == raw[:5] + bytes(len(raw) - 5)
    assert told.command_masked == (5, len(raw) - 5)
    assert (told.answer, told.answer_masked) == (bytes.fromhex(answer), None)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (SELECT.hex(), FCI.hex()),
        ("0084000008", "01020304050607089000"),
        ("0088000010" + "11" * 16, "01020304050607089000"),
        ("0082000A10" + "11" * 16, "9000"),
    ],
)
def test_names_and_random_numbers_are_told(command: str, answer: str) -> None:
    told = shown(command, answer)
    assert told == Shown(bytes.fromhex(command), bytes.fromhex(answer))


def test_get_response_is_masked_as_the_answer_that_it_fetches() -> None:
    fetch, data = "00C0000006", NAME + b"\x90\x00"
    assert shown(fetch, data, (SELECT, b"\x61\x06")).answer == data
    read = bytes.fromhex("00B2092C00"), b"\x61\x06"
    assert shown(fetch, data, read).answer == bytes(6) + b"\x90\x00"
    assert shown(fetch, data).answer == bytes(6) + b"\x90\x00"


def test_class_and_version_of_a_social_security_card_are_told_and_its_number_is_not() -> None:
    version, number = bytes.fromhex("0304332E30309000"), bytes.fromhex("07095430303030303031589000")
    assert shown("00B2032C06", version, (SELECT, FCI)).answer == version
    assert shown("00B2072C0B", number, (SELECT, FCI)).answer == b"\x07\x09" + bytes(9) + b"\x90\x00"


@pytest.mark.parametrize(
    "before",
    [
        (),
        ((SELECT, b"\x6a\x82"),),
        ((SELECT, FCI), (bytes.fromhex("00A4040006D15600000500"), b"\x90\x00")),
        ((SELECT, FCI), (bytes.fromhex("00A4000002DF01"), b"\x90\x00")),
    ],
)
def test_elsewhere_the_same_record_is_somebody_elses_value(before: tuple[tuple[bytes, bytes], ...]) -> None:
    assert shown("00B2032C06", bytes.fromhex("0304332E30309000"), *before).answer_masked == (2, 4)


def test_a_name_in_the_place_of_the_version_is_masked() -> None:
    assert shown("00B2032C08", b"\x03\x06" + NAME + b"\x90\x00", (SELECT, FCI)).answer_masked == (2, 6)


@pytest.mark.parametrize("command", ["", "00", "00A4", "00B20900"])
def test_commands_of_any_length_are_taken(command: str) -> None:
    assert shown(command, "").command == bytes.fromhex(command)
