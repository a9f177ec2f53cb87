"""Heads: what the chain had come to at one event, and who vouches for it.

A head names stream, sequence and digest. Whoever keeps one can tell later whether anything up to that event was changed
or cut off, also by somebody who rewrote the whole chain behind it. A signature says that this counter's key vouches for
the head; what makes a head worth keeping is that it lies somewhere else.
"""

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.signing import Signer, Verify

EVERY_EVENTS: Final = 1000
"""After so many events, at the latest, a head is signed."""

_FORM: Final = re.compile(r"(?P<stream>[0-9a-f]{1,64}):(?P<sequence>0|[1-9][0-9]{0,18}):(?P<digest>[0-9a-f]{64})")


class Place(msgspec.Struct, frozen=True):
    """Where a chain stands: after the event `sequence`, with that event's digest (hex)."""

    stream: str
    sequence: int
    digest: str

    def __str__(self) -> str:
        """Return `STREAM:SEQUENCE:DIGEST`."""
        return f"{self.stream}:{self.sequence}:{self.digest}"


class Head(Place, frozen=True, kw_only=True):
    """A place that was signed at a time (RFC 3339, UTC), with the public key; key and signature in hex."""

    time: str
    algorithm: str
    key: str
    signature: str

    @property
    def statement(self) -> bytes:
        """Return what is signed."""
        return _statement(self.stream, self.sequence, self.digest, self.time)

    def vouched(self, verify: Verify) -> bool:
        """Tell whether the signature is right. Raises CarddError INVALID where the algorithm is not known here."""
        try:
            key, signature = bytes.fromhex(self.key), bytes.fromhex(self.signature)
        except ValueError:
            return False
        return verify(self.algorithm, key, self.statement, signature)


def parse(text: str) -> Place:
    """Read `STREAM:SEQUENCE:DIGEST`. Raises CarddError INVALID."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise CarddError(Reason.INVALID, "a head is STREAM:SEQUENCE:DIGEST, the digest in 64 hexadecimal digits")
    return Place(match["stream"], int(match["sequence"]), match["digest"])


class Notary:
    """Signs heads as of now. Any thread."""

    def __init__(self, signer: Signer, clock: Clock) -> None:
        self._signer = signer
        self._clock = clock

    @property
    def key(self) -> str:
        """Return `ALGORITHM:PUBLIC KEY` as an auditor notes it down."""
        return f"{self._signer.algorithm}:{self._signer.public.hex()}"

    def sign(self, stream: str, sequence: int, digest: bytes) -> Head:
        """Return a signed head."""
        time, text = _moment(self._clock.now()), digest.hex()
        return Head(
            stream,
            sequence,
            text,
            time=time,
            algorithm=self._signer.algorithm,
            key=self._signer.public.hex(),
            signature=self._signer.sign(_statement(stream, sequence, text, time)).hex(),
        )


def _statement(stream: str, sequence: int, digest: str, time: str) -> bytes:
    return f"cardd journal head\n{stream}:{sequence}:{digest}\n{time}\n".encode()


def _moment(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
