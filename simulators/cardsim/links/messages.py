"""What a rig of simulated readers and its clients say to each other: one JSON object a line, bytes in Base64.

Each watch and each open card has a connection of its own; ending it ends the watch, or lets go of the card as pcscd
does for a program that dies: with a reset.
"""

from typing import Final

import msgspec

from cardd.base.reasons import Reason
from cardd.iso7816.device import Slot, Transport

SOCKET_VARIABLE: Final = "CARDSIM_SOCKET"
"""The environment variable that names the rig's Unix socket."""


class Watch(msgspec.Struct, frozen=True, tag="watch", tag_field="do"):
    """Tell what there is, then every change: a `Look` a line, for ever."""


class Connect(msgspec.Struct, frozen=True, tag="connect", tag_field="do"):
    """Open the card in a slot; answered with `Opened`. All the following are for this card."""

    slot: str
    exclusive: bool


class Transmit(msgspec.Struct, frozen=True, tag="transmit", tag_field="do"):
    """Send a command to the card; answered with `Response`."""

    command: bytes


class Control(msgspec.Struct, frozen=True, tag="control", tag_field="do"):
    """Send a command to the reader; answered with `Response`."""

    code: int
    data: bytes


class Begin(msgspec.Struct, frozen=True, tag="begin", tag_field="do"):
    """Begin a transaction; answered with `Done` when it is ours."""


class End(msgspec.Struct, frozen=True, tag="end", tag_field="do"):
    """End the transaction; answered with `Done`."""

    reset: bool = False


class Disconnect(msgspec.Struct, frozen=True, tag="disconnect", tag_field="do"):
    """Let go of the card; answered with `Done`."""

    reset: bool


class Look(msgspec.Struct, frozen=True, tag="look", tag_field="is"):
    """Every slot there is."""

    slots: tuple[Slot, ...]


class Opened(msgspec.Struct, frozen=True, tag="opened", tag_field="is"):
    """A card was opened."""

    atr: bytes
    transport: Transport


class Response(msgspec.Struct, frozen=True, tag="response", tag_field="is"):
    """What card or reader answered."""

    data: bytes


class Done(msgspec.Struct, frozen=True, tag="done", tag_field="is"):
    """That was done."""


class Failure(msgspec.Struct, frozen=True, tag="failure", tag_field="is"):
    """That was not done."""

    reason: Reason
    detail: str


Order = Transmit | Control | Begin | End | Disconnect
Request = Watch | Connect | Order
Answer = Look | Opened | Response | Done | Failure


def line(message: Request | Answer) -> bytes:
    """Return a message as it travels."""
    return msgspec.json.encode(message) + b"\n"
