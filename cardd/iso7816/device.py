"""What a reader backend is: the small protocol between card readers and everybody above them.

Three backends exist: `pcsc`, and the simulator's, which are found by entry point (`cardd.backends`): `socket` (a
simulated card in another process) and `in-process`. A backend knows slots and bytes; stations, roles and insertions
are the readers floor's.
"""

from enum import StrEnum
from typing import Protocol, runtime_checkable

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct


class Transport(StrEnum):
    """How commands travel, as far as the channel must know."""

    T0 = "T=0"
    """Contact, byte oriented: no Le on case 4, 61xx and 6Cxx reach the terminal."""

    T1 = "T=1"
    """Blocks: contact T=1, and every contactless card, for which PC/SC readers say T=1 too."""


class Presence(StrEnum):
    """What the device says about a slot, before anybody connects."""

    EMPTY = "empty"
    PRESENT = "present"
    MUTE = "mute"
    UNPOWERED = "unpowered"
    UNAVAILABLE = "unavailable"


class Slot(Struct, frozen=True):
    """One reader slot at one moment.

    `name` is the device's own name. `counter` grows with every insertion and removal (PC/SC: 16 bits, it may wrap; a
    jump by two or more between looks means that cards were exchanged unseen). `atr` is empty unless a card answered.
    `in_use` says that another program holds it exclusively. `serial` and `usb` (the path of ports, such as `1-2.3`) are
    the device's, None where they are not known.
    """

    name: str
    presence: Presence
    counter: int
    atr: bytes = b""
    in_use: bool = False
    serial: str | None = None
    usb: str | None = None


class Slots(Struct, frozen=True):
    """A look at every slot there is: slots not named have gone."""

    slots: tuple[Slot, ...]


class ServiceDown(Struct, frozen=True):
    """The service behind the readers has gone, or refuses: every insertion is over.

    `text_code` names a sentence for people that says more than the reason's own.
    """

    reason: Reason
    detail: str
    text_code: str = ""


class ServiceUp(Struct, frozen=True):
    """The service is back; a `Slots` follows."""


Observation = Slots | ServiceDown | ServiceUp


class Observer(Protocol):
    """Who is told. Called on the backend's watching thread: hand over and return at once."""

    def __call__(self, observation: Observation, /) -> None:
        """Take one observation."""


class Watch(Protocol):
    """A watch that was begun."""

    def close(self) -> None:
        """Ask the watching thread to end. Never blocks, also where the service hangs."""


class Connection(Protocol):
    """An open card in one slot. Every method may block for ever; only a worker's thread calls them.

    Every failure is a `CarddError`: CARD_REMOVED, CARD_MUTE, CARD_UNPOWERED, READER_UNAVAILABLE, READER_IN_USE,
    PCSC_UNAVAILABLE, PCSC_DENIED. A response under two bytes is CARD_REMOVED.
    """

    @property
    def atr(self) -> bytes:
        """The answer to reset of the card that was connected."""

    @property
    def transport(self) -> Transport:
        """The protocol that was agreed on."""

    def transmit(self, command: bytes) -> bytes:
        """Send one command as it is and return the answer, status word included."""

    def control(self, code: int, data: bytes) -> bytes:
        """Send a command to the device itself (PC/SC part 10)."""

    def begin(self) -> None:
        """Begin a transaction: nobody else's command comes between ours."""

    def end(self, *, reset: bool = False) -> None:
        """End the transaction. With `reset` the card forgets everything before anybody who waits for it gets it."""

    def disconnect(self, *, reset: bool) -> None:
        """Let go of the card. With `reset` it forgets selections, rights and challenge. Never raises."""


class Backend(Protocol):
    """A source of reader slots."""

    def watch(self, observer: Observer) -> Watch:
        """Start the one watching thread. The first observation is what is there already."""

    def connect(self, slot: str, *, exclusive: bool) -> Connection:
        """Power the card in a slot and open it. Blocking; raises CarddError as Connection does, and NO_CARD."""


@runtime_checkable
class Scout(Protocol):
    """What a backend may do besides: find out why a card cannot be had."""

    def in_the_way(self, slot: str) -> CarddError | None:
        """Return READER_IN_USE, with their names where they can be known, if other programs are at a slot's card.

        For a call to connect or to begin a transaction that does not return. May take half a second, also where the
        service hangs: None then.
        """


@runtime_checkable
class Waker(Protocol):
    """What a backend may do besides: make slots show their card that do not notice it."""

    def wake(self, slot: str) -> None:
        """Give power to whatever is in a slot and return at once; a card that answers is told by the watch."""
