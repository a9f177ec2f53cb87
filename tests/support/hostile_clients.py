"""Clients that mean the daemon no good: `python -m support.hostile_clients SOCKET SECONDS DEED`.

Each prints a line when it has begun, goes on for so many seconds, and prints what it got as JSON. Where root runs them,
they are another user's: nobody's.
"""

import contextlib
import json
import os
import random
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Deed = Callable[[str, float], dict[str, Any]]

NOBODY: Final = 65534
_LIST: Final = b'{"jsonrpc":"2.0","id":%d,"method":"readers.list"}\n'
_SUBSCRIBE: Final = b'{"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{"after":"earliest"}}\n'
_DISCOVER: Final = b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n'
_NEARLY: Final = (1 << 20) - 1
_CROWD: Final = 1000
_DEAF: Final = 16
_GARBAGE: Final = 4096


def never_reads(path: str, seconds: float) -> dict[str, Any]:
    """Subscribe and ask for much, again and again, and read nothing; come back when cut off."""
    end, cut, longest = time.monotonic() + seconds, 0, 0.0
    began: dict[socket.socket, float] = {}
    while time.monotonic() < end:
        while len(began) < _DEAF:
            sock = _connect(path)
            began[sock] = time.monotonic()
            with contextlib.suppress(ConnectionError, BlockingIOError):
                sock.send(_SUBSCRIBE * 16, socket.MSG_DONTWAIT)
        for sock in list(began):
            with contextlib.suppress(ConnectionError, BlockingIOError):
                sock.send(_DISCOVER * 64, socket.MSG_DONTWAIT)
            if _is_cut(sock, 0):
                cut += 1
                longest = max(longest, time.monotonic() - began.pop(sock))
                sock.close()
        time.sleep(0.05)
    return {"cut off": cut, "after at most s": round(longest, 1)}


def floods(path: str, seconds: float) -> dict[str, Any]:
    """Ask as fast as it goes on eight connections, a thousand lines at once, and read all answers."""
    end, answers = time.monotonic() + seconds, 0
    lines = b"".join(_LIST % number for number in range(1000))
    queues = {_connect(path): b"" for _ in range(8)}
    refused: Counter[str] = Counter()
    while time.monotonic() < end and queues:
        readable, writable, _ = select.select(list(queues), list(queues), [], 0.2)
        for sock in readable:
            chunk = b""
            with contextlib.suppress(ConnectionError):
                chunk = sock.recv(1 << 18)
            if not chunk:
                del queues[sock]
                continue
            answers += chunk.count(b"\n")
            refused["BUSY"] += chunk.count(b'"BUSY"')
        for sock in writable:
            if sock in queues:
                queues[sock] = queues[sock] or lines
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    queues[sock] = queues[sock][sock.send(queues[sock], socket.MSG_DONTWAIT) :]
    return {"answers a second": round(answers / seconds), "refused": refused["BUSY"], "left": len(queues)}


def half_lines(path: str, seconds: float) -> dict[str, Any]:
    """Begin the longest line there may be on as many connections as are to be had, and never end it."""
    end, held = time.monotonic() + seconds, []
    for _ in range(60):
        sock = _connect(path)
        sock.settimeout(5)
        held.append(sock)
        with contextlib.suppress(ConnectionError, TimeoutError):
            sock.sendall(b"x" * _NEARLY)
    while time.monotonic() < end:
        time.sleep(0.1)
    return {"held open": sum(not _is_cut(sock, 0) for sock in held)}


def garbage(path: str, seconds: float) -> dict[str, Any]:
    """Write bytes that are no lines of JSON and read what comes."""
    end, chance, answers, cut = time.monotonic() + seconds, random.Random(1), 0, 0
    while time.monotonic() < end:
        with _connect(path) as sock, contextlib.suppress(ConnectionError):
            sock.settimeout(5)
            while time.monotonic() < end:
                sock.sendall(chance.randbytes(_GARBAGE) + b"\n")
                chunk = sock.recv(1 << 16)
                answers += chunk.count(b"\n")
                if not chunk:
                    cut += 1
                    break
    return {"errors a second": round(answers / seconds), "cut off": cut}


def half_closes(path: str, seconds: float) -> dict[str, Any]:
    """Ask, close the sending side, and either go or stay for what comes."""
    end, closed, answered = time.monotonic() + seconds, 0, 0
    stayed: list[socket.socket] = []
    while time.monotonic() < end:
        sock = _connect(path)
        with contextlib.suppress(ConnectionError):
            stays = len(stayed) < 16
            sock.sendall(_SUBSCRIBE if stays else _LIST % 1)
            sock.shutdown(socket.SHUT_WR)
            closed += 1
            if stays:
                stayed.append(sock)
                continue
            if closed % 2:
                sock.settimeout(5)
                answered += b"readers" in sock.makefile("rb").readline()
        sock.close()
    return {"half-closed a second": round(closed / seconds), "answered": answered, "stayed": len(stayed)}


def crowd(path: str, seconds: float) -> dict[str, Any]:
    """Open a thousand connections and keep what is to be had, which is asked for the readers."""
    end, began = time.monotonic() + seconds, time.monotonic()
    socks = [_connect(path) for _ in range(_CROWD)]
    opened = time.monotonic() - began
    told: Counter[str] = Counter()
    for sock in socks:
        sock.settimeout(10)
        with contextlib.suppress(ConnectionError):
            sock.sendall(_LIST % 1)
    for sock in socks:
        line = b""
        with contextlib.suppress(ConnectionError):
            line = sock.makefile("rb").readline()
        told["served" if b"readers" in line else "BUSY" if b"BUSY" in line else "nothing"] += 1
    answered = time.monotonic() - began
    while time.monotonic() < end:
        time.sleep(0.1)
    return {**told, "opened in s": round(opened, 2), "answered in s": round(answered, 2)}


def comes_and_goes(path: str, seconds: float) -> dict[str, Any]:
    """Connect and be gone, with and without a last word."""
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with _connect(path) as sock:
            number += 1
            if number % 2:
                with contextlib.suppress(ConnectionError):
                    sock.sendall(_SUBSCRIBE)
    return {"connections a second": round(number / seconds)}


DEEDS: Final[Mapping[str, Deed]] = MappingProxyType(
    {
        "never reads": never_reads,
        "floods": floods,
        "half lines": half_lines,
        "garbage": garbage,
        "half-closes": half_closes,
        "crowd": crowd,
        "comes and goes": comes_and_goes,
    }
)


def _connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return sock


def _is_cut(sock: socket.socket, wait_s: float) -> bool:
    """Tell whether the other side has closed, without reading."""
    poll = select.poll()
    poll.register(sock, 0)
    return bool(poll.poll(wait_s * 1000))


def main() -> None:
    """Do one deed."""
    path, seconds, deed = sys.argv[1:]
    directory, name = os.path.split(path)
    # nobody may look into the directory, but not find its way to it
    os.chdir(directory)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    os.write(1, b"\n")
    os.write(1, json.dumps(DEEDS[deed](name, float(seconds))).encode())


if __name__ == "__main__":
    main()
