"""The methods of the socket by name, with what goes in and what comes back: the one table that both ends type by.

What a row says of a method is what `rpc.discover` and the pages in docs say of it: they are made from these rows.
"""

from typing import Final, Generic, TypeVar

from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.wire import (
    accounts,
    activation,
    cards,
    deeds,
    driver,
    events,
    incident,
    journal,
    leases,
    session,
    stations,
    system,
)
from cardd.wire.base import Params

P = TypeVar("P", bound=Params)
R = TypeVar("R")

Reasons = frozenset[Reason]


class Signature(Struct, Generic[P, R], frozen=True):
    """A method's name, the types of its parameters and result, what it does, and the reasons of its own to refuse.

    Not among these are what every method may answer: INVALID, BUSY (too many requests), INTERNAL, and FORBIDDEN where
    it needs a right.
    """

    name: str
    params: type[P]
    result: type[R]
    summary: str
    reasons: Reasons = frozenset()


# -- reasons that come together

_RECORD: Final = frozenset({Reason.JOURNAL_FULL, Reason.JOURNAL_UNAVAILABLE})
"""What has to be on record first is not done when it cannot be."""

_READER: Final = frozenset(
    {
        *(Reason.NOT_FOUND, Reason.PCSC_UNAVAILABLE, Reason.PCSC_DENIED, Reason.READER_UNAVAILABLE),
        *(Reason.READER_IN_USE, Reason.NO_CARD, Reason.STALE_INSERTION, Reason.LEASE_HELD, Reason.LEASE_LOST),
        *(Reason.CARD_REMOVED, Reason.CARD_MUTE, Reason.CARD_UNPOWERED, Reason.TIMEOUT),
    }
)
"""The choice of a card, and the way to it."""

_CARD: Final = _READER | frozenset(
    {
        *(Reason.CARD_UNKNOWN, Reason.CARD_BLOCKED, Reason.CARD_ID_MALFORMED, Reason.CARD_DATA_DIFFERS),
        *(Reason.FILE_ABSENT, Reason.RECORD_ABSENT, Reason.ACCESS_DENIED, Reason.STATUS_WORD),
    }
)
"""What a card says, or is found to be."""

_KEYS: Final = frozenset(
    {
        *(Reason.CARD_NOT_GENUINE, Reason.ALGORITHM_UNSUPPORTED, Reason.KEY_STOPPED, Reason.PSAM_ABSENT),
        *(Reason.PSAM_ALGORITHM, Reason.PSAM_KEY_MISSING, Reason.PSAM_LEVEL, Reason.HSM_UNAVAILABLE),
    }
)
"""Work with the issuer's keys."""

_HOLDER: Final = frozenset(
    {Reason.PIN_WRONG, Reason.PIN_LOCKED, Reason.PIN_CANCELLED, Reason.PIN_TIMEOUT, Reason.PIN_LENGTH}
)
"""A PIN that the holder is asked for."""

_ACCOUNT: Final = _CARD | _KEYS | _RECORD | {Reason.ACCOUNT_NOT_IN_USE}
"""What the account's own commands meet."""

_NEW_PIN: Final = frozenset({Reason.PIN_LENGTH, Reason.PIN_MISMATCH, Reason.PIN_CANCELLED, Reason.PIN_TIMEOUT})
"""A PIN that the holder is to choose, typed twice."""

_NOT_HERE: Final = frozenset({Reason.NOT_FOUND})

# -- the rows

