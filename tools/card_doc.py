#!/usr/bin/env python3
"""Write docs/card.md from the tables of cardd.rules; with --check, only tell whether it is current."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cardd.iso7816.status import SW, describe  # noqa: E402
from cardd.rules.access import Access  # noqa: E402
from cardd.rules.applications import APPLICATIONS, MASTER_FILE, Application  # noqa: E402
from cardd.rules.applications.df04 import MONEY  # noqa: E402
from cardd.rules.compatibility import JUDGED_BY, LENGTHS_NOT_PUBLISHED, OLD_FILES, OLD_MEANINGS  # noqa: E402
from cardd.rules.driver_errors import DRIVER_ERRORS  # noqa: E402
from cardd.rules.files import FILES, FileRule, Generation, Structure  # noqa: E402
from cardd.rules.hsm import DEBIT_ADDRESSES, HSM_ADDRESSES  # noqa: E402
from cardd.rules.items import Codes, Form, Item  # noqa: E402
from cardd.rules.keys import KEYS, MONEY_KEYS, UNPUBLISHED, KeyName  # noqa: E402
from cardd.rules.psam import ALGORITHMS, KEY_FILES, PSAM_FILES  # noqa: E402

PAGE = ROOT / "docs" / "card.md"
Cells = Iterable[object]

INTRODUCTION = """# The card

Every application, file, item and key of the social security card as this software knows them. The page is written by
`tools/card_doc.py` from `cardd/rules`; do not edit it. File identifiers, tags, lengths, sizes, keys and addresses are
hexadecimal; counts, and columns named bytes, are decimal.

**Types.** `cn` packed digits filled with F, `an` characters in GBK filled with 00, `b` binary, `B-TLV` a chain of inner
items. Dates are digits YYYYMMDD. Money in `cn` is digits in fen; money in `b` is read and written in yuan with two
decimals.

**Structures.** `LV` linear with tagged records, `LF` linear with records of one length, `CY` cyclic, `TR` transparent.

