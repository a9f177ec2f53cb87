"""Write fuzzed lines to a daemon: `python -m support.line_writer SOCKET SEED NUMBER`; prints what it counted as JSON.

Lines go out in batches on several connections, each batch with a request behind it whose answer has to come.
"""

import contextlib
import json
import re
import select
import socket
import sys
import time
from collections import Counter
from itertools import islice
from typing import Final

from fuzz.lines import Lines

_CONNECTIONS: Final = 4
_BATCH: Final = 200
_BATCHES: Final = 25
"""After so many a connection is given up for a new one."""

_PATIENCE_S: Final = 3.0
"""A client that has asked for waits or prompts in every place gets no further; it comes back."""

_TAUGHT: Final = re.compile(
    rb'"(lease|activation|prompt|subscription|cursor|token|insertion|reader|station)":"([\x21-\x7e]{1,80}?)"'
)
_REASON: Final = re.compile(rb'"reason":"([A-Z_]+)"')


class Channel:
    """One connection with its batch under way."""

    def __init__(self, path: str, number: int) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.sock.setblocking(False)
        self.batches = 0
        self._rest = b""
        self._last = b""
        self._since = 0.0
        self._number = number

    def begin(self, lines: list[bytes]) -> None:
        self.batches += 1
        name = f"batch-{self._number}-{self.batches}"
        last = {"jsonrpc": "2.0", "id": name, "method": "session.hello"}
        self._last = f'"id":"{name}"'.encode()
        self._rest = b"\n".join(lines) + b"\n" + json.dumps(last).encode() + b"\n"
        self._since = time.monotonic()

    @property
    def writes(self) -> bool:
        return bool(self._rest)

    @property
    def is_stuck(self) -> bool:
        return time.monotonic() - self._since > _PATIENCE_S

    def write(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._rest = self._rest[self.sock.send(self._rest) :]

    def read(self) -> bytes:
        return self.sock.recv(1 << 18)

    def is_answered(self, chunk: bytes) -> bool:
        return self._last in chunk


class Writer:
    """All channels, the supply of lines, and what is counted."""

    def __init__(self, path: str, seed: int, number: int) -> None:
        self._path = path
        self._lines = Lines(seed)
        self._supply = islice(self._lines, number)
        self.counts: Counter[str] = Counter()
        self._channels = [self._channel() for _ in range(_CONNECTIONS)]

    def run(self) -> None:
        for channel in list(self._channels):
            self._next(channel)
        while self._channels:
            all_of_them = {channel.sock: channel for channel in self._channels}
            writing = [channel.sock for channel in self._channels if channel.writes]
            readable, writable, _ = select.select(list(all_of_them), writing, [], 0.1)
            for sock in writable:
                with contextlib.suppress(ConnectionError):
                    all_of_them[sock].write()
            for sock in readable:
                self._read(all_of_them[sock])
            for channel in list(self._channels):
                if channel.is_stuck:
                    self._again(channel, "came back")

    def _read(self, channel: Channel) -> None:
        chunk = b""
        with contextlib.suppress(ConnectionError):
            chunk = channel.read()
        if not chunk:
            self._again(channel, "cut off")
            return
        for name, value in _TAUGHT.findall(chunk)[-8:]:
            self._lines.learn(name.decode(), value.decode())
        self.counts.update(reason.decode() for reason in _REASON.findall(chunk))
        self.counts["answers"] += chunk.count(b"\n")
        if channel.is_answered(chunk):
            self.counts["batches"] += 1
            self._next(channel)

    def _next(self, channel: Channel) -> None:
        if channel.batches >= _BATCHES:
            channel = self._replaced(channel)
        batch = list(islice(self._supply, _BATCH))
        if batch:
            self.counts["lines"] += len(batch)
            channel.begin(batch)
        else:
            self._channels.remove(channel)
            channel.sock.close()

    def _again(self, channel: Channel, why: str) -> None:
        self.counts[why] += 1
        self._next(self._replaced(channel))

    def _replaced(self, channel: Channel) -> Channel:
        channel.sock.close()
        other = self._channel()
        self._channels[self._channels.index(channel)] = other
        return other

    def _channel(self) -> Channel:
        self.counts["connections"] += 1
        return Channel(self._path, self.counts["connections"])


def main() -> None:
    """Write so many lines."""
    path, seed, number = sys.argv[1:]
    writer = Writer(path, int(seed), int(number))
    writer.run()
    sys.stdout.write(json.dumps(writer.counts))


if __name__ == "__main__":
    main()
