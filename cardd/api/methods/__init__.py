"""The methods of the socket: one file a prefix, one row a method, and the table of them all."""

from itertools import chain
from types import MappingProxyType
from typing import Final

from cardd.api.dispatch import Methods
from cardd.api.methods import (
    account,
    activation,
    card,
    driver,
    events,
    journal,
    lease,
    prompt,
    readers,
    rpc,
    session,
    station,
    system,
)

_MODULES: Final = (system, readers, card, lease, account, driver, activation, prompt, station, events, journal)
_ROWS: Final = (*session.METHODS, *chain.from_iterable(module.METHODS for module in _MODULES))

METHODS: Final[Methods] = MappingProxyType({row.name: row for row in (*_ROWS, rpc.discover(_ROWS))})
"""Every row by its method's name; the last one tells of all."""
