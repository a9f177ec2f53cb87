"""The line to an issuer's security machine (加密机): a question and its answer over HTTP, with one deadline for all."""

import asyncio
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import TimeoutError as LateError
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.http_client import httpx
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.web import NO_JSON, host_of, post
from cardd.wire.base import Json

TIMEOUT_S: Final = 5.0
_GRACE_S: Final = 0.5

_REFUSALS: Final[Mapping[str, Reason]] = {
    "no_such_key": Reason.PSAM_KEY_MISSING,
    "no_such_algorithm": Reason.PSAM_ALGORITHM,
    "not_this_region": Reason.PSAM_LEVEL,
}
"""What a machine that answers may refuse; everything else is a machine that is not available."""


class _Refusal(msgspec.Struct):
    error: str = ""


class HsmLine:
    """Questions to one machine, from any worker's thread; connections are kept.

    The network's side runs on a thread of its own, because only there a deadline ends a connection that drips.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        timeout_s: float = TIMEOUT_S,
        token: Secret | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """Take the machine's address; nothing is asked yet.

        Raises CarddError(INVALID) for an address that is none, or that is plain HTTP to another machine: a new PIN goes
        to the security machine in clear.
        """
        self.host: Final = host_of(url)
        self.available: bool | None = None
        self._url = url.rstrip("/")
        self._clock = clock
        self._timeout_s = timeout_s
        self._token = token
        self._ca_file = ca_file
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: httpx.AsyncClient | None = None

    def ask(self, operation: str, question: Mapping[str, Json], deadline: float) -> bytes:
        """Return the answer's JSON. Blocks until the deadline (monotonic seconds) or this line's own time-out.

        Raises CarddError: HSM_UNAVAILABLE; PSAM_KEY_MISSING, PSAM_ALGORITHM, PSAM_LEVEL as the machine says.
        """
        seconds = min(self._timeout_s, deadline - self._clock.monotonic())
        if seconds <= 0:
            raise CarddError(Reason.HSM_UNAVAILABLE, "there was no time left to ask the security machine")
        asked = asyncio.run_coroutine_threadsafe(self._within(seconds, operation, question), self._running())
        try:
            status, body = asked.result(timeout=seconds + _GRACE_S)
        except (LateError, TimeoutError):
            asked.cancel()
            raise self._unavailable(f"it did not answer in {seconds:.1f} s") from None
        except (httpx.HTTPError, ssl.SSLError, OSError, ValueError) as error:
            raise self._unavailable(type(error).__name__) from None
        return self._judged(status, body)

    def close(self) -> None:
        """End the network's thread; questions under way are given up."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._end(loop), loop)

    def unusable(self) -> CarddError:
        """Return the error for an answer that is none."""
        return self._unavailable("its answer is not what was asked for")

    def _judged(self, status: int, body: bytes) -> bytes:
        if status == HTTPStatus.OK:
            self.available = True
            return body
        try:
            reason = _REFUSALS.get(msgspec.json.decode(body, type=_Refusal).error)
        except NO_JSON:
            reason = None
        if reason is None:
            raise self._unavailable(f"it answered HTTP status {status}")
        self.available = True
        raise CarddError(reason, "the security machine refuses")

    def _unavailable(self, what: str) -> CarddError:
        self.available = False
        return CarddError(Reason.HSM_UNAVAILABLE, f"the security machine {self.host}: {what}")

    async def _within(self, seconds: float, operation: str, question: Mapping[str, Json]) -> tuple[int, bytes]:
        async with asyncio.timeout(seconds):
            return await self._post(operation, question)

    async def _post(self, operation: str, question: Mapping[str, Json]) -> tuple[int, bytes]:
        if self._client is None:
            self._client = self._connect()
        headers = {}
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token.reveal().decode('ascii')}"
        return await post(self._client, f"{self._url}/{operation}", msgspec.json.encode(question), headers)

    async def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._client is not None:
            await self._client.aclose()
        loop.stop()

    def _connect(self) -> httpx.AsyncClient:
        verify = ssl.create_default_context(cafile=None if self._ca_file is None else str(self._ca_file))
        # no proxy of the environment, no redirection: the machine is where the configuration says
        return httpx.AsyncClient(verify=verify, trust_env=False, timeout=None, follow_redirects=False)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._client = None
                threading.Thread(target=_serve, args=(self._loop,), name="hsm line", daemon=True).start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
