"""The centre on a port: questions in, answers out, over plain HTTP or TLS with client certificates."""

import select
import socket
import sqlite3
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

import msgspec

from cardd.base.structs import Struct
from cardd.wire.centre import OPERATIONS, Answer, Operation, Question
from cardsim.centre.desk import Desk, RefusedError
from cardsim.centre.faults import Conduct, Faults, Reply
from cardsim.centre.openapi import openapi

PEOPLE: Final = "/v1/people"
OPENAPI: Final = "/v1/openapi.yaml"
FAULTS: Final = "/simulator/faults"
CALLS: Final = "/simulator/calls"

_QUESTION_BYTES: Final = 64 * 1024
_ENDLESS_BYTES: Final = 4 * 1024 * 1024
_HANDSHAKE_S: Final = 5.0
_DRIP_S: Final = 0.2
_JSON: Final = "application/json"
_PATHS: Final[Mapping[str, Operation[object]]] = MappingProxyType({row.path: row for row in OPERATIONS.values()})


class Tls(Struct, frozen=True):
    """PEM files: what the centre shows, and who vouches for its clients (None: it asks them for nothing)."""

    certificate_file: Path
    key_file: Path
    client_ca_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what connections are accepted with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate_file, self.key_file)
        if self.client_ca_file is not None:
            context.load_verify_locations(self.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Call(Struct, frozen=True):
    """A question that arrived: the authority's word for it, its own name and its activation's, how often it was done.

    `question` and `key` are no personal data; nothing else of a question is kept.
    """

    method: str
    question: str
    key: str | None
    deliveries: int


class CentreServer:
    """A centre on a port of this computer, from `with` to its end. `port` 0 is any that is free.

    `sleep` is how a slow one takes its time (seconds), where that is not the machine's. At its end its connections end.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        port: int = 0,
        tls: Tls | None = None,
        faults: Iterable[str] = (),
        slow_s: float = 2.0,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.desk: Final = desk
        self.faults: Final = Faults()
        self.faults.order(*faults)
        self.slow_s: Final = slow_s
        self.ended: Final = threading.Event()
        self.pause: Final = sleep or self.ended.wait
        self._calls: list[Call] = []
        self._server = _Listener(("127.0.0.1", port), partial(_Handler, self), None if tls is None else tls.context())
        self._scheme = "http" if tls is None else "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="centre", daemon=True)

    @property
    def url(self) -> str:
        """Return the address to configure."""
        host = "127.0.0.1" if self._scheme == "http" else "localhost"
        return f"{self._scheme}://{host}:{self._server.server_address[1]}"

    @property
    def calls(self) -> list[Call]:
        """Return every question that arrived, in order."""
        return list(self._calls)

    def took(self, call: Call) -> None:
        """Note a question."""
        self._calls.append(call)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join(timeout=2)


class _Listener(ThreadingHTTPServer):
    """Accepts connections; TLS is shaken hands for in each connection's own thread, where it may take its time."""

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        handler: Callable[..., BaseHTTPRequestHandler],
        context: ssl.SSLContext | None,
    ) -> None:
        self._context = context
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def hang_up(self) -> None:
        """End all connections, as the end of a process does."""
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Let go of a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def get_request(self) -> tuple[socket.socket, object]:
        """Take a connection; nobody waits here for what its other side does."""
        connection, address = super().get_request()
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, address

    def finish_request(self, request: object, client_address: object) -> None:
        """Shake hands, then serve."""
        if isinstance(request, ssl.SSLSocket):
            request.settimeout(_HANDSHAKE_S)
            request.do_handshake()
            request.settimeout(None)
        super().finish_request(request, client_address)  # type: ignore[arg-type] # a socket and its address

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that broke off, or one that nobody vouches for."""


class _Handler(BaseHTTPRequestHandler):
    """One connection; questions follow each other on it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, centre: CentreServer, *rest: object) -> None:
        self._centre = centre
        super().__init__(*rest)  # type: ignore[arg-type] # what the server hands over

    def do_GET(self) -> None:
        """Show what the centre holds, what it serves, or what goes wrong in it."""
        shown = _SHOWN.get(self.path)
        if shown is None:
            self._refuse(HTTPStatus.NOT_FOUND, "no_such_path")
            return
        kind, show = shown
        self._send(HTTPStatus.OK, show(self._centre), kind)

    def do_PUT(self) -> None:
        """Order faults: a JSON list of `KIND@METHOD[:n]`."""
        raw = self._body()
        if raw is None:
            return
        if self.path != FAULTS:
            self._refuse(HTTPStatus.NOT_FOUND, "no_such_path")
            return
        try:
            self._centre.faults.order(*msgspec.json.decode(raw, type=list[str]))
        except ValueError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._send(HTTPStatus.OK, _faults(self._centre))

    def do_POST(self) -> None:
        """Answer one question, or do to it what was ordered."""
        raw = self._body()
        if raw is None:
            return
        operation = _PATHS.get(self.path)
        if operation is None:
            self._refuse(HTTPStatus.NOT_FOUND, "no_such_path")
            return
        try:
            question = msgspec.json.decode(raw, type=operation.question)
        except (ValueError, RecursionError):
            self._refuse(HTTPStatus.BAD_REQUEST, "no_question")
            return
        conduct = self._centre.faults.happen(operation.name)
        self._centre.took(Call(operation.name, question.question, question.key, conduct.deliveries))
        try:
            answer = self._carried_out(operation, question, conduct)
        except RefusedError as refused:
            self._refuse(HTTPStatus.CONFLICT, str(refused))
            return
        except sqlite3.Error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "register")
            return
        _REPLIES[conduct.reply](self, answer)

    def _carried_out(self, operation: Operation[object], question: Question, conduct: Conduct) -> Answer[object]:
        result: object = None
        for _ in range(conduct.deliveries):
            result = self._centre.desk.answer(operation.name, question)
        return Answer(question=question.question, key=question.key, result=result)

    # -- how an answer leaves

    def reply(self, answer: object) -> None:
        """Answer as it should be."""
        self._send(HTTPStatus.OK, msgspec.json.encode(answer))

    def reply_late(self, answer: object) -> None:
        """Answer after a while."""
        self._centre.pause(self._centre.slow_s)
        self.reply(answer)

    def reply_dripping(self, answer: object) -> None:
        """Answer a byte at a time, for as long as somebody listens."""
        body = msgspec.json.encode(answer)
        self._head(HTTPStatus.OK, len(body), _JSON)
        with suppress(OSError):
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                self._centre.pause(_DRIP_S)
                if self._centre.ended.is_set():
                    break
        self.close_connection = True

    def reply_nothing(self, _: object) -> None:
        """Hold the connection until the other side lets go of it."""
        while not self._centre.ended.is_set():
            ready, _, _ = select.select([self.connection], [], [], 0.1)
            if ready:
                break
        self.close_connection = True

    def cut(self, _: object) -> None:
        """End the connection."""
        self.close_connection = True

    def reply_error(self, _: object) -> None:
        """Answer that something went wrong."""
        self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "internal")

    def reply_half(self, answer: object) -> None:
        """Answer with the first half."""
        body = msgspec.json.encode(answer)
        self._send(HTTPStatus.OK, body[: len(body) // 2])

    def reply_wrong_type(self, answer: Answer[object]) -> None:
        """Answer with a number where an object should be."""
        self.reply(msgspec.structs.replace(answer, result=7))

    def reply_another(self, answer: Answer[object]) -> None:
        """Answer a question that nobody asked."""
        self.reply(msgspec.structs.replace(answer, question="another", key="another"))

    def reply_endlessly(self, _: object) -> None:
        """Answer with more than anybody can want."""
        with suppress(OSError):
            self._send(HTTPStatus.OK, b'"' + b" " * _ENDLESS_BYTES + b'"')
        self.close_connection = True

    # -- HTTP

    def _body(self) -> bytes | None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _QUESTION_BYTES:
            self._refuse(HTTPStatus.BAD_REQUEST, "no_question")
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status: HTTPStatus, error: str) -> None:
        self._send(status, msgspec.json.encode({"error": error}))

    def _send(self, status: HTTPStatus, body: bytes, kind: str = _JSON) -> None:
        self._head(status, len(body), kind)
        self.wfile.write(body)

    def _head(self, status: HTTPStatus, length: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: questions hold names and passwords."""


def _people(centre: CentreServer) -> bytes:
    return b"".join(msgspec.json.encode(person) + b"\n" for person in centre.desk.people())


def _faults(centre: CentreServer) -> bytes:
    return msgspec.json.encode({"faults": centre.faults.left()})


def _calls(centre: CentreServer) -> bytes:
    return b"".join(msgspec.json.encode(call) + b"\n" for call in centre.calls)


_SHOWN: Final[Mapping[str, tuple[str, Callable[[CentreServer], bytes]]]] = MappingProxyType(
    {
        PEOPLE: ("application/x-ndjson", _people),
        OPENAPI: ("application/yaml", lambda _: openapi().encode()),
        FAULTS: (_JSON, _faults),
        CALLS: ("application/x-ndjson", _calls),
    }
)

_REPLIES: Final[Mapping[Reply, Callable[[_Handler, Answer[object]], None]]] = MappingProxyType(
    {
        Reply.RIGHT: _Handler.reply,
        Reply.LATE: _Handler.reply_late,
        Reply.DRIPPING: _Handler.reply_dripping,
        Reply.NONE: _Handler.reply_nothing,
        Reply.CUT: _Handler.cut,
        Reply.ERROR: _Handler.reply_error,
        Reply.NO_JSON: _Handler.reply_half,
        Reply.WRONG_TYPE: _Handler.reply_wrong_type,
        Reply.ANOTHER_KEY: _Handler.reply_another,
        Reply.ENDLESS: _Handler.reply_endlessly,
    }
)
