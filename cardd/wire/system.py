"""The state of the whole daemon at one moment."""

from cardd.wire.base import Json, Params

SystemStatus = dict[str, Json]
"""`versions`, `uptime_s`, `pcsc`, `keys`, `authority`, `journal`, `stations`, `activations` and `clients`.

Each of `stations` has `station`, `auto`, `activation`, `stopped_keys`, `leased` and `lent`.

An open object on purpose: the parts of the daemon add what they know, and a client shows what it gets.
"""


class NoParams(Params):
    """A method that takes nothing."""
