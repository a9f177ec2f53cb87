"""Simulated readers in another process, reached over a Unix socket: they survive the program that uses them."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec
from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import Observer, ServiceDown, ServiceUp, Slots, Transport
from cardsim.card.base import VirtualCard
from cardsim.links.messages import (
    SOCKET_VARIABLE,
    Answer,
    Begin,
    Connect,
    Control,
    Disconnect,
    Done,
    End,
    Failure,
    Look,
    Opened,
    Order,
    Request,
    Response,
    Transmit,
    Watch,
    line,
)
from cardsim.links.rack import Handle, Rack, RackWatch

A = TypeVar("A", bound=Answer)

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class SocketRig:
    """Named slots and their cards, served to any number of clients: watches, and cards opened exclusively or shared."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.rack: Final = Rack()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._clients: set[socket.socket] = set()

    def add_slot(self, name: str) -> None:
        """Plug a reader in."""
        self.rack.add_slot(name)

    def remove_slot(self, name: str) -> None:
        """Unplug a reader."""
        self.rack.remove_slot(name)

    def insert(self, slot: str, card: VirtualCard) -> None:
        """Put a card into a slot. Raises CarddError NOT_FOUND for no such slot, BUSY for one with a card in it."""
        self.rack.insert(slot, card)

    def remove(self, slot: str) -> None:
        """Take the card out of a slot, also in the middle of a command. Raises CarddError NOT_FOUND for no card."""
        self.rack.remove(slot)

    def start(self) -> None:
        """Serve; also again after `close`, with the cards where they were."""
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen()
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="rig", daemon=True).start()

    def close(self) -> None:
        """Serve no more: to the clients it looks as if the service had died."""
        with self._lock:
            listener, self._listener = self._listener, None
            clients = tuple(self._clients)
        if listener is not None:
            _shut(listener)
            listener.close()
        for client in clients:
            _shut(client)
        self.path.unlink(missing_ok=True)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="rig-client", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            if self._listener is None:
                client.close()
                return
            self._clients.add(client)
        try:
            with client, client.makefile("rb") as lines, contextlib.suppress(OSError, msgspec.DecodeError):
                first = msgspec.json.decode(lines.readline(), type=Request)
                if isinstance(first, Watch):
                    self._serve_watch(client, lines)
                elif isinstance(first, Connect):
                    self._serve_card(client, lines, first)
        finally:
            with self._lock:
                self._clients.discard(client)

    def _serve_watch(self, client: socket.socket, lines: BinaryIO) -> None:
        def tell(look: Slots) -> None:
            # a client that has gone is noticed below
            with contextlib.suppress(OSError):
                client.sendall(line(Look(look.slots)))

        watch = RackWatch(self.rack, tell)
        try:
            # nothing more is said by a watching client: this waits for its end
            lines.read()
        finally:
            watch.close()

    def _serve_card(self, client: socket.socket, lines: BinaryIO, request: Connect) -> None:
        try:
            handle = self.rack.connect(request.slot, exclusive=request.exclusive)
        except CarddError as error:
            client.sendall(line(Failure(error.reason, error.detail)))
            return
        try:
            client.sendall(line(Opened(handle.atr, handle.transport)))
            for order in lines:
                client.sendall(line(_carry_out(handle, msgspec.json.decode(order, type=Order))))
        finally:
            # of a program that died: nobody finds an unlocked card
            handle.disconnect(reset=True)


def _carry_out(handle: Handle, order: Order) -> Answer:
    try:
        match order:
            case Transmit(command=command):
                return Response(handle.transmit(command))
            case Control(code=code, data=data):
                return Response(handle.control(code, data))
            case Begin():
                handle.begin()
            case End(reset=reset):
                handle.end(reset=reset)
            case Disconnect(reset=reset):
                handle.disconnect(reset=reset)
    except CarddError as error:
        return Failure(error.reason, error.detail)
    return Done()


class SocketBackend:
    """The readers of a rig in another process. Without a path, CARDSIM_SOCKET names its socket."""

    def __init__(self, path: Path | None = None) -> None:
        named = path or os.environ.get(SOCKET_VARIABLE)
        if not named:
            raise CarddError(Reason.INVALID, f"no rig is named: set {SOCKET_VARIABLE} to its socket's path")
        self._path = Path(named)
        self._own: set[str] = set()

    def watch(self, observer: Observer) -> "SocketWatch":
        """Start a watching thread, which outlives the rig."""
        return SocketWatch(self._path, lambda: frozenset(self._own), observer)

    def connect(self, slot: str, *, exclusive: bool) -> "SocketConnection":
        """Open the card in a slot. Raises CarddError as the reader protocol says."""
        if not exclusive:
            return SocketConnection(self._path, Connect(slot, exclusive), _nothing)
        fresh = slot not in self._own
        self._own.add(slot)
        try:
            return SocketConnection(self._path, Connect(slot, exclusive), lambda: self._own.discard(slot))
        except CarddError:
            if fresh:
                self._own.discard(slot)
            raise


