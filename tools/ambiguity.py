#!/usr/bin/env python3
"""Write docs/ambiguity.md: which readings of the rule the reader depends on, as tried on virtual cards.

With --check nothing is written: the exit status is 1 where the page is not what would be written.
"""

import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from support.choices import BASES, NOTES, READINGS, TOGETHER, Basis, Fate, Reading, pairs  # noqa: E402
from support.pairing import all_surprises, surprises, unknown  # noqa: E402
from support.trials import Verdict, alone, usual  # noqa: E402

from cardsim.toggles import rows  # noqa: E402

PAGE = ROOT / "docs" / "ambiguity.md"
WIDTH = 120
SHOWN = 6
"""Steps that are named of each reading."""

INTRODUCTION = """# What the reader depends on

Where the rule leaves something open, says it once only or lets one suppose, cards may differ. Each such choice is a
toggle of the virtual card (`cardsim personas --toggles`). The reader is tried on cards that have one of them
otherwise: it identifies the card, reads every file, writes to files of every structure and reads them again, verifies,
changes, reloads and unblocks the PIN, pays, loads, and asks for the proofs, with a PSAM for the keys, which has the
same toggles. The page is written by `tools/ambiguity.py`, which tries every two readings together too; do not edit it.
`make test` tries each reading and a sample of the pairs, `make test-slow` all of them.

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
        note = NOTES.get(reading)
        said = f"{note.fate}; {note.why}" if note else "not explained yet"
        yield f"**`{reading}`** ({', '.join(map(str, touched))}): {said}.\n"
        basis = touched[-1]
        steps = list(_steps(alone(basis, reading).differences(usual(basis))).items())
        for name, (was, now) in steps[:SHOWN]:
            yield f"- {name}: {was} → {now}"
        if len(steps) > SHOWN:
            yield f"- and {len(steps) - SHOWN} more, as a consequence"
        yield ""


def together() -> Iterator[str]:
    """Give the pairs that do more than their readings do alone."""
    count = len(list(pairs()))
    yield "## Two readings together\n"
    yield (
        f"Every two of the {len(READINGS)} readings that one card can have, {count} pairs, were tried on each of the"
        f" {len(BASES)} cards: {count * len(BASES)} trials. Where a card with the one never looks at the other's"
        f" toggle, it is the card with the one, and is not tried again. Of these pairs"
        f" {len(TOGETHER)} changes something that neither reading changes alone; the others do what their readings"
        " do.\n"
    )
    for pair, why in TOGETHER.items():
        first, second = sorted(pair)
        found = {basis: surprises(basis, [(first, second)]) for basis in BASES}
        touched = [basis for basis in BASES if found[basis]]
        steps = [step for of_pair in found[touched[-1]].values() for step in of_pair]
        shown = ", ".join(steps[:SHOWN]) + (f" and {len(steps) - SHOWN} more" if len(steps) > SHOWN else "")
        yield f"- **`{first}`** with **`{second}`** ({', '.join(map(str, touched))}): {why}. {shown}."
    yield ""


def summary() -> str:
    """Return the figures."""
    verdicts = [max((verdict(basis, reading) for basis in BASES), key=list(Verdict).index) for reading in READINGS]
    counts = {kind: verdicts.count(kind) for kind in Verdict}
    shown = sum(note.fate is Fate.SHOWN for note in NOTES.values())
    said = (
        f"Of {len(READINGS)} readings, {counts[Verdict.UNTOUCHED]} make no difference on any of {len(BASES)} cards,"
        f" {counts[Verdict.SURVIVED]} are met in another way, {counts[Verdict.OTHER]} change a result: {shown} because"
        f" the card has other data, which are shown, {counts[Verdict.OTHER] - shown} because something is refused by"
        " name, for the reason that is given below; the rest of such a card is served. No reading has the reader take a"
        " genuine card for a forged one."
    )
    return textwrap.fill(said, WIDTH) + "\n"


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
    return "\n".join([INTRODUCTION, summary(), *table(), *results(), *together()]).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Try all pairs and write the page, or check the page; return 1 for an unknown pair or another page."""
    return _check() if arguments == ["--check"] else _write()


def _check() -> int:
    current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
    if not current:
        sys.stderr.write("docs/ambiguity.md is not what the trials come to: run tools/ambiguity.py\n")
    return 0 if current else 1


def _write() -> int:
    new = {basis: unknown(found) for basis, found in all_surprises(BASES, pairs()).items()}
    for basis, found in new.items():
        for pair, steps in found.items():
            print(f"{basis}: {', '.join(map(str, pair))}: {', '.join(steps[:SHOWN])}")
    PAGE.write_text(page(), encoding="utf-8")
    return 1 if any(new.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
