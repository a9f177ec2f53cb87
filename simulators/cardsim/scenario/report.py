"""Reports of runs: text for people, JUnit XML for what collects tests, JSON for programs."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final
from xml.etree import ElementTree as ET

import msgspec

from cardsim.scenario.outcome import Came, Result

_ORDER: Final = tuple(Came)


def worst(results: Sequence[Result]) -> Came:
    """Return the worst of how runs came out."""
    return max((result.came for result in results), key=_ORDER.index, default=Came.PASSED)


def line(result: Result) -> str:
    """Return one line on a run, and what went wrong below it."""
    head = (
        f"{result.came:<11} {result.name}  [{result.ground}, {_seeded(result)}]  {result.steps} steps,"
        f" {result.events} events, {result.passed_s:.1f} s at the counter, {result.took_s:.1f} s in all"
    )
    below = []
    for failure in result.failures:
        below.append(f"  {failure.place}:")
        below += [f"    expected  {failure.expected}"] if failure.expected else []
        below.append(f"    {'came' if failure.expected else 'problem':<9} {failure.came}")
    if result.came is not Came.PASSED:
        below.append(f"  again: {result.again}")
    return _encodable("\n".join([head, *below]))


def _encodable(text: str) -> str:
    """Put `?` for what no encoding has: bytes of a file's name that are no text."""
    return text.encode(errors="replace").decode()


def _seeded(result: Result) -> str:
    return "no seed" if result.seed is None else f"seed {result.seed}"


def summary(results: Sequence[Result], of: int) -> str:
    """Return the last line: how many came out how, of how many that were to be run."""
    counts = {came: sum(result.came is came for result in results) for came in _ORDER}
    said = ", ".join(f"{count} {came}" for came, count in counts.items() if count)
    left = of - len(results)
    return f"{len(results)} of {of} run: {said or 'none'}" + (f", {left} not begun" if left else "")


def as_json(results: Sequence[Result]) -> bytes:
    """Return all results as JSON: `{came, results}`."""
    told = msgspec.to_builtins({"came": worst(results), "results": results})
    return _encodable(json.dumps(told, ensure_ascii=False, indent=2) + "\n").encode()


def as_junit(results: Sequence[Result]) -> bytes:
    """Return all results as JUnit XML, one test case a run."""
    suite = ET.Element(
        "testsuite",
        name="cardsim run",
        tests=str(len(results)),
        failures=str(sum(result.came is Came.FAILED for result in results)),
        errors=str(sum(result.came in {Came.BROKEN, Came.MACHINE} for result in results)),
        skipped=str(sum(result.came is Came.INTERRUPTED for result in results)),
        time=f"{sum(result.took_s for result in results):.3f}",
    )
    for result in results:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=_printable(f"{result.path}.{result.ground}"),
            name=_printable(f"{result.name} ({_seeded(result)})"),
            time=f"{result.took_s:.3f}",
        )
        kind = _ELEMENTS.get(result.came)
        if kind is not None:
            said = "; ".join(f"{one.expected}: {one.came}" if one.expected else one.came for one in result.failures)
            ET.SubElement(case, kind, type=result.came, message=_printable(said)).text = _printable(line(result))
    ET.indent(suite)
    written: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


_ELEMENTS: Final = {
    Came.FAILED: "failure",
    Came.BROKEN: "error",
    Came.MACHINE: "error",
    Came.INTERRUPTED: "skipped",
}


def _printable(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(character for character in text if character.isprintable() or character == "\n")


def as_text(results: Sequence[Result]) -> bytes:
    """Return all results as text."""
    return "\n".join([*map(line, results), summary(results, len(results)), ""]).encode()


FORMATS: Final[Mapping[str, Callable[[Sequence[Result]], bytes]]] = MappingProxyType(
    {".xml": as_junit, ".json": as_json, ".txt": as_text}
)
"""How a report is written, by its file's suffix."""


def write(path: Path, results: Sequence[Result]) -> None:
    """Write a report as its suffix says: the whole file or none of it."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(FORMATS[path.suffix](results))
    fresh.replace(path)
