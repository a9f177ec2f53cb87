"""What the journal tells, counted: whoever is on record need not be asked."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from cardd.base.clock import Clock
from cardd.journal.events import StoredEvent
from cardd.metrics import rows
from cardd.metrics.book import Book

_UNKNOWN: Final = "unknown"


class _Told(msgspec.Struct):
    """The members of events that are counted by; what an event does not have is unknown, and so is null."""

    kind: str | None = None
    generation: str | None = None
    authentic: bool | None = None
    role: str | None = None
    reason: str | None = None
    cause: str | None = None
    route: str | None = None
    outcome: str | None = None
    right: str | None = None
    method: str | None = None
    count: int = 1


class Hearing:
    """A subscriber of the journal that keeps the book."""

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock
        self._inserted: dict[str, float] = {}
        """When the cards came of which it is not known yet what they are."""
        self._started: dict[str, float] = {}
        """When the open activations began that have begun since the start."""

    def hear(self, events: Sequence[StoredEvent]) -> None:
        """Count the events of one commit."""
        for event in events:
            self._book.add(rows.EVENTS, event.type)
            count = _COUNTED.get(event.type)
            if count is not None:
                count(self, event, _DECODER.decode(event.data))

    def inserted(self, event: StoredEvent, told: _Told) -> None:
        """Count a card, and begin to time what it is."""
        self._book.add(rows.INSERTED, told.role or _UNKNOWN)
        if event.insertion is not None:
            self._inserted[event.insertion] = self._clock.monotonic()

    def identified(self, event: StoredEvent, told: _Told) -> None:
        """Count a card by what it is."""
        authentic = _UNKNOWN if told.authentic is None else str(told.authentic).lower()
        self._book.add(rows.IDENTIFIED, told.kind or _UNKNOWN, told.generation or _UNKNOWN, authentic)
        self._know(event)

    def rejected(self, event: StoredEvent, told: _Told) -> None:
        """Count a card that cannot be used."""
        self._book.add(rows.REJECTED, told.reason or _UNKNOWN)
        self._know(event)

    def removed(self, event: StoredEvent, told: _Told) -> None:
        """Count the end of an insertion."""
        self._book.add(rows.REMOVED, told.cause or _UNKNOWN)
        self._inserted.pop(event.insertion or "", None)

    def started(self, event: StoredEvent, told: _Told) -> None:
        """Count an activation, and begin to time it."""
        self._book.add(rows.STARTED, told.route or _UNKNOWN)
        if event.correlation is not None:
            self._started[event.correlation] = self._clock.monotonic()

    def completed(self, event: StoredEvent, told: _Told) -> None:
        """Count an activation by what it came to."""
        self._end(event, told, told.outcome or _UNKNOWN)

    def refused(self, event: StoredEvent, told: _Told) -> None:
        """Count a refused activation by the reason, too."""
        self._book.add(rows.REFUSED, told.route or _UNKNOWN, told.reason or _UNKNOWN)
        self._end(event, told, "refused")

    def given_up(self, event: StoredEvent, told: _Told) -> None:
        """Count an activation that was cancelled or has expired."""
        self._end(event, told, event.type.partition(".")[2])

    def money(self, event: StoredEvent, told: _Told) -> None:
        """Count a debit or a load."""
        self._book.add(rows.MONEY, event.type.partition(".")[2], told.outcome or _UNKNOWN)

    def down(self, _event: StoredEvent, told: _Told) -> None:
        """Count an outage of the smart-card service."""
        self._book.add(rows.PCSC_OUTAGES, told.reason or _UNKNOWN)

    def up(self, _event: StoredEvent, _told: _Told) -> None:
        """Count its return."""
        self._book.add(rows.PCSC_RESTARTS)

    def in_doubt(self, _event: StoredEvent, _told: _Told) -> None:
        """Count a silence of the centre."""
        self._book.add(rows.IN_DOUBT)

    def resumed(self, _event: StoredEvent, _told: _Told) -> None:
        """Count an activation that goes on."""
        self._book.add(rows.RESUMED)

    def denied(self, _event: StoredEvent, told: _Told) -> None:
        """Count requests without the right to them."""
        self._book.add(rows.DENIED, told.right or _UNKNOWN, by=told.count)

    def disclosed(self, _event: StoredEvent, told: _Told) -> None:
        """Count a disclosure."""
        self._book.add(rows.DISCLOSED, told.method or _UNKNOWN)

    def _know(self, event: StoredEvent) -> None:
        began = self._inserted.pop(event.insertion or "", None)
        if began is not None:
            self._book.note(rows.IDENTIFICATION_S, self._clock.monotonic() - began)

    def _end(self, event: StoredEvent, told: _Told, outcome: str) -> None:
        route = told.route or _UNKNOWN
        self._book.add(rows.ENDED, route, outcome)
        began = self._started.pop(event.correlation or "", None)
        if began is not None:
            self._book.note(rows.ACTIVATION_S, self._clock.monotonic() - began, route)


_DECODER: Final = msgspec.json.Decoder(_Told)

_COUNTED: Final[Mapping[str, Callable[[Hearing, StoredEvent, _Told], None]]] = MappingProxyType(
    {
        "card.inserted": Hearing.inserted,
        "card.identified": Hearing.identified,
        "card.rejected": Hearing.rejected,
        "card.removed": Hearing.removed,
        "activation.started": Hearing.started,
        "activation.completed": Hearing.completed,
        "activation.refused": Hearing.refused,
        "activation.cancelled": Hearing.given_up,
        "activation.expired": Hearing.given_up,
        "activation.in_doubt": Hearing.in_doubt,
        "activation.resumed": Hearing.resumed,
        "account.debited": Hearing.money,
        "account.loaded": Hearing.money,
        "pcsc.down": Hearing.down,
        "pcsc.up": Hearing.up,
        "access.denied": Hearing.denied,
        "personal.disclosed": Hearing.disclosed,
    }
)
