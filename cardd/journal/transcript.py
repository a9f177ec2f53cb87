"""Exports: the chain as JSON lines, which anybody can check without a key and without this program's database.

Four kinds of line: `journal` (where what follows begins), `event` (byte for byte what the chain covers, with the digest
of its sealed bytes where it has any, and its own digest), `head` (signed), `end` (where it ends). An export may be made
in pieces: each begins with a `journal` line at the place where the one before it ended.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal import chain
from cardd.journal.examiner import Alteration, Examiner
from cardd.journal.heads import Head, Place
from cardd.journal.pages import Link, Page

FORM: Final = 1

_NO_EVENT: Final = msgspec.Raw(b"")

_encode = msgspec.json.encode


class Opening(msgspec.Struct, frozen=True):
    """Where a piece begins: after the event `after`, which has this digest."""

    source: str
    stream: str
    after: int
    digest: str
    form: Literal[1] = FORM


class _Event(msgspec.Struct, omit_defaults=True):
    event: msgspec.Raw
    digest: str
    sealed: str | None = None


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    journal: Opening | None = None
    event: msgspec.Raw = _NO_EVENT
    sealed: str | None = None
    digest: str | None = None
    head: Head | None = None
    end: Place | None = None


_decode = msgspec.json.Decoder(_Line).decode


def lines(page: Page, source: str) -> Iterator[bytes]:
    """Yield one piece of an export, without newlines."""
    before = page.before
    yield _encode({"journal": Opening(source, before.stream, before.sequence, before.digest)})
    for link in page.links:
        yield _encode(_event(link))
        if link.sequence in page.heads:
            yield _encode({"head": page.heads[link.sequence]})


def end(place: Place) -> bytes:
    """Return the last line of an export."""
    return _encode({"end": place})


def _event(link: Link) -> _Event:
    sealed = None if link.sealed_digest == chain.NOTHING_SEALED else link.sealed_digest.hex()
    return _Event(msgspec.Raw(link.public), link.digest.hex(), sealed)


def examine(text: Iterable[bytes], examiner: Examiner) -> None:
    """Have the lines of an export examined; the first thing that is wrong ends it."""
    try:
        for number, line in enumerate(text, start=1):
            _take(number, line, examiner)
        examiner.finish()
    except Alteration as found:
        examiner.note(found)


def places(text: Iterable[bytes]) -> list[Place]:
    """Return the heads and the end that an earlier export holds, for holding a later one against them.

    Raises CarddError INVALID for what is no export.
    """
    found: list[Place] = []
    for number, line in enumerate(text, start=1):
        try:
            read = _read(number, line)
        except Alteration as error:
            raise CarddError(Reason.INVALID, error.detail) from None
        found += [Place(one.stream, one.sequence, one.digest) for one in (read.head, read.end) if one is not None]
    return found


def _take(number: int, line: bytes, examiner: Examiner) -> None:
    read = _read(number, line)
    if read.journal is not None:
        _digest(number, read.journal.digest)
        examiner.begin(Place(read.journal.stream, read.journal.after, read.journal.digest))
    elif read.event != _NO_EVENT:
        sealed = chain.NOTHING_SEALED if read.sealed is None else _digest(number, read.sealed)
        examiner.event(bytes(read.event), sealed, _digest(number, read.digest or ""))
    elif read.head is not None:
        examiner.head(read.head)
    elif read.end is not None:
        examiner.end(read.end)
    else:
        raise Alteration("form", f"line {number} holds nothing")


def _read(number: int, line: bytes) -> _Line:
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Alteration("form", f"line {number} is no line of an export") from None


def _digest(number: int, text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != chain.LENGTH:
        raise Alteration("form", f"line {number} has no digest of {chain.LENGTH} bytes")
    return digest
