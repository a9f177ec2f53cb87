import csv
from pathlib import Path

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.rules.identity import IdentificationCode, card_number_check, citizen_number_ok

CODE = bytes.fromhex("510100D156000005C0FFEE01FFFFFFFF")
with (Path(__file__).parents[2] / "vectors" / "card_numbers.csv").open(encoding="utf-8") as file:
    CARD_NUMBERS = [(row["eight"], row["check"]) for row in csv.DictReader(file)]


def test_an_identification_code_has_four_parts() -> None:
    code = IdentificationCode.parse(CODE)
    assert code.region == "510100"
    assert code.application_id.hex().upper() == "D156000005"
    assert code.serial.hex().upper() == "C0FFEE01"
    assert code.authentication == b"\xff" * 4
    assert code.encode() == CODE
    assert code.text == "510100D156000005C0FFEE01FFFFFFFF"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        CODE[:-1],
        CODE + b"\x00",
        b"\xff" * 16,
        bytes.fromhex("5101A0D156000005C0FFEE01FFFFFFFF"),
        bytes.fromhex("510100D156000002C0FFEE01FFFFFFFF"),
    ],
)
def test_a_code_that_does_not_follow_the_rule_is_malformed(raw: bytes) -> None:
    with pytest.raises(CarddError) as caught:
        IdentificationCode.parse(raw)
    assert caught.value.reason is Reason.CARD_ID_MALFORMED


@pytest.mark.parametrize(("eight", "check"), CARD_NUMBERS)
def test_card_numbers_get_the_check_character_of_the_vectors(eight: str, check: str) -> None:
    assert card_number_check(eight) == check


def test_a_sum_divisible_by_eleven_gives_zero() -> None:
    assert card_number_check("00000000") == "0"


@pytest.mark.parametrize("eight", ["", "T000001", "T00000011", "t0000001", "T000000-", "Ｔ0000001"])
def test_a_check_character_needs_eight_digits_or_capitals(eight: str) -> None:
    with pytest.raises(ValueError, match="eight"):
        card_number_check(eight)


@pytest.mark.parametrize(
    "number",
    ["11010519491231002X", "510101190001010019"],  # the first is the standard's own example
)
def test_a_citizen_number_with_a_right_check_is_one(number: str) -> None:
    assert citizen_number_ok(number)


@pytest.mark.parametrize(
    "number",
    [
        "",
        "110105194912310021",
        "11010519491231002x",
        "11010519491331002X",
        "11010519491231002",
        "510101190001010012",
        "１1010519491231002X",
        "11010519490230002X",
    ],
)
def test_other_texts_are_no_citizen_numbers(number: str) -> None:
    assert not citizen_number_ok(number)


@pytest.mark.parametrize("region", ["810000", "820000", "830000", "999999"])
def test_the_region_of_a_citizen_number_is_not_judged(region: str) -> None:
    assert any(citizen_number_ok(f"{region}19000101001{check}") for check in "0123456789X")
