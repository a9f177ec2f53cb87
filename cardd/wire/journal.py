"""The journal for auditors: examined, exported, searched; one person's data erased."""

from datetime import datetime
from typing import Annotated

import msgspec

from cardd.wire.base import Params, Result

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""RFC 3339 with an offset."""


class JournalVerifyParams(Params):
    """Hold the journal against heads kept elsewhere (`STREAM:SEQUENCE:DIGEST`), and keys (`ALGORITHM:HEX`)."""

    heads: list[str] = msgspec.field(default_factory=list)
    keys: list[str] = msgspec.field(default_factory=list)


class JournalProblem(Result):
    """The first thing that is not as it was recorded, and the event where it shows."""

    code: str
    detail: str
    sequence: int | None


class JournalVerifyResult(Result):
    """What an examination came to.

    `head` is the place up to which all is well, `signed` the last event that a signed head covers. `agreed` are the
    heads kept elsewhere that were found, `unchecked` those from before what is left.
    """

    whole: bool
    stream: str | None
    first: int | None
    last: int
    events: int
    heads: int
    signed: int
    keys: list[str]
    head: str | None
    agreed: list[str]
    unchecked: list[str]
    problem: JournalProblem | None


class JournalExportParams(Params):
    """Ask for what follows a cursor (left out: all there is), up to a cursor (left out: the newest event)."""

    after: str | None = None
    until: str | None = None


class JournalExportResult(Result):
    """Lines of an export, to be written down byte for byte; with `more`, ask again with `cursor` and `until`."""

    lines: list[msgspec.Raw]
    cursor: str
    until: str
    more: bool


class JournalFindParams(Params):
    """Look for a person (by token), a card (by number or identification code), an activation, an insertion, a time.

    `types` are globs. With a `purpose`, and the right to them, whole personal data are told.
    """

    token: str | None = None
    card: str | None = None
    activation: str | None = None
    insertion: str | None = None
    since: Moment | None = None
    until: Moment | None = None
    types: list[str] = msgspec.field(default_factory=list)
    after: str | None = None
    limit: int = 100
    purpose: str | None = None


class JournalFound(Result):
    """An event and its place."""

    cursor: str
    event: msgspec.Raw


class JournalFindResult(Result):
    """What was found; with `more`, ask again after `cursor`."""

    events: list[JournalFound]
    cursor: str
    more: bool


class JournalEraseParams(Params):
    """Erase a person's data, by token; the purpose goes on record."""

    token: str
    purpose: str


class JournalEraseResult(Result):
    """How many events, activations and payments hold nothing of that person any more but what is masked."""

    token: str
    events: int
    activations: int
    payments: int
