"""libsscard as programs have it: built, loaded with its own settings, and a daemon that answers what a test wants."""

import contextlib
import ctypes
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

DRIVER = Path(__file__).parents[2] / "driver"
VARIABLES = (
    "CARDD_SOCKET",
    "SSCARD_SOCKET",
    "SSCARD_CHARSET",
    "SSCARD_TIMEOUT",
    "SSCARD_PERSON_TIMEOUT",
    "SSCARD_READER",
    "SSCARD_KEYPAD_DIGITS",
    "SSCARD_PIN_HELPER",
)

NUMBER, TEXT = ctypes.c_int, ctypes.c_char_p
BAS, DATA, PIN, RECORDS, EXTRA = 1024, 20480, 512, 2048, 64

FUNCTIONS: dict[str, tuple[tuple[Any, ...], int]] = {
    "iReadCardBas": ((NUMBER,), BAS),
    "iReadCardBas_HSM_Step1": ((NUMBER,), BAS),
    "iReadCardBas_HSM_Step2": ((TEXT,), BAS),
    "iReadCard": ((NUMBER, NUMBER, TEXT, TEXT), DATA),
    "iReadCard_HSM_Step1": ((NUMBER, TEXT, TEXT), BAS),
    "iReadCard_HSM_Step2": ((TEXT,), DATA),
    "iWriteCard": ((NUMBER, TEXT, TEXT, TEXT), BAS),
    "iWriteCard_HSM_Step1": ((NUMBER, TEXT, TEXT), BAS),
    "iWriteCard_HSM_Step2": ((TEXT, TEXT), BAS),
    "iVerifyPIN": ((NUMBER,), PIN),
    "iChangePIN": ((NUMBER,), PIN),
    "iReloadPIN": ((NUMBER, TEXT), PIN),
    "iReloadPIN_HSM_Step1": ((NUMBER, TEXT), PIN),
    "iReloadPIN_HSM_Step2": ((TEXT,), PIN),
    "iReloadPIN_HSM_Step3": ((TEXT,), PIN),
    "iUnblockPIN": ((NUMBER, TEXT), PIN),
    "iUnblockPIN_HSM_Step1": ((NUMBER, TEXT), PIN),
    "iUnblockPIN_HSM_Step2": ((TEXT,), PIN),
    "iUnblockPIN_HSM_Step3": ((TEXT,), PIN),
    "iDoDebit": ((NUMBER, TEXT, TEXT), PIN),
    "iDoDebit_HSM_Step1": ((NUMBER, TEXT, TEXT), PIN),
    "iDoDebit_HSM_Step2": ((TEXT,), PIN),
    "iReadDebitRecord": ((NUMBER,), RECORDS),
    "iReadCardNo": ((NUMBER,), EXTRA),
    "iReadBankNumber": ((NUMBER,), EXTRA),
}
"""Name: the parameters before the answer's buffer, and that buffer's bytes, as the notice has them."""

SIGNING: dict[str, tuple[Any, ...]] = {
    "PKI_SignData": (TEXT, TEXT, NUMBER),
    "PKI_VerifySign": (TEXT, TEXT, TEXT, TEXT, NUMBER),
}
PAIRS = ("iReadICCardNum", "iGetReaderInfo")

Request = dict[str, Any]
Reply = Callable[[Request], bytes | Iterator[bytes] | None]


def build(directory: Path, *more: str) -> Path:
    subprocess.run(["make", "-s", "-C", str(DRIVER), f"OUT={directory}", *more], check=True)
    return directory / "libsscard.so"


def said(request: Request, code: int, out: str) -> bytes:
    message = {"jsonrpc": "2.0", "id": request["id"], "result": {"code": code, "out": out}}
    return json.dumps(message, ensure_ascii=False).encode() + b"\n"


def refused(request: Request, message: str, **data: Any) -> bytes:
    error = {"code": -32000, "message": message, "data": data}
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}, ensure_ascii=False).encode() + b"\n"


class Teller:
    """Answers each request with what `reply` makes of it, in one piece or several; None hangs up.

    Requests are kept by connection.
    """

    def __init__(self, path: Path, reply: Reply) -> None:
        self.path = path
        self.reply = reply
        self.asked: list[list[Request]] = []
        self._lines: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def last(self) -> Request:
        return self.asked[-1][-1]

    def tell(self, message: bytes) -> None:
        """Say something on the connection that was made last, whoever asks on another."""
        self._lines[-1].sendall(message)

    def close(self) -> None:
        for line in (self._listener, *self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _listen(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self._lines.append(line)
            self.asked.append([])
            threading.Thread(target=self._serve, args=(line, self.asked[-1]), daemon=True).start()

    def _serve(self, line: socket.socket, asked: list[Request]) -> None:
        try:
            with line, line.makefile("rb") as incoming:
                for text in incoming:
                    request = json.loads(text)
                    asked.append(request)
                    reply = self.reply(request)
                    if reply is None:
                        line.shutdown(socket.SHUT_RDWR)
                        return
                    for part in (reply,) if isinstance(reply, bytes) else reply:
                        line.sendall(part)
        except OSError:
            return


class Library:
    """A copy of the library with its own connection and settings; the environment must stay as it is meanwhile."""

    def __init__(self, built: Path, directory: Path) -> None:
        own = directory / f"own-{len(list(directory.iterdir()))}.so"
        shutil.copy(built, own)
        self._library = ctypes.CDLL(str(own))

    def function(self, name: str) -> Any:
        function = self._library[name]
        function.restype = ctypes.c_long
        return function

    def call(self, name: str, *arguments: int | bytes | None) -> tuple[int, bytes]:
        """Call a function with one answer, whose buffer ends where no more may be written."""
        parameters, size = FUNCTIONS[name]
        buffer = Guarded(size)
        function = self.function(name)
        function.argtypes = [*parameters, ctypes.c_void_p]
        code = function(*arguments, buffer.address)
        return int(code), buffer.text()


class Guarded:
    """A buffer between bytes that nobody may touch."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._memory = ctypes.create_string_buffer(b"\xaa" * (size + 64), size + 64)

    @property
    def address(self) -> int:
        return ctypes.addressof(self._memory) + 32

    def inside(self) -> bytes:
        raw = self._memory.raw
        assert raw[:32] == raw[32 + self._size :] == b"\xaa" * 32, "written beyond the buffer"
        return raw[32 : 32 + self._size]

    def text(self) -> bytes:
        inside = self.inside()
        assert b"\0" in inside, "no end"
        return inside[: inside.index(b"\0")]


def environment(**variables: str) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return {**kept, **variables}
