"""Deeds on accounts as they stand on record: the open ones, of which only their cards know what became of them."""

import asyncio
from collections.abc import Sequence

import msgspec
import structlog

from cardd.base.errors import CarddError
from cardd.desk import account_rows
from cardd.desk.account import Intent, Settled, UnsettledError
from cardd.desk.reading import Identity
from cardd.journal.events import DeedRow, NewEvent
from cardd.journal.store import Journal
from cardd.readers.insertion import Insertion

log = structlog.get_logger()

Key = tuple[str, str]
"""A deed is known by its client and its request."""


class AccountDeeds:
    """The journal's deeds, and those that are open in memory."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._open: dict[Key, DeedRow] = {}
        self.untold: Sequence[DeedRow] = ()
        """Those of an earlier daemon of whose end somebody has still to be told."""

    async def recover(self) -> None:
        """Take up the deeds of an earlier daemon of which nobody knows what became, or nobody was told."""
        methods = set(account_rows.METHODS.values())
        self.untold = [row for row in await self._journal.untold_deeds() if row.method in methods]
        for row in await self._journal.open_deeds():
            if row.method in methods:
                self._open[row.client, row.request] = row

    def open(self) -> list[DeedRow]:
        """Return those that are open."""
        return list(self._open.values())

    def open_on(self, identity: Identity) -> list[Key]:
        """Return which of them are open on a card."""
        return [key for key, row in self._open.items() if _is_of(row, identity)]

    def is_open(self, key: Key) -> bool:
        """Tell whether only the card knows what became of a deed."""
        return key in self._open

    async def known(self, key: Key) -> DeedRow | None:
        """Return how a deed stands, None for one that was never begun; it may be another method's."""
        return self._open.get(key) or await self._journal.deed(*key)

    async def intend(self, key: Key, insertion: Insertion, intent: Intent) -> None:
        """Make an intent durable. Raises CarddError: it is not, and must not be carried out."""
        event, row = account_rows.intended(*key, insertion, intent)
        # from here on the deed may be in doubt, also where the journal answers too late
        self._open[key] = row
        try:
            await self._journal.record(event, deed=row)
        except CarddError:
            del self._open[key]
            raise

    def told(self, key: Key) -> None:
        """Have it on record that the end of a deed was told. Nobody waits for that: without it, it is told again."""
        self._journal.told(*key).add_done_callback(_read)

    async def settle(self, key: Key, settled: Settled) -> DeedRow:
        """Put on record what became of an open deed."""
        return await self._end(key, account_rows.ended(self._open[key], settled))

    async def fail(self, key: Key, error: CarddError | UnsettledError) -> DeedRow:
        """Judge a deed that did not come to its end.

        Without an intent nothing was begun; a refusal is the card's word; what else came after it, only the card knows.
        """
        row = self._open.get(key)
        if row is None:
            raise error.cause if isinstance(error, UnsettledError) else error
        if isinstance(error, CarddError) and "status_word" in error.facts:
            refused = account_rows.refused(row, str(error.reason), str(error.facts["status_word"]))
            return await self._end(key, refused)
        log.warning("account.in_doubt", insertion=row.data.get("insertion"), sequence=row.data.get("sequence"))
        return row

    async def _end(self, key: Key, end: tuple[NewEvent, DeedRow]) -> DeedRow:
        event, row = end
        await self._journal.record(event, deed=row)
        self._open.pop(key, None)
        return row


def _is_of(row: DeedRow, identity: Identity) -> bool:
    try:
        return account_rows.intent_of(row).identity.same_card(identity)
    except msgspec.ValidationError:
        return False


def _read(noted: "asyncio.Future[None]") -> None:
    """Let asyncio not complain of a failure that changes nothing."""
    if not noted.cancelled():
        noted.exception()
