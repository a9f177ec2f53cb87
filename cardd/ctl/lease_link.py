"""A card in a daemon's reader, spoken to over a lease: its power comes and goes with it."""

import time
from collections.abc import Callable
from typing import Final

from cardd.client.blocking import Client
from cardd.desk.reading import Via
from cardd.desk.via import via_of
from cardd.wire.leases import CardTransmitParams, LeaseAcquireParams, LeaseReleaseParams, LeaseRenewParams, LeaseResult
from cardd.wire.methods import CARD_TRANSMIT, LEASE_ACQUIRE, LEASE_RELEASE, LEASE_RENEW

TTL_S: Final = 30.0

# The first command opens the card. The daemon holds its answer to reset against that of the insertion then.
_OPEN: Final = bytes.fromhex("00A40000023F00")


class LeaseLink:
    """What the card test needs of a card. Its methods raise what the client raises."""

    tear: Callable[[int], None] | None = None

    def __init__(self, client: Client, reader: str | None, *, spends: bool) -> None:
        """Lease the card in a reader, or the only one there is. `spends`: tries of its keys are spent on purpose."""
        self._client = client
        self._spends = spends
        self._choice = LeaseAcquireParams(reader=reader, ttl_s=TTL_S)
        self._lease: LeaseResult | None = None
        self._renew_at = 0.0
        self.interface = "contactless" if via_of(self.cold_reset()) is Via.CONTACTLESS else "contact"

    def cold_reset(self) -> bytes:
        """Let the card go, which resets it, and take it again: the same insertion, or nothing more is done."""
        self.close()
        lease = self._client.call(LEASE_ACQUIRE, self._choice)
        self._keep(lease)
        self._choice = LeaseAcquireParams(insertion=lease.insertion, ttl_s=TTL_S)
        self.transmit(_OPEN)
        return bytes.fromhex(lease.atr)

    def warm_reset(self) -> bytes:
        """Reset the card; the daemon knows one way only."""
        return self.cold_reset()

    def transmit(self, command: bytes) -> bytes:
        """Send a command as it is."""
        assert self._lease is not None  # noqa: S101 # cold_reset comes first
        if time.monotonic() >= self._renew_at:
            self._keep(self._client.call(LEASE_RENEW, LeaseRenewParams(lease=self._lease.lease, ttl_s=TTL_S)))
        params = CardTransmitParams(lease=self._lease.lease, apdu=command.hex().upper(), spends=self._spends)
        return bytes.fromhex(self._client.call(CARD_TRANSMIT, params).response)

    def other_side(self) -> bytes | None:
        """Say that only one interface lies in a reader."""
        return None

    def close(self) -> None:
        """Let the card go."""
        lease, self._lease = self._lease, None
        if lease is not None:
            self._client.call(LEASE_RELEASE, LeaseReleaseParams(lease=lease.lease))

    def _keep(self, lease: LeaseResult) -> None:
        self._lease = lease
        self._renew_at = time.monotonic() + lease.ttl_s / 2
