"""Reads an incident where a scenario is expected, and what came of running it beside what had come in the field."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Final

import msgspec
import yaml

from cardd.base.document import DocumentError, load_as_written
from cardd.client.blocking import Client
from cardd.wire.activation import ActivationListParams
from cardd.wire.incident import ActivationIncidentParams, Incident, Turn
from cardd.wire.methods import ACTIVATION_INCIDENT, ACTIVATION_LIST
from cardsim.scenario.incidents.chapters import is_moving
from cardsim.scenario.incidents.rebuild import CannotRebuildError, rebuild
from cardsim.scenario.outcome import Failure
from cardsim.scenario.reading import Read, read_scenario

_WIDTH: Final = 60


class _Kind(msgspec.Struct):
    incident: str | None = None


def is_incident(path: Path) -> bool:
    """Say whether a document is an account of an incident, which says so itself. Raises DocumentError."""
    return load_as_written(path, _Kind).incident is not None


def read_incident(path: Path) -> Incident:
    """Read an account. Raises DocumentError with file, line and column of the first mistake."""
    return load_as_written(path, Incident)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Read, Incident | None]]:
    """Lend what is to be run: a scenario, or what an incident becomes, with the incident. Raises DocumentError."""
    if not is_incident(path):
        yield read_scenario(path), None
        return
    incident = read_incident(path)
    with as_scenario(path, incident) as written:
        yield read_scenario(written), incident


@contextmanager
def as_scenario(path: Path, incident: Incident) -> Iterator[Path]:
    """Lend a file with the scenario that an incident becomes. Raises DocumentError where none can be made of it."""
    try:
        made = rebuild(incident)
    except CannotRebuildError as error:
        raise DocumentError(path, 1, 1, str(error)) from None
    with tempfile.TemporaryDirectory(prefix="cardsim-incident-") as directory:
        written = Path(directory) / f"{path.stem}.yaml"
        written.write_text(text_of(made), encoding="utf-8")
        yield written


def text_of(scenario: dict[str, object]) -> str:
    """Return a scenario as YAML."""
    return yaml.safe_dump(scenario, allow_unicode=True, sort_keys=False, width=120)


def came_again(client: Client) -> Incident | None:
    """Return the account of what was run, None where nothing began. Raises CallError, UnreachableError."""
    found = client.call(ACTIVATION_LIST, ActivationListParams(limit=1)).activations
    if not found:
        return None
    return client.call(ACTIVATION_INCIDENT, ActivationIncidentParams(activation=found[0].activation))


def hold_against(path: Path, field: Incident, client: Client, failures: Sequence[Failure]) -> list[Failure]:
    """Return what went wrong in running an incident, with both courses side by side; nothing where it ended the same.

    Raises CallError, UnreachableError.
    """
    again = came_again(client)
    if same_end(field, again) and not failures:
        return []
    came = "nothing" if again is None else " ".join(end_of(again))
    said = "; ".join(f"{one.expected}: {one.came}" if one.expected else one.came for one in failures)
    both = side_by_side(field, again)
    told = f"{came}{f' ({said})' if said else ''}\n{both}"
    return [Failure(str(path), f"the end that it had in the field: {' '.join(end_of(field))}", told)]


def same_end(field: Incident, again: Incident | None) -> bool:
    """Say whether a run came to the end that was reached in the field, or went by where it stood when it was told."""
    if again is None:
        return False
    course = facts_of(field.turns)
    went_by = is_moving(field) and facts_of(again.turns)[: len(course)] == course
    return went_by or end_of(field) == end_of(again)


def end_of(incident: Incident) -> tuple[str, ...]:
    """Return how an activation stands: state, outcome, reason."""
    return tuple(str(one) for one in (incident.state, incident.outcome, incident.reason) if one is not None)


def side_by_side(field: Incident, again: Incident | None) -> str:
    """Return both courses, a turn a line, from where they part marked."""
    left = [*map(_line, field.turns), f"= {' '.join(end_of(field))}"]
    right = [] if again is None else [*map(_line, again.turns), f"= {' '.join(end_of(again))}"]
    rows = [f"  {'in the field':<{_WIDTH}} | again"]
    for one, other in zip_longest(left, right, fillvalue="-"):
        mark = " " if _fact(one) == _fact(other) else "!"
        rows.append(f"{mark} {one:<{_WIDTH}} | {other}")
    return "\n".join(rows)


def facts_of(turns: Sequence[Turn]) -> list[tuple[str, str, str]]:
    """Return from where by which fact to where each turn led."""
    return [(str(turn.state), turn.fact, str(turn.to)) for turn in turns]


def _line(turn: Turn) -> str:
    work = "" if turn.work is None else f" #{turn.work.last} {turn.work.command or ''} {turn.work.word or '-'}"
    return f"{turn.state} {turn.fact}{f' ({turn.reason})' if turn.reason else ''}{work}"


def _fact(line: str) -> tuple[str, ...]:
    return tuple(line.split(" #", maxsplit=1)[0].split())
