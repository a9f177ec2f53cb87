import csv
from pathlib import Path

import pytest

from cardd.rules.applications import APPLICATIONS
from cardd.rules.content import read_fields, read_value, write_fields
from cardd.rules.files import FILES
from cardd.rules.values import encode

RECORDS = Path(__file__).parents[2] / "vectors" / "records"
Row = dict[str, str]


def rows() -> list[Row]:
    found: list[Row] = []
    for path in sorted(RECORDS.glob("*.csv")):
        with path.open(encoding="utf-8") as file:
            found.extend(csv.DictReader(file))
    return found


@pytest.mark.parametrize("row", [row for row in rows() if row["tag"]], ids=lambda row: f"{row['file']}-{row['tag']}")
def test_an_item_is_read_and_written_byte_for_byte(row: Row) -> None:
    item = FILES[row["file"]].item(int(row["tag"], 16))
    assert item is not None
    value = read_value(item, bytes.fromhex(row["raw"]))
    assert (value.text, value.fault) == (row["text"] or None, None)
    assert encode(item, row["text"]).hex().upper() == row["raw"]


@pytest.mark.parametrize("row", [row for row in rows() if not row["tag"]], ids=lambda row: row["file"])
def test_a_record_without_tags_is_read_and_written_byte_for_byte(row: Row) -> None:
    rule = FILES[row["file"]]
    fields = read_fields(rule, bytes.fromhex(row["raw"]))
    assert (fields.text, fields.fault) == (row["text"], None)
    assert write_fields(rule, row["text"]).hex().upper() == row["raw"]


def test_every_application_with_items_has_vectors() -> None:
    described = {name for name in APPLICATIONS if name != "SSSE"}
    assert {row["file"][:4] for row in rows()} == described
    cyclic = {address for address, rule in FILES.items() if rule.layouts}
    assert {row["file"] for row in rows() if not row["tag"]} == cyclic
