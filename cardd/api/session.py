"""One client while it is connected: who it is, what it may do, what it listens to."""

import secrets

import msgspec

from cardd.api.peer import Peer
from cardd.api.rights import Right
from cardd.api.shares import Share
from cardd.api.subscriptions import Subscription


def _new_name() -> str:
    return "connection " + secrets.token_hex(8)


class Session(msgspec.Struct):
    """State of one connection that outlives a request.

    What the connection holds is held by its `name`. `left` is true once it can send nothing more: from then on it holds
    nothing.
    """

    peer: Peer
    rights: frozenset[Right]
    share: Share
    program: str | None = None
    subscriptions: dict[str, Subscription] = msgspec.field(default_factory=dict)
    name: str = msgspec.field(default_factory=_new_name)
    left: bool = False

    @property
    def client(self) -> str:
        """Return how records name this client: the user, who is sure, and the program's own claim."""
        return f"{self.peer.user}/{self.program}" if self.program else self.peer.user
