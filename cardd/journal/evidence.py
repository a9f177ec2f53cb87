"""The journal as evidence: examined, exported, searched, erased from and shortened. The event loop's thread."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer, Tokens
from cardd.base.signing import Verify
from cardd.base.structs import Struct
from cardd.journal import cursor as cursors
from cardd.journal import erasing, finding, lapse, limits, marks, retiring, transcript
from cardd.journal.database import Database
from cardd.journal.encoding import rfc3339
from cardd.journal.events import Json, NewEvent
from cardd.journal.examiner import Alteration, Examiner, Report
from cardd.journal.finding import Found, Query
from cardd.journal.heads import Place
from cardd.journal.pages import Page, origin, page, place
from cardd.journal.store import Journal

T = TypeVar("T")

SUBJECT: Final = "journal"
"""The subject of events about the journal itself."""


class Wanted(Struct, frozen=True):
    """What an auditor looks for; what is left out fits everything. Times are RFC 3339 in UTC."""

    token: str | None = None
    card: str | None = None
    activation: str | None = None
    insertion: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    types: Sequence[str] = ()


class Piece(Struct, frozen=True):
    """Some lines of an export, the place behind them, where the export is to end, and whether it does so here."""

    lines: Sequence[bytes]
    after: Place
    until: int
    last: bool


class Evidence:
    """What auditors and retention do with a journal."""

    def __init__(self, journal: Journal, *, sealer: Sealer, tokens: Tokens, verify: Verify) -> None:
        self._journal = journal
        self._sealer = sealer
        self._tokens = tokens
        self._verify = verify

    async def examine(self, heads: Iterable[Place] = (), keys: Iterable[str] = ()) -> Report:
        """Recompute the whole chain and check every signature and sealed part; tell what came of it.

        Raises CarddError: INVALID for signatures of an algorithm that is not installed, CURSOR_GONE where retention
        takes away meanwhile what is looked at.
        """
        await self._journal.sign()
        examiner = Examiner(self._verify, heads=heads, keys=keys)
        until = self._journal.last
        at = await self._query(origin)
        try:
            examiner.begin(at)
            while at.sequence < until:
                part = await self._page(at, until)
                # hashing is work: neither the loop's nor that of the thread that records
                await asyncio.to_thread(take, examiner, part)
                at = part.after
            examiner.end(at)
            examiner.finish()
        except Alteration as found:
            examiner.note(found)
        return examiner.report()

    async def export(self, after: int, until: int | None) -> Piece:
        """Return the piece of an export that follows a sequence, and ends at `until` (None: as it stands now).

        Raises CarddError: CURSOR_GONE, NOT_FOUND for a place that was not reached yet, INVALID for an end before the
        beginning.
        """
        if until is None:
            await self._journal.sign()
            until = self._journal.last
        before = await self._query(lambda connection: place(connection, after))
        if before is None:
            if after < self._journal.evicted:
                raise cursors.gone("events after this place were evicted", self._journal.stream, self._journal.evicted)
            raise CarddError(Reason.NOT_FOUND, "this stream has not come that far")
        limits.in_order(after, until)
        part = await self._page(before, until)
        lines = list(transcript.lines(part, self._journal.source))
        last = part.after.sequence >= until or not part.links
        if last:
            lines.append(transcript.end(part.after))
        return Piece(lines, part.after, until, last)

    async def find(self, wanted: Wanted, *, after: int, limit: int) -> Found:
        """Return what an auditor looks for, in the order of sequence, after a place."""

        def look(connection: sqlite3.Connection) -> Found:
            return finding.find(connection, self._query_of(connection, wanted), after, limit)

        return await self._query(look)

    async def erase(self, token: str, *, client: str, purpose: str) -> erasing.Erasure:
        """Erase everything sealed about a person, by that person's token, and put that on record.

        What is masked stays, so does the chain, and so do the marks by which the events are found. Cancelled, it ends
        with the page that it is at; asked for again, it erases the rest.

        Raises CarddError: NOT_FOUND, BUSY while something of that person is under way, JOURNAL_*.
        """
        marks_of_person = await self._query(partial(erasing.about, token=token))
        rows = await self._rows_of(marks_of_person)
        page = msgspec.structs.replace(rows, events=await self._events_of(marks_of_person, 0))
        if page.is_empty:
            raise CarddError(Reason.NOT_FOUND, "nothing is stored about that person")
        events: list[int] = []
        more = True
        while more:
            data: dict[str, Json] = {"token": token, **erasing.told(page), "client": client, "purpose": purpose}
            # what was blanked and that it was are one commit, so that it may end between any two
            also = partial(erasing.erase, erasure=page)
            await self._journal.record(NewEvent(erasing.ERASED, SUBJECT, data), also=also)
            events += page.events
            page = erasing.Erasure(await self._events_of(marks_of_person, max(page.events, default=0)))
            more = not page.is_empty
        await self._query(erasing.sweep)
        return msgspec.structs.replace(rows, events=tuple(events))

    async def _rows_of(self, marks_of_person: frozenset[str]) -> erasing.Erasure:
        """Return a person's activations and deeds. Raises CarddError BUSY while one of them is under way."""
        found, page = erasing.Erasure(), await self._query(partial(erasing.rows, after=(0, 0)))
        while not page.last:
            # opening is work: neither the loop's nor that of the thread that records
            part = await asyncio.to_thread(erasing.theirs, page, marks_of_person, self._sealer, self._tokens)
            found = found.with_rows(part)
            page = await self._query(partial(erasing.rows, after=page.after))
        return found

    async def _events_of(self, marks_of_person: frozenset[str], after: int) -> tuple[int, ...]:
        return await self._query(partial(erasing.events, marks_of_person=marks_of_person, after=after))

    async def retire(self, before: datetime, *, most_bytes: int | None = None) -> int:
        """Take away the events that are all older than a time, oldest first, and put on record which; count them.

        With `most_bytes` only until the file holds no more than that. Raises CarddError JOURNAL_*.
        """
        count = 0
        # what is put on record about it is not taken away by it, whatever the clock says
        moment, upto = rfc3339(before), self._journal.last
        old = await self._look(moment, retiring.Old(self._journal.evicted))
        while (span := await self._query(partial(retiring.oldest, before=moment, upto=upto, old=old))) is not None:
            if most_bytes is not None and await self.size() <= most_bytes:
                break
            await self._journal.record(_evicted(span), also=partial(retiring.evict, span=span))
            count += span.last - span.first + 1
            old = await self._look(moment, old)
        return count

    async def _look(self, before: str, old: retiring.Old) -> retiring.Old:
        """Look on from where the last look ended, until an event is found that stays, or the newest."""
        while old.stays is None and old.through < self._journal.last:
            old = await self._query(partial(retiring.look, before=before, old=old))
        return old

    async def witnessed(self) -> datetime | None:
        """Return the newest time of which the journal is sure, None where there is none."""
        return await self._query(lapse.witnessed)

    async def size(self) -> int:
        """Return how many bytes of the file hold something."""
        return await self._query(retiring.size)

    def _query_of(self, connection: sqlite3.Connection, wanted: Wanted) -> Query:
        groups: list[frozenset[str]] = []
        if wanted.token is not None:
            groups.append(finding.of_person(connection, wanted.token))
        if wanted.card is not None:
            groups.append(finding.of_card(connection, self._tokens.card(wanted.card)))
        if wanted.activation is not None:
            groups.append(frozenset({marks.activation(wanted.activation)}))
        if wanted.insertion is not None:
            groups.append(frozenset({marks.insertion(wanted.insertion)}))
        return Query(
            frozenset.intersection(*groups) if groups else None,
            None if wanted.since is None else rfc3339(wanted.since),
            None if wanted.until is None else rfc3339(wanted.until),
            tuple(wanted.types),
        )

    async def _page(self, before: Place, until: int) -> Page:
        def ask(database: Database) -> Page:
            if before.sequence < database.evicted:
                raise cursors.gone("events after this place were evicted", database.stream, database.evicted)
            return database.query(lambda connection: page(connection, before, until))

        return await self._journal.ask(ask)

    async def _query(self, question: Callable[[sqlite3.Connection], T]) -> T:
        return await self._journal.ask(lambda database: database.query(question))


def take(examiner: Examiner, part: Page) -> None:
    """Have a page of the stored chain examined. Raises Alteration."""
    for link in part.links:
        examiner.event(link.public, link.sealed_digest, link.digest, intact=link.intact)
        if link.sequence in part.heads:
            examiner.head(part.heads[link.sequence])


def _evicted(span: retiring.Span) -> NewEvent:
    return NewEvent(
        "journal.evicted",
        SUBJECT,
        {
            "first": span.first,
            "last": span.last,
            "events": span.last - span.first + 1,
            "began": span.began,
            "ended": span.ended,
            "head": str(span.head),
        },
    )
