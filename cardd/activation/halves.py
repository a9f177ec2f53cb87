"""One card on the contacts and in the field of a device at once: two insertions, of which the engine is told one.

Work is done on the contacts. As long as it is not known what lies on them, the card in the field waits; where it turns
out to be another card, or none that can be used, the card in the field counts for itself.
"""

from collections.abc import Callable, Iterable, Sequence

from cardd.desk.reading import Identity, Via
from cardd.desk.reception import CardGone, CardIdentified, CardRejected, Notice
from cardd.desk.via import via_of
from cardd.readers.config import Role
from cardd.readers.facts import Cause, ReaderStatus
from cardd.readers.insertion import Insertion


class Halves:
    """Which insertion stands for a card that two halves of a device see. Event loop's thread only."""

    def __init__(
        self, views: Callable[[], Sequence[ReaderStatus]], identity_of: Callable[[str], Identity | None]
    ) -> None:
        self._views = views
        self._identity_of = identity_of
        self._held: dict[str, CardIdentified] = {}
        self._rejected: set[str] = set()
        self._on_contacts: dict[str, tuple[Insertion, Insertion]] = {}
        """Of cards in the field that are on contacts too: their own insertion, and the one that stands for it."""
        self._gone: dict[str, Cause] = {}
        """Of those, the ones that have left the field."""

    def standing_for(self, insertion: str) -> str:
        """Return the insertion on which work for an insertion's card is done."""
        pair = self._on_contacts.get(insertion)
        return insertion if pair is None else pair[1].id

    def counts(self, insertion: Insertion) -> bool:
        """Tell whether an identified card counts: one in the field does unless the contacts have it, or may."""
        return not any(self._is_its_own(insertion, other) in {True, None} for other in self._on_its_contacts(insertion))

    def sift(self, notice: Notice) -> list[Notice]:
        """Return what is to be told instead of a notice."""
        match notice:
            case CardIdentified():
                return self._identified(notice)
            case CardRejected(insertion=Insertion() as insertion):
                self._rejected.add(insertion.id)
                return [notice, *self._released(insertion)]
            case CardGone():
                return self._left(notice)
            case _:
                return [notice]

    def _identified(self, notice: CardIdentified) -> list[Notice]:
        insertion = notice.insertion
        if not _is_in_field(insertion):
            for other in self._others(insertion):
                if _is_in_field(other) and self._is_its_own(other, insertion):
                    self._join(other, insertion)
            return [notice, *self._released(insertion)]
        for other in self._on_its_contacts(insertion):
            own = self._is_its_own(insertion, other)
            if own:
                self._join(insertion, other)
                return []
            if own is None:
                self._held[insertion.id] = notice
                return []
        return [notice]

    def _left(self, notice: CardGone) -> list[Notice]:
        insertion = notice.insertion
        self._rejected.discard(insertion.id)
        if self._held.pop(insertion.id, None) is not None:
            return []
        if insertion.id in self._on_contacts:
            # it is on its contacts still
            self._gone[insertion.id] = notice.cause
            return []
        told: list[Notice] = [notice]
        for own, (in_field, on_contacts) in list(self._on_contacts.items()):
            if on_contacts.id == insertion.id:
                del self._on_contacts[own]
                told += self._back_in_field(in_field)
        return [*told, *self._released(insertion)]

    def _back_in_field(self, insertion: Insertion) -> list[Notice]:
        """Return what is told of a card in the field once it is on no contacts any more."""
        cause, identity = self._gone.pop(insertion.id, None), self._identity_of(insertion.id)
        if cause is not None:
            return [CardGone(insertion, cause)]
        return [] if identity is None else [CardIdentified(insertion, identity)]

    def _join(self, in_field: Insertion, on_contacts: Insertion) -> None:
        self._held.pop(in_field.id, None)
        self._on_contacts[in_field.id] = (in_field, on_contacts)

    def _released(self, insertion: Insertion) -> Iterable[Notice]:
        """Yield the cards in the field of a device that waited for what lies on its contacts, and need not any more."""
        for own, notice in list(self._held.items()):
            if notice.insertion.reader != insertion.reader and self.counts(notice.insertion):
                del self._held[own]
                yield notice

    def _others(self, insertion: Insertion) -> list[Insertion]:
        """Return the insertions in the other counter readers of a device."""
        views = [view for view in self._views() if view.role is Role.COUNTER]
        device = next((view.device for view in views if view.reader == insertion.reader), None)
        return [
            view.insertion
            for view in views
            if device and view.device == device and view.insertion is not None and view.insertion.id != insertion.id
        ]

    def _on_its_contacts(self, insertion: Insertion) -> list[Insertion]:
        """Return what lies on the contacts of the device in whose field a card is."""
        if not _is_in_field(insertion):
            return []
        return [other for other in self._others(insertion) if not _is_in_field(other)]

    def _is_its_own(self, in_field: Insertion, on_contacts: Insertion) -> bool | None:
        """Tell whether the same card lies on the contacts, None while it is not known what does."""
        if on_contacts.id in self._rejected:
            return False
        here, there = self._identity_of(in_field.id), self._identity_of(on_contacts.id)
        if there is None:
            return None
        return here is not None and here.identification_code is not None and here.same_card(there)


def _is_in_field(insertion: Insertion) -> bool:
    return via_of(insertion.atr) is Via.CONTACTLESS
