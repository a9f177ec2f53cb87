from pathlib import Path
from typing import Literal

import msgspec
import pytest

from cardd.base.document import (
    DocumentError,
    load_as_written,
    load_document,
    parse_document,
    part_as_written,
    part_with_types,
)


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    role: str = "counter"
    count: int = 0


class Named(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    stations: list[Inner] = []
    socket: Inner | None = None
    named: Named | None = None
    policy: Literal["none", "verify"] | Inner = "none"


WHERE = Path("x.yaml")


def problem(text: str) -> tuple[int, int, str]:
    with pytest.raises(DocumentError) as caught:
        parse_document(text, Outer, WHERE)
    assert str(caught.value).startswith(f"x.yaml:{caught.value.line}:{caught.value.column}: ")
    return caught.value.line, caught.value.column, caught.value.problem


def test_a_document_in_order_is_read() -> None:
    assert parse_document("name: a\nstations:\n - {role: sam}\n", Outer, WHERE) == Outer("a", [Inner("sam")])


def test_an_empty_document_is_all_defaults() -> None:
    assert parse_document("", Outer, WHERE) == Outer()


def test_an_unknown_key_is_told_at_its_own_place_with_the_likely_word() -> None:
    line, column, text = problem("name: a\nstations:\n  - role: sam\n    cuont: 3\n")
    assert (line, column) == (4, 5)
    assert "did you mean `count`" in text


def test_an_unknown_key_like_nothing_lists_what_is_known() -> None:
    assert "name, named, policy, socket, stations" in problem("zzz: 1\n")[2]


def test_a_wrong_type_is_told_at_the_value() -> None:
    line, column, text = problem("stations:\n  - role: sam\n  - count: many\n")
    assert (line, column) == (3, 12)
    assert text == "`stations[1].count`: expected a whole number, got text"


def test_a_wrong_entry_of_a_list_that_a_word_of_the_writers_own_names_is_told_by_its_number() -> None:
    class Where(msgspec.Struct):
        where: dict[str, list[str]]

    with pytest.raises(DocumentError) as caught:
        parse_document("where:\n  state: [a, []]\n", Where, WHERE)
    assert str(caught.value) == "x.yaml:2:14: `[1]`: expected text, got a list: write it in quotes"


def test_what_may_be_left_out_is_told_in_words_too() -> None:
    assert problem("socket: 3\n")[2] == "`socket`: expected a section (`key: value`) or nothing, got a whole number"


def test_what_is_missing_is_named() -> None:
    assert problem("named: {}\n")[2] == "`named`: `name` is missing"


def test_a_wrong_word_is_told_which_there_are_also_where_a_section_may_stand() -> None:
    line, column, text = problem("policy: maybe\n")
    assert (line, column) == (1, 9)
    assert text == "`policy`: invalid enum value 'maybe': one of none, verify"


def test_a_key_that_stands_twice_is_told_at_the_second() -> None:
    assert problem("name: a\nsocket: {role: x}\nname: b\n")[:2] == (3, 1)


def test_broken_yaml_is_told_where_it_breaks() -> None:
    line, _, text = problem("name: a\nstations: [\n")
    assert line >= 2
    assert "YAML" in text


def test_a_document_of_the_wrong_shape_is_refused() -> None:
    assert problem("- a\n- b\n")[2] == "expected a section (`key: value`), got a list"


def test_a_mapping_that_contains_itself_is_no_endless_loop() -> None:
    assert problem("&a name: &b {x: *b}\n")[0] == 1


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read: No such file"):
        load_document(tmp_path / "absent.yaml", Outer)


def test_a_file_in_gbk_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "gbk.yaml"
    file.write_bytes("name: 测试".encode("gbk"))
    with pytest.raises(DocumentError, match="not UTF-8"):
        load_document(file, Outer)


class Do(msgspec.Struct, forbid_unknown_fields=True, tag_field="do"):
    times: int = 0


class Jump(Do, tag="jump", forbid_unknown_fields=True):
    height: int = 0


class Walk(Do, tag="walk", forbid_unknown_fields=True):
    steps: tuple["Jump | Walk", ...] = ()


class Book(msgspec.Struct, forbid_unknown_fields=True):
    shelves: dict[str, dict[str, Inner]] = {}
    deeds: list[Jump | Walk] = []


def misread(tmp_path: Path, text: str) -> tuple[int, int, str]:
    path = tmp_path / "book.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        load_as_written(path, Book)
    return caught.value.line, caught.value.column, caught.value.problem


def test_what_is_wrong_inside_a_mapping_of_mappings_is_told_where_it_stands(tmp_path: Path) -> None:
    text = "shelves:\n  a:\n    b: {count: 1}\n  c:\n    d: {count: 1}\n    e: {cuont: 1}\n"
    assert misread(tmp_path, text) == (6, 9, "unknown key `cuont`: did you mean `count`?")


def test_a_key_of_one_kind_among_several_is_told_by_those_of_that_kind(tmp_path: Path) -> None:
    text = "deeds:\n  - {do: jump, hieght: 3}\n"
    assert misread(tmp_path, text) == (2, 16, "unknown key `hieght`: did you mean `height`?")
    text = "deeds:\n  - do: walk\n    steps:\n      - {do: walk, step: []}\n"
    assert misread(tmp_path, text) == (4, 20, "unknown key `step`: did you mean `steps`?")


def test_a_word_that_tells_no_kind_is_told_with_those_that_do(tmp_path: Path) -> None:
    text = "deeds:\n  - {do: hop}\n"
    assert misread(tmp_path, text) == (2, 10, "`deeds[0].do`: invalid value 'hop': one of jump, walk")


def test_a_part_is_read_by_itself_and_told_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text("shelves:\n  a:\n    count: 123\n", encoding="utf-8")
    part = {"count": "123"}
    assert part_as_written(path, "$.shelves.a", part, Inner) == Inner(count=123)
    with pytest.raises(DocumentError, match=":3:12: `count`: expected a whole number"):
        part_as_written(path, "$.shelves.a", {"count": "many"}, Inner)
    assert part_with_types(path, "$.shelves") == {"a": {"count": 123}}
