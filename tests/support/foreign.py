"""Cards that are none of ours, as far as commands by name go."""

from collections.abc import Mapping

from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport

OK, NOT_FOUND, BLOCKED = b"\x90\x00", b"\x6a\x82", b"\x6a\x81"


def holding(names: Mapping[bytes, bytes], otherwise: bytes = NOT_FOUND) -> Channel:
    """Return a channel to a card that has applications with these names, and answers to them so."""

    def transmit(raw: bytes) -> bytes:
        command = Command.decode(raw)
        return names.get(command.data, otherwise) if command.ins == 0xA4 else otherwise

    return Channel(transmit, Transport.T1)
