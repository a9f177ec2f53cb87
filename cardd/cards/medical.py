"""The old medical insurance card with a processor: a root of the bank's name, and the card number in EF 0003."""

from typing import Final

from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.rules.names import PBOC_CONTACT, PBOC_CONTACTLESS
from cardd.rules.old_cards import NUMBER_FILE, Chip, end_of, read_old_card

_WHOLE: Final = 256


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
    if not channel.send(Command(0x00, 0xA4, 0x00, 0x00, NUMBER_FILE.to_bytes(2, "big"), _WHOLE)).ok:
        return None
    response = channel.send(Command(0x00, 0xB0, 0x00, 0x00, b"", end_of(Chip.CPU)))
    return response.data if response.ok else None


def card_number(raw: bytes) -> str | None:
    """Return the digits before the first blank; None where there are none or something else stands among them."""
    card = read_old_card(Chip.CPU, raw)
    return None if card is None else card.number


def _select_name(channel: Channel, name: bytes) -> bool:
    return channel.send(Command(0x00, 0xA4, 0x04, 0x00, name, _WHOLE)).ok
