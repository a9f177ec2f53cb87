"""What records are: immutable, equal by their fields, and silent about the hidden ones."""

import importlib
import pkgutil
from collections.abc import Iterator

import msgspec
import pytest

import cardd
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


def test_a_printer_that_asks_records_for_their_fields_is_told_none() -> None:
    assert list(Patient("T1", "测试甲").__rich_repr__()) == []


def test_no_record_or_message_that_keeps_something_to_itself_gives_it_to_such_a_printer() -> None:
    for module in pkgutil.walk_packages(cardd.__path__, "cardd."):
        importlib.import_module(module.name)
    chatty = [kind.__qualname__ for kind in _kinds(msgspec.Struct) if _is_silent(kind) and _gives_all(kind)]
    assert chatty == []


def _kinds(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


def _is_silent(kind: type[msgspec.Struct]) -> bool:
    return kind.__module__.startswith("cardd.") and kind.__repr__ is not msgspec.Struct.__repr__


def _gives_all(kind: type[msgspec.Struct]) -> bool:
    return kind.__rich_repr__ is msgspec.Struct.__rich_repr__
