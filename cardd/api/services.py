"""What the socket shows, as the composition hands it in. The api knows these protocols, not who stands behind them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from cardd.base.clock import Clock
from cardd.base.secret import Secret
from cardd.base.structs import Struct
from cardd.driver.service import Answer
from cardd.journal.erasing import Erasure
from cardd.journal.events import NewEvent, StoredEvent
from cardd.journal.evidence import Piece, Wanted
from cardd.journal.examiner import Report
from cardd.journal.finding import Found
from cardd.journal.heads import Place
from cardd.wire.accounts import (
    AccountBalanceParams,
    AccountBalanceResult,
    AccountDebitParams,
    AccountLoadParams,
    AccountMoved,
    AccountProofParams,
    AccountProofResult,
    AccountRecordsParams,
    AccountRecordsResult,
    AccountStartingDayParams,
    AccountStartingDayResult,
)
from cardd.wire.activation import ActivationResult, ActivationStartParams
from cardd.wire.base import Json
from cardd.wire.cards import CardChoice, CardReadParams, CardReadResult, ReaderView
from cardd.wire.deeds import (
    CardBlockParams,
    CardBlockResult,
    CardPinParams,
    CardPinQueryResult,
    CardPinResult,
    CardWriteParams,
    CardWriteResult,
)
from cardd.wire.driver import DriverCallParams
from cardd.wire.incident import Incident
from cardd.wire.leases import (
    CardTransmitParams,
    CardTransmitResult,
    LeaseAcquireParams,
    LeaseReleaseParams,
    LeaseReleaseResult,
    LeaseRenewParams,
    LeaseResult,
)
from cardd.wire.stations import (
    ReaderLendParams,
    ReaderLendResult,
    ReaderTakeBackResult,
    StationClearParams,
    StationClearResult,
)


class EvidenceService(Protocol):
    """The journal as auditors have it. Loop thread only."""

    async def examine(self, heads: Iterable[Place], keys: Iterable[str]) -> Report:
        """Recompute the whole chain, and hold it against heads kept elsewhere and the keys that may have signed it."""

    async def export(self, after: int, until: int | None) -> Piece:
        """Return the lines of an export that follow a place. Raises CarddError: CURSOR_GONE, NOT_FOUND."""

    async def find(self, wanted: Wanted, *, after: int, limit: int) -> Found:
        """Return the events that an auditor looks for, after a place."""

    async def erase(self, token: str, *, client: str, purpose: str) -> Erasure:
        """Erase what is sealed about a person and put that on record. Raises CarddError: NOT_FOUND, BUSY."""


class JournalService(Protocol):
    """The part of the journal that subscriptions and records of disclosure need. Loop thread only."""

    @property
    def stream(self) -> str:
        """The identity of the event stream, part of every cursor."""

    @property
    def last(self) -> int:
        """The sequence of the last committed event, 0 before the first."""

    @property
    def evicted(self) -> int:
        """The sequence of the last event that retention took away, 0 before the first."""

    def record(self, *events: NewEvent) -> asyncio.Future[tuple[StoredEvent, ...]]:
        """Append events; done when they are on disk."""

    def subscribe(self, callback: Callable[[Sequence[StoredEvent]], None]) -> Callable[[], None]:
        """Call back with events after each commit, in order; the returned function ends that."""

    def position(self, cursor: str) -> int:
        """Return the sequence that a cursor stands for. Raises CarddError(CURSOR_GONE) with the earliest one left."""

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events that follow a sequence. Raises CarddError(CURSOR_GONE) if some were evicted."""


class DeliveryService(Protocol):
    """Turns stored events into what clients see."""

    def event(self, stored: StoredEvent, *, personal: bool) -> bytes:
        """Return a CloudEvent as one line of JSON, with whole personal data or masked."""


class ActivationService(Protocol):
    """The activations of this machine. Deeds are carried out to their commit even when the asking client is gone."""

    async def start(self, params: ActivationStartParams, *, client: str) -> str:
        """Begin an activation and return its id; the same `request` gives the same one."""

    async def cancel(self, activation: str) -> None:
        """End it. Raises CarddError: NOT_FOUND, TOO_LATE after the point of no return."""

    async def answer(self, prompt: str, pin: Secret | None) -> None:
        """Give a prompt its PIN, or None to cancel it. Raises CarddError: NOT_FOUND, PIN_LENGTH."""

    async def view(self, activation: str, *, personal: bool) -> ActivationResult:
        """Return an activation as committed, open or ended. Raises CarddError(NOT_FOUND)."""

    async def incident(self, activation: str) -> Incident:
        """Return the account of an activation, without a person. Raises CarddError(NOT_FOUND)."""

    async def list(self, *, open_only: bool, limit: int) -> Sequence[ActivationResult]:
        """Return open activations first, then the ended ones, newest first; masked."""

    async def wait_end(self, activation: str, seconds: float) -> None:
        """Return when it has ended, or at that time."""


class ReadCard(Protocol):
    """Reads a card in a reader's worker."""

    def __call__(self, params: CardReadParams, *, personal: bool) -> Awaitable[CardReadResult]:
        """Read, with whole personal data or masked. Waits for a card up to `wait_s`; may be cancelled while waiting."""


class AccountService(Protocol):
    """The medical accounts of cards. A debit or load is on record before it is done, and done once for each request."""

    async def balance(self, params: AccountBalanceParams) -> AccountBalanceResult:
        """Return the account as it stands."""

    async def records(self, params: AccountRecordsParams) -> AccountRecordsResult:
        """Return the card's own record of transactions."""

    async def debit(self, params: AccountDebitParams, *, client: str) -> AccountMoved:
        """Take money."""

    async def load(self, params: AccountLoadParams, *, client: str) -> AccountMoved:
        """Put money on the account."""

    async def proof(self, params: AccountProofParams, *, client: str) -> AccountProofResult:
        """Ask the card what became of a transaction."""


