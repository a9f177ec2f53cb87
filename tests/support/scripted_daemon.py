"""A daemon that says what a test has written down: one script for each connection, in their order."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Message = dict[str, Any]

HANG_UP: Message = {}
"""In a script: close the connection."""


def answer(**result: Any) -> Message:
    return {"result": result}


def refusal(reason: str, **facts: Any) -> Message:
    return {"error": {"code": -32000, "message": reason, "data": {"reason": reason, "retry": "never", **facts}}}


def expulsion(reason: str) -> Message:
    return {"id": None, **refusal(reason)}


def event(number: int, kind: str = "card.inserted", *, correlation: str | None = None, **data: Any) -> Message:
    """The event with that sequence; the same number is the same event."""
    happened = {
        "specversion": "1.0",
        "id": f"id-{number}",
        "source": "/cardd/scripted",
        "type": f"org.cardd.{kind}.v1",
        "time": "2026-01-01T00:00:00Z",
        "sequence": f"{number:020}",
        "correlationid": correlation,
        "data": data,
    }
    return {"method": "event", "params": {"subscription": "s1", "cursor": f"c.{number}", "event": happened}}


def beat(number: int) -> Message:
    return {"method": "heartbeat", "params": {"subscription": "s1", "cursor": f"c.{number}"}}


def subscribed(number: int = 0) -> Message:
    return answer(subscription="s1", cursor=f"c.{number}", snapshot=None)


class ScriptedDaemon:
    """What was asked, by connection; the answers come from the scripts."""

    def __init__(self, path: Path, scripts: Sequence[Sequence[Message]]) -> None:
        self.asked: list[list[Message]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._scripts = scripts
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def params(self, method: str) -> list[Mapping[str, Any]]:
        """What that method was called with, over all connections."""
        return [one["params"] for asked in self.asked for one in asked if one["method"] == method]

    def _serve(self) -> None:
        for script in self._scripts:
            with contextlib.suppress(OSError):
                connection, _ = self._listener.accept()
                with connection, connection.makefile("rwb") as lines:
                    self.asked.append([])
                    self._play(lines, script)

    def _play(self, lines: Any, script: Sequence[Message]) -> None:
        for message in script:
            if message is HANG_UP:
                return
            said = {"jsonrpc": "2.0", **message}
            if "id" not in message and "method" not in message:
                asked = json.loads(lines.readline())
                self.asked[-1].append(asked)
                said["id"] = asked["id"]
            lines.write(json.dumps(said).encode() + b"\n")
            lines.flush()
        # until the client leaves
        lines.read()


@contextlib.contextmanager
def scripted_daemon(directory: Path, *scripts: Sequence[Message]) -> Iterator[ScriptedDaemon]:
    """Serve the scripts on `directory/cardd.sock`."""
    daemon = ScriptedDaemon(directory / "cardd.sock", scripts)
    try:
        yield daemon
    finally:
        daemon.close()
