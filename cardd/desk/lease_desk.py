"""Leases for clients: a card held across requests, and commands sent to it as they are. Event loop's thread only."""

from typing import Final

from cardd.base.clock import Clock
from cardd.desk.raw_keys import keys_shown, show
from cardd.desk.requests import CardRequests
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.channel import Channel
from cardd.journal.events import NewEvent
from cardd.journal.store import Journal
from cardd.keys.service import KeyService
from cardd.keys.versions import KeyVersions
from cardd.readers.holds import Lease
from cardd.readers.insertion import Insertion
from cardd.readers.leases import LONGEST_S
from cardd.readers.registry import Readers
from cardd.rules.keys import KeyName
from cardd.wire.cards import CardChoice, Kind
from cardd.wire.leases import (
    CardTransmitParams,
    CardTransmitResult,
    LeaseAcquireParams,
    LeaseReleaseParams,
    LeaseReleaseResult,
    LeaseRenewParams,
    LeaseResult,
)

USUAL_S: Final = 30.0
"""How long a lease lasts for a client that does not say, where so long a one is given."""

TRANSMIT_S: Final = 20.0
"""How long one command may take: a contact card asks for more time again and again while it computes."""


class LeaseDesk:
    """Gives leases to connections, by whose names they hold them."""

    def __init__(
        self,
        readers: Readers,
        requests: CardRequests,
        journal: Journal,
        keys: KeyService | None,
        stopped: StoppedKeys,
        *,
        clock: Clock,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._readers = readers
        self._requests = requests
        self._journal = journal
        self._versions = KeyVersions() if keys is None else keys.versions
        self._stopped = stopped
        self._clock = clock
        self._usual_s = min(USUAL_S, longest_s)
        self._on_record: set[str] = set()

    async def acquire(self, params: LeaseAcquireParams, *, holder: str) -> LeaseResult:
        """Lease the card that is meant; wait for it, and for whoever holds it, up to `wait_s`.

        Raises CarddError as `CardRequests.choose` and `Readers.lease` do.
        """
        chosen = await self._requests.choose(params)
        ttl_s = self._seconds(params.ttl_s)
        lease = self._readers.lease(chosen.insertion.id, holder, ttl_s=ttl_s)
        return _result(lease, ttl_s)

    def check(self, lease: str, *, holder: str) -> None:
        """Raise CarddError(LEASE_LOST) unless that lease lasts and is the holder's."""
        self._readers.leased(lease, holder)

    def has(self, insertion: str, *, holder: str) -> bool:
        """Tell whether an insertion's card is the holder's."""
        return self._readers.has_leased(insertion, holder)

    def renew(self, params: LeaseRenewParams, *, holder: str) -> LeaseResult:
        """Let a lease last for another while from now. Raises CarddError: LEASE_LOST, INVALID."""
        ttl_s = self._seconds(params.ttl_s)
        lease = self._readers.renew(params.lease, holder, ttl_s=ttl_s)
        return _result(lease, ttl_s)

    def release(self, params: LeaseReleaseParams, *, holder: str) -> LeaseReleaseResult:
        """End a lease. Raises CarddError(LEASE_LOST)."""
        self._readers.end_lease(params.lease, holder)
        return LeaseReleaseResult(lease=params.lease)

    async def transmit(self, params: CardTransmitParams, *, client: str) -> CardTransmitResult:
        """Send one command to the card of a lease and return its answer; that a lease is used so, is on record before.

        A key that it may show, and that is stopped on the station, keeps it from being sent. A refusal of the card
        stops the key, but where the client means to spend a try.

        Raises CarddError: LEASE_LOST; BUSY while something else is done under the lease; KEY_STOPPED; what the journal
        raises, then nothing is sent; as `Readers.run` does.
        """
        chosen = await self._requests.choose(CardChoice(lease=params.lease))
        await self._put_on_record(params.lease, chosen.insertion, client)
        command, deadline = bytes.fromhex(params.apdu), self._clock.monotonic() + TRANSMIT_S
        shown = self._shown(command, chosen.insertion)

        def operation(channel: Channel, inside: Insertion) -> bytes:
            if params.spends:
                for key in shown:
                    self._stopped.check(inside.station, key)
                return channel.exchange(command)
            return show(shown, lambda: channel.exchange(command), self._stopped, inside.station, deadline)

        answer = await self._requests.run(chosen, operation, timeout_s=TRANSMIT_S)
        return CardTransmitResult(response=answer.hex().upper())

    def _shown(self, command: bytes, insertion: Insertion) -> tuple[KeyName, ...]:
        """Return the keys of a social security card that a command may show; another card has others."""
        identity = self._requests.identity_of(insertion.id)
        if identity is not None and identity.kind is not Kind.SOCIAL_SECURITY:
            return ()
        return keys_shown(command, self._versions)

    async def _put_on_record(self, lease: str, insertion: Insertion, client: str) -> None:
        if lease in self._on_record:
            return
        data = {"station": insertion.station, "client": client}
        await self._journal.record(NewEvent("card.transmitted", insertion.reader, data, insertion=insertion.id))
        self._on_record = {one for one in self._on_record if self._readers.lasts(one)} | {lease}

    def _seconds(self, ttl_s: float | None) -> float:
        return self._usual_s if ttl_s is None else ttl_s


def _result(lease: Lease, ttl_s: float) -> LeaseResult:
    insertion = lease.insertion
    return LeaseResult(lease=lease.id, insertion=insertion.id, ttl_s=ttl_s, atr=insertion.atr.hex().upper())
