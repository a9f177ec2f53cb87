"""What the socket puts on record about its own clients: who was refused, and who was shown whole personal data."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

import structlog

from cardd.api.services import JournalService
from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.structs import Struct
from cardd.journal.events import NewEvent, StoredEvent
from cardd.wire.base import Json

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

DENIAL_WINDOW_S = 60.0
_SUBJECT = "socket"


class Disclosure(Struct, frozen=True):
    """Whole personal data on their way out: to whom, what for, which fields, and whose (by insertion or activation)."""

    client: str
    purpose: str
    method: str
    fields: Sequence[str]
    subject: str = _SUBJECT
    insertion: str | None = None
    correlation: str | None = None


class Audit:
    """Keeps the record. Refusals are written once a minute for each user and method, with their number."""

    def __init__(self, journal: JournalService, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._held: dict[tuple[str, str, str], int] = {}

    async def denied(self, user: str, method: str, right: str) -> None:
        """Put a refusal on record. A journal that cannot take it does not change the refusal."""
        key = (user, method, right)
        if key in self._held:
            self._held[key] += 1
            return
        self._hold(key)
        try:
            await asyncio.shield(self._journal.record(_denial(key, 1)))
        except CarddError as error:
            _log.warning("a refusal could not be recorded", method=method, reason=str(error.reason))

    async def disclosed(self, disclosures: Sequence[Disclosure]) -> None:
        """Put disclosures on record in one commit, but those of no field. Raises CarddError: then nothing may leave.

        There is no field where what is personal was erased or does not open: it is told masked.
        """
        events = [_disclosure(one) for one in disclosures if one.fields]
        if events:
            await asyncio.shield(self._journal.record(*events))

    async def close(self) -> None:
        """Put on record the refusals that are counted and not yet written: there is no next minute."""
        held, self._held = self._held, {}
        counted = [_denial(key, count) for key, count in held.items() if count]
        if counted:
            try:
                await self._journal.record(*counted)
            except CarddError as error:
                _log.warning("refusals could not be recorded", reason=str(error.reason))

    def _hold(self, key: tuple[str, str, str]) -> None:
        self._held[key] = 0
        self._clock.call_later(DENIAL_WINDOW_S, lambda: self._release(key))

    def _release(self, key: tuple[str, str, str]) -> None:
        count = self._held.pop(key, 0)
        if count:
            self._hold(key)
            self._journal.record(_denial(key, count)).add_done_callback(_look)


def leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Yield `("holder.name", value)` for everything that is set."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif value is not None:
        yield path, value


def fields_beyond(masked: Json, whole: Json) -> list[str]:
    """Name what the whole form tells and the masked one does not."""
    known = dict(leaves(masked))
    return [path for path, value in leaves(whole) if known.get(path) != value]


def _denial(key: tuple[str, str, str], count: int) -> NewEvent:
    user, method, right = key
    data: dict[str, Json] = {"client": user, "method": method, "right": right, "count": count}
    return NewEvent(type="access.denied", subject=_SUBJECT, data=data)


def _disclosure(one: Disclosure) -> NewEvent:
    return NewEvent(
        type="personal.disclosed",
        subject=one.subject,
        data={"client": one.client, "purpose": one.purpose, "method": one.method, "fields": list(one.fields)},
        insertion=one.insertion,
        correlation=one.correlation,
    )


def _look(recorded: "asyncio.Future[tuple[StoredEvent, ...]]") -> None:
    """Take note of a failure that nobody waits for."""
    if not recorded.cancelled() and recorded.exception() is not None:
        _log.warning("a refusal could not be recorded", fault=type(recorded.exception()).__name__)