class CardService(Protocol):
    """What may be done to cards besides reading them. A deed goes on to its end also when the asking client is gone."""

    async def write(self, params: CardWriteParams, *, client: str) -> CardWriteResult:
        """Write files, once for each request."""

    async def query_pin(self, params: CardChoice) -> CardPinQueryResult:
        """Tell how the PIN stands."""

    async def verify_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have the PIN compared."""

    async def change_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have the holder change the PIN."""

    async def reload_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have a new PIN set with the issuer's right."""

    async def unblock_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Give all tries back."""

    async def block(self, params: CardBlockParams, *, client: str) -> CardBlockResult:
        """Block an application or the whole card, for good."""

    async def set_starting_day(self, params: AccountStartingDayParams, *, client: str) -> AccountStartingDayResult:
        """Set the day on which the account's payment year begins."""


class LeaseService(Protocol):
    """Cards held for connections, which are named. Everything of a lease that is over is CarddError(LEASE_LOST)."""

    async def acquire(self, params: LeaseAcquireParams, *, holder: str) -> LeaseResult:
        """Hold a card. Waits for it up to `wait_s`; may be cancelled while waiting."""

    def check(self, lease: str, *, holder: str) -> None:
        """Raise unless that lease lasts and is the holder's."""

    def has(self, insertion: str, *, holder: str) -> bool:
        """Tell whether an insertion's card is held for that very connection."""

    def renew(self, params: LeaseRenewParams, *, holder: str) -> LeaseResult:
        """Let a lease last for another while."""

    def release(self, params: LeaseReleaseParams, *, holder: str) -> LeaseReleaseResult:
        """Let go of a card."""

    async def transmit(self, params: CardTransmitParams, *, client: str) -> CardTransmitResult:
        """Send a command to the card of a lease as it is."""


class DriverService(Protocol):
    """The national terminal driver's functions."""

    async def call(
        self, params: DriverCallParams, *, holder: str, client: str, heard: Callable[[], bool] = ...
    ) -> Answer:
        """Call a function; what has a number of the driver's comes back as one. Goes on to its end.

        `heard` tells when it is over whether the client is still there to hear what became of it.
        """

    def end_steps(self, holder: str) -> None:
        """End what a connection has begun in steps, and let go of its card."""


class PromptService(Protocol):
    """Prompts that belong to no activation."""

    def knows(self, prompt: str) -> bool:
        """Tell whether a prompt is one of these."""

    async def answer(self, prompt: str, pin: Secret | None) -> None:
        """Give it its PIN, or None to cancel it. Raises CarddError: NOT_FOUND, PIN_LENGTH."""


class StationService(Protocol):
    """What an operator may do to stations and their readers."""

    async def clear(self, params: StationClearParams, *, client: str) -> StationClearResult:
        """Lift the stopped keys of a station and forget its hung readers' calls."""

    async def lend(self, params: ReaderLendParams, *, holder: str, client: str) -> ReaderLendResult:
        """Give a reader to another program, for a connection."""

    def take_back(self, params: ReaderLendParams, *, holder: str) -> ReaderTakeBackResult:
        """Take a reader back. Raises CarddError(NOT_FOUND) if it is not lent for that connection."""


def _nothing(_: str) -> None:
    """Let go of nothing."""


def _nobody(_method: str, _reason: str) -> None:
    """Tell nobody."""


class Services(Struct, frozen=True):
    """Everything below the socket."""

    clock: Clock
    journal: JournalService
    delivery: DeliveryService
    activations: ActivationService
    read_card: ReadCard
    readers: Callable[[], Sequence[ReaderView]]
    status: Callable[[], Mapping[str, Json]]
    accounts: AccountService | None = None
    driver: DriverService | None = None
    cards: CardService | None = None
    prompts: PromptService | None = None
    stations: StationService | None = None
    leases: LeaseService | None = None
    evidence: EvidenceService | None = None
    metrics: Callable[[], Awaitable[str]] | None = None
    """Tells what is measured, as OpenMetrics text."""
    refused: Callable[[str, str], None] = _nobody
    """Is told of each request that was refused: its method, which is one of the table, and the reason."""
    leave: Callable[[str], None] = _nothing
    """Ends everything that a connection holds, when it can send nothing more. Called once or twice for each."""


class Limits(Struct, frozen=True):
    """How much clients may ask for, and how long the daemon waits for them. Times in seconds.

    `connections` are those of all users together, `requests` and `subscriptions` those of one connection; what is
    `of_user` is counted over all connections of one user of the machine.
    """

    line_bytes: int = 1 << 20
    connections: int = 64
    connections_of_user: int = 48
    requests: int = 32
    requests_of_user: int = 128
    subscriptions: int = 16
    subscriptions_of_user: int = 128
    lines_a_turn: int = 4
    """How many lines of one connection are taken before it is others' turn."""
    patience_s: float = 1.0
    """How long a request waits for one of the `requests` places, and of its user's, before it is refused as BUSY."""
    slow_s: float = 10.0
    """How long a client may leave its receiving side full."""
    farewell_s: float = 1.0
    """How long a client that is sent away may take to read why."""
    heartbeat_s: float = 15.0
    ring_events: int = 1024
    page_events: int = 64
    buffer_bytes: int = 256 * 1024
    """How much may wait in memory for one client to receive it, besides the line being written."""
