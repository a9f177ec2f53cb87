import pytest

from cardd.rules.access import FREE, NEVER, PIN, Access, any_of, both, either
from cardd.rules.files import FILES, Generation
from cardd.rules.keys import KeyName

RK, UK = KeyName.RK1DF04, KeyName.UK1DF04


@pytest.mark.parametrize(
    ("access", "text"),
    [
        (FREE, "free"),
        (NEVER, "never"),
        (either(PIN), "PIN"),
        (either(PIN, RK), "PIN or RK1DF04"),
        (both(RK, PIN), "PIN & RK1DF04"),
        (any_of(both(PIN, RK), either(UK)), "PIN & RK1DF04 or UK1DF04"),
    ],
)
def test_a_condition_reads_as_in_the_rule(access: Access, text: str) -> None:
    assert str(access) == text


def test_any_one_way_opens_and_every_right_of_it_is_needed() -> None:
    access = any_of(both(PIN, RK), either(UK))
    assert access.opened_by(frozenset({PIN, RK}))
    assert access.opened_by(frozenset({UK}))
    assert not access.opened_by(frozenset({PIN}))
    assert not access.opened_by(frozenset())
    assert FREE.opened_by(frozenset())
    assert not NEVER.opened_by(frozenset({PIN, RK, UK}))


def test_the_key_that_suffices_alone_is_told() -> None:
    assert either(PIN, RK).key is RK
    assert (both(PIN, RK).key, either(PIN).key, FREE.key, NEVER.key) == (None, None, None, None)
    assert FREE.free
    assert not either(PIN).free


@pytest.mark.parametrize(
    ("address", "conditions"),
    [
        ("SSSEEF07", ["free", "RKSSSE", "RKSSSE"]),
        ("DF01EF09", ["PIN or UK2DF01", "PIN or RK1DF01", "PIN or RK1DF01"]),
        ("DF03EF05", ["PIN & RK2DF03", "PIN or RK2DF03", "PIN or RK2DF03"]),
        ("DF03EF08", ["PIN & RK3DF03 or UK4DF03"]),
        ("DF04EF06", ["PIN & RK1DF04"] * 3),
        ("DF04EF08", ["PIN"] * 3),
    ],
)
def test_conditions_follow_the_generation(address: str, conditions: list[str]) -> None:
    read = FILES[address].read
    assert [str(read[generation]) for generation in Generation if generation in read] == conditions