class SocketConnection:
    """A card in a rig that one thread has opened."""

    def __init__(self, path: Path, request: Connect, let_go: Callable[[], None]) -> None:
        self._let_go = let_go
        self._open = True
        self._socket = _dial(path)
        self._lines = self._socket.makefile("rb")
        try:
            opened = self._ask(request, Opened)
        except CarddError:
            self._hang_up()
            raise
        self._atr = opened.atr
        self._transport = opened.transport

    @property
    def atr(self) -> bytes:
        """The answer to reset of the card that was connected."""
        return self._atr

    @property
    def transport(self) -> Transport:
        """The protocol that was agreed on."""
        return self._transport

    def transmit(self, command: bytes) -> bytes:
        """Send one command as it is and return the answer, status word included."""
        return self._ask(Transmit(command), Response).data

    def control(self, code: int, data: bytes) -> bytes:
        """Send a command to the reader itself."""
        return self._ask(Control(code, data), Response).data

    def begin(self) -> None:
        """Begin a transaction; waits while somebody else has one."""
        self._ask(Begin(), Done)

    def end(self, *, reset: bool = False) -> None:
        """End the transaction; with a reset, if told so, before anybody who waits gets the card."""
        self._ask(End(reset), Done)

    def disconnect(self, *, reset: bool) -> None:
        """Let go of the card. Never raises; a second time does nothing."""
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(CarddError):
            self._ask(Disconnect(reset), Done)
        self._hang_up()
        self._let_go()

    def _ask(self, request: Request, kind: type[A]) -> A:
        try:
            self._socket.sendall(line(request))
            answer = msgspec.json.decode(self._lines.readline(), type=Answer)
        except (OSError, ValueError):
            raise _gone() from None
        if isinstance(answer, Failure):
            raise CarddError(answer.reason, answer.detail)
        if not isinstance(answer, kind):
            raise _gone()
        return answer

    def _hang_up(self) -> None:
        self._lines.close()
        self._socket.close()


class SocketWatch:
    """A watch on a rig: one thread, which says once that the rig has gone, and once that it is back."""

    def __init__(self, path: Path, own: Callable[[], frozenset[str]], observer: Observer) -> None:
        self._path = path
        self._own = own
        self._observer = observer
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._down = False
        self._thread = threading.Thread(target=self._run, name="socket-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask the thread to end."""
        self._closing.set()
        with self._lock:
            if self._socket is not None:
                _shut(self._socket)

    def _run(self) -> None:
        pauses = _pauses()
        while not self._closing.is_set():
            try:
                with _dial(self._path) as link:
                    self._follow(link)
                pauses = _pauses()
            except CarddError:
                # nobody is there yet
                pass
            if self._closing.is_set():
                return
            if not self._down:
                self._down = True
                gone = _gone()
                self._observer(ServiceDown(gone.reason, gone.detail))
            self._closing.wait(next(pauses))

    def _follow(self, link: socket.socket) -> None:
        with self._lock:
            self._socket = link
            if self._closing.is_set():
                return
        told: Slots | None = None
        with link.makefile("rb") as lines, contextlib.suppress(OSError, msgspec.DecodeError):
            link.sendall(line(Watch()))
            for text in lines:
                own = self._own()
                slots = msgspec.json.decode(text, type=Look).slots
                seen = Slots(tuple(replace(slot, in_use=slot.in_use and slot.name not in own) for slot in slots))
                if self._down:
                    self._down = False
                    self._observer(ServiceUp())
                if seen != told and not self._closing.is_set():
                    self._observer(seen)
                    told = seen
        with self._lock:
            self._socket = None


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE)


def _dial(path: Path) -> socket.socket:
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(str(path))
    except OSError:
        link.close()
        raise _gone() from None
    return link


def _shut(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)


def _gone() -> CarddError:
    return CarddError(Reason.PCSC_UNAVAILABLE, f"the rig does not answer: start it, or correct {SOCKET_VARIABLE}")


def _nothing() -> None:
    """Let go of nothing."""
