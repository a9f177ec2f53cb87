"""The greeting: who speaks, which contract, what this client may do, and how much."""

from cardd.wire.base import Params, Result

API: int = 1
"""The version of the contract. It changes only when an old client would misunderstand."""


class HelloParams(Params):
    """Introduce a client: its name goes into logs and records as a claim, beside the user who is known for sure."""

    client: str | None = None
    api: int = API


class Limits(Result):
    """How much one client may send and hold: bytes a line, connections in all, requests under way on a connection."""

    line_bytes: int
    connections: int
    requests: int


class HelloResult(Result):
    """The daemon, the event stream's identity, and the rights of the user on this connection."""

    daemon: str
    version: str
    api: int
    stream: str
    rights: list[str]
    limits: Limits
