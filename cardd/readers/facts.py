"""What the readers floor tells its listeners, one fact at a time, on the event loop's thread."""

from enum import StrEnum

from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.readers.config import Role
from cardd.readers.insertion import Insertion


class Cause(StrEnum):
    """Why an insertion is over."""

    REMOVED = "removed"
    """The slot was seen empty."""

    EXCHANGED = "exchanged"
    """The counter or the answer to reset tells that another card is in."""

    RESET = "reset"
    """The same card stopped answering: mute, or without power."""

    TRANSPORT_ERROR = "transport_error"
    """A command failed on the way, or its answer came too late to be believed."""

    READER_DETACHED = "reader_detached"
    SERVICE_DOWN = "service_down"

    LENT = "lent"
    """The reader was given to another program; the card may still be inside."""


class ReaderState(StrEnum):
    """A reader as clients see it."""

    EMPTY = "empty"
    PRESENT = "present"
    MUTE = "mute"
    UNPOWERED = "unpowered"
    IN_USE = "in_use"
    """Another program holds the card exclusively, or the reader was lent to one."""

    UNAVAILABLE = "unavailable"
    """The device, the service behind it or a call into it does not answer."""


class ReaderAttached(Struct, frozen=True):
    """A reader is there. Cards inside are told after it."""

    reader: str
    station: str
    role: Role
    pcsc_name: str


class ReaderDetached(Struct, frozen=True):
    """A reader has gone. Its insertion was told as over before."""

    reader: str
    station: str


class ReaderUnavailable(Struct, frozen=True):
    """A reader is there and does not answer. Its insertion was told as over before.

    READER_IN_USE: because other programs are at its card; `programs` are those that may be, where they are known.
    """

    reader: str
    detail: str
    reason: Reason = Reason.READER_UNAVAILABLE
    programs: str = ""


class CardInserted(Struct, frozen=True):
    """A stay of a card began. Told once for each insertion."""

    insertion: Insertion


class CardRemoved(Struct, frozen=True):
    """A stay of a card is over. Told once for each insertion, also where the card itself is still inside."""

    insertion: Insertion
    cause: Cause


class CardTrouble(Struct, frozen=True):
    """Something is in the reader that does not answer: CARD_MUTE or CARD_UNPOWERED. It is no insertion."""

    reader: str
    reason: Reason


class ServiceWentDown(Struct, frozen=True):
    """The service behind all readers has gone or refuses. All insertions were told as over before.

    `text_code` names a sentence for people that says more than the reason's own.
    """

    reason: Reason
    detail: str
    text_code: str = ""


class ServiceCameUp(Struct, frozen=True):
    """The service is back. What is in the readers is told after it, as new insertions."""


Fact = (
    ReaderAttached
    | ReaderDetached
    | ReaderUnavailable
    | CardInserted
    | CardRemoved
    | CardTrouble
    | ServiceWentDown
    | ServiceCameUp
)


class ReaderStatus(Struct, frozen=True):
    """One reader at one moment.

    `device` is the same for all slots of one device; `serial` and `usb` are None where they are not known.
    """

    reader: str
    station: str
    pcsc_name: str
    role: Role
    state: ReaderState
    insertion: Insertion | None
    device: str = ""
    serial: str | None = None
    usb: str | None = None
