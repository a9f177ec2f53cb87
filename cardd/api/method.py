"""What a method is: one row of a table, and what its handler is given."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Generic, TypeVar

import msgspec
import structlog

from cardd.api.audit import Audit
from cardd.api.encoded import Encoded
from cardd.api.feed import Feed
from cardd.api.outbox import Outbox
from cardd.api.rights import Right
from cardd.api.services import Limits, Services
from cardd.api.session import Session
from cardd.api.subscriptions import Subscription
from cardd.api.turns import Turns
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.wire.base import Params
from cardd.wire.methods import Signature

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

P = TypeVar("P", bound=Params)
R = TypeVar("R")
T = TypeVar("T")

_PURPOSE_CHARACTERS = 200


class Deeds:
    """Work that is carried out to its end once begun, also when the client that asked for it has gone."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[object]] = set()

    async def carry_out(self, work: Coroutine[object, object, T]) -> T:
        """Wait for the work; whoever cancels this wait does not cancel the work."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        # read, so that asyncio does not complain: the client that asked may not be there any more to do so
        if not task.cancelled() and isinstance(fault := task.exception(), Exception):
            _log.debug("a deed failed", fault=type(fault).__name__)


class Office(Struct, frozen=True):
    """What all connections share."""

    services: Services
    limits: Limits
    audit: Audit
    feed: Feed
    deeds: Deeds = msgspec.field(default_factory=Deeds)
    encoded: Encoded = msgspec.field(default_factory=Encoded)
    turns: Turns = msgspec.field(default_factory=Turns)


class Call(Struct, frozen=True):
    """One request under way: whose it is, and what its handler works with."""

    method: str
    office: Office
    session: Session
    outbox: Outbox
    pump: Callable[[Subscription], None]
    """Starts a subscription's pump once this request has been answered."""

    async def require(self, right: Right) -> None:
        """Put a missing right on record and raise CarddError(FORBIDDEN)."""
        if right not in self.session.rights:
            await self.office.audit.denied(self.session.peer.user, self.method, right)
            raise CarddError(Reason.FORBIDDEN, f"`{self.method}` needs the right `{right}`", right=str(right))

    async def personal_for(self, purpose: str | None) -> bool:
        """Tell whether whole personal data are asked for, which a purpose does.

        Raises CarddError: FORBIDDEN without the right to them, INVALID for a purpose that says nothing.
        """
        if purpose is None:
            return False
        await self.require(Right.PERSONAL)
        if not purpose.strip() or len(purpose) > _PURPOSE_CHARACTERS or not purpose.isprintable():
            detail = f"a purpose is 1 to {_PURPOSE_CHARACTERS} printable characters: it goes on record"
            raise CarddError(Reason.INVALID, detail, path="$.purpose")
        return True


class Row(Struct, Generic[P, R], frozen=True):
    """A row: name and types, and the right it needs (None: anybody who may connect)."""

    signature: Signature[P, R]
    right: Right | None

    @property
    def name(self) -> str:
        """Return the name on the socket."""
        return self.signature.name


class Method(Row[P, R], frozen=True):
    """A row of the table, and who does it."""

    handler: Callable[[Call, P], Awaitable[R]]


class Look(Row[P, R], frozen=True):
    """A row whose answer is there at once: who gives it waits for nothing, so the request needs no task of its own."""

    handler: Callable[[Call, P], R]


def seconds(value: float | None, path: str, *, most: float = 3600) -> float:
    """Check a time to wait, 0 where there is none. Raises CarddError(INVALID)."""
    if value is None:
        return 0.0
    if not 0 <= value <= most:
        raise CarddError(Reason.INVALID, f"seconds are 0 to {most:g}", path=path)
    return value
