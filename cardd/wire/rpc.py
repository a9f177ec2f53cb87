"""JSON-RPC 2.0 on a stream: one object a line, UTF-8, at most 1 MiB, no batches.

Four kinds of line exist: a request, its answer (a result or an error), and the daemon's notifications. Parameters are
objects, never arrays. An error that belongs to no request (a broken line, a consumer that is too slow) has the id null.
"""

import re
from enum import IntEnum
from typing import Final, Literal, TypeVar

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import unshown
from cardd.wire.base import Json

LINE_BYTES: Final = 1 << 20
"""The longest line in either direction, its newline not counted."""

T = TypeVar("T")

RequestId = str | int | float | None
NO_PARAMS: Final = msgspec.Raw(b"{}")
NO_RESULT: Final = msgspec.Raw(b"null")

_DECODING_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_PLACE = re.compile(r" - at `(?:key in )?(?P<path>\$[^`]*)`$")
_QUOTED = re.compile(r" '.*'", re.DOTALL)


class Code(IntEnum):
    """The numbers of JSON-RPC 2.0, and one of our own for whatever has a reason."""

    PARSE = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL = -32603
    REFUSED = -32000


class RpcError(Exception):
    """A request that is answered with an error: the number of JSON-RPC, and the reason with its facts."""

    def __init__(self, code: Code, error: CarddError) -> None:
        super().__init__(str(error))
        self.code = code
        self.error = error


class Request(msgspec.Struct):
    """What a client sends. Without an id it is a notification: carried out, never answered."""

    jsonrpc: Literal["2.0"]
    method: str
    id: RequestId | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw = NO_PARAMS

    __rich_repr__ = unshown

    def __repr__(self) -> str:
        """Leave the parameters out: they may hold a PIN."""
        return f"<Request {self.method}>"


class ErrorObject(msgspec.Struct):
    """The error member: a number, an English sentence, and data with reason, retry and text in both languages."""

    code: int
    message: str
    data: dict[str, Json] = {}


class Incoming(msgspec.Struct):
    """Whatever a client may receive: a notification has a method, an answer a result or an error."""

    id: RequestId = None
    method: str | None = None
    params: msgspec.Raw = NO_PARAMS
    result: msgspec.Raw = NO_RESULT
    error: ErrorObject | None = None


class LineSplitter:
    """Cut a stream of bytes into lines, holding never more than one unfinished line.

    Once a line was over the limit nothing after it can be understood: `too_long` is true, and no more lines come.
    """

    def __init__(self, limit: int = LINE_BYTES) -> None:
        self._limit = limit
        self._rest = bytearray()
        self.too_long = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that are complete now and stand before any that is too long, without their newlines."""
        if self.too_long:
            return []
        if not self._rest and 0 <= chunk.find(b"\n") == len(chunk) - 1 <= self._limit:
            # one line and no more, as most clients send them
            return [chunk[:-1]]
        first, newline, tail = chunk.partition(b"\n")
        self._rest += first
        lines: list[bytes] = []
        if newline:
            *between, last = tail.split(b"\n")
            lines = self._before_too_long([bytes(self._rest), *between])
            self._rest = bytearray(last)
        if len(self._rest) > self._limit:
            self.too_long = True
        return lines

    def flush(self) -> bytes:
        """Return and forget the unfinished line: what stands before the end of the stream."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest

    def _before_too_long(self, lines: list[bytes]) -> list[bytes]:
        for number, line in enumerate(lines):
            if len(line) > self._limit:
                self.too_long = True
                return lines[:number]
        return lines


_REQUESTS: Final = msgspec.json.Decoder(Request)


def parse_request(line: bytes) -> Request:
    """Read one line that a client sent. Raises RpcError; such an answer carries the id null."""
    try:
        return _REQUESTS.decode(line.decode("utf-8"))
    except msgspec.ValidationError as fault:
        raise RpcError(Code.INVALID_REQUEST, invalid(fault)) from None
    except _DECODING_FAULTS as fault:
        raise RpcError(Code.PARSE, invalid(fault)) from None


def decode_params(params: msgspec.Raw, kind: type[T]) -> T:
    """Read a method's parameters. Raises CarddError(INVALID) with the path of what is wrong, never its value."""
    try:
        return msgspec.json.decode(params, type=kind)
    except _DECODING_FAULTS as fault:
        raise invalid(fault) from None


def invalid(fault: Exception) -> CarddError:
    """Turn a decoder's complaint into a refusal: `path` says where, `detail` what was expected.

    What the client wrote is left out: it may be a PIN in the wrong place.
    """
    if isinstance(fault, RecursionError):
        return CarddError(Reason.INVALID, "the line is nested too deeply")
    if isinstance(fault, UnicodeDecodeError):
        return CarddError(Reason.INVALID, "the line is not UTF-8")
    text = str(fault)
    place = _PLACE.search(text)
    if place is None:
        return CarddError(Reason.INVALID, _QUOTED.sub("", text))
    return CarddError(Reason.INVALID, _QUOTED.sub("", text[: place.start()]), path=place["path"])


def success(request: RequestId, result: object) -> bytes:
    """Return the answer's line, newline included."""
    return _line({"jsonrpc": "2.0", "id": request, "result": result})


def failure(request: RequestId, code: Code, error: CarddError) -> bytes:
    """Return the error's line, newline included."""
    shape = {"code": int(code), "message": _message(error), "data": error.data()}
    return _line({"jsonrpc": "2.0", "id": request, "error": shape})


def notification(method: str, params: object) -> bytes:
    """Return a notification's line, newline included."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def call(request: RequestId, method: str, params: object) -> bytes:
    """Return a request's line, newline included."""
    return _line({"jsonrpc": "2.0", "id": request, "method": method, "params": params})


def _message(error: CarddError) -> str:
    return f"{error.reason}: {error.detail}" if error.detail else f"{error.reason}: {error.text['en']}"


def _line(message: object) -> bytes:
    return msgspec.json.encode(message) + b"\n"
