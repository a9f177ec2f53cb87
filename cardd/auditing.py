"""An auditor's work with a journal: in a file, at a running daemon, or in a directory without one."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.client.blocking import Client
from cardd.client.errors import UnreachableError
from cardd.config import Config
from cardd.crypto.signing import verify
from cardd.journal import cursor as cursors
from cardd.journal import heads, transcript
from cardd.journal.archive import archive
from cardd.journal.examiner import Examiner, Report
from cardd.journal.heads import Place
from cardd.journal.limits import Cursor, Limit
from cardd.wire.journal import JournalExportParams, JournalFindParams, JournalFound, JournalVerifyParams
from cardd.wire.methods import JOURNAL_EXPORT, JOURNAL_FIND, JOURNAL_VERIFY, SESSION_HELLO
from cardd.wire.session import HelloParams

_LONG_S: Final = 3600.0
"""How long the examination of a journal of many years may take."""


class Kept(Struct, frozen=True):
    """What an auditor brings along: heads kept elsewhere, and the keys that may have signed (`ALGORITHM:HEX`)."""

    heads: Sequence[Place] = ()
    keys: Sequence[str] = ()

    def examiner(self) -> Examiner:
        """Return one who holds a chain against it."""
        return Examiner(verify, heads=self.heads, keys=self.keys)


def kept(head_texts: Sequence[str], earlier: Sequence[Path], keys: Sequence[str]) -> Kept:
    """Read what an auditor brings along; `earlier` are exports. Raises CarddError INVALID."""
    places = [heads.parse(text) for text in head_texts]
    for path in earlier:
        places += transcript.places(_lines(path))
    return Kept(list(dict.fromkeys(places)), keys)


def verify_file(path: Path, brought: Kept) -> Report:
    """Examine an export. Raises CarddError INVALID where it cannot be read."""
    examiner = brought.examiner()
    transcript.examine(_lines(path), examiner)
    return examiner.report()


def verify_here(config: Config, brought: Kept) -> Report:
    """Have the running daemon examine its journal, or examine that of its directory where none runs.

    Raises CarddError: NOT_FOUND, BUSY, INVALID, JOURNAL_UNAVAILABLE; CallError.
    """
    try:
        with Client.connect(config.socket.path) as client:
            return verify_at(client, brought)
    except UnreachableError:
        examiner = brought.examiner()
        with archive(Path(config.state_dir)) as stored:
            stored.examine(examiner)
        return examiner.report()


def verify_at(client: Client, brought: Kept) -> Report:
    """Have a daemon examine its journal. Raises CallError."""
    params = JournalVerifyParams(heads=[str(place) for place in brought.heads], keys=list(brought.keys))
    return msgspec.convert(client.call(JOURNAL_VERIFY, params, wait_s=_LONG_S), Report, from_attributes=True)


class Stretch(Struct, frozen=True):
    """What of a journal is exported: what lies between two limits, None for all there is on that side."""

    after: Limit | None = None
    until: Limit | None = None


def export_here(config: Config, source: str, stretch: Stretch) -> Iterator[bytes]:
    """Yield the lines of an export, from the running daemon or from its directory.

    Raises as `verify_here`; CURSOR_GONE for a limit that is not in the journal, INVALID for limits in the wrong order.
    """
    try:
        client = Client.connect(config.socket.path)
    except UnreachableError:
        with archive(Path(config.state_dir)) as stored:
            yield from stored.lines(source, stretch.after, stretch.until)
        return
    with client:
        yield from export_at(client, stretch)


def export_at(client: Client, stretch: Stretch) -> Iterator[bytes]:
    """Yield the lines of a daemon's export. Raises CallError."""
    params = JournalExportParams(after=_cursor(client, stretch.after), until=_cursor(client, stretch.until))
    while True:
        piece = client.call(JOURNAL_EXPORT, params)
        yield from map(bytes, piece.lines)
        if not piece.more:
            return
        params = JournalExportParams(after=piece.cursor, until=piece.until)


def _cursor(client: Client, limit: Limit | None) -> str | None:
    """Return the cursor of a limit in the running daemon's journal."""
    match limit:
        case None:
            return None
        case Cursor(text):
            return text
        case datetime():
            return _cursor_at(client, limit)
        case sequence:
            return cursors.encode(
                client.call(SESSION_HELLO, HelloParams(client="cardd journal", api=1)).stream, sequence
            )


def _cursor_at(client: Client, moment: datetime) -> str:
    """Return the cursor before the first event of a time or later; where there is none yet, the newest."""
    params = JournalFindParams(since=moment, limit=1)
    while True:
        found = client.call(JOURNAL_FIND, params)
        if found.events:
            stream, _, sequence = found.events[0].cursor.partition(".")
            return cursors.encode(stream, int(sequence) - 1)
        if not found.more:
            return client.call(JOURNAL_EXPORT, JournalExportParams()).until
        params = msgspec.structs.replace(params, after=found.cursor)


def find_here(config: Config, params: JournalFindParams) -> Iterator[bytes]:
    """Yield the events that the running daemon finds. Raises CallError, UnreachableError."""
    with Client.connect(config.socket.path) as client:
        yield from (bytes(one.event) for one in find_at(client, params))


def find_at(client: Client, params: JournalFindParams) -> Iterator[JournalFound]:
    """Yield what a daemon finds, page after page. Raises CallError."""
    while True:
        found = client.call(JOURNAL_FIND, params)
        yield from found.events
        if not found.more:
            return
        params = msgspec.structs.replace(params, after=found.cursor)


def sentence(report: Report) -> str:
    """Say what an examination came to."""
    if report.problem is not None:
        place = "" if report.problem.sequence is None else f" (event {report.problem.sequence})"
        return f"ALTERED or incomplete: {report.problem.detail}{place}"
    said = [f"whole: {report.events} events of stream {report.stream}, {report.first or 0} to {report.last}"]
    if report.heads:
        said.append(f"{report.heads} signed heads, up to event {report.signed}, by {', '.join(report.keys)}")
    else:
        said.append("nothing in it is signed")
    if report.agreed:
        said.append(f"agrees with {len(report.agreed)} heads kept elsewhere")
    else:
        said.append("held against no head kept elsewhere: that it was not written anew as a whole, this cannot show")
    said += [f"not checked, from before what is left: {head}" for head in report.unchecked]
    return "\n".join([*said, f"keep this elsewhere: {report.head}"])


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from (line.rstrip(b"\n") for line in file)
    except OSError as error:
        raise CarddError(Reason.INVALID, f"{path} cannot be read: {error.strerror}") from None
