"""What the engine needs of the floors below, so that it can be tested without them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from cardd.activation.authority import SocialCard, Updates
from cardd.activation.facts import CardGone, CardIn, CardTrouble
from cardd.base.secret import Secret
from cardd.base.structs import Hidden, Struct
from cardd.journal.events import ActivationRow, NewEvent, StoredEvent
from cardd.journal.heads import Place
from cardd.wire.incident import CardWork


class KeysChanged(Struct, frozen=True):
    """A security module came: what failed for want of it may be tried again."""


Notice = CardIn | CardTrouble | CardGone | KeysChanged


class StationReader(Struct, frozen=True):
    """A reader of a station by its name, and whether it is for security modules."""

    name: str
    sam: bool = False


class SocialReading(Struct, frozen=True):
    """A social security card that was read and proved itself; challenge and answer of the proof in hex."""

    card: Hidden[SocialCard]
    challenge: Hidden[str | None] = None
    answer: Hidden[str | None] = None


class Counter(Protocol):
    """The stations, the cards in them, and the work on a card.

    The operations on a card run in its reader's worker, raise CarddError, and are bound to one insertion.
    """

    def stations(self) -> Sequence[str]:
        """Return the names of all stations."""

    def station_of(self, reader: str) -> str | None:
        """Return the station of a reader, None for a reader that is not there."""

    def readers(self, station: str) -> Sequence[StationReader]:
        """Return the readers of a station that there are now."""

    def has_module(self) -> bool:
        """Tell whether a security module is in any reader of this machine."""

    def keys(self) -> str:
        """Name the key service's provider, `none` where there is none."""

    def take_work(self, station: str) -> CardWork | None:
        """Return how far work on a card of a station has come since this was asked last; None where there was none."""

    def reserve(self, station: str, holder: str) -> None:
        """Hold a station for an activation. Raises CarddError(BUSY)."""

    def release(self, station: str, holder: str) -> None:
        """Let the station go again."""

    def cards(self, station: str) -> Sequence[CardIn]:
        """Return the recognised cards that are in a station's counter readers now."""

    def subscribe(self, listener: Callable[[Notice], None]) -> None:
        """Tell a listener of every card, on the loop's thread, after the journal has it."""

    async def read_old(self, insertion: str, *, timeout_s: float) -> str:
        """Read an old card's number."""

    async def read_social(self, insertion: str, *, timeout_s: float) -> SocialReading:
        """Read a social security card and have it prove itself.

        Raises CarddError: CARD_NOT_GENUINE, and where nobody could judge the proof the reason for that.
        """

    async def verify_pin(self, insertion: str, pin: Secret, *, timeout_s: float) -> None:
        """Present the PIN once. Raises CarddError: PIN_WRONG (fact `tries_left`), PIN_LOCKED."""

    async def change_pin(self, insertion: str, old: Secret, new: Secret, *, timeout_s: float) -> None:
        """Have the card replace a PIN, once.

        Raises CarddError: PIN_WRONG (fact `tries_left`) and PIN_LOCKED for the old one. After any other failure it is
        not known which PIN the card has.
        """

    async def reload_pin(self, insertion: str, new: Secret, *, timeout_s: float) -> None:
        """Set a PIN by the issuer's right; doing it again comes to the same."""

    async def pin_tries(self, insertion: str, *, timeout_s: float) -> int | None:
        """Return how many wrong PINs the card would still take, which costs none; None where it has no PIN."""

    async def write(self, insertion: str, updates: Updates, *, timeout_s: float) -> None:
        """Write records and read them back, after making sure that the card is still the one that was read."""


class ActivationJournal(Protocol):
    """The part of the journal that activations need."""

    @property
    def stream(self) -> str:
        """The identity of the event stream."""

    def vouch(self) -> Place:
        """Return what the chain has come to, signed where there is a key for it."""

    def record(
        self, *events: NewEvent, activation: ActivationRow | None = None
    ) -> "asyncio.Future[tuple[StoredEvent, ...]]":
        """Store events and the activation's new row in one transaction."""

    async def activation(self, activation_id: str, /) -> ActivationRow | None:
        """Return an activation as committed."""

    async def activation_begun(self, client: str, request: str) -> str | None:
        """Return the id of the activation that a client's request began, None where there is none."""

    async def activations(self, *, open_only: bool, limit: int | None = 100) -> list[ActivationRow]:
        """Return activations, open ones first, then the newest; None is no limit."""
