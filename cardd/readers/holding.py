"""What of the readers may be held, as those above see it: stations, insertions, readers. Event loop's thread only."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.readers.config import Role
from cardd.readers.holds import Holds, Lease
from cardd.readers.leases import Leases
from cardd.readers.reconcile import Change, SlotState, State, lend, take_back
from cardd.readers.worker import Worker

LET_GO_S: Final = 10.0
"""How long a reader that is to be lent may take until work in it has come to its next exchange, and it is closed."""


class Holding(ABC):
    """The side of the readers at which something is held; the other side knows cards and does the work."""

    def __init__(self, stations: Sequence[str], clock: Clock, *, lease_s: float) -> None:
        self._clock = clock
        self._holds = Holds(stations)
        self._leases = Leases(self._holds, clock, self._lease_ended, longest_s=lease_s)
        self._successors: list[Callable[[str], None]] = []

    # -- the other side --

    @abstractmethod
    def _now(self) -> State | None:
        """Return what is known of the slots; None before the beginning and after the end."""

    @abstractmethod
    def _worker_of(self, slot: str) -> Worker | None:
        """Return who works on the cards in a slot."""

    @abstractmethod
    def _adopt(self, change: Change) -> None:
        """Make a change known."""

    @abstractmethod
    def _post(self, call: Callable[[], None]) -> None:
        """Have something done here, from any thread."""

    # -- stations --

    def reserve(self, station: str, holder: str, *, lease: str | None = None) -> None:
        """Hold a station across insertions, `lease` being the one under which that is done.

        Raises CarddError: NOT_FOUND; BUSY if another holder has it; LEASE_HELD if a card in it is leased to somebody
        else; READER_IN_USE if a reader of it is lent; LEASE_LOST.
        """
        self._holds.reserve(station, holder, lease=lease)

    def release(self, station: str, holder: str) -> None:
        """Let go of a station. Nothing happens if that holder does not have it."""
        if self._holds.release(station, holder):
            self._let_go(station)

    def on_release(self, successor: Callable[[str], None]) -> None:
        """Call back with the station of everything that was held and is let go."""
        self._successors.append(successor)

    def reserved_by(self, station: str) -> str | None:
        """Return who holds a station."""
        return self._holds.holder(station)

    # -- insertions --

    def lease(self, insertion: str, holder: str, *, ttl_s: float) -> Lease:
        """Hold an insertion for a connection. Its card is opened by the first job under the lease and stays open.

        The lease ends after `ttl_s` seconds unless it is renewed, with its insertion, with its connection, and when a
        job under it fails in the middle of an exchange. Work that has begun goes on to its end; then the card is let go
        of, with RESET if it was opened to more than its public data.

        Raises CarddError: STALE_INSERTION; LEASE_HELD; BUSY if the station is held; NOT_FOUND for a security module;
        INVALID for a time that is not above 0 and within the longest.
        """
        state = self._now()
        slot = None if state is None else state.holding(insertion)
        if slot is None or slot.insertion is None:
            raise CarddError(Reason.STALE_INSERTION, "that insertion is over", insertion=insertion)
        if slot.place.role is not Role.COUNTER:
            raise CarddError(Reason.NOT_FOUND, "that card is in no counter reader", insertion=insertion)
        return self._leases.begin(slot.insertion, holder, ttl_s)

    def renew(self, lease: str, holder: str, *, ttl_s: float) -> Lease:
        """Let a lease last `ttl_s` seconds from now. Raises CarddError: LEASE_LOST, INVALID as `lease` does."""
        return self._leases.renew(lease, holder, ttl_s)

    def leased(self, lease: str, holder: str | None = None) -> Lease:
        """Return a lease that lasts, of that holder if one is named. Raises CarddError(LEASE_LOST)."""
        return self._holds.leased(lease, holder)

    def lasts(self, lease: str) -> bool:
        """Tell whether a lease lasts."""
        return self._holds.lasts(lease)

    def lease_of(self, insertion: str) -> Lease | None:
        """Return the lease on an insertion."""
        return self._holds.lease_of(insertion)

    def has_leased(self, insertion: str, holder: str) -> bool:
        """Tell whether an insertion is leased to that very holder."""
        return any(lease.insertion.id == insertion for lease in self._holds.leases_of(holder))

    def end_lease(self, lease: str, holder: str) -> None:
        """End a lease. Raises CarddError(LEASE_LOST) if it is over, or somebody else's."""
        self._leases.end(self._holds.leased(lease, holder).id)

    def end_holds_of(self, holder: str) -> None:
        """End every lease of a connection and take back every reader that was lent for it: it is closed."""
        for lease in self._holds.leases_of(holder):
            self._leases.end(lease.id)
        for reader in self._holds.lent_to(holder):
            self.take_back(reader, holder)

    # -- readers --

    def lend(self, reader: str, holder: str) -> "asyncio.Future[None]":
        """Give a reader to another program until `take_back`, and return what is done once it is closed here.

        Its insertion ends at once, and none begins; work in it stops at its next exchange. A reader that goes and comes
        back meanwhile is still lent.

        Raises CarddError: NOT_FOUND; READER_IN_USE if it is lent to somebody else; BUSY if its station is held;
        LEASE_HELD; READER_UNAVAILABLE if a call into it does not return, and from the future if that shows only then.
        """
        state = self._now()
        slot = None if state is None else _slot_of(state, reader)
        if state is None or slot is None:
            raise CarddError(Reason.NOT_FOUND, "there is no such reader", reader=reader)
        if slot.hung:
            raise CarddError(Reason.READER_UNAVAILABLE, "a call into the reader does not return", reader=reader)
        insertion = None if slot.insertion is None else slot.insertion.id
        self._holds.lend(reader, slot.place.station, insertion, holder)
        self._adopt(lend(state, reader))
        return self._closing(slot.place.pcsc_name)

    def lent_for(self, reader: str) -> str | None:
        """Return for whom a reader is lent."""
        return self._holds.lent_for(reader)

    def take_back(self, reader: str, holder: str) -> None:
        """Take a reader back. Raises CarddError(NOT_FOUND) if it is not lent for that holder."""
        station = self._holds.take_back(reader, holder)
        if station is None:
            raise CarddError(Reason.NOT_FOUND, "that reader is not lent for you", reader=reader)
        state = self._now()
        if state is not None:
            self._adopt(take_back(state, reader))
        self._let_go(station)

    # -- inner life --

    def _lease_ended(self, lease: Lease) -> None:
        worker = self._worker_of(lease.insertion.pcsc_name)
        if worker is not None:
            worker.let_go()
        self._let_go(lease.insertion.station)

    def _lease_lost(self, lease: str) -> None:
        """Take the loss of a leased card's handle on its worker's thread."""
        self._post(lambda: self._leases.end(lease))

    def _let_go(self, station: str) -> None:
        for successor in self._successors:
            successor(station)

    def _closing(self, name: str) -> "asyncio.Future[None]":
        """Return what is done once a reader's worker holds no card open."""
        closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        worker = self._worker_of(name)
        if worker is None:
            closed.set_result(None)
            return closed
        late = CarddError(Reason.READER_UNAVAILABLE, "work in the reader does not come to its end")
        timer = self._clock.call_later(LET_GO_S, lambda: _settle(closed, late))
        closed.add_done_callback(lambda _: timer.cancel())
        worker.let_go(lambda: self._post(lambda: _settle(closed)))
        return closed


def _slot_of(state: State, reader: str) -> SlotState | None:
    return next((slot for slot in state.slots.values() if slot.place.reader == reader), None)


def _settle(closed: "asyncio.Future[None]", error: CarddError | None = None) -> None:
    """Give a future its end, unless it has one; nobody has to look at it."""
    if closed.done():
        return
    if error is None:
        closed.set_result(None)
    else:
        closed.set_exception(error)
        # read, so that asyncio does not complain where nobody waits
        closed.exception()
