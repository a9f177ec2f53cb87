"""Leases in time: given for a while, renewed, ended by their time or by whoever has a reason. Loop thread only."""

import secrets
from collections.abc import Callable
from typing import Final

from cardd.base.clock import Clock, TimerHandle
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.readers.holds import Holds, Lease
from cardd.readers.insertion import Insertion

LONGEST_S: Final = 300.0
"""How long a lease may last without being renewed, where nothing else is configured."""


class Leases:
    """Gives leases their end in the table. `ended` is called with each that is over, once it is out of the table."""

    def __init__(self, holds: Holds, clock: Clock, ended: Callable[[Lease], None], *, longest_s: float) -> None:
        self._holds = holds
        self._clock = clock
        self._ended = ended
        self._longest_s = longest_s
        self._timers: dict[str, TimerHandle] = {}

    def begin(self, insertion: Insertion, holder: str, ttl_s: float) -> Lease:
        """Lease an insertion. Raises CarddError: INVALID for a time beyond the longest, LEASE_HELD, BUSY."""
        lease = Lease(secrets.token_hex(16), insertion, self._until(ttl_s))
        self._holds.lease(lease, holder)
        self._arm(lease)
        return lease

    def renew(self, lease: str, holder: str, ttl_s: float) -> Lease:
        """Let a lease last for another while from now. Raises CarddError: INVALID, LEASE_LOST."""
        renewed = self._holds.renew(lease, holder, self._until(ttl_s))
        self._arm(renewed)
        return renewed

    def end(self, lease: str) -> None:
        """End a lease, whoever holds it. Nothing happens if it is over."""
        timer = self._timers.pop(lease, None)
        if timer is not None:
            timer.cancel()
        ended = self._holds.end(lease)
        if ended is not None:
            self._ended(ended)

    def close(self) -> None:
        """End all of them."""
        for lease in list(self._timers):
            self.end(lease)

    def _arm(self, lease: Lease) -> None:
        timer = self._timers.pop(lease.id, None)
        if timer is not None:
            timer.cancel()
        seconds = max(0.0, lease.expires - self._clock.monotonic())
        self._timers[lease.id] = self._clock.call_later(seconds, lambda: self.end(lease.id))

    def _until(self, ttl_s: float) -> float:
        if not 0 < ttl_s <= self._longest_s:
            raise CarddError(Reason.INVALID, f"a lease lasts up to {self._longest_s:g} seconds", path="$.ttl_s")
        return self._clock.monotonic() + ttl_s
