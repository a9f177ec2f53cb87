"""Subscriptions: begun and ended."""

from collections.abc import Sequence
from itertools import count

from cardd.api.filters import Filter
from cardd.api.method import Call, Method
from cardd.api.rights import Right
from cardd.api.subscriptions import Audience, Delivering, Subscription
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.events import (
    EARLIEST,
    NOW,
    EventsSubscribeParams,
    EventsSubscribeResult,
    EventsUnsubscribeParams,
    EventsUnsubscribeResult,
    Snapshot,
)
from cardd.wire.methods import EVENTS_SUBSCRIBE, EVENTS_UNSUBSCRIBE

_GLOBS = 64
_GLOB_CHARACTERS = 256
_OPEN_ACTIVATIONS = 1000


async def _subscribe(call: Call, params: EventsSubscribeParams) -> EventsSubscribeResult:
    purpose = await _purpose(call, params)
    wanted = Filter(_globs(params.types, "$.types"), _globs(params.readers, "$.readers"))
    position = _position(call, params.after)
    # taken after the position: the snapshot may know more than the cursor, never less
    snapshot = await _snapshot(call) if params.after == NOW else None
    subscription = Subscription(
        _free_name(call),
        Delivering(
            call.office.feed,
            call.outbox,
            call.office.audit,
            call.office.turns,
            call.office.services.clock,
            call.office.limits.heartbeat_s,
        ),
        position=position,
        wanted=wanted,
        audience=Audience(call.session.client, purpose),
    )
    call.session.share.begin_subscription()
    call.session.subscriptions[subscription.name] = subscription
    call.pump(subscription)
    return EventsSubscribeResult(subscription=subscription.name, cursor=subscription.cursor, snapshot=snapshot)


async def _unsubscribe(call: Call, params: EventsUnsubscribeParams) -> EventsUnsubscribeResult:
    subscription = call.session.subscriptions.pop(params.subscription, None)
    if subscription is None:
        raise CarddError(Reason.NOT_FOUND, "this connection has no such subscription", path="$.subscription")
    call.session.share.end_subscriptions(1)
    subscription.end()
    return EventsUnsubscribeResult(subscription=subscription.name, cursor=subscription.cursor)


async def _purpose(call: Call, params: EventsSubscribeParams) -> str | None:
    if not params.personal:
        return None
    await call.require(Right.PERSONAL)
    await call.personal_for(params.purpose or "")
    return params.purpose


def _globs(globs: Sequence[str] | None, path: str) -> tuple[str, ...]:
    if globs is None:
        return ()
    if not 1 <= len(globs) <= _GLOBS or any(len(glob) > _GLOB_CHARACTERS for glob in globs):
        raise CarddError(
            Reason.INVALID, f"give 1 to {_GLOBS} globs of at most {_GLOB_CHARACTERS} characters", path=path
        )
    return tuple(globs)


def _position(call: Call, after: str) -> int:
    if after == NOW:
        return call.office.feed.last
    if after == EARLIEST:
        return call.office.services.journal.evicted
    return call.office.services.journal.position(after)


async def _snapshot(call: Call) -> Snapshot:
    services = call.office.services
    activations = await services.activations.list(open_only=True, limit=_OPEN_ACTIVATIONS)
    return Snapshot(readers=list(services.readers()), activations=list(activations))


def _free_name(call: Call) -> str:
    taken = call.session.subscriptions
    limit = call.office.limits.subscriptions
    if len(taken) >= limit:
        raise CarddError(Reason.BUSY, f"this connection has {limit} subscriptions already; end one of them")
    return next(name for name in map("s{}".format, count(1)) if name not in taken)


METHODS = (
    Method(EVENTS_SUBSCRIBE, Right.OBSERVE, _subscribe),
    Method(EVENTS_UNSUBSCRIBE, Right.OBSERVE, _unsubscribe),
)
