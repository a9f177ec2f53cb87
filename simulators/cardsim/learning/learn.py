"""Learning: a draft is tried on the recorded commands, and changed by whatever makes it answer more like the card."""

from collections.abc import Callable, Iterator
from typing import Final

from cardd.base.structs import Struct
from cardd.rules.applications import APPLICATIONS
from cardd.rules.files import FILES
from cardsim.card.make import make_chip
from cardsim.learning.draft import draft
from cardsim.learning.observed import NotLearnableError, observe
from cardsim.learning.rehearsal import Document, Mismatch, mismatches, persona_of
from cardsim.toggles import rows
from cardsim.trace import Trace

_ROUNDS: Final = 40
"""A card with more quirks than that is told by faults."""

_GET_RESPONSE: Final = b"\x00\xc0"
_WORD: Final = 2
_TRIES: Final = range(9)
_BANK_DIGITS: Final = range(12, 20)
_MONEY: Final = 1_000_000

Change = Callable[[Document], Document]


class Learned(Struct, frozen=True):
    """A persona's document, the interface of the recording, and the exchanges that it still answers otherwise."""

    document: Document
    interface: str
    unlike: tuple[Mismatch, ...]


def learn(trace: Trace) -> Learned:
    """Make a persona of a trace. Raises NotLearnableError where no social security card was recorded in it."""
    observed = observe(trace)
    if not observed.social:
        raise NotLearnableError("no social security environment answers in it: only such cards are learned")
    document, interface = draft(observed)
    changes = list(_changes(observed.missing, observed.there))
    document, left = _refined(document, changes, trace, interface)
    if left:
        document, left = _with_faults(document, left, trace, interface)
    return Learned(document, interface, tuple(left))


def _refined(
    document: Document, changes: list[Change], trace: Trace, interface: str
) -> tuple[Document, list[Mismatch]]:
    """Make the change that explains most, again and again, until none explains more."""
    best = _tried(document, trace, interface)
    if best is None:
        # a file that fits no card is left out of the draft, whatever it is
        document = {key: value for key, value in document.items() if key != "raw"}
        best = mismatches(document, trace, interface)
    for _ in range(_ROUNDS):
        if not best:
            break
        tried = [(other, _tried(other, trace, interface)) for other in (change(document) for change in changes)]
        better = [(len(found), index) for index, (_, found) in enumerate(tried) if found is not None]
        count, index = min(better, default=(len(best), 0))
        if count >= len(best):
            break
        document, best = tried[index][0], tried[index][1] or []
    return document, best


def _tried(document: Document, trace: Trace, interface: str) -> list[Mismatch] | None:
    try:
        return mismatches(document, trace, interface)
    except ValueError:
        return None


def _changes(missing: set[str], there: set[str]) -> Iterator[Change]:
    """Yield what may make a card another one, the likelier first."""
    yield from (_setting(profile=profile) for profile in ("1.0", "2.0", "3.0"))
    yield from (_setting(algorithm=algorithm) for algorithm in ("des", "sm4"))
    for name in sorted(missing):
        if name in APPLICATIONS or name in FILES:
            yield _adding("absent", name)
    for name in sorted(there & APPLICATIONS.keys()):
        yield _adding("applications", name)
    for row in rows():
        for value in row.values[1:]:
            yield _toggling(row.name, value)
    for tries in _TRIES:
        yield _setting(pin_tries=tries)
        yield _setting(key_tries=tries)
    yield _setting(blocked="card")
    for name in APPLICATIONS:
        yield _adding("blocked", name)
    yield _setting(balance=_MONEY)
    yield from (_setting(bank_number="9" * digits) for digits in _BANK_DIGITS)


def _setting(**values: object) -> Change:
    return lambda document: document | values


def _adding(key: str, name: str) -> Change:
    def change(document: Document) -> Document:
        before = document.get(key, [])
        return document | {key: sorted({*(before if isinstance(before, list) else []), name})}

    return change


def _toggling(name: str, value: str) -> Change:
    def change(document: Document) -> Document:
        before = document.get("toggles", {})
        return document | {"toggles": {**(before if isinstance(before, dict) else {}), name: value}}

    return change


def _with_faults(
    document: Document, left: list[Mismatch], trace: Trace, interface: str
) -> tuple[Document, list[Mismatch]]:
    """Say what no setting explains as faults: a status word for a name where all of that name got it, else for one."""
    name = make_chip(persona_of(document)).system.name
    faults: list[Document] = []
    refused: list[Document] = []
    while (fault := next(_faults(left, trace, name, [*faults, *refused]), None)) is not None:
        tried = _tried(document | {"faults": [*faults, fault]}, trace, interface)
        if tried is None or len(tried) >= len(left):
            refused.append(fault)
            continue
        faults.append(fault)
        left = tried
    return document | ({"faults": faults} if faults else {}), left


def _faults(
    left: list[Mismatch], trace: Trace, name: Callable[[bytes], str | None], known: list[Document]
) -> Iterator[Document]:
    for one in left:
        fault = _fault(one, trace, name)
        if fault is not None and fault not in known:
            yield fault


def _fault(one: Mismatch, trace: Trace, name: Callable[[bytes], str | None]) -> Document | None:
    command = trace.exchanges[one.index].command
    if len(one.recorded) != _WORD or command[:2] == _GET_RESPONSE:
        return None
    word = one.recorded.hex().upper()
    called = name(command)
    alike = [
        exchange.response
        for exchange in trace.exchanges
        if called is not None and exchange.command[:2] != _GET_RESPONSE and name(exchange.command) == called
    ]
    if alike and all(answer == one.recorded for answer in alike) and len(alike) > 1:
        return {"do": "answer", "at": called, "word": word}
    number = sum(exchange.command[:2] != _GET_RESPONSE for exchange in trace.exchanges[: one.index + 1])
    return {"do": "answer", "at": str(number), "word": word}
