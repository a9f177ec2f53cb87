"""Requests for a card, from somebody who may not know yet which reader it is in, or waits for it to come."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Final, TypeVar

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Struct
from cardd.desk.halves import UndecidedError, one_card
from cardd.desk.read import read_card
from cardd.desk.reading import CardReading, Identity
from cardd.desk.reception import Reception
from cardd.desk.stopped import StoppedKeys
from cardd.desk.view import masked_result, whole_result
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.config import Role
from cardd.readers.facts import Fact, ReaderState, ReaderStatus, ServiceCameUp, ServiceWentDown
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers
from cardd.wire.cards import CardChoice, CardReadParams, CardReadResult

T = TypeVar("T")

JOB_S: Final = 20.0
"""How long one reading may take: a contact card at its slowest, the PSAM's share included."""

DEED: Final = "request "
"""How the name of a holder begins that is no activation."""

_TROUBLE: Final = {
    ReaderState.MUTE: Reason.CARD_MUTE,
    ReaderState.UNPOWERED: Reason.CARD_UNPOWERED,
    ReaderState.UNAVAILABLE: Reason.READER_UNAVAILABLE,
    ReaderState.IN_USE: Reason.READER_IN_USE,
}

_WORTH_WAITING: Final = frozenset(
    {Reason.NO_CARD, Reason.BUSY, Reason.LEASE_HELD, Reason.PCSC_UNAVAILABLE, *_TROUBLE.values()}
)


class Chosen(Struct, frozen=True):
    """The card that is meant, and the lease under which work on it is done, where there is one."""

    insertion: Insertion
    lease: str | None = None


class _SeveralAsYetError(CarddError):
    """Cards are in both halves of a device, and it is not known as yet whether they are one."""


