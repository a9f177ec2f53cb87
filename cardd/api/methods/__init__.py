"""The methods of the socket: one file a prefix, one row a method, and the table of them all."""

from types import MappingProxyType
from typing import Final

from cardd.api.dispatch import Methods
from cardd.api.methods import (
    account,
    activation,
    card,
    events,
    journal,
    lease,
    prompt,
    readers,
    session,
    station,
    system,
)

_MODULES: Final = (session, system, readers, card, lease, account, activation, prompt, station, events, journal)

METHODS: Final[Methods] = MappingProxyType({row.name: row for module in _MODULES for row in module.METHODS})
