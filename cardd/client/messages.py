"""What both clients share: numbering requests, and telling answers from notifications."""

from itertools import count
from typing import Final, TypeVar

import msgspec

from cardd.base.structs import Struct
from cardd.client.errors import CallError, ExpelledError, ProtocolError
from cardd.wire import rpc
from cardd.wire.base import Params
from cardd.wire.events import EVENT, HEARTBEAT, Event, EventParams, HeartbeatParams

R = TypeVar("R")

_INCOMING: Final = msgspec.json.Decoder(rpc.Incoming)
_EVENT: Final = msgspec.json.Decoder(EventParams)
_HEARTBEAT: Final = msgspec.json.Decoder(HeartbeatParams)


class Answer(Struct, frozen=True):
    """The daemon's answer to the request with this id."""

    id: int
    result: msgspec.Raw
    error: CallError | None

    def raw(self) -> bytes:
        """Return the result's JSON. Raises CallError."""
        if self.error is not None:
            raise self.error
        return bytes(self.result)


class Arrival(Struct, frozen=True):
    """An event that arrived: keep the cursor, and subscribe `after` it to miss nothing."""

    subscription: str
    cursor: str
    event: Event
    raw: bytes
    """The notification's parameters as they came, JSON."""


class Beat(Struct, frozen=True):
    """A sign of life, with a cursor that is newer than the last event's where events were filtered out."""

    subscription: str
    cursor: str


Message = Answer | Arrival | Beat | None


class Numbering:
    """Gives every request of a connection its own id."""

    def __init__(self) -> None:
        self._ids = count(1)

    def request(self, method: str, params: Params) -> tuple[int, bytes]:
        """Return the id and the line to send."""
        identity = next(self._ids)
        return identity, rpc.call(identity, method, params)


def understand(line: bytes) -> Message:
    """Read one line of the daemon's; None for a notification that this client does not know.

    Raises ExpelledError for an error that belongs to no request (it ends the connection), ProtocolError.
    """
    try:
        incoming = _INCOMING.decode(line)
        if incoming.method is not None:
            return _notification(incoming)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise ProtocolError(f"the daemon sent a line that cannot be read: {fault}") from None
    if isinstance(incoming.id, int):
        return Answer(incoming.id, incoming.result, None if incoming.error is None else CallError(incoming.error))
    if incoming.error is not None:
        raise ExpelledError(incoming.error)
    raise ProtocolError("the daemon answered to nothing that was asked")


def _notification(incoming: rpc.Incoming) -> Arrival | Beat | None:
    if incoming.method == EVENT:
        params = _EVENT.decode(incoming.params)
        event = msgspec.json.decode(params.event, type=Event)
        return Arrival(params.subscription, params.cursor, event, bytes(incoming.params))
    if incoming.method == HEARTBEAT:
        beat = _HEARTBEAT.decode(incoming.params)
        return Beat(beat.subscription, beat.cursor)
    return None


def typed(raw: bytes, result: type[R]) -> R:
    """Read a result. Raises ProtocolError where it does not fit."""
    try:
        return msgspec.json.decode(raw, type=result)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise ProtocolError(f"the daemon's answer cannot be read: {fault}") from None
