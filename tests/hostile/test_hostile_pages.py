"""What comes over a WebSocket that no browser would send, and that others are served meanwhile."""

import contextlib
import random
import select
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final

import pytest
from support.pages import ORIGIN, TOKEN, free_port, web
from support.siege import Siege
from support.waiting import until
from websockets.frames import CloseCode, Frame, Opcode

READ_S = 2.0
MIB = 1024
"""Of memory, in KiB."""


class Besieged:
    """A counter with a gateway; what reads cards is another client, on the socket."""

    def __init__(self, siege: Siege, port: int) -> None:
        self.siege = siege
        self.port = port
        self.before: Final = siege.at_rest()

    def raw(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.settimeout(10)
        return sock

    def opened(self, path: str = "/rpc") -> socket.socket:
        """Return a connection that has become a WebSocket."""
        sock = self.raw()
        sock.sendall(
            f"GET {path}?token={TOKEN} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nOrigin: {ORIGIN}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        return sock


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    directory = tmp_path_factory.mktemp("pages")
    port = free_port()
    with Siege(directory, {"web": web(directory, port)}) as siege:
        siege.insert("social-jia-3.0")
        siege.read()
        yield Besieged(siege, port)
        assert TOKEN not in siege.log.read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def nothing_stays_behind(besieged: Besieged) -> Iterator[None]:
    """The daemon reads a card after anything, and holds in the end what it held before."""
    yield
    assert besieged.siege.read() < READ_S
    until(lambda: besieged.siege.resources().descriptors <= besieged.before.descriptors, "the end of all that was open")
    assert besieged.siege.resources().memory - besieged.before.memory < 16 * MIB


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def close_code(sock: socket.socket) -> int:
    """Return the code that a connection is closed with, once it is."""
    got = b""
    with contextlib.suppress(ConnectionError):
        while chunk := sock.recv(1 << 16):
            got += chunk
    sock.close()
    while got:
        # what a server sends has no masks
        length, begin = got[1], 2
        if length == 126:
            length, begin = int(struct.unpack(">H", got[2:4])[0]), 4
        if got[0] == 0x88:
            return int(struct.unpack(">H", got[begin : begin + 2])[0])
        got = got[begin + length :]
    return CloseCode.ABNORMAL_CLOSURE


@pytest.mark.parametrize("path", ["/rpc", "/"])
@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(Opcode.BINARY, b"{}")], CloseCode.UNSUPPORTED_DATA),
        ([frame(Opcode.TEXT, b"\xff\xfe")], CloseCode.INVALID_DATA),
        ([frame(Opcode.TEXT, b"\xe6", fin=False), frame(Opcode.CONT, b"{")], CloseCode.INVALID_DATA),
        ([frame(Opcode.CONT, b"{}")], CloseCode.PROTOCOL_ERROR),
        ([frame(Opcode.TEXT, b"{", fin=False), frame(Opcode.TEXT, b"}")], CloseCode.PROTOCOL_ERROR),
        ([frame(Opcode.TEXT, b"{", fin=False), *[frame(Opcode.CONT, fin=False)] * 2000], CloseCode.MESSAGE_TOO_BIG),
        ([frame(Opcode.TEXT, b" " * ((1 << 20) + 1))], CloseCode.MESSAGE_TOO_BIG),
        ([b"\x81\xff" + struct.pack(">Q", 1 << 62) + b"mask"], CloseCode.MESSAGE_TOO_BIG),
        ([b"\x81\x02{}"], CloseCode.PROTOCOL_ERROR),
        ([b"\xf1\x80mask"], CloseCode.PROTOCOL_ERROR),
        ([b"\x83\x80mask"], CloseCode.PROTOCOL_ERROR),
        ([b"\x89\xfe\x01\x00mask".ljust(8 + 256)], CloseCode.PROTOCOL_ERROR),
        ([frame(Opcode.PING) * 5000], CloseCode.POLICY_VIOLATION),
        ([frame(Opcode.PONG) * 5000], CloseCode.POLICY_VIOLATION),
        ([frame(Opcode.CLOSE, b"\x03\xe8bye")], CloseCode.NORMAL_CLOSURE),
        ([frame(Opcode.CLOSE, b"\x00")], CloseCode.PROTOCOL_ERROR),
    ],
)
def test_what_no_browser_sends_ends_the_connection_with_its_code(
    besieged: Besieged, path: str, frames: list[bytes], code: CloseCode
) -> None:
    sock = besieged.opened(path)
    with contextlib.suppress(ConnectionError):
        for one in frames:
            sock.sendall(one)
    assert close_code(sock) == code


