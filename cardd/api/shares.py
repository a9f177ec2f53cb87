"""What each user of the machine has of the socket: so much, and others are left theirs."""

import asyncio

from cardd.api.services import Limits
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason


class Share:
    """One user's. Requests wait for a place; connections and subscriptions are counted. Loop thread only."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.connections = 0
        self.subscriptions = 0
        self.places = asyncio.Semaphore(limits.requests_of_user)

    def begin_subscription(self) -> None:
        """Count one more. Raises CarddError(BUSY)."""
        limit = self._limits.subscriptions_of_user
        if self.subscriptions >= limit:
            detail = f"this user has {limit} subscriptions already, on all connections together; end one of them"
            raise CarddError(Reason.BUSY, detail)
        self.subscriptions += 1

    def end_subscriptions(self, number: int) -> None:
        """Count so many less."""
        self.subscriptions -= number


class Shares:
    """Who is connected, by the user's number."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._of: dict[int, Share] = {}
        self._connections = 0

    def join(self, uid: int) -> Share:
        """Count one more connection of a user. Raises CarddError(BUSY) where there are too many."""
        limits, share = self._limits, self._of.get(uid) or Share(self._limits)
        if self._connections >= limits.connections:
            raise CarddError(Reason.BUSY, f"{limits.connections} clients are connected already; close one of them")
        if share.connections >= limits.connections_of_user:
            detail = f"this user has {limits.connections_of_user} connections already; close one of them"
            raise CarddError(Reason.BUSY, detail)
        self._of[uid] = share
        share.connections += 1
        self._connections += 1
        return share

    def leave(self, uid: int) -> None:
        """Count one connection less."""
        share = self._of[uid]
        share.connections -= 1
        self._connections -= 1
        if not share.connections:
            del self._of[uid]
