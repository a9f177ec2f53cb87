"""From what callers say to the bytes that are stored, and back.

Encoding happens on the caller's side, before anything is queued: what cannot be stored fails there and alone. No error
from here quotes a value.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from cardd.base.chance import Chance
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer, Tokens
from cardd.base.structs import Struct
from cardd.journal import chain, marks
from cardd.journal.events import ActivationRow, DeedRow, Json, Lost, NewEvent, StoredEvent, why_lost

EVENT_BYTES: Final = 256 * 1024
"""The most that one event may hold, public and sealed: with its sentences it still fits one line of the socket."""

Also = Callable[[sqlite3.Connection], object]
"""What else a call does to the database, in its own transaction."""

_CHANCE: Final = Chance()
_VARIANTS: Final = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}
_WITH_MICROSECONDS: Final = len("2031-05-07T08:09:10.000000Z")

_encode = msgspec.json.Encoder().encode


class _Body(msgspec.Struct, omit_defaults=True):
    """The public part of an event without its sequence, which only the writer knows."""

    id: str
    type: str
    time: str
    subject: str
    data: msgspec.Raw
    insertion: str | None = None
    correlation: str | None = None


class _Public(_Body, kw_only=True):
    sequence: int


_decode_public = msgspec.json.Decoder(_Public).decode


class PreparedEvent(Struct, frozen=True):
    """An event ready for the writer: `body` is a JSON object that only lacks the sequence."""

    stored: StoredEvent
    body: bytes
    sealed_digest: bytes
    marks: tuple[str, ...] = ()
    """By what it can be found."""

    def public(self, sequence: int) -> bytes:
        """Return the bytes that are stored and chained: a JSON object that begins with the sequence."""
        return b'{"sequence":%d,%b' % (sequence, self.body[1:])

    def numbered(self, sequence: int) -> StoredEvent:
        """Return the event as readers will see it."""
        return replace(self.stored, sequence=sequence)


class PreparedActivation(Struct, frozen=True):
    """An activation ready for the writer."""

    id: str
    station: str
    route: str
    state: str
    open: bool
    data: bytes
    sealed: bytes | None
    client: str | None = None
    request: str | None = None


class PreparedDeed(Struct, frozen=True):
    """A deed ready for the writer."""

    client: str
    request: str
    method: str
    open: bool
    data: bytes
    sealed: bytes | None
    untold: bool = False


class PreparedCall(Struct, frozen=True):
    """What one call of `record` commits, all of it or nothing."""

    events: tuple[PreparedEvent, ...]
    activation: PreparedActivation | None
    deed: PreparedDeed | None = None
    also: Also | None = None


def rfc3339(moment: datetime) -> str:
    """Return `2031-05-07T08:09:10.000000Z`."""
    # a tenth of what `isoformat` takes; it leaves microseconds out where there are none
    text: str = msgspec.to_builtins(moment.astimezone(UTC))
    return text if len(text) == _WITH_MICROSECONDS else f"{text[:-1]}.000000Z"


def prepare(
    events: Sequence[NewEvent],
    activation: ActivationRow | None,
    deed: DeedRow | None = None,
    *,
    sealer: Sealer,
    time: datetime,
    tokens: Tokens | None = None,
    also: Also | None = None,
) -> PreparedCall:
    """Encode and seal one call. Raises CarddError INVALID for what is no JSON or too large, without quoting it."""
    moment = rfc3339(time)
    return PreparedCall(
        tuple([_prepare_event(event, sealer, moment, tokens) for event in events]),
        None if activation is None else _prepare_activation(activation, sealer),
        None if deed is None else _prepare_deed(deed, sealer),
        also,
    )


def _prepare_event(event: NewEvent, sealer: Sealer, time: str, tokens: Tokens | None) -> PreparedEvent:
    what = "an event"
    identity = _new_identity()
    data = _encoded(what, event.data)
    fields = _Body(identity, event.type, time, event.subject, msgspec.Raw(data), event.insertion, event.correlation)
    body = _encoded(what, fields)
    sealed = _seal(what, event.personal, sealer, identity)
    if len(body) + len(sealed or b"") > EVENT_BYTES:
        raise CarddError(Reason.INVALID, f"an event holds at most {EVENT_BYTES} bytes")
    stored = StoredEvent(0, identity, event.type, time, event.subject, event.insertion, event.correlation, data, sealed)
    found_by = marks.of_event(event.insertion, event.correlation, event.personal, tokens)
    return PreparedEvent(stored, body, chain.NOTHING_SEALED if sealed is None else chain.digest(sealed), found_by)


def _new_identity() -> str:
    """Return a random UUID (RFC 9562, version 4); `uuid` takes three times as long to make one."""
    digits = _CHANCE.take(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:]}"


def _prepare_activation(row: ActivationRow, sealer: Sealer) -> PreparedActivation:
    what = "an activation"
    # the columns must be encodable too: a lone surrogate would stop the writer's transaction
    _encoded(what, (row.id, row.station, row.route, row.state, row.client, row.request))
    data = _encoded(what, row.data)
    sealed = _seal(what, row.personal, sealer, row.id)
    return PreparedActivation(
        row.id, row.station, row.route, row.state, row.open, data, sealed, row.client, row.request
    )


def _prepare_deed(row: DeedRow, sealer: Sealer) -> PreparedDeed:
    what = "a deed"
    _encoded(what, (row.client, row.request, row.method))
    data = _encoded(what, row.data)
    sealed = _seal(what, row.personal, sealer, _deed_context(row.client, row.request))
    return PreparedDeed(row.client, row.request, row.method, row.open, data, sealed, row.untold)


def _deed_context(client: str, request: str) -> str:
    return f"deed {client}\x00{request}"


def _seal(what: str, personal: Mapping[str, Json], sealer: Sealer, context: str) -> bytes | None:
    if not personal:
        return None
    return sealer.seal(_encoded(what, personal), context.encode())


def _encoded(what: str, value: object) -> bytes:
    try:
        return _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        problem = type(error).__name__
    # raised out here, so that the first error, which may quote a person's data, does not travel as its context
    raise CarddError(Reason.INVALID, f"{what} cannot be stored as JSON ({problem})")


def decode_mapping(text: bytes) -> dict[str, Json]:
    """Return a JSON object that was encoded here."""
    value: dict[str, Json] = msgspec.json.decode(text, type=dict)
    return value


def stored_event(public: bytes, sealed: bytes | None) -> StoredEvent:
    """Return an event from its stored bytes."""
    row = _decode_public(public)
    return StoredEvent(
        row.sequence, row.id, row.type, row.time, row.subject, row.insertion, row.correlation, bytes(row.data), sealed
    )


def stored_activation(row: PreparedActivation, sealer: Sealer) -> ActivationRow:
    """Return an activation from its stored bytes; personal data that do not open are told as lost."""
    personal, lost = _unseal(row.sealed, sealer, row.id)
    data = decode_mapping(row.data)
    return ActivationRow(
        row.id, row.station, row.route, row.state, row.open, data, personal, lost, row.client, row.request
    )


def stored_deed(row: PreparedDeed, sealer: Sealer) -> DeedRow:
    """Return a deed from its stored bytes; personal data that do not open are told as lost."""
    personal, lost = _unseal(row.sealed, sealer, _deed_context(row.client, row.request))
    data = decode_mapping(row.data)
    return DeedRow(row.client, row.request, row.method, row.open, data, personal, lost, row.untold)


def _unseal(sealed: bytes | None, sealer: Sealer, context: str) -> tuple[Mapping[str, Json], Lost | None]:
    if sealed is None:
        return {}, None
    try:
        return decode_mapping(sealer.open(sealed, context.encode())), None
    except CarddError:
        return {}, why_lost(sealed)
