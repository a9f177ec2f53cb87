"""The one table of what is held: stations, insertions and readers, each by one holder. Event loop's thread only.

Whoever wants to hold something is held against the whole table, so that no two kinds of holding contradict each other:
a station is held across insertions for an activation or a client's deed, an insertion is leased to a client's
connection, a reader is lent to another program. Every job is held against it before it begins.
"""

from collections.abc import Collection

from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.readers.insertion import Insertion


class Lease(Struct, frozen=True):
    """One insertion held for a client's connection, until a time of the clock's `monotonic` at the latest."""

    id: str
    insertion: Insertion
    expires: float


class _Leased(Struct, frozen=True):
    lease: Lease
    holder: str


class _Lent(Struct, frozen=True):
    station: str
    holder: str


class Holds:
    """Who holds what; a holder is named by the id of what it does, or of the connection that it speaks on."""

    def __init__(self, stations: Collection[str]) -> None:
        self._stations = frozenset(stations)
        self._reserved: dict[str, str] = {}
        self._leased: dict[str, _Leased] = {}
        self._lent: dict[str, _Lent] = {}

    # -- stations --

    def reserve(self, station: str, holder: str, *, lease: str | None = None) -> None:
        """Hold a station; again by the same holder changes nothing. `lease` is the one under which that is done.

        Raises CarddError: NOT_FOUND; BUSY if another holder has it; LEASE_HELD if a card in it is leased, but for the
        leases of the same connection; READER_IN_USE if a reader of it is lent; LEASE_LOST.
        """
        if station not in self._stations:
            raise CarddError(Reason.NOT_FOUND, "there is no such station", station=station)
        if self._reserved.get(station, holder) != holder:
            raise CarddError(Reason.BUSY, "the station is held for something else", station=station)
        own = None if lease is None else self._find(lease).holder
        for leased in self._leased.values():
            if leased.lease.insertion.station == station and leased.holder != own:
                raise _leased_to_another(leased)
        for reader, lent in self._lent.items():
            if lent.station == station:
                raise CarddError(Reason.READER_IN_USE, "a reader of the station is lent", reader=reader)
        self._reserved[station] = holder

    def release(self, station: str, holder: str) -> bool:
        """Let go of a station and tell whether that holder had it."""
        had = self._reserved.get(station) == holder
        if had:
            del self._reserved[station]
        return had

    def holder(self, station: str) -> str | None:
        """Return who holds a station."""
        return self._reserved.get(station)

    # -- insertions --

    def lease(self, lease: Lease, holder: str) -> None:
        """Hold an insertion for a connection. Raises CarddError: LEASE_HELD, also by itself; BUSY."""
        leased = self._on(lease.insertion.id)
        if leased is not None:
            raise _leased_to_another(leased)
        self._refuse_reserved(lease.insertion.station)
        self._leased[lease.id] = _Leased(lease, holder)

    def renew(self, lease: str, holder: str, expires: float) -> Lease:
        """Let a lease last until another time. Raises CarddError(LEASE_LOST)."""
        leased = self._find(lease, holder)
        renewed = replace(leased.lease, expires=expires)
        self._leased[lease] = replace(leased, lease=renewed)
        return renewed

    def end(self, lease: str) -> Lease | None:
        """Forget a lease, and return it if it lasted until now."""
        leased = self._leased.pop(lease, None)
        return None if leased is None else leased.lease

    def leased(self, lease: str, holder: str | None = None) -> Lease:
        """Return a lease that lasts, of that holder if one is named. Raises CarddError(LEASE_LOST)."""
        return self._find(lease, holder).lease

    def lease_of(self, insertion: str) -> Lease | None:
        """Return the lease on an insertion."""
        leased = self._on(insertion)
        return None if leased is None else leased.lease

    def leases_of(self, holder: str) -> list[Lease]:
        """Return what is leased to a connection."""
        return [leased.lease for leased in self._leased.values() if leased.holder == holder]

    def lasts(self, lease: str) -> bool:
        """Tell whether a lease lasts. Any thread: it is one look into the table."""
        return lease in self._leased

    # -- readers --

    def lend(self, reader: str, station: str, insertion: str | None, holder: str) -> None:
        """Hold a reader for another program; again for the same holder changes nothing.

        `station` is its station, `insertion` what lasts in it. Raises CarddError: READER_IN_USE if it is lent to
        somebody else; BUSY if the station is held; LEASE_HELD if the card inside is leased.
        """
        if self._lent.get(reader, _Lent(station, holder)).holder != holder:
            raise CarddError(Reason.READER_IN_USE, "the reader is lent to somebody else", reader=reader)
        leased = None if insertion is None else self._on(insertion)
        if leased is not None:
            raise _leased_to_another(leased)
        self._refuse_reserved(station)
        self._lent[reader] = _Lent(station, holder)

    def take_back(self, reader: str, holder: str) -> str | None:
        """Forget that a reader is lent, and return its station; None if it was not lent for that holder."""
        lent = self._lent.get(reader)
        if lent is None or lent.holder != holder:
            return None
        del self._lent[reader]
        return lent.station

    def lent_for(self, reader: str) -> str | None:
        """Return for whom a reader is lent."""
        lent = self._lent.get(reader)
        return None if lent is None else lent.holder

    def lent_to(self, holder: str) -> list[str]:
        """Return the readers that are lent for a holder."""
        return [reader for reader, lent in self._lent.items() if lent.holder == holder]

    # -- jobs --

    def admit(self, insertion: str, hold: str | None) -> None:
        """Let a job begin that is done under a lease, or under none.

        Raises CarddError: LEASE_LOST for a lease that is over, INVALID for one of another card, LEASE_HELD where the
        card is leased and the job does not come under that lease.
        """
        if hold is not None:
            if self._find(hold).lease.insertion.id != insertion:
                raise CarddError(Reason.INVALID, "that lease is for another card", insertion=insertion)
            return
        leased = self._on(insertion)
        if leased is not None:
            raise _leased_to_another(leased)

    # -- inner life --

    def _find(self, lease: str, holder: str | None = None) -> _Leased:
        leased = self._leased.get(lease)
        if leased is None or holder not in {None, leased.holder}:
            raise CarddError(Reason.LEASE_LOST, "that lease is over")
        return leased

    def _on(self, insertion: str) -> _Leased | None:
        return next((leased for leased in self._leased.values() if leased.lease.insertion.id == insertion), None)

    def _refuse_reserved(self, station: str) -> None:
        if station in self._reserved:
            raise CarddError(Reason.BUSY, "the station is held for something else", station=station)


def _leased_to_another(leased: _Leased) -> CarddError:
    insertion = leased.lease.insertion
    return CarddError(Reason.LEASE_HELD, reader=insertion.reader, insertion=insertion.id)
