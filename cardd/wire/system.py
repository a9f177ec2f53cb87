"""The state of the whole daemon at one moment."""

from cardd.wire.base import Json, Params, Result

SystemStatus = dict[str, Json]
"""`versions`, `uptime_s`, `pcsc`, `keys`, `authority`, `journal`, `stations`, `activations` and `clients`.

Each of `stations` has `station`, `auto`, `activation`, `stopped_keys`, `leased` and `lent`.

An open object on purpose: the parts of the daemon add what they know, and a client shows what it gets.
"""


class NoParams(Params):
    """A method that takes nothing."""


class SystemMetricsResult(Result):
    """The text is OpenMetrics 1.0, as a scraper takes it."""

    text: str


Document = dict[str, Json]
"""An OpenRPC 1.3 document, with `x-events`, `x-notifications`, `x-reasons` and the `x-right` of each method."""
