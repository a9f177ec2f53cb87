"""How a laboratory is told what to do from outside: one JSON object a line over a socket in its directory.

A request is `{"do": ACTION, …parameters}`; its answer is `{"done": TEXT}` or `{"error": {"reason", "detail"}}`.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from cardd.base.document import DocumentError
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason

CONTROL_SOCKET: Final = "control.sock"
"""The socket's name in a laboratory's directory."""

Action = Callable[..., str]
"""Does one thing when it is called with a request's parameters by name, and says what it did."""


class _Failure(msgspec.Struct):
    reason: Reason
    detail: str


class _Answer(msgspec.Struct, omit_defaults=True):
    done: str = ""
    error: _Failure | None = None


class ControlServer:
    """Hears requests and carries them out, each client in a thread of its own."""

    def __init__(self, path: Path, actions: Mapping[str, Action]) -> None:
        self.path: Final = path
        self._actions = actions
        self._socket = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._accept, name="lab-control", daemon=True)

    def start(self) -> None:
        """Listen; whoever may use the directory may give orders."""
        self.path.unlink(missing_ok=True)
        self._socket.bind(str(self.path))
        self._socket.listen()
        self._thread.start()

    def close(self) -> None:
        """Hear no more and remove the socket."""
        with contextlib.suppress(OSError):
            # wakes the thread that waits for a client
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="lab-client", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                client.sendall(_line(self._carry_out(line)))

    def _carry_out(self, line: bytes) -> _Answer:
        try:
            request = msgspec.json.decode(line, type=dict[str, str | int | bool])
            return _Answer(done=self._actions[str(request.pop("do"))](**request))
        except CarddError as error:
            return _Answer(error=_Failure(error.reason, error.detail))
        except (DocumentError, msgspec.DecodeError, KeyError, TypeError) as error:
            return _Answer(error=_Failure(Reason.INVALID, str(error) or type(error).__name__))


def order(directory: Path, action: str, **parameters: str | int | bool) -> str:
    """Have the laboratory in a directory do something; return what it did.

    Raises CarddError: NOT_FOUND where no laboratory runs there, else as the laboratory says.
    """
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(directory / CONTROL_SOCKET))
            link.sendall(_line({"do": action, **parameters}))
            with link.makefile("rb") as lines:
                answer = msgspec.json.decode(lines.readline(), type=_Answer)
    except (OSError, msgspec.DecodeError):
        raise CarddError(
            Reason.NOT_FOUND, f"no laboratory answers in {directory}: start one with `cardsim lab --dir {directory}`"
        ) from None
    if answer.error is not None:
        raise CarddError(answer.error.reason, answer.error.detail)
    return answer.done


def _line(message: object) -> bytes:
    return msgspec.json.encode(message) + b"\n"
