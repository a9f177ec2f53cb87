"""What somebody wrote down from the specification who had not seen the tables."""

import csv
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"
Row = dict[str, str]


def rows(name: str) -> list[Row]:
    with (VECTORS / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def address(row: Row) -> str:
    return row["application"] + row["file"]
