"""The methods of the socket by name, with what goes in and what comes back: the one table that both ends type by."""

from typing import Final, Generic, TypeVar

from cardd.base.structs import Struct
from cardd.wire import accounts, activation, cards, deeds, events, journal, leases, session, stations, system
from cardd.wire.base import Params

P = TypeVar("P", bound=Params)
R = TypeVar("R")


class Signature(Struct, Generic[P, R], frozen=True):
    """A method's name, the type of its parameters and the type of its result."""

    name: str
    params: type[P]
    result: type[R]


SESSION_HELLO: Final = Signature("session.hello", session.HelloParams, session.HelloResult)
SYSTEM_STATUS: Final = Signature("system.status", system.NoParams, system.SystemStatus)
READERS_LIST: Final = Signature("readers.list", system.NoParams, cards.ReadersListResult)
CARD_READ: Final = Signature("card.read", cards.CardReadParams, cards.CardReadResult)
CARD_WRITE: Final = Signature("card.write", deeds.CardWriteParams, deeds.CardWriteResult)
CARD_PIN_QUERY: Final = Signature("card.pin.query", cards.CardChoice, deeds.CardPinQueryResult)
CARD_PIN_VERIFY: Final = Signature("card.pin.verify", deeds.CardPinParams, deeds.CardPinResult)
CARD_PIN_CHANGE: Final = Signature("card.pin.change", deeds.CardPinParams, deeds.CardPinResult)
CARD_PIN_RELOAD: Final = Signature("card.pin.reload", deeds.CardPinParams, deeds.CardPinResult)
CARD_PIN_UNBLOCK: Final = Signature("card.pin.unblock", deeds.CardPinParams, deeds.CardPinResult)
CARD_BLOCK: Final = Signature("card.block", deeds.CardBlockParams, deeds.CardBlockResult)
CARD_TRANSMIT: Final = Signature("card.transmit", leases.CardTransmitParams, leases.CardTransmitResult)
LEASE_ACQUIRE: Final = Signature("lease.acquire", leases.LeaseAcquireParams, leases.LeaseResult)
LEASE_RENEW: Final = Signature("lease.renew", leases.LeaseRenewParams, leases.LeaseResult)
LEASE_RELEASE: Final = Signature("lease.release", leases.LeaseReleaseParams, leases.LeaseReleaseResult)
ACTIVATION_START: Final = Signature("activation.start", activation.ActivationStartParams, activation.ActivationResult)
ACTIVATION_GET: Final = Signature("activation.get", activation.ActivationIdParams, activation.ActivationResult)
ACTIVATION_LIST: Final = Signature("activation.list", activation.ActivationListParams, activation.ActivationListResult)
ACTIVATION_CANCEL: Final = Signature("activation.cancel", activation.ActivationIdParams, activation.ActivationResult)
ACCOUNT_BALANCE: Final = Signature("account.balance", accounts.AccountBalanceParams, accounts.AccountBalanceResult)
ACCOUNT_DEBIT: Final = Signature("account.debit", accounts.AccountDebitParams, accounts.AccountMoved)
ACCOUNT_LOAD: Final = Signature("account.load", accounts.AccountLoadParams, accounts.AccountMoved)
ACCOUNT_PROOF: Final = Signature("account.proof", accounts.AccountProofParams, accounts.AccountProofResult)
ACCOUNT_RECORDS: Final = Signature("account.records", accounts.AccountRecordsParams, accounts.AccountRecordsResult)
ACCOUNT_SET_STARTING_DAY: Final = Signature(
    "account.set_starting_day", accounts.AccountStartingDayParams, accounts.AccountStartingDayResult
)
READER_LEND: Final = Signature("reader.lend", stations.ReaderLendParams, stations.ReaderLendResult)
READER_TAKE_BACK: Final = Signature("reader.take_back", stations.ReaderLendParams, stations.ReaderTakeBackResult)
STATION_CLEAR: Final = Signature("station.clear", stations.StationClearParams, stations.StationClearResult)
PROMPT_ANSWER: Final = Signature("prompt.answer", activation.PromptAnswerParams, activation.PromptAnswerResult)
JOURNAL_VERIFY: Final = Signature("journal.verify", journal.JournalVerifyParams, journal.JournalVerifyResult)
JOURNAL_FIND: Final = Signature("journal.find", journal.JournalFindParams, journal.JournalFindResult)
JOURNAL_EXPORT: Final = Signature("journal.export", journal.JournalExportParams, journal.JournalExportResult)
JOURNAL_ERASE: Final = Signature("journal.erase", journal.JournalEraseParams, journal.JournalEraseResult)
EVENTS_SUBSCRIBE: Final = Signature("events.subscribe", events.EventsSubscribeParams, events.EventsSubscribeResult)
EVENTS_UNSUBSCRIBE: Final = Signature(
    "events.unsubscribe", events.EventsUnsubscribeParams, events.EventsUnsubscribeResult
)
