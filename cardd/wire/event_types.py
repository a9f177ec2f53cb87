"""Every type of event there is: one row a type, with what its data hold and what it tells."""

from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct
from cardd.wire.event_data import (
    AccessDenied,
    AccountEnded,
    AccountIntended,
    ActivationCancelled,
    ActivationCompleted,
    ActivationExpired,
    ActivationInDoubt,
    ActivationRefused,
    ActivationResumed,
    ActivationStarted,
    ActivationStep,
    Blocking,
    BlockRefused,
    CardIdentified,
    CardInserted,
    CardRejected,
    CardRemoved,
    CardTransmitted,
    CardWritten,
    Data,
    Deed,
    JournalErased,
    JournalEvicted,
    KeyStopped,
    Nothing,
    PcscDown,
    PcscUp,
    PersonalDisclosed,
    PinChanged,
    PinDone,
    PinLocked,
    PinRefused,
    PromptClosed,
    PromptOpened,
    ReaderAttached,
    ReaderDetached,
    ReaderLent,
    ReaderUnavailable,
    Started,
    StartingDay,
    StartingDayRefused,
    StationCleared,
    WriteIntended,
    WriteRefused,
    WriteUnfinished,
)


class EventType(Struct, frozen=True):
    """A type of event by its short name: what its data hold, and what it tells."""

    name: str
    data: type[Data]
    tells: str


_ROWS: Final = (
    EventType("service.started", Started, "the daemon began; the subject is `cardd`"),
    EventType("service.stopping", Nothing, "it ends"),
    EventType("pcsc.down", PcscDown, "the smart-card service is away or refuses; the subject is `pcsc`"),
    EventType("pcsc.up", PcscUp, "it is back; what is in the readers is told as new insertions"),
    EventType("reader.attached", ReaderAttached, "a reader is there"),
    EventType("reader.detached", ReaderDetached, "it is gone"),
    EventType("reader.unavailable", ReaderUnavailable, "a call into the reader does not return"),
    EventType("reader.lent", ReaderLent, "a reader was given to another program"),
    EventType("reader.taken_back", ReaderLent, "it is watched again"),
    EventType("station.cleared", StationCleared, "stopped keys were lifted, hung readers forgotten"),
    EventType("key.stopped", KeyStopped, "a card refused a key, which is used no more on that station"),
    EventType("card.inserted", CardInserted, "an insertion begins, once contacts that bounce are still"),
    EventType(
        "card.identified",
        CardIdentified,
        "it is known what the card is, and whether it is genuine; again once that can be judged, or was written anew",
    ),
    EventType("card.rejected", CardRejected, "the card cannot be used"),
    EventType("card.removed", CardRemoved, "the insertion is over"),
    EventType("card.transmitted", CardTransmitted, "a client sends commands of its own"),
    EventType("card.write_intended", WriteIntended, "a card is about to be written"),
    EventType("card.written", CardWritten, "the write is done"),
    EventType("card.write_refused", WriteRefused, "it is not"),
    EventType("card.write_unfinished", WriteUnfinished, "a torn write is not whole"),
    EventType("card.block_intended", Blocking, "an application or the card is about to be blocked"),
    EventType("card.blocked", Blocking, "it is"),
    EventType("card.block_refused", BlockRefused, "it is not"),
    EventType("pin.intended", Deed, "something is about to be done with the PIN"),
    EventType("pin.verified", PinDone, "it was right"),
    EventType("pin.changed", PinChanged, "a new one is set"),
    EventType("pin.unblocked", PinDone, "all tries are back"),
    EventType("pin.refused", PinRefused, "it was not done"),
    EventType("pin.locked", PinLocked, "the last try is gone"),
    EventType("pin.unknown", Deed, "nobody knows whether the card had the command"),
    EventType("account.intended", AccountIntended, "money is about to be moved"),
    EventType("account.debited", AccountEnded, "a purchase ended, whichever way"),
    EventType("account.loaded", AccountEnded, "a load ended, whichever way"),
    EventType("account.starting_day_intended", StartingDay, "the payment year is about to begin on another day"),
    EventType("account.starting_day_set", StartingDay, "it does"),
    EventType("account.starting_day_refused", StartingDayRefused, "it does not"),
    EventType("activation.started", ActivationStarted, "`correlationid` is the activation's, as in all that follow"),
    EventType("activation.step", ActivationStep, "what the clerk should read and do now"),
    EventType("activation.resumed", ActivationResumed, "a restart goes on with it"),
    EventType("activation.in_doubt", ActivationInDoubt, "the centre was asked and has not answered; it is asked on"),
    EventType("activation.completed", ActivationCompleted, "it is done"),
    EventType("activation.refused", ActivationRefused, "it is refused"),
    EventType("activation.cancelled", ActivationCancelled, "somebody ended it"),
    EventType("activation.expired", ActivationExpired, "nobody went on with it in time"),
    EventType("prompt.opened", PromptOpened, "the holder is asked for a PIN"),
    EventType("prompt.closed", PromptClosed, "no longer"),
    EventType("access.denied", AccessDenied, "a right was missing; the subject is `socket`"),
    EventType("personal.disclosed", PersonalDisclosed, "a client was told personal data"),
    EventType("journal.evicted", JournalEvicted, "retention took the oldest events away; the subject is `journal`"),
    EventType("journal.erased", JournalErased, "a person's data are gone; the subject is `journal`"),
)

EVENTS: Final = MappingProxyType({row.name: row for row in _ROWS})
"""Every type of event there is, by its short name; the whole name is `org.cardd.NAME.v1`."""
