"""What records are: immutable, equal by their fields, and silent about the hidden ones."""

import pytest

from cardd.base.structs import Hidden, Struct


class Holder(Struct, frozen=True):
    token: str
    name: Hidden[str]
    notes: Hidden[tuple[str, ...]] = ()


class Patient(Holder, frozen=True):
    ward: str = "4"
    number: Hidden[str | None] = None


def test_what_is_hidden_is_in_no_representation_also_of_those_that_inherit_it() -> None:
    assert repr(Patient("T1", "测试甲", ("note",), "7", "0001")) == "Patient(token='T1', ward='7')"
    assert f"{Holder('T1', '测试甲')}" == "Holder(token='T1')"


def test_what_is_hidden_is_compared_all_the_same() -> None:
    assert Holder("T1", "测试甲") != Holder("T1", "测试乙")
    assert hash(Holder("T1", "测试甲")) == hash(Holder("T1", "测试甲"))


def test_a_record_does_not_change() -> None:
    holder = Patient("T1", "测试甲")
    with pytest.raises(AttributeError):
        holder.ward = "5"  # type: ignore[misc]
