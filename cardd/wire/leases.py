"""Cards held for a client's connection, and commands sent to them as they are."""

from typing import Annotated

import msgspec

from cardd.wire.base import Params, Result
from cardd.wire.cards import CardChoice

Apdu = Annotated[str, msgspec.Meta(min_length=8, max_length=2 * 65544, pattern="^([0-9A-Fa-f]{2})+$")]
"""A command in hexadecimal, from its class byte on (ISO 7816-4 5.1: 4 bytes at least, 65544 at most)."""


class LeaseAcquireParams(CardChoice):
    """Hold a card for this connection, for `ttl_s` seconds unless it is renewed."""

    ttl_s: float | None = None


class LeaseRenewParams(Params):
    """Let a lease last for `ttl_s` seconds from now."""

    lease: str
    ttl_s: float | None = None


class LeaseReleaseParams(Params):
    """Let go of a card."""

    lease: str


class LeaseResult(Result):
    """A lease, the card it is on with its answer to reset in hexadecimal, and for how many seconds from now."""

    lease: str
    insertion: str
    ttl_s: float
    atr: str = ""


class LeaseReleaseResult(Result):
    """The lease that is over."""

    lease: str


class CardTransmitParams(Params):
    """Send a command to the card of a lease as it is.

    `spends`: the client means to spend a try of a key, so a refusal stops nothing (needs the right `operate`, too).
    """

    lease: str
    apdu: Apdu
    spends: bool = False


class CardTransmitResult(Result):
    """What the card answered, in hexadecimal, as it gave it: at T=0 61xx and 6Cxx too."""

    response: str
