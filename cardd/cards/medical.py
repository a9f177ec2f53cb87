"""The old medical insurance card with a processor: a root of the bank's name, and the card number in EF 0003."""

from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.rules.names import PBOC_CONTACT, PBOC_CONTACTLESS

_NUMBER_FILE = bytes.fromhex("0003")
_NUMBER_LENGTH = 20
_ENDS = b"\x20\x00\xff"
_WHOLE = 256


def select_root(channel: Channel) -> bool:
    """Select what is named 1PAY.SYS.DDF01: true for old medical cards and for bank cards alike."""
    return _select_name(channel, PBOC_CONTACT)


def select_contactless_root(channel: Channel) -> bool:
    """Select what is named 2PAY.SYS.DDF01: a bank card on the antenna."""
    return _select_name(channel, PBOC_CONTACTLESS)


def read_number_file(channel: Channel) -> bytes | None:
    """Select EF 0003 under the root and read its 20 bytes; None where it is not there or not readable.

    Both commands are harmless to a bank card, which refuses them.
    """
    if not channel.send(Command(0x00, 0xA4, 0x00, 0x00, _NUMBER_FILE, _WHOLE)).ok:
        return None
    response = channel.send(Command(0x00, 0xB0, 0x00, 0x00, b"", _NUMBER_LENGTH))
    return response.data if response.ok else None


def card_number(raw: bytes) -> str | None:
    """Return the digits before the first blank; None where there are none or something else stands among them."""
    end = next((place for place, byte in enumerate(raw) if byte in _ENDS), len(raw))
    digits = raw[:end]
    return digits.decode("ascii") if digits.isdigit() else None


def _select_name(channel: Channel, name: bytes) -> bool:
    return channel.send(Command(0x00, 0xA4, 0x04, 0x00, name, _WHOLE)).ok
