"""A card in a reader of vpcd (vsmartcard 3.3): connecting to the reader's port inserts it, closing takes it out.

On the wire a message is two bytes of length, big-endian, and so many bytes. One byte is control: 00 power off, 01 power
on, 02 reset, 04 give the answer to reset; anything longer is a command for the card.
"""

import socket
import threading
from functools import partial
from typing import Final

from cardsim.card.base import VirtualCard

_LENGTH_BYTES: Final = 2
_CONTROL: Final = 1
_POWER_OFF: Final = 0x00
_POWER_ON: Final = 0x01
_RESET: Final = 0x02
_GIVE_ATR: Final = 0x04
_RETRY_EVERY: Final = 0.02
_TORN_SECONDS: Final = 0.6
"""Longer than the 400 ms between two looks of pcscd, so that it sees the card go and come."""


class VpcdLink:
    """One stay of a card in one reader: a thread that answers until the link is closed.

    The card goes in again by itself when the reader comes back, as after a restart of pcscd. One that loses its power
    in the middle of a command answers nothing: vpcd has no message for that and would wait for ever, so such a card is
    out for a moment, as when somebody tears it out and puts it in again.
    """

    def __init__(self, card: VirtualCard, port: int) -> None:
        self._card = card
        self._port = port
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._closing = threading.Event()
        self._noticed = threading.Event()
        self._torn = False
        self._atr = b""
        self._thread = threading.Thread(target=self._run, name=f"vpcd-{port}", daemon=True)

    def start(self) -> None:
        """Put the card in."""
        self._thread.start()

    def wait_noticed(self, seconds: float) -> bool:
        """Wait until the reader has spoken to the card; return whether it has."""
        return self._noticed.wait(seconds)

    def close(self) -> None:
        """Take the card out, also in the middle of a command; it has no power afterwards."""
        self._closing.set()
        with self._lock:
            if self._socket is not None:
                _shut(self._socket)
        self._thread.join()

    def _run(self) -> None:
        # the reader asks for the answer to reset before it gives power for the first time
        self._atr = self._card.power_on()
        self._card.power_off()
        while not self._closing.is_set():
            try:
                link = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                self._closing.wait(_RETRY_EVERY)
                continue
            with link:
                self._stay(link)
            self._card.power_off()
            if self._torn:
                self._torn = False
                self._closing.wait(_TORN_SECONDS)

    def _stay(self, link: socket.socket) -> None:
        with self._lock:
            self._socket = link
            if self._closing.is_set():
                return
        try:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._answer(link)
        except OSError:
            # the reader has gone
            return
        finally:
            with self._lock:
                self._socket = None

    def _answer(self, link: socket.socket) -> None:
        """Answer one message after the other until the reader closes, or the card has no power.

        vpcd sends length and body in two writes, and each write waits until the one before is acknowledged: if the
        kernel takes its time, each command takes 44 ms. It forgets this option with each answer, so it is set each
        time, before the length is received: then reception itself acknowledges it.
        """
        transmit, receive, send = self._card.transmit, link.recv, link.sendall
        acknowledge = partial(link.setsockopt, socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        while True:
            acknowledge()
            head = receive(_LENGTH_BYTES)
            if len(head) < _LENGTH_BYTES:
                head = _whole(link, head, _LENGTH_BYTES)
            length = int.from_bytes(head, "big")
            # that it has arrived whole is the rule, and then this is all
            message = receive(length)
            if len(message) < length:
                message = _whole(link, message, length)
            if not message:
                return
            if length == _CONTROL:
                self._noticed.set()
                self._control(link, message[0])
                continue
            answer = transmit(message)
            if not answer:
                self._torn = True
                return
            send(_framed(answer))

    def _control(self, link: socket.socket, code: int) -> None:
        if code == _GIVE_ATR:
            link.sendall(_framed(self._atr))
        elif code == _POWER_ON:
            self._atr = self._card.power_on()
        elif code == _RESET:
            self._atr = self._card.reset()
        elif code == _POWER_OFF:
            self._card.power_off()


def _whole(link: socket.socket, data: bytes, count: int) -> bytes:
    """Go on receiving until there are so many bytes; return none when the reader has closed before."""
    while 0 < len(data) < count:
        part = link.recv(count - len(data))
        if not part:
            return b""
        data += part
    return data


def _framed(answer: bytes) -> bytes:
    return len(answer).to_bytes(_LENGTH_BYTES, "big") + answer


def _shut(link: socket.socket) -> None:
    try:
        link.shutdown(socket.SHUT_RDWR)
    except OSError:
        # the reader has closed before us
        return
