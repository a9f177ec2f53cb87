"""Every PC/SC code in one table: what it means to clients, and what to do about it.

Many codes mean the same to a person, so a code has a name and a meaning. A meaning can be one thing while a card is
being connected and another once it was open, so it has a reason for each. Names and numbers are those of pcsclite.h
(PC/SC part 5).
"""

from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.pcsc.scard import PcscError


class Phase(Enum):
    """When a call failed."""

    CONNECTING = auto()
    """No card is open: contexts, readers, connect."""

    OPEN = auto()
    """A card was open: whatever happened to it, the handle is of no use any more."""


class Meaning(Struct, frozen=True):
    """What a code says: the reason while connecting, the reason with an open card, a sentence with the remedy.

    `text_code` names the sentence for whoever sits at the counter, where the reason's own has another remedy.
    """

    connecting: Reason
    open: Reason
    sentence: str
    text_code: str = ""


_R = Reason

NO_SERVICE: Final = Meaning(
    _R.PCSC_UNAVAILABLE,
    _R.PCSC_UNAVAILABLE,
    "The smart-card service (pcscd) is not running. Start it: systemctl start pcscd.socket.",
)
SOCKET_ABSENT: Final = Meaning(
    _R.PCSC_UNAVAILABLE,
    _R.PCSC_UNAVAILABLE,
    "The smart-card service's socket is not there. Install pcscd and start it: systemctl start pcscd.socket.",
)
SOCKET_ABANDONED: Final = Meaning(
    _R.PCSC_UNAVAILABLE,
    _R.PCSC_UNAVAILABLE,
    "Nobody listens at the smart-card service's socket: pcscd has ended. "
    "Start it: systemctl start pcscd.socket, or systemctl restart pcscd.socket.",
)
SOCKET_CLOSED: Final = Meaning(
    _R.PCSC_DENIED,
    _R.PCSC_DENIED,
    "This user may not open the smart-card service's socket. Let the cardd user write to it.",
    "pcsc_socket_closed",
)
OTHER_VERSION: Final = Meaning(
    _R.PCSC_UNAVAILABLE,
    _R.PCSC_UNAVAILABLE,
    "libpcsclite and the smart-card service (pcscd) speak different versions of their protocol. "
    "Install both from one release (libpcsclite1, pcscd) and restart both services.",
    "pcsc_other_version",
)
CARD_DENIED: Final = Meaning(
    _R.PCSC_DENIED,
    _R.PCSC_DENIED,
    "The smart-card service is there and breaks off when a card is opened: polkit refuses cardd the cards. "
    "Install cardd's polkit rule (org.debian.pcsc-lite.access_card); if it is there, pcscd's log tells more.",
    "pcsc_cards_denied",
)
OVERLOADED: Final = Meaning(
    _R.PCSC_UNAVAILABLE,
    _R.PCSC_UNAVAILABLE,
    "The smart-card service has more to do than it can. Close other programs that use readers, or restart it.",
    "pcsc_overloaded",
)
DENIED: Final = Meaning(
    _R.PCSC_DENIED,
    _R.PCSC_DENIED,
    "The smart-card service refused access. Install cardd's polkit rule (org.debian.pcsc-lite.access_pcsc).",
)
HANDLE_LOST: Final = Meaning(
    _R.PCSC_UNAVAILABLE,
    _R.CARD_REMOVED,
    "The smart-card service no longer knows this connection. Insert the card again.",
)
READER_GONE: Final = Meaning(
    _R.READER_UNAVAILABLE, _R.READER_UNAVAILABLE, "The reader has gone. Plug the reader in again."
)
READER_FAILED: Final = Meaning(
    _R.READER_UNAVAILABLE, _R.CARD_REMOVED, "The reader failed. Unplug it and plug it in again."
)
READER_NOT_READY: Final = Meaning(
    _R.READER_UNAVAILABLE, _R.CARD_REMOVED, "The reader is not ready, or the call was broken off. Try again."
)
READER_UNFIT: Final = Meaning(
    _R.READER_UNAVAILABLE,
    _R.READER_UNAVAILABLE,
    "The reader or its driver cannot do that. Install the maker's driver or use another reader.",
)
READER_NAMED_TWICE: Final = Meaning(
    _R.READER_UNAVAILABLE, _R.READER_UNAVAILABLE, "Two readers have one name. Unplug one of them."
)
READER_SLOW: Final = Meaning(_R.TIMEOUT, _R.CARD_REMOVED, "The reader took too long. Try again.")
IN_USE: Final = Meaning(
    _R.READER_IN_USE,
    _R.READER_IN_USE,
    "Another program holds the reader. Close that program, then try again.",
)
NO_CARD: Final = Meaning(_R.NO_CARD, _R.CARD_REMOVED, "There is no card in the reader. Insert the card.")
REMOVED: Final = Meaning(_R.NO_CARD, _R.CARD_REMOVED, "The card was taken out. Insert it again and leave it in.")
TORN: Final = Meaning(
    _R.READER_UNAVAILABLE,
    _R.CARD_REMOVED,
    "The command did not get through to the card. Insert the card again and leave it in.",
)
RESET: Final = Meaning(
    _R.READER_IN_USE,
    _R.CARD_REMOVED,
    "Another program has reset the card. Close that program and insert the card again.",
)
MUTE: Final = Meaning(
    _R.CARD_MUTE, _R.CARD_REMOVED, "The card does not answer. Insert it with the chip forward and upwards."
)
UNPOWERED: Final = Meaning(
    _R.CARD_UNPOWERED,
    _R.CARD_UNPOWERED,
    "The card has no power. Take it out, clean the chip and insert it again.",
)
REFUSED: Final = Meaning(
    _R.INTERNAL, _R.INTERNAL, "The smart-card service refused what it was given. This is a fault of cardd: report it."
)
MISPLACED: Final = Meaning(
    _R.INTERNAL,
    _R.INTERNAL,
    "The smart-card service answered with a code that no call for readers and cards may have. Report it.",
)
UNLISTED: Final = Meaning(
    _R.READER_UNAVAILABLE,
    _R.CARD_REMOVED,
    "The smart-card service failed in a way that PC/SC does not list. Unplug the reader and plug it in again.",
)

