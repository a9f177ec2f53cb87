"""Subscriptions and what they deliver.

A cursor is opaque and names its place in the stream: whoever keeps the last one it got and subscribes `after` it misses
nothing. Delivery is at least once across connections; `source` and `id` of an event identify a repeat.
"""

import msgspec

from cardd.wire.activation import ActivationResult
from cardd.wire.base import Json, Params, Result
from cardd.wire.cards import ReaderView

NOW = "now"
EARLIEST = "earliest"

EVENT = "event"
"""The notification that carries an event: `{subscription, cursor, event}`."""

HEARTBEAT = "heartbeat"
"""The notification of a quiet subscription: `{subscription, cursor}`; its cursor moves past events filtered out."""

TYPE_PREFIX = "org.cardd."
TYPE_SUFFIX = ".v1"


class EventsSubscribeParams(Params):
    """Ask for events after a cursor, from `now` on (with a snapshot), or from the `earliest` there is.

    `types` are globs on the short name (`card.*`) or the whole one (`org.cardd.card.inserted.v1`); `readers` are
    globs on the event's subject. Whole personal data need `personal`, the right to it, and a purpose.
    """

    after: str = NOW
    types: list[str] | None = None
    readers: list[str] | None = None
    personal: bool = False
    purpose: str | None = None


class Snapshot(Result):
    """What was there when the subscription began: later events tell what changed since."""

    readers: list[ReaderView]
    activations: list[ActivationResult]


class EventsSubscribeResult(Result):
    """A subscription, and the cursor it starts after."""

    subscription: str
    cursor: str
    snapshot: Snapshot | None = None


class EventsUnsubscribeParams(Params):
    """Name a subscription of this connection."""

    subscription: str


class EventsUnsubscribeResult(Result):
    """The subscription that ended, and the cursor of the last event it delivered or passed over."""

    subscription: str
    cursor: str


class EventParams(Params):
    """The `event` notification as the daemon sends it, the event already encoded."""

    subscription: str
    cursor: str
    event: msgspec.Raw


class HeartbeatParams(Params):
    """The `heartbeat` notification."""

    subscription: str
    cursor: str


class Event(Params):
    """A CloudEvents 1.0 event as a client reads it.

    `sequence` grows by one in the stream: order is by it, not by time. `personal` is there only where whole personal
    data were granted and cannot be told: `erased`, or `unreadable` with the key of today; `data` is masked then.
    """

    specversion: str
    id: str
    source: str
    type: str
    time: str
    sequence: str
    subject: str | None = None
    datacontenttype: str = "application/json"
    correlationid: str | None = None
    insertion: str | None = None
    personal: str | None = None
    data: dict[str, Json] = msgspec.field(default_factory=dict)


def short_type(name: str) -> str:
    """Return `card.inserted` for `org.cardd.card.inserted.v1`, and a short name as it is."""
    return name.removeprefix(TYPE_PREFIX).removesuffix(TYPE_SUFFIX)


def whole_type(name: str) -> str:
    """Return `org.cardd.card.inserted.v1` for `card.inserted`, and a whole name as it is."""
    return name if name.startswith(TYPE_PREFIX) else f"{TYPE_PREFIX}{name}{TYPE_SUFFIX}"
