"""Another program at the same readers: a process of its own that does what it is told through libpcsclite."""

import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

_PROGRAM: Final = """
import sys
from smartcard import scard
_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
ANY = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
SHARES = {"exclusive": scard.SCARD_SHARE_EXCLUSIVE, "shared": scard.SCARD_SHARE_SHARED}
handle = protocol = None
for line in sys.stdin:
    word, _, rest = line.strip().partition(" ")
    answer = ""
    if word in SHARES:
        code, handle, protocol = scard.SCardConnect(context, rest, SHARES[word], ANY)
    elif word == "begin":
        code = scard.SCardBeginTransaction(handle)
    elif word == "end":
        code = scard.SCardEndTransaction(handle, scard.SCARD_LEAVE_CARD)
    elif word == "send":
        code, octets = scard.SCardTransmit(handle, protocol, list(bytes.fromhex(rest)))
        answer = bytes(octets or []).hex()
    elif word == "reset":
        code, protocol = scard.SCardReconnect(handle, scard.SCARD_SHARE_SHARED, ANY, scard.SCARD_RESET_CARD)
    else:
        code = scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)
    print(f"{code & 0xFFFFFFFF:08X} {answer}", flush=True)
"""

FINE: Final = "00000000"
SHARING_VIOLATION: Final = "8010000B"
RESET_CARD: Final = "80100068"


class NextDoor:
    """The other program. Each order is one PC/SC call and waits for its end; the code comes back in hexadecimal."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def exclusive(self, reader: str) -> str:
        return self._order(f"exclusive {reader}")[0]

    def shared(self, reader: str) -> str:
        return self._order(f"shared {reader}")[0]

    def begin(self) -> str:
        return self._order("begin")[0]

    def end(self) -> str:
        return self._order("end")[0]

    def reset(self) -> str:
        return self._order("reset")[0]

    def let_go(self) -> str:
        return self._order("disconnect")[0]

    def send(self, command: str) -> tuple[str, str]:
        """Send a command in hexadecimal; return code and answer."""
        return self._order(f"send {command}")

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    def _order(self, line: str) -> tuple[str, str]:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(line + "\n")
        code, _, answer = stdout.readline().strip().partition(" ")
        return code, answer
