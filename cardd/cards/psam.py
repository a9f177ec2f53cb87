"""The terminal's security module (PSAM) as a card: how it is told from the cards that people carry (LD/T 32, PSAM)."""

from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.rules.names import PSAM_APPLICATION, PSAM_NAMES

_WHOLE = 256


def recognise(channel: Channel) -> bool:
    """Tell whether this is a PSAM: an environment of one of its names with the PSAM's application inside.

    The first of the names is also that of the environment on a social security card: the application decides.
    """
    return any(_select(channel, name) and _select(channel, PSAM_APPLICATION) for name in PSAM_NAMES.values())


def _select(channel: Channel, name: bytes) -> bool:
    return channel.send(Command(0x00, 0xA4, 0x04, 0x00, name, _WHOLE)).ok
