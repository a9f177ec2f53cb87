"""Each function's numbers: the table is what the functions were seen to give, and the page says what the table says."""

import re
from pathlib import Path

import pytest
from support.driver_numbers import provoke

from cardd.driver.function_numbers import BY_KEYPAD, NUMBERS, gives
from cardd.driver.functions import FUNCTIONS

PAGE = (Path(__file__).parents[3] / "docs" / "driver.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (-[-0-9, ]+) \|$", re.MULTILINE)


@pytest.mark.asyncio
@pytest.mark.timeout(240)
async def test_the_table_has_each_number_that_a_function_was_seen_to_give_and_no_other(tmp_path: Path) -> None:
    seen = await provoke(tmp_path)
    assert dict(seen) == dict(NUMBERS)


def test_every_function_is_in_the_table() -> None:
    assert NUMBERS.keys() == FUNCTIONS.keys()


def test_the_page_gives_each_function_the_numbers_of_the_table_beside_its_description() -> None:
    said = {name: frozenset(int(number) for number in numbers.split(",")) for name, numbers in ROW.findall(PAGE)}
    assert said == {name: NUMBERS[name] | BY_KEYPAD.get(name, frozenset()) for name in NUMBERS}
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE):
        described = set(re.findall(r"^> (\w+)", section, re.MULTILINE)) & FUNCTIONS.keys()
        listed = {name for name, _ in ROW.findall(section)}
        # an example may use a function of another section
        assert listed <= described, section[:40]


@pytest.mark.parametrize(
    ("function", "number", "can"),
    [
        ("iReadCard", -22, True),
        ("iReadCard", -25985, True),
        ("iReadCard", -23, False),
        ("iGetReaderInfo", -27266, False),
        ("iChangePIN", -34, True),
        ("iInitDevice", -13, True),
        ("iInitDevice", -14, False),
    ],
)
def test_a_function_gives_its_numbers_and_the_cards_words(function: str, number: int, *, can: bool) -> None:
    assert gives(function, number) is can