**Conditions.** A key is proved by EXTERNAL AUTHENTICATION, the PIN by VERIFY; `or`: either suffices, `&`: both are
needed. A file is written after its update key was proved. A dash: a card of that generation has no such file.
"""

STRUCTURE_NOTE = {
    Structure.CYCLIC: "at least {records} records of {length:02X}",
    Structure.TRANSPARENT: "{size:X}",
}


def table(head: Cells, rows: Iterable[Cells]) -> Iterator[str]:
    """Give the lines of a table, and an empty one behind it."""
    names = list(map(str, head))
    yield _line(names)
    yield _line(["---"] * len(names))
    for row in rows:
        yield _line(row)
    yield ""


def _line(cells: Cells) -> str:
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def applications() -> Iterator[str]:
    """Give the section of the applications."""
    yield "## Applications\n"
    yield f"The root has the identifier {MASTER_FILE:04X}; on old cards it is the environment itself.\n"
    rows = (
        (
            application.name,
            f"{application.fid:04X}",
            application.aid.hex().upper() if application.aid else "by label",
            application.label or "",
            application.en + (" (optional)" if application.optional else ""),
        )
        for application in APPLICATIONS.values()
    )
    yield from table(("name", "identifier", "selected by", "label", "content"), rows)


def application(entry: Application) -> Iterator[str]:
    """Give the section of one application."""
    yield f"## {entry.name}: {entry.en}\n"
    rows = ((*_file_cells(rule),) for rule in entry.files)
    yield from table(("file", "content", "", "structure", "1.0", "2.0", "3.0", "written with", "class"), rows)
    for rule in entry.files:
        yield from _items(rule)


def _file_cells(rule: FileRule) -> Cells:
    note = STRUCTURE_NOTE.get(rule.structure, "").format(
        records=rule.records, length=rule.record_length, size=rule.size
    )
    yield from (rule.address, rule.en, rule.zh, f"{rule.structure} {note}".strip())
    for generation in Generation:
        yield _condition(rule.read.get(generation)) + _other_structure(rule, generation)
    yield rule.write or "never"
    yield rule.file_class or ""


def _condition(access: Access | None) -> str:
    return "–" if access is None else str(access)


def _other_structure(rule: FileRule, generation: Generation) -> str:
    structure = rule.structure_of(generation)
    return "" if structure is rule.structure else f" ({structure})"


def _items(rule: FileRule) -> Iterator[str]:
    items = rule.items or rule.fields
    if not items and not rule.undescribed:
        return
    yield f"### {rule.address}: {rule.en}\n"
    rows = [row for item in items for row in _item_rows(item)]
    yield from table(("tag", "item", "", "type", "length", "values"), rows)
    if len(rule.layouts) > 1:
        yield "A record may also end earlier: " + ", ".join(
            f"after {layout[-1].en} ({sum(item.length for item in layout):02X})." for layout in rule.layouts[1:]
        )
        yield ""
    if rule.undescribed:
        first, last = rule.undescribed[0], rule.undescribed[-1]
        yield f"Tags {first:02X} to {last:02X} are in use; what each means is not public.\n"
    for generation, tags in rule.order.items():
        yield f"Records of {generation}: {', '.join(f'{tag:02X}' for tag in tags)}.\n"


def _item_rows(item: Item) -> Iterator[Cells]:
    yield _item_cells(item, f"{item.tag:02X}" if item.tag else "", item.en)
    for inner in item.inner:
        yield _item_cells(inner, f"└ {inner.tag:02X}", inner.en)


def _item_cells(item: Item, tag: str, name: str) -> Cells:
    number = f" × {item.count}" if item.count > 1 else ""
    return (tag + number, name, item.zh, item.type, f"{item.length:02X}", _values(item))


def _values(item: Item) -> str:
    if item.parts:
        return "; ".join(f"{_characters(part.length)} {part.en}{_bracket(part.codes)}" for part in item.parts)
    form = {Form.DATE: "date", Form.TIME: "date and time", Form.FEN: "fen", Form.YUAN: "yuan"}.get(item.form, "")
    return _codes(item.codes) or form


def _characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count} characters"


def _bracket(codes: Codes | None) -> str:
    return f" ({_codes(codes)})" if codes else ""


def _codes(codes: Codes | None) -> str:
    return ", ".join(f"{code} {meaning}".strip() for code, meaning in (codes or {}).items())


def old_meanings() -> Iterator[str]:
    """Give the section of what items meant in 1.0."""
    yield "## What 1.0 meant by the same tags\n"
    yield (
        "A 1.0 card's value that ends in EE has the new meaning and the new length. Some values are judged by another"
        " of their file. A type in brackets is printed nowhere and taken from its neighbours.\n"
    )
    rows = (
        (file, f"{item.tag:02X}", item.en, item.zh, _old_type(file, item), _judge(file, item.tag), _new(file, item.tag))
        for file, items in OLD_MEANINGS.items()
        for item in items
    )
    yield from table(("file", "tag", "in 1.0", "", "type", "judged by", "now"), rows)
    yield from table(("file", "held in 1.0", ""), ((file, old.en, old.zh) for file, old in OLD_FILES.items()))


def _old_type(file: str, item: Item) -> str:
    text = f"{item.type} {item.length:02X}"
    return f"({text})" if (file, item.tag) in LENGTHS_NOT_PUBLISHED else text


def _judge(file: str, tag: int) -> str:
    judge = JUDGED_BY.get(file, {}).get(tag)
    return "" if judge is None else f"{judge:02X}"


def _new(file: str, tag: int) -> str:
    item = FILES[file].item(tag)
    return "" if item is None else f"{item.en}, {item.type} {item.length:02X}"


def keys() -> Iterator[str]:
    """Give the section of the keys."""
    yield "## Keys\n"
    yield (
        "`id` is P2 of EXTERNAL AUTHENTICATION; one in brackets is printed nowhere and continues the pattern of its"
        " neighbours. The address is that of version 1 in the issuer's security machine; the others follow.\n"
    )
    rows = (
        (
            name,
            rule.application,
            f"({rule.kid:02X})" if rule.inferred else f"{rule.kid:02X}",
            rule.versions,
            _length(rule.length, rule.des_length),
            f"{rule.psam_id:02X}",
            rule.level.name.lower(),
            _address(name),
        )
        for name, rule in KEYS.items()
    )
    yield from table(("key", "in", "id", "versions", "bytes", "in the PSAM", "level", "address"), rows)
    yield "Keys of the medical account are named by an index, 1 to 3, and by no identifier.\n"
    money = (
        (
            name,
            rule.zh,
            rule.versions,
            rule.length,
            ", ".join(f"{id_:02X}" for id_ in rule.psam_ids),
            rule.level.name.lower(),
            ", ".join(f"{address:04X}" for address in DEBIT_ADDRESSES) if name is KeyName.DPK else _address(name),
        )
        for name, rule in MONEY_KEYS.items()
    )
    yield from table(("key", "", "versions", "bytes", "in the PSAM", "level", "address"), money)
    yield f"No source prints identifiers of {', '.join(sorted(UNPUBLISHED))}.\n"


def _length(length: int, des_length: int) -> str:
    return str(length) if length == des_length else f"{length}, DES {des_length}"


def _address(name: KeyName) -> str:
    return f"{HSM_ADDRESSES[name]:04X}" if name in HSM_ADDRESSES else ""


def money_file() -> Iterator[str]:
    """Give the section of the money file."""
    yield "## The money file\n"
    yield "It lies in DF04 and has no identifier: GET BALANCE reads it, load and debit write it.\n"
    yield from table(("item", "", "bytes"), ((item.en, item.zh, item.length) for item in MONEY))


def psam() -> Iterator[str]:
    """Give the section of the PSAM's files."""
    yield "## Files of the PSAM\n"
    rows = (
        (
            f"{file.fid:04X}",
            file.en,
            "DF01" if file.in_application else "environment",
            file.size,
            ", ".join(f"{item.en} ({item.type} {item.length})" for item in file.fields),
        )
        for file in PSAM_FILES
    )
    yield from table(("file", "content", "in", "bytes", "fields"), rows)
    files = ", ".join(f"{fid:04X}" for fid in KEY_FILES)
    algorithms = ", ".join(f"{byte:02X} {name}" for byte, name in ALGORITHMS.items())
    yield f"Keys lie in {files}, which nobody reads. Their algorithm byte: {algorithms}.\n"


def words() -> Iterator[str]:
    """Give the sections of status words and driver results."""
    yield "## Status words\n"
    pairs = (describe(sw).split(" ", 1) for sw in SW)
    more = (
        ("61xx", "done, xx bytes waiting"),
        ("63Cx", "authentication failed, x tries left"),
        ("6Cxx", "wrong Le, xx is right"),
    )
    yield from table(("word", "meaning"), sorted([*map(tuple, pairs), *more]))
    yield "## Results of the driver\n"
    yield "A card's refusal is the negated status word: 6A82 is −27266.\n"
    yield from table(
        ("result", "meaning"), ((str(code).replace("-", "−"), text) for code, text in DRIVER_ERRORS.items())
    )


def page() -> str:
    """Return the whole page."""
    sections = [applications(), *map(application, APPLICATIONS.values()), money_file(), old_meanings(), keys(), psam()]
    lines = [INTRODUCTION, *(line for section in (*sections, words()) for line in section)]
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or check it."""
    if arguments == ["--check"]:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        if not current:
            sys.stderr.write("docs/card.md is not what cardd.rules says: run tools/card_doc.py\n")
        return 0 if current else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
