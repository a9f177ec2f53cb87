"""The methods of the socket: one file a prefix, one row a method, and the table of them all."""

from types import MappingProxyType
from typing import Final

from cardd.api.dispatch import Methods
from cardd.api.methods import activation, card, events, prompt, readers, session, system

METHODS: Final[Methods] = MappingProxyType(
    {row.name: row for module in (session, system, readers, card, activation, prompt, events) for row in module.METHODS}
)
