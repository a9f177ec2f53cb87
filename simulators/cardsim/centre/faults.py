"""Faults of the simulated centre: what becomes of a question, and what of its answer."""

import re
import threading
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from cardd.base.structs import Struct
from cardd.wire.centre import OPERATIONS


class Reply(StrEnum):
    """How an answer leaves, or does not."""

    RIGHT = "right"
    LATE = "late"
    DRIPPING = "dripping"
    NONE = "none"
    CUT = "cut"
    ERROR = "error"
    NO_JSON = "no_json"
    WRONG_TYPE = "wrong_type"
    ANOTHER_KEY = "another_key"
    ENDLESS = "endless"


class Conduct(Struct, frozen=True):
    """How often the question is carried out, how its answer leaves, and a sentence for people."""

    deliveries: int
    reply: Reply
    text: str


NORMAL: Final = Conduct(1, Reply.RIGHT, "carried out once, answered")

KINDS: Final[Mapping[str, Conduct]] = MappingProxyType(
    {
        "slow": Conduct(1, Reply.LATE, "carried out, answered after --slow-s"),
        "drip": Conduct(1, Reply.DRIPPING, "carried out, the answer comes byte by byte, each after a while"),
        "silent_before": Conduct(0, Reply.NONE, "not carried out, never answered"),
        "silent_after": Conduct(1, Reply.NONE, "carried out, never answered"),
        "cut_before": Conduct(0, Reply.CUT, "not carried out, the connection ends"),
        "cut_after": Conduct(1, Reply.CUT, "carried out, the connection ends"),
        "500": Conduct(0, Reply.ERROR, "not carried out, HTTP status 500"),
        "500_after": Conduct(1, Reply.ERROR, "carried out, HTTP status 500"),
        "bad_json": Conduct(1, Reply.NO_JSON, "carried out, half an answer"),
        "wrong_type": Conduct(1, Reply.WRONG_TYPE, "carried out, an answer of another type"),
        "other_key": Conduct(1, Reply.ANOTHER_KEY, "carried out, an answer that names another question and key"),
        "endless": Conduct(1, Reply.ENDLESS, "carried out, an answer that is far too long"),
        "duplicate": Conduct(2, Reply.RIGHT, "delivered twice, answered with what the second came to"),
    }
)

_EVERY: Final = "*"
_SPEC: Final = re.compile(r"(?P<kind>\w+)@(?P<method>\w+|\*)(:(?P<times>[1-9][0-9]{0,5}))?")


class Fault(msgspec.Struct):
    """One fault: what happens, to which question (`*`: to all), how often still (None: always)."""

    kind: str
    method: str
    left: int | None = None

    @classmethod
    def parse(cls, spec: str) -> "Fault":
        """Read `KIND@METHOD[:n]`. Raises ValueError with what may stand there."""
        match = _SPEC.fullmatch(spec)
        if match is None:
            raise ValueError(f"{spec!r} is no KIND@METHOD[:n]")
        kind, method, times = match["kind"], match["method"], match["times"]
        if kind not in KINDS:
            raise ValueError(f"no kind {kind}; there are {', '.join(KINDS)}")
        if method != _EVERY and method not in OPERATIONS:
            raise ValueError(f"no method {method}; there are {', '.join(OPERATIONS)} and *")
        return cls(kind, method, None if times is None else int(times))

    def __str__(self) -> str:
        return f"{self.kind}@{self.method}" + ("" if self.left is None else f":{self.left}")

    def fits(self, method: str) -> bool:
        """Say whether it happens to a question of that name now."""
        return self.left != 0 and self.method in {method, _EVERY}


class Faults:
    """What is to go wrong, in order: the first that fits happens. May be changed while the centre works."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._faults = list(faults)

    def order(self, *specs: str) -> None:
        """Have these happen from now on, and no others. Raises ValueError as `Fault.parse`."""
        faults = [Fault.parse(spec) for spec in specs]
        with self._lock:
            self._faults = faults

    def left(self) -> list[str]:
        """Return what may still happen, as it would be ordered."""
        with self._lock:
            return [str(fault) for fault in self._faults if fault.left != 0]

    def happen(self, method: str) -> Conduct:
        """Return what becomes of the next question of that name, and count it."""
        with self._lock:
            for fault in self._faults:
                if fault.fits(method):
                    if fault.left is not None:
                        fault.left -= 1
                    return KINDS[fault.kind]
        return NORMAL
