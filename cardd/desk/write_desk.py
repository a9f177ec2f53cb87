"""Files written for clients: on record before, read back after, and finished after a tear."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Hidden, Struct
from cardd.crypto.digest import sm3
from cardd.desk import deed_rows as rows
from cardd.desk.at_card import AtCard, Inside
from cardd.desk.deed_rows import Deed, Intent, Told
from cardd.desk.deeds import Deeds, Done, GiveUp, Intend
from cardd.desk.intending import at_once
from cardd.desk.reading import Identity
from cardd.desk.reception import CardGone, CardIdentified, KeysAnswer, ModuleCame, Notice, Reception
from cardd.desk.requests import Chosen
from cardd.desk.stopped import StoppedKeys
from cardd.desk.updates import Updates, prepare
from cardd.desk.write import Difference, compare_records, finish_records, write_records
from cardd.iso7816.channel import Channel
from cardd.journal.events import DeedRow, Json, NewEvent
from cardd.readers.insertion import Insertion
from cardd.rules.files import EF05
from cardd.wire.deeds import CardWriteParams, CardWriteResult

METHOD: Final = "card.write"
METHODS: Final[Mapping[str, GiveUp | None]] = MappingProxyType({METHOD: None})

_Written = Mapping[str, list[str]]
_Write = Callable[..., tuple[str, ...]]

Shown = Callable[[Callable[[], None]], Awaitable[tuple[str, ...]]]
"""Writes, and returns the files that could not be read back; what it is given is called on the worker before."""


class WriteDesk:
    """Writes cards for clients, and asks cards that come back what became of what was torn."""

    def __init__(self, at: AtCard, deeds: Deeds, stopped: StoppedKeys) -> None:
        self._at = at
        self._deeds = deeds
        self._stopped = stopped
        self._unasked: dict[str, CardIdentified] = {}
        self._asking: set[asyncio.Task[None]] = set()

    def listen(self, reception: Reception) -> None:
        """Ask every card that comes what became of the writes that are open on it."""
        reception.subscribe(self._notice)

    def close(self) -> None:
        """Stop asking cards."""
        for task in self._asking:
            task.cancel()

    async def write(self, params: CardWriteParams, *, client: str) -> CardWriteResult:
        """Write files, once for each request.

        Raises CarddError: as `write_records` does; those of choosing a card and of asking for the PIN;
        CARD_DATA_DIFFERS where the request was begun on another card.
        """
        written = _names(params.files)
        course = _WriteCourse(self._at, self._stopped, params, written)
        return await self._deeds.once(_deed(client, params.request, params.files), CardWriteResult, course)

    async def write_shown(
        self, inside: Inside, files: Updates, work: Shown, *, request: str, client: str
    ) -> CardWriteResult:
        """Write files whose keys somebody else has shown to a card that is held since, once for each request.

        It is on record, and looked after on a card that comes back, as any other write. Raises CarddError as the work
        does; INVALID for a request that was another deed.
        """
        course = _ShownCourse(self._at, inside, files, work)
        return await self._deeds.once(_deed(client, request, files), CardWriteResult, course)

    def open_request(self, identity: Identity, files: Updates, *, client: str) -> str | None:
        """Return the request by which a client began to write these very files to that card, and has no end of it."""
        same = (
            row.request
            for row in self._deeds.open()
            if row.client == client and rows.is_on(row, identity) and rows.is_of(row, _deed(client, row.request, files))
        )
        return next(same, None)

    # -- cards that come back

    def _notice(self, notice: Notice) -> None:
        match notice:
            case CardIdentified():
                self._ask(notice)
            case CardGone(insertion):
                self._unasked.pop(insertion.id, None)
            case ModuleCame() | KeysAnswer():
                for one in list(self._unasked.values()):
                    self._ask(one)
            case _:
                pass

    def _ask(self, card: CardIdentified) -> None:
        """Have a card read whose writing is open, in a task of its own."""
        if any(rows.is_on(row, card.identity) for row in self._torn()):
            task = asyncio.get_running_loop().create_task(self._look_into(card))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _look_into(self, card: CardIdentified) -> None:
        self._unasked.pop(card.insertion.id, None)
        for row in self._torn():
            if not rows.is_on(row, card.identity):
                continue
            failed = await self._deeds.look_into(row, partial(self._find, card))
            if failed is not None:
                # for want of a module, perhaps: the next one that comes may be the right one
                self._unasked[card.insertion.id] = card
            if failed is Reason.HSM_UNAVAILABLE:
                # one on the network comes without a word
                self._at.await_keys(card.insertion)

    def _torn(self) -> list[DeedRow]:
        return [row for row in self._deeds.open() if row.method == METHOD]

    async def _find(self, card: CardIdentified, row: DeedRow) -> tuple[CardWriteResult | None, Told]:
        """Compare a card with what was to be on it; nothing is written by the mere return of a card."""
        files, deadline = _kept_files(row), self._at.deadline()
        found = await self._at.run(
            Chosen(card.insertion),
            lambda channel, inside: compare_records(
                channel, inside, self._at.keys, card.identity, files, deadline, stopped=self._stopped
            ),
        )
        if found.missing or found.unchecked:
            return None, Told("card.write_unfinished", card.insertion, _difference(found))
        result = CardWriteResult(insertion=card.insertion.id, written=_names(files), unchecked=[])
        return result, Told("card.written", card.insertion, {"unchecked": [], "by_reading": True})


class _ShownCourse(Struct, frozen=True):
    """One write with keys that somebody else has shown; again it is what is not there yet."""

    at: AtCard
    inside: Inside
    files: Hidden[Updates]
    work: Shown

    async def do(self, intend: Intend) -> Done[CardWriteResult]:
        """Write everything."""
        intent = _intent(self.inside.insertion, self.inside.expected, self.files)
        return await self._carry_out(partial(intend, intent))

    async def take_up(self, row: DeedRow) -> Done[CardWriteResult]:
        """Write to the card that it was begun on."""
        if not rows.is_on(row, self.inside.expected):
            raise CarddError(Reason.CARD_DATA_DIFFERS, "that request was begun on another card")
        return await self._carry_out(at_once)

    async def _carry_out(self, intend: Callable[[], None]) -> Done[CardWriteResult]:
        insertion = self.inside.insertion
        with _identified_anew(self.at, insertion, self.files):
            unchecked = await self.work(intend)
        return _done(insertion, _names(self.files), unchecked)

    def refused(self, row: DeedRow, error: CarddError) -> tuple[NewEvent, ...]:
        """Return what tells why it was not written."""
        return (rows.refusal("card.write_refused", row, error),)


class _WriteCourse(Struct, frozen=True):
    """One write."""

    at: AtCard
    stopped: StoppedKeys
    params: Hidden[CardWriteParams]
    written: _Written

    async def do(self, intend: Intend) -> Done[CardWriteResult]:
        """Write everything, the station held meanwhile."""
        async with self.at.requests.held(self.params) as chosen:
            inside = await self.at.look(chosen)
            intent = _intent(inside.insertion, inside.expected, self.params.files)
            return await self._carry_out(inside, partial(write_records, intend=partial(intend, intent)))

    async def take_up(self, row: DeedRow) -> Done[CardWriteResult]:
        """Read the card that it was begun on, and write what is not there yet."""
        async with self.at.requests.held(self.params) as chosen:
            inside = await self.at.look(chosen)
            if not rows.is_on(row, inside.expected):
                raise CarddError(Reason.CARD_DATA_DIFFERS, "that request was begun on another card")
            return await self._carry_out(inside, finish_records)

    async def _carry_out(self, inside: Inside, write: _Write) -> Done[CardWriteResult]:
        params = self.params
        pin = await self.at.pin_of(inside, METHOD, params.request) if params.with_pin else None
        deadline = self.at.deadline()

        def operation(channel: Channel, card: Insertion) -> tuple[str, ...]:
            expected, stopped = inside.expected, self.stopped
            return write(channel, card, self.at.keys, expected, params.files, deadline, stopped=stopped, pin=pin)

        with _identified_anew(self.at, inside.insertion, params.files):
            unchecked = await self.at.run(inside.chosen, operation)
        return _done(inside.insertion, self.written, unchecked)

    def refused(self, row: DeedRow, error: CarddError) -> tuple[NewEvent, ...]:
        """Return what tells why it was not written, or not all of it."""
        return (rows.refusal("card.write_refused", row, error),)


@contextlib.contextmanager
def _identified_anew(at: AtCard, insertion: Insertion, files: Updates) -> Iterator[None]:
    """Have a card identified anew where the file is written that identifies it, also where that came to no good end."""
    try:
        yield
    finally:
        if EF05.address in files:
            at.identify_anew(insertion)


def _deed(client: str, request: str | None, files: Updates) -> Deed:
    return Deed(client, METHOD, request, about=rows.names(_names(files)), mark=_mark(files))


def _intent(insertion: Insertion, identity: Identity, files: Updates) -> Intent:
    kept: Json = {file: dict(items) for file, items in files.items()}
    return Intent("card.write_intended", insertion, identity, {"files": rows.names(_names(files))}, {"files": kept})


def _done(insertion: Insertion, written: _Written, unchecked: tuple[str, ...]) -> Done[CardWriteResult]:
    result = CardWriteResult(insertion=insertion.id, written=dict(written), unchecked=list(unchecked))
    return result, Told("card.written", insertion, {"unchecked": [*unchecked], "by_reading": False})


def _mark(files: Updates) -> str:
    """Return what stands for the values of a write: it is sealed, as they are."""
    return sm3(msgspec.json.encode(files)).hex()


def _kept_files(row: DeedRow) -> Updates:
    return msgspec.convert(rows.kept(row)["files"], dict[str, dict[str, str]])


def _names(files: Updates) -> dict[str, list[str]]:
    return {update.rule.address: list(update.names) for update in prepare(files)}


def _difference(found: Difference) -> Mapping[str, Json]:
    return {"missing": [*found.missing], "unchecked": [*found.unchecked]}