SESSION_HELLO: Final = Signature(
    "session.hello",
    session.HelloParams,
    session.HelloResult,
    "Introduce a client; learn who answers, which contract and stream, one's own rights, and the limits.",
)
RPC_DISCOVER: Final = Signature(
    "rpc.discover",
    system.NoParams,
    system.Document,
    "Get this contract as an OpenRPC document: every method, event and reason, with JSON Schema.",
)
SYSTEM_STATUS: Final = Signature(
    "system.status", system.NoParams, system.SystemStatus, "Tell how the daemon and everything below it stands."
)
SYSTEM_METRICS: Final = Signature(
    "system.metrics",
    system.NoParams,
    system.SystemMetricsResult,
    "Give the counters and times of this daemon as OpenMetrics text.",
    _NOT_HERE,
)
READERS_LIST: Final = Signature(
    "readers.list", system.NoParams, cards.ReadersListResult, "List the readers, their state, and the card in each."
)
CARD_READ: Final = Signature(
    "card.read",
    cards.CardReadParams,
    cards.CardReadResult,
    "Read a card and have it prove itself; with a purpose in full, else masked.",
    _CARD | _KEYS | _HOLDER | _RECORD,
)
CARD_WRITE: Final = Signature(
    "card.write",
    deeds.CardWriteParams,
    deeds.CardWriteResult,
    "Write files, once for each request, and read them back.",
    _CARD | _KEYS | _HOLDER | _RECORD,
)
CARD_PIN_QUERY: Final = Signature(
    "card.pin.query",
    cards.CardChoice,
    deeds.CardPinQueryResult,
    "Tell whether the card has a PIN and how many tries are left, which costs none.",
    _CARD | _KEYS,
)
CARD_PIN_VERIFY: Final = Signature(
    "card.pin.verify",
    deeds.CardPinParams,
    deeds.CardPinResult,
    "Have the card compare the PIN that its holder types.",
    _CARD | _KEYS | _HOLDER | _RECORD,
)
CARD_PIN_CHANGE: Final = Signature(
    "card.pin.change",
    deeds.CardPinParams,
    deeds.CardPinResult,
    "Have the holder set a new PIN with the old one, or the first one.",
    _CARD | _KEYS | _HOLDER | _NEW_PIN | _RECORD,
)
CARD_PIN_RELOAD: Final = Signature(
    "card.pin.reload",
    deeds.CardPinParams,
    deeds.CardPinResult,
    "Have the holder set a new PIN with the issuer's key.",
    _CARD | _KEYS | _NEW_PIN | _RECORD,
)
CARD_PIN_UNBLOCK: Final = Signature(
    "card.pin.unblock",
    deeds.CardPinParams,
    deeds.CardPinResult,
    "Give the PIN all its tries back with the issuer's key.",
    _CARD | _KEYS | _RECORD,
)
CARD_BLOCK: Final = Signature(
    "card.block",
    deeds.CardBlockParams,
    deeds.CardBlockResult,
    "Block an application or the whole card, for good.",
    _CARD | _KEYS | _RECORD,
)
CARD_TRANSMIT: Final = Signature(
    "card.transmit",
    leases.CardTransmitParams,
    leases.CardTransmitResult,
    "Send a command to the card of a lease as it is; with `spends`, the right `operate` is needed too.",
    _READER | _RECORD | {Reason.KEY_STOPPED},
)
LEASE_ACQUIRE: Final = Signature(
    "lease.acquire", leases.LeaseAcquireParams, leases.LeaseResult, "Hold a card for this connection.", _READER
)
LEASE_RENEW: Final = Signature(
    "lease.renew",
    leases.LeaseRenewParams,
    leases.LeaseResult,
    "Let a lease last for another while.",
    _NOT_HERE | {Reason.LEASE_LOST},
)
LEASE_RELEASE: Final = Signature(
    "lease.release",
    leases.LeaseReleaseParams,
    leases.LeaseReleaseResult,
    "Let go of a card.",
    _NOT_HERE | {Reason.LEASE_LOST},
)
ACTIVATION_START: Final = Signature(
    "activation.start",
    activation.ActivationStartParams,
    activation.ActivationResult,
    "Begin an activation by a route; the same request is the same activation.",
    _NOT_HERE | _RECORD | {Reason.LEASE_HELD, Reason.TIMEOUT},
)
ACTIVATION_GET: Final = Signature(
    "activation.get",
    activation.ActivationIdParams,
    activation.ActivationResult,
    "Tell how an activation stands.",
    _NOT_HERE | _RECORD,
)
ACTIVATION_LIST: Final = Signature(
    "activation.list",
    activation.ActivationListParams,
    activation.ActivationListResult,
    "List activations, the open ones first, masked.",
)
ACTIVATION_CANCEL: Final = Signature(
    "activation.cancel",
    activation.ActivationIdParams,
    activation.ActivationResult,
    "End an activation while the card centre has not been asked.",
    _NOT_HERE | _RECORD | {Reason.TOO_LATE},
)
ACTIVATION_INCIDENT: Final = Signature(
    "activation.incident",
    incident.ActivationIncidentParams,
    incident.Incident,
    "Tell what went on in an activation, without a person or a key: for `cardsim run`.",
    _NOT_HERE | _RECORD,
)
ACCOUNT_BALANCE: Final = Signature(
    "account.balance",
    accounts.AccountBalanceParams,
    accounts.AccountBalanceResult,
    "Read the balance and the two sums of the year, in fen.",
    _ACCOUNT | _HOLDER,
)
ACCOUNT_DEBIT: Final = Signature(
    "account.debit",
    accounts.AccountDebitParams,
    accounts.AccountMoved,
    "Take money from the account, once for each request.",
    _ACCOUNT | _HOLDER | {Reason.BALANCE_TOO_SMALL},
)
ACCOUNT_LOAD: Final = Signature(
    "account.load",
    accounts.AccountLoadParams,
    accounts.AccountMoved,
    "Put money on the account, once for each request.",
    _ACCOUNT | _HOLDER,
)
ACCOUNT_PROOF: Final = Signature(
    "account.proof",
    accounts.AccountProofParams,
    accounts.AccountProofResult,
    "Ask the card what became of a debit or a load.",
    _ACCOUNT | _HOLDER,
)
ACCOUNT_RECORDS: Final = Signature(
    "account.records",
    accounts.AccountRecordsParams,
    accounts.AccountRecordsResult,
    "Read the transactions that the card keeps, the newest first.",
    _CARD | _KEYS | _HOLDER | _RECORD,
)
ACCOUNT_SET_STARTING_DAY: Final = Signature(
    "account.set_starting_day",
    accounts.AccountStartingDayParams,
    accounts.AccountStartingDayResult,
    "Set the day on which the account's payment year begins, once for each request.",
    _ACCOUNT,
)
DRIVER_CALL: Final = Signature(
    "driver.call",
    driver.DriverCallParams,
    driver.DriverCallResult,
    "Call a function of the national terminal driver; needs the right `personal` too.",
    _NOT_HERE | _RECORD,
)
READER_LEND: Final = Signature(
    "reader.lend",
    stations.ReaderLendParams,
    stations.ReaderLendResult,
    "Give a reader to another program until it is taken back or this connection ends.",
    _NOT_HERE | _RECORD | {Reason.READER_IN_USE, Reason.READER_UNAVAILABLE, Reason.LEASE_HELD, Reason.LEASE_LOST},
)
READER_TAKE_BACK: Final = Signature(
    "reader.take_back",
    stations.ReaderLendParams,
    stations.ReaderTakeBackResult,
    "Take a reader back that this connection gave away.",
    _NOT_HERE,
)
STATION_CLEAR: Final = Signature(
    "station.clear",
    stations.StationClearParams,
    stations.StationClearResult,
    "Lift a station's stopped keys, and give its hung readers a new beginning.",
    _NOT_HERE | _RECORD,
)
PROMPT_ANSWER: Final = Signature(
    "prompt.answer",
    activation.PromptAnswerParams,
    activation.PromptAnswerResult,
    "Answer a prompt with digits, or cancel it: the only way in for a PIN.",
    _NOT_HERE | _RECORD | {Reason.PIN_LENGTH, Reason.PIN_UNCHANGED},
)
JOURNAL_VERIFY: Final = Signature(
    "journal.verify",
    journal.JournalVerifyParams,
    journal.JournalVerifyResult,
    "Recompute the journal's chain, and hold it against heads kept elsewhere.",
    _NOT_HERE | _RECORD,
)
JOURNAL_FIND: Final = Signature(
    "journal.find",
    journal.JournalFindParams,
    journal.JournalFindResult,
    "Find events by person, card, activation, insertion, time or type.",
    _NOT_HERE | _RECORD | {Reason.CURSOR_GONE},
)
JOURNAL_EXPORT: Final = Signature(
    "journal.export",
    journal.JournalExportParams,
    journal.JournalExportResult,
    "Get the journal as lines that prove themselves, page by page.",
    _NOT_HERE | _RECORD | {Reason.CURSOR_GONE},
)
JOURNAL_ERASE: Final = Signature(
    "journal.erase",
    journal.JournalEraseParams,
    journal.JournalEraseResult,
    "Erase what is stored about a person, for good; the right `personal` is needed too.",
    _NOT_HERE | _RECORD,
)
EVENTS_SUBSCRIBE: Final = Signature(
    "events.subscribe",
    events.EventsSubscribeParams,
    events.EventsSubscribeResult,
    "Have events sent: from now on with a snapshot, after a cursor, or from the earliest there is.",
    _RECORD | {Reason.CURSOR_GONE},
)
EVENTS_UNSUBSCRIBE: Final = Signature(
    "events.unsubscribe",
    events.EventsUnsubscribeParams,
    events.EventsUnsubscribeResult,
    "End a subscription of this connection.",
    _NOT_HERE,
)
