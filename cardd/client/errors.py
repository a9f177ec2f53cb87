"""What can go wrong for a client: the daemon says no, or cannot be talked to."""

from cardd.wire.base import Json
from cardd.wire.rpc import ErrorObject


class CallError(Exception):
    """The daemon refused, or a card, reader, authority did. `reason` is stable; newer daemons may have more of them."""

    def __init__(self, error: ErrorObject) -> None:
        super().__init__(error.message)
        self.code = error.code
        self.message = error.message
        self.data = error.data

    @property
    def reason(self) -> str:
        """Return the upper-case reason, empty where a foreign server gave none."""
        return self._word("reason")

    @property
    def retry(self) -> str:
        """Return never, now or after_event."""
        return self._word("retry")

    @property
    def detail(self) -> str:
        """Return the one phrase about this very case, empty where there is none."""
        return self._word("detail")

    @property
    def text(self) -> dict[str, str]:
        """Return the sentence for people in both languages."""
        text = self.data.get("text")
        return {key: str(value) for key, value in text.items()} if isinstance(text, dict) else {}

    def fact(self, name: str) -> Json:
        """Return one more member of the error's data, None where it is absent."""
        return self.data.get(name)

    def _word(self, name: str) -> str:
        value = self.data.get(name)
        return value if isinstance(value, str) else ""


class ExpelledError(CallError):
    """An error that answers no request: the daemon ends the connection, and says why."""


class UnreachableError(Exception):
    """Nobody answers on the socket, or nobody any more: the message says what to do about it."""


class ProtocolError(Exception):
    """What came over the socket is not what the contract says."""
