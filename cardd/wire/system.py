"""The state of the whole daemon at one moment."""

from typing import TypedDict

from cardd.wire.base import Json, Params, Result


class VersionsStatus(TypedDict, total=False):
    """What runs."""

    cardd: str
    python: str
    sqlite: str


class PcscStatus(TypedDict, total=False):
    """The smart-card service. `state` is `up` or `down`; with `down` come `reason`, `code` and `detail`."""

    backend: str
    readers: int
    state: str
    reason: str
    code: str
    detail: str


class ModuleStatus(TypedDict, total=False):
    """A security module: in which reader, and at which level each key was found in it so far."""

    reader: str
    levels: dict[str, str]


class KeysStatus(TypedDict, total=False):
    """The key service. `modules` are told of PSAMs, `host` of a machine on the network.

    `available` is null where nobody was asked yet, and left out with the provider `none`.
    """

    provider: str
    available: bool | None
    host: str
    modules: list[ModuleStatus]
    tests_only: bool


class AuthorityStatus(TypedDict, total=False):
    """Who decides on cards. `available`: how the last question ended, null where none was asked yet."""

    provider: str
    available: bool | None
    host: str


class JournalStatus(TypedDict, total=False):
    """The journal. `evicted` is the last event that retention took away, `key` the one that heads are signed with.

    `space`: `ample`; `tight`, nothing new begins; `closing`, only what is open is recorded.
    """

    stream: str
    last: int
    bytes: int
    boot: int
    evicted: int
    head: str
    key: str
    space: str


class ClockStatus(TypedDict, total=False):
    """The time of day. `set_by_s`: how many seconds it was set on (below 0: back) since the daemon began.

    `ahead`: it is so far ahead of what the journal has seen that nothing old is taken out by it yet.
    """

    set_by_s: int
    ahead: bool


class StationStatus(TypedDict, total=False):
    """A station: who holds it, and which of its keys are stopped, cards leased, readers lent (and to whom)."""

    station: str
    auto: bool
    activation: str | None
    stopped_keys: list[str]
    leased: list[str]
    lent: dict[str, str]


class ActivationsStatus(TypedDict, total=False):
    """How many activations have not ended."""

    open: int


class SystemStatus(TypedDict, total=False):
    """How the daemon and everything below it stands. Its parts tell what they know, so any member may be left out."""

    versions: VersionsStatus
    uptime_s: float
    pcsc: PcscStatus
    keys: KeysStatus
    authority: AuthorityStatus
    journal: JournalStatus
    clock: ClockStatus
    stations: list[StationStatus]
    activations: ActivationsStatus


class NoParams(Params):
    """A method that takes nothing."""


class SystemMetricsResult(Result):
    """The text is OpenMetrics 1.0, as a scraper takes it."""

    text: str


Document = dict[str, Json]
"""An OpenRPC 1.3 document, with `x-events`, `x-notifications`, `x-reasons` and the `x-right` of each method."""
