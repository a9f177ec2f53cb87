"""A centre as a process of its own."""

import http.client
import json
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardsim.centre.server import FAULTS, PEOPLE
from cardsim.rig import die_with_parent, program

_ANSWER_S: Final = 5.0


class CentreProcess:
    """`cardsim centre` in a directory; its register outlives it."""

    def __init__(self, directory: Path, people: Path) -> None:
        self._directory = directory
        self._people = people
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""
        self._faults: Sequence[str] = ()

    @property
    def settings(self) -> dict[str, object]:
        """Return what the daemon is told of it."""
        return {"authority": {"provider": "http", "url": self._url}}

    @property
    def switches(self) -> Mapping[str, Callable[[], object]]:
        """Return what can be done to it."""
        return {
            "kill": self.kill,
            "stop": lambda: self._signal(signal.SIGSTOP),
            "continue": lambda: self._signal(signal.SIGCONT),
            "start": self.start,
            "restart": self._restart,
        }

    def start(self) -> None:
        """Start it, at the port it had before; return when it listens. Raises CarddError if it does not."""
        if self._process is not None:
            return
        words = [program("cardsim"), "centre", "--register", str(self._people)]
        words += ["--database", str(self._directory / "centre.sqlite"), "--port", str(urlsplit(self._url).port or 0)]
        for fault in self._faults:
            words += ["--fault", fault]
        with (self._directory / "centre.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - started from a thread that stays
            )
        assert self._process.stdout is not None  # noqa: S101 # it was piped
        ready = self._process.stdout.readline()
        if not ready:
            self.kill()
            raise CarddError(Reason.TIMEOUT, f"the centre does not come up: see {log.name}")
        self._url = json.loads(ready)["url"]

    def kill(self) -> None:
        """Kill it."""
        process, self._process = self._process, None
        if process is not None:
            with process:
                process.kill()

    def _restart(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with process:
                process.terminate()
        self.start()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def people(self) -> list[dict[str, object]]:
        """Return what the register holds, one dictionary a person. Raises CarddError where it does not answer."""
        return people_at(self._url)

    def order(self, faults: Sequence[str]) -> None:
        """Have these things go wrong, and no others; also after it was killed and started again."""
        self._faults = tuple(faults)
        if self._process is not None:
            _ask(self._url, "PUT", FAULTS, json.dumps(list(faults)).encode())

    def close(self) -> None:
        """End it."""
        self.kill()


def people_at(url: str) -> list[dict[str, object]]:
    """Return what a simulated centre's register holds. Raises CarddError where it does not answer."""
    return [json.loads(line) for line in _ask(url, "GET", PEOPLE).splitlines()]


def _ask(url: str, method: str, path: str, body: bytes | None = None) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_ANSWER_S)
    try:
        connection.request(method, path, body)
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        raise CarddError(Reason.AUTHORITY_UNAVAILABLE, f"the centre does not answer: {error}") from None
    finally:
        connection.close()