def test_messages_in_pieces_with_pings_between_them_are_whole_messages(besieged: Besieged) -> None:
    sock = besieged.opened("/")
    message = b'{"function": "iReadCardBas", "iType": 3}'
    sock.sendall(frame(Opcode.TEXT, message[:1], fin=False))
    for byte in message[1:-1]:
        sock.sendall(frame(Opcode.CONT, bytes([byte]), fin=False))
    sock.sendall(frame(Opcode.PING, b"?") + frame(Opcode.CONT, message[-1:]))
    assert sock.recv(3) == b"\x8a\x01?"
    assert b'"success":1' in sock.recv(1 << 16)
    sock.close()


def test_the_longest_message_is_read_and_answered(besieged: Besieged) -> None:
    sock = besieged.opened()
    sock.sendall(frame(Opcode.TEXT, b'{"jsonrpc":"2.0","id":1,"method":"readers.list"}'.ljust((1 << 20) - 1)))
    assert sock.recv(1)[0] == 0x81
    sock.close()


@pytest.mark.parametrize(
    "opening",
    [
        b"",
        b"G",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 1000,
        b"GET /" + b"a" * 100_000,
        b"GET / HTTP/1.1\r\n" + b"a" * 100_000,
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET http://127.0.0.1/rpc HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"\r\n" * 10_000,
        b"{}\n",
    ],
)
def test_an_opening_that_is_none_is_over_soon(besieged: Besieged, opening: bytes) -> None:
    sock = besieged.raw()
    with contextlib.suppress(ConnectionError):
        sock.sendall(opening)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1 << 16):
            pass
    sock.close()


def _is_cut(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


@pytest.mark.slow
def test_those_who_never_say_what_they_want_are_few_and_are_let_go_of(besieged: Besieged) -> None:
    began = time.monotonic()
    waiting = [besieged.raw() for _ in range(200)]
    assert besieged.siege.read() < READ_S
    until(lambda: sum(map(_is_cut, waiting)) == len(waiting) - 64, "most of them are cut off at once", 2)
    for sock in waiting:
        with contextlib.suppress(ConnectionError):
            assert sock.recv(1) == b""
        sock.close()
    assert time.monotonic() - began < 9
    besieged.opened().close()


def test_a_flood_of_messages_leaves_cards_and_others_their_turn_and_who_does_not_read_its_answers_is_cut_off(
    besieged: Besieged,
) -> None:
    sock = besieged.opened()
    sock.setblocking(False)
    flood, sent = frame(Opcode.TEXT, b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}') * 200, 0
    reads, end = [], time.monotonic() + 1
    while time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            sent += sock.send(flood)
        reads.append(besieged.siege.read())
    assert sent
    assert max(reads) < READ_S
    sock.close()


def test_pings_of_one_who_reads_nothing_fill_no_memory(besieged: Besieged) -> None:
    before = besieged.siege.resources().memory
    socks = [besieged.opened() for _ in range(8)]
    pings = frame(Opcode.PING, b"x" * 125) * 500
    for sock in socks:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            for _ in range(50):
                sock.send(pings)
    assert besieged.siege.read() < READ_S
    assert besieged.siege.resources().memory - before < 16 * MIB
    for sock in socks:
        sock.close()


def test_random_bytes_behind_a_good_opening_break_nothing(besieged: Besieged) -> None:
    chance = random.Random(7)
    for number in range(60):
        sock = besieged.opened("/" if number % 2 else "/rpc")
        with contextlib.suppress(ConnectionError):
            sock.sendall(chance.randbytes(chance.randrange(1, 4096)))
            if number % 3:
                sock.shutdown(socket.SHUT_WR)
        sock.close()


def test_messages_of_random_bytes_are_answered_or_end_the_connection(besieged: Besieged) -> None:
    chance = random.Random(8)
    starts = [b"", b"{", b'{"function":', b'{"function":"iReadCardBas","iType":', b'{"jsonrpc":"2.0","id":', b"[" * 500]
    for path in ("/", "/rpc"):
        for _ in range(40):
            sock = besieged.opened(path)
            letters = bytes(chance.choices(b'{}[]":,0123456789eE+-.tfn \\u\n', k=chance.randrange(200)))
            sock.sendall(frame(Opcode.TEXT, chance.choice(starts) + letters))
            assert sock.recv(1) == b"\x81"
            sock.close()