class CardRequests:
    """Reads cards for clients. All of it on the event loop's thread, the reading itself in the reader's worker."""

    def __init__(
        self,
        readers: Readers,
        keys: KeyService | None,
        stopped: StoppedKeys,
        *,
        clock: Clock,
        token_key: Secret,
        timed: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Begin to know what the readers tell; `timed` is entered for as long as a card is read."""
        self._readers = readers
        self._keys = keys
        self._stopped = stopped
        self._clock = clock
        self._token_key = token_key
        self._timed = timed
        self._changed = asyncio.Event()
        self._down: CarddError | None = None
        self._identity_of: Callable[[str], Identity | None] = lambda _: None
        readers.subscribe(self._look)
        readers.on_release(lambda _: self._changed.set())

    def listen(self, reception: Reception) -> None:
        """Know what cards are from the reception: one that is seen in two readers of a device at once is one card."""
        self._identity_of = reception.identity_of
        reception.subscribe(lambda _: self._changed.set())

    def identity_of(self, insertion: str) -> Identity | None:
        """Return what a card was identified as, None while that is not known."""
        return self._identity_of(insertion)

    async def read(self, params: CardReadParams, *, personal: bool) -> CardReadResult:
        """Read the card that is named, or the only one that is in; wait up to `wait_s` for it and for its station.

        A card that is seen on the contacts and in the field of one device at once is one card, on its contacts.

        Raises CarddError: PCSC_*, NOT_FOUND for an unknown reader, NO_CARD, INVALID where several cards are in and none
        was named, STALE_INSERTION, BUSY while the station is held by an activation, LEASE_HELD while another client
        holds the card, LEASE_LOST for a lease that is over, and as `read_card` does.
        """
        return await self.read_from(await self.choose(params), params, personal=personal)

    async def read_from(
        self, chosen: Chosen, params: CardReadParams, *, personal: bool, pin: Secret | None = None
    ) -> CardReadResult:
        """Read a card that was chosen, with its holder's PIN where that was asked for. Raises as `read_card` does."""
        with self._timed():
            reading = await self.run(chosen, self._operation(params.files, pin), timeout_s=JOB_S)
        show = whole_result if personal else masked_result
        return show(chosen.insertion.id, reading, self._token_key)

    async def run(self, chosen: Chosen, operation: Callable[[Channel, Insertion], T], *, timeout_s: float) -> T:
        """Do an operation on a card that was chosen. Raises as `Readers.run` does."""
        return await self._readers.run(chosen.insertion.id, operation, timeout_s=timeout_s, hold=chosen.lease)

    def _operation(self, files: str | None, pin: Secret | None) -> Callable[[Channel, Insertion], CardReading]:
        deadline = self._clock.monotonic() + JOB_S

        def read(channel: Channel, insertion: Insertion) -> CardReading:
            return read_card(channel, insertion, self._keys, None, deadline, files, stopped=self._stopped, pin=pin)

        return read

    @asynccontextmanager
    async def held(self, params: CardChoice) -> AsyncIterator[Chosen]:
        """Choose a card and hold its station until the end. Raises CarddError as `choose` does, and BUSY."""
        chosen = await self.choose(params)
        holder, station = DEED + secrets.token_hex(8), chosen.insertion.station
        self._readers.reserve(station, holder, lease=chosen.lease)
        try:
            yield chosen
        finally:
            self._readers.release(station, holder)

    async def choose(self, params: CardChoice) -> Chosen:
        """Return the card that is meant, of a station that nobody holds; wait for it up to `wait_s`.

        Raises CarddError as `read` does before it reads.
        """
        deadline = self._clock.monotonic() + (params.wait_s or 0.0)
        while True:
            try:
                return self._free(Chosen(self._choose(params), params.lease))
            except CarddError as error:
                left = deadline - self._clock.monotonic()
                worth_waiting = error.reason in _WORTH_WAITING or isinstance(error, _SeveralAsYetError)
                if not worth_waiting or left <= 0:
                    raise
            self._changed.clear()
            timer = self._clock.call_later(left, self._changed.set)
            await self._changed.wait()
            timer.cancel()

    def _free(self, chosen: Chosen) -> Chosen:
        """Return the card if nobody holds its station, and nobody else the card."""
        insertion = chosen.insertion
        holder = self._readers.reserved_by(insertion.station)
        if holder is not None and holder.startswith(DEED):
            raise CarddError(Reason.BUSY, f"station {insertion.station} is held by another request")
        if holder is not None:
            said = f"station {insertion.station} is held by the activation {holder}"
            raise CarddError(Reason.BUSY, said, activation=holder)
        if chosen.lease is None and self._readers.lease_of(insertion.id) is not None:
            raise CarddError(Reason.LEASE_HELD, reader=insertion.reader, insertion=insertion.id)
        return chosen

    def _choose(self, params: CardChoice) -> Insertion:
        if params.lease is not None:
            return self._by_lease(params, params.lease)
        if params.insertion is not None:
            return self._by_insertion(params)
        views = [view for view in self._readers.views() if view.role is Role.COUNTER]
        if params.reader is not None:
            return self._in_reader(params.reader, views)
        inside = [view for view in views if view.insertion is not None]
        if not inside:
            raise self._nothing(views)
        return self._only(inside)

    def _only(self, inside: list[ReaderStatus]) -> Insertion:
        """Return the only card that is in."""
        readers = ", ".join(view.reader for view in inside)
        several = f"several cards are in ({readers}): name the reader"
        try:
            insertion = one_card(inside, self._identity_of)
        except UndecidedError:
            raise _SeveralAsYetError(Reason.INVALID, several) from None
        if insertion is None:
            raise CarddError(Reason.INVALID, several)
        return insertion

    def _by_lease(self, params: CardChoice, lease: str) -> Insertion:
        insertion = self._readers.leased(lease).insertion
        elsewhere = params.reader not in {None, insertion.reader, insertion.pcsc_name}
        if elsewhere or params.insertion not in {None, insertion.id}:
            raise CarddError(Reason.INVALID, "that lease is for another card", path="$.lease")
        return insertion

    def _by_insertion(self, params: CardChoice) -> Insertion:
        reader = self._readers.reader_of(params.insertion or "")
        insertion = None if reader is None else self._readers.insertion_in(reader)
        if insertion is None or (params.reader is not None and params.reader != reader):
            raise CarddError(Reason.STALE_INSERTION, insertion=params.insertion)
        if insertion.role is not Role.COUNTER:
            raise CarddError(Reason.NOT_FOUND, "that card is in no counter reader", insertion=params.insertion)
        return insertion

    def _in_reader(self, name: str, views: list[ReaderStatus]) -> Insertion:
        view = next((view for view in views if name in {view.reader, view.pcsc_name}), None)
        if view is None:
            raise self._down or CarddError(Reason.NOT_FOUND, "there is no such counter reader", reader=name)
        if view.insertion is None:
            raise self._nothing([view])
        return view.insertion

    def _nothing(self, views: list[ReaderStatus]) -> CarddError:
        """Say why there is no card: the service's trouble, which is every reader's, else the reader's own."""
        if self._down is not None:
            return self._down
        trouble = next((view for view in views if view.state in _TROUBLE), None)
        if trouble is not None:
            return CarddError(_TROUBLE[trouble.state], reader=trouble.reader)
        return CarddError(Reason.NO_CARD)

    def _look(self, fact: Fact) -> None:
        if isinstance(fact, ServiceWentDown):
            self._down = CarddError(fact.reason, fact.detail).in_words(fact.text_code)
        elif isinstance(fact, ServiceCameUp):
            self._down = None
        self._changed.set()
