"""What computes with the issuer's keys."""

from collections.abc import Mapping
from typing import Final, Protocol, runtime_checkable

from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import Factors
from cardd.keys.versions import KeyVersions
from cardd.rules.keys import KeyName
from cardd.wire.base import Json

UNASKED: Final = frozenset(
    {
        Reason.PSAM_ABSENT,
        Reason.PSAM_ALGORITHM,
        Reason.PSAM_KEY_MISSING,
        Reason.PSAM_LEVEL,
        Reason.HSM_UNAVAILABLE,
        Reason.ALGORITHM_UNSUPPORTED,
        Reason.TIMEOUT,
        Reason.READER_IN_USE,
    }
)
"""Reasons of a key service that could not compute: they say nothing about the card on the counter."""


class KeyService(Protocol):
    """Names keys and computes with them; no key ever comes out.

    Called on the worker thread of the reader that holds the card, and may block there until the deadline. Its failures
    are CarddErrors with a reason of UNASKED, never one about a card: the card on the counter must not be blamed.
    """

    @property
    def versions(self) -> KeyVersions:
        """What versions of this service's keys were found on cards."""

    def authentication_data(
        self,
        key: KeyName,
        algorithm: Algorithm,
        factors: Factors,
        process_factor: bytes,
        original: bytes,
        *,
        version: int | None = None,
        deadline: float,
    ) -> bytes:
        """Return the 8 bytes of authentication data for one card (LD/T 32.4 9.3).

        `process_factor` and `original` are 8 bytes each: for internal authentication both are the terminal's random
        numbers, for external authentication the process factor is the card's challenge. `version` 1 to 3 names the
        key's generation, None leaves it to the card (the first). `deadline` is in monotonic seconds.
        """

    def maintenance(
        self,
        key: KeyName,
        algorithm: Algorithm,
        factors: Factors,
        challenge: bytes,
        header: bytes,
        plaintext: Secret | None,
        *,
        deadline: float,
    ) -> bytes:
        """Return the data of a maintenance command: the enciphered plaintext, if there is one, and the MAC (4 bytes).

        `key` is the STK of the card's level, `challenge` the card's 8 bytes, `header` CLA INS P1 P2; Lc, which the MAC
        covers, is the length of what is returned. `plaintext` is a PIN as packed digits: an empty one is enciphered
        too (it takes the PIN away), None has nothing enciphered (LD/T 32.4 8.2, 8.3).
        """

    def status(self) -> Mapping[str, Json]:
        """Return what an operator wants to see, without waiting for anything."""


@runtime_checkable
class UpdateMacs(Protocol):
    """A key service that also makes the MAC of an update whose data stay plain.

    Some cards may want one (LD/T 32.7 7.3 has them take updates without). The machines of an issuer are asked for the
    MACs of maintenance commands only (人社信息函[2016]38号), so that keys on the network do not do this.
    """

    def update_mac(
        self,
        key: KeyName,
        algorithm: Algorithm,
        factors: Factors,
        challenge: bytes,
        header: bytes,
        data: bytes,
        *,
        deadline: float,
    ) -> bytes:
        """Return the MAC (4 bytes) of an update command: over `header`, Lc with the MAC counted, and `data`.

        `key` is the STK of the application, `challenge` the card's 8 bytes, `header` CLA INS P1 P2, `data` up to 251
        bytes (LD/T 32.4 8.2). Errors as for KeyService.
        """


@runtime_checkable
class Reachable(Protocol):
    """A key service that may be away and come back without a sign, so that somebody has to ask."""

    def reachable(self, *, deadline: float) -> bool:
        """Ask whether it answers, for no card's sake; blocks until then or the deadline (monotonic). Any thread."""