TABLE: Final = MappingProxyType(
    {
        0x80100001: ("SCARD_F_INTERNAL_ERROR", READER_FAILED),
        0x80100002: ("SCARD_E_CANCELLED", READER_NOT_READY),
        0x80100003: ("SCARD_E_INVALID_HANDLE", HANDLE_LOST),
        0x80100004: ("SCARD_E_INVALID_PARAMETER", REFUSED),
        0x80100005: ("SCARD_E_INVALID_TARGET", MISPLACED),
        0x80100006: ("SCARD_E_NO_MEMORY", OVERLOADED),
        0x80100007: ("SCARD_F_WAITED_TOO_LONG", READER_FAILED),
        0x80100008: ("SCARD_E_INSUFFICIENT_BUFFER", REFUSED),
        0x80100009: ("SCARD_E_UNKNOWN_READER", READER_GONE),
        0x8010000A: ("SCARD_E_TIMEOUT", READER_SLOW),
        0x8010000B: ("SCARD_E_SHARING_VIOLATION", IN_USE),
        0x8010000C: ("SCARD_E_NO_SMARTCARD", NO_CARD),
        0x8010000D: ("SCARD_E_UNKNOWN_CARD", MISPLACED),
        0x8010000E: ("SCARD_E_CANT_DISPOSE", READER_FAILED),
        # what pcscd says when it cannot make sense of the answer to reset
        0x8010000F: ("SCARD_E_PROTO_MISMATCH", MUTE),
        0x80100010: ("SCARD_E_NOT_READY", READER_NOT_READY),
        0x80100011: ("SCARD_E_INVALID_VALUE", REFUSED),
        0x80100012: ("SCARD_E_SYSTEM_CANCELLED", NO_SERVICE),
        # what a call gets in whose middle pcscd ends
        0x80100013: ("SCARD_F_COMM_ERROR", NO_SERVICE),
        0x80100014: ("SCARD_F_UNKNOWN_ERROR", READER_FAILED),
        0x80100015: ("SCARD_E_INVALID_ATR", MUTE),
        # what pcscd says when the driver got no answer from the card
        0x80100016: ("SCARD_E_NOT_TRANSACTED", TORN),
        0x80100017: ("SCARD_E_READER_UNAVAILABLE", READER_GONE),
        0x80100018: ("SCARD_P_SHUTDOWN", NO_SERVICE),
        0x80100019: ("SCARD_E_PCI_TOO_SMALL", REFUSED),
        0x8010001A: ("SCARD_E_READER_UNSUPPORTED", READER_UNFIT),
        0x8010001B: ("SCARD_E_DUPLICATE_READER", READER_NAMED_TWICE),
        0x8010001C: ("SCARD_E_CARD_UNSUPPORTED", MUTE),
        0x8010001D: ("SCARD_E_NO_SERVICE", NO_SERVICE),
        # pcscd's only use of it: the client's protocol is another than its own
        0x8010001E: ("SCARD_E_SERVICE_STOPPED", OTHER_VERSION),
        # pcsc-lite has one number for this and for SCARD_E_UNEXPECTED
        0x8010001F: ("SCARD_E_UNSUPPORTED_FEATURE", READER_UNFIT),
        0x80100020: ("SCARD_E_ICC_INSTALLATION", MISPLACED),
        0x80100021: ("SCARD_E_ICC_CREATEORDER", MISPLACED),
        # the number that PC/SC part 5 gives it
        0x80100022: ("SCARD_E_UNSUPPORTED_FEATURE", READER_UNFIT),
        0x80100023: ("SCARD_E_DIR_NOT_FOUND", MISPLACED),
        0x80100024: ("SCARD_E_FILE_NOT_FOUND", MISPLACED),
        0x80100025: ("SCARD_E_NO_DIR", MISPLACED),
        0x80100026: ("SCARD_E_NO_FILE", MISPLACED),
        0x80100027: ("SCARD_E_NO_ACCESS", DENIED),
        0x80100028: ("SCARD_E_WRITE_TOO_MANY", MISPLACED),
        0x80100029: ("SCARD_E_BAD_SEEK", MISPLACED),
        0x8010002A: ("SCARD_E_INVALID_CHV", MISPLACED),
        0x8010002B: ("SCARD_E_UNKNOWN_RES_MNG", MISPLACED),
        0x8010002C: ("SCARD_E_NO_SUCH_CERTIFICATE", MISPLACED),
        0x8010002D: ("SCARD_E_CERTIFICATE_UNAVAILABLE", MISPLACED),
        0x8010002E: ("SCARD_E_NO_READERS_AVAILABLE", READER_GONE),
        0x8010002F: ("SCARD_E_COMM_DATA_LOST", TORN),
        0x80100030: ("SCARD_E_NO_KEY_CONTAINER", MISPLACED),
        0x80100031: ("SCARD_E_SERVER_TOO_BUSY", OVERLOADED),
        0x80100065: ("SCARD_W_UNSUPPORTED_CARD", MUTE),
        0x80100066: ("SCARD_W_UNRESPONSIVE_CARD", MUTE),
        0x80100067: ("SCARD_W_UNPOWERED_CARD", UNPOWERED),
        0x80100068: ("SCARD_W_RESET_CARD", RESET),
        0x80100069: ("SCARD_W_REMOVED_CARD", REMOVED),
        # what libpcsclite says when pcscd hangs up on it before the first answer: polkit says no
        0x8010006A: ("SCARD_W_SECURITY_VIOLATION", DENIED),
        0x8010006B: ("SCARD_W_WRONG_CHV", MISPLACED),
        0x8010006C: ("SCARD_W_CHV_BLOCKED", MISPLACED),
        0x8010006D: ("SCARD_W_EOF", MISPLACED),
        0x8010006E: ("SCARD_W_CANCELLED_BY_USER", MISPLACED),
        0x8010006F: ("SCARD_W_CARD_NOT_AUTHENTICATED", MISPLACED),
    }
)

CANCELLED: Final = 0x80100002
TIMED_OUT: Final = 0x8010000A
UNKNOWN_READER: Final = 0x80100009
COMM_ERROR: Final = 0x80100013
NO_SERVICE_CODE: Final = 0x8010001D

CONTEXT_LOST: Final = frozenset({0x80100003, 0x80100013, 0x80100018, 0x8010001D, 0x8010001E})
"""Codes after which a context is of no use, although it calls itself valid: only a new one helps."""


def explain(error: PcscError, phase: Phase) -> CarddError:
    """Return the CarddError for a PC/SC failure. Total: a code that PC/SC does not list has a reason too."""
    _, meaning = TABLE.get(error.code, ("unlisted", UNLISTED))
    return convey(error, meaning, phase)


def convey(error: PcscError, meaning: Meaning, phase: Phase) -> CarddError:
    """Return the CarddError for a PC/SC failure of which more is known than its code."""
    name, _ = TABLE.get(error.code, ("unlisted", UNLISTED))
    reason = meaning.open if phase is Phase.OPEN else meaning.connecting
    detail = f"{meaning.sentence} ({error.call}: {name})"
    return CarddError(reason, detail, pcsc=f"0x{error.code:08X}").in_words(meaning.text_code)
