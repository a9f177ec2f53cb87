import pickle

import msgspec
import pytest

from cardd.base.masks import mask_all, mask_citizen_number, mask_name, mask_number
from cardd.base.secret import Personal, Secret

HIDDEN = [Secret(b"123456"), Personal("测试甲", mask_name)]


@pytest.mark.parametrize("value", HIDDEN)
def test_a_hidden_value_shows_nothing_in_a_repr(value: object) -> None:
    assert repr(value) in {"<Secret>", "<Personal>"}
    assert "123456" not in repr([value])
    assert "测" not in repr({"a": value})


@pytest.mark.parametrize("value", HIDDEN)
def test_a_hidden_value_cannot_be_formatted(value: object) -> None:
    with pytest.raises(TypeError):
        str(value)
    with pytest.raises(TypeError):
        f"{value}"
    with pytest.raises(TypeError):
        "{}".format(value)  # noqa: UP032 - the very thing under test


@pytest.mark.parametrize("value", HIDDEN)
def test_a_hidden_value_cannot_be_serialized(value: object) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(value)
    with pytest.raises(TypeError):
        msgspec.json.encode(value)


def test_an_explicit_call_gives_the_value() -> None:
    assert Secret(b"123456").reveal() == b"123456"
    person = Personal("测试甲", mask_name)
    assert person.disclose() == "测试甲"
    assert person.masked() == "测*甲"


def test_secrets_compare_by_value_and_are_no_keys() -> None:
    assert Secret(b"1") == Secret(b"1")
    assert Secret(b"1") != Secret(b"2")
    with pytest.raises(TypeError):
        hash(Secret(b"1"))


@pytest.mark.parametrize(
    ("name", "masked"), [("测试", "测*"), ("测试甲", "测*甲"), ("测", "测*"), ("", ""), ("买买提依明", "买***明")]
)
def test_names_keep_their_first_character_and_the_last_of_three_or_more(name: str, masked: str) -> None:
    assert mask_name(name) == masked


def test_citizen_numbers_keep_four_and_two() -> None:
    assert mask_citizen_number("510101190001010012") == "5101************12"
    assert mask_citizen_number("510101") == "******"


def test_card_numbers_keep_their_last_four() -> None:
    assert mask_number("T0000001X") == "*****001X"
    assert mask_number("1234") == "****"


def test_nothing_is_left_of_other_personal_data() -> None:
    assert mask_all("19000101") == "*"
    assert mask_all("") == ""
