#!/usr/bin/env python3
"""Write docs/ambiguity.md: which readings of the rule the reader depends on, as tried on virtual cards."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from support.ambiguity import Verdict, alone, usual  # noqa: E402
from support.choices import BASES, NOTES, READINGS, Basis, Reading  # noqa: E402

from cardsim.toggles import rows  # noqa: E402

PAGE = ROOT / "docs" / "ambiguity.md"
SHOWN = 6
"""Steps that are named of each reading."""

INTRODUCTION = """# What the reader depends on

Where the rule leaves something open, says it once only or lets one suppose, cards may differ. Each such choice is a
toggle of the virtual card (`cardsim personas --toggles`). The reader is tried on cards that have one of them
otherwise: it identifies the card, reads every file, writes to files of every structure and reads them again, verifies,
changes, reloads and unblocks the PIN, pays, loads, and asks for the proofs, with a PSAM for the keys, which has the
same toggles. The page is written by `tools/ambiguity.py`; do not edit it. `make test-slow` tries every two readings
together.

`·`: the same commands, the same answers. `other way`: other commands or status words, and the same result.
`other result`: what that is stands below the table.
"""


def table() -> Iterator[str]:
    """Give the table of all readings."""
    yield _line(["reading", "what it decides", "clause", *map(str, BASES)])
    yield _line(["---"] * (3 + len(BASES)))
    described = {row.name: row for row in rows()}
    for reading in READINGS:
        row = described[reading.toggle]
        yield _line([f"`{reading}`", row.decides, row.clause, *(str(verdict(basis, reading)) for basis in BASES)])
    yield ""


def results() -> Iterator[str]:
    """Give what comes out otherwise, reading by reading."""
    yield "## Other results\n"
    for reading in READINGS:
        touched = [basis for basis in BASES if verdict(basis, reading) is Verdict.OTHER]
        if not touched:
            continue
        yield f"**`{reading}`** ({', '.join(map(str, touched))}): {NOTES.get(reading, 'not explained yet')}.\n"
        basis = touched[-1]
        steps = list(_steps(alone(basis, reading).differences(usual(basis))).items())
        for name, (was, now) in steps[:SHOWN]:
            yield f"- {name}: {was} → {now}"
        if len(steps) > SHOWN:
            yield f"- and {len(steps) - SHOWN} more, as a consequence"
        yield ""


def summary() -> str:
    """Return the figures."""
    verdicts = [max((verdict(basis, reading) for basis in BASES), key=list(Verdict).index) for reading in READINGS]
    counts = {kind: verdicts.count(kind) for kind in Verdict}
    return (
        f"Of {len(READINGS)} readings, {counts[Verdict.UNTOUCHED]} make no difference on any of {len(BASES)} cards,"
        f" {counts[Verdict.SURVIVED]} are met in another way, {counts[Verdict.OTHER]} change a result.\n"
    )


def verdict(basis: Basis, reading: Reading) -> Verdict:
    """Return what a reading does on a card."""
    return alone(basis, reading).verdict(usual(basis))


def _steps(differences: Mapping[str, tuple[str, str]]) -> Mapping[str, tuple[str, str]]:
    """Leave out values of files about which a step is told already."""
    failed = {name for name, (was, _) in differences.items() if was == "done"}
    written = {f"written {name.removeprefix('write ')}" for name in failed if name.startswith("write ")}
    return {
        name: values
        for name, values in differences.items()
        if name in failed or not any(name.startswith(f"{place} ") for place in failed | written)
    }


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def page() -> str:
    """Return the whole page."""
    return "\n".join([INTRODUCTION, summary(), *table(), *results()]).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
