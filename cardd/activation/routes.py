"""All routes by their names."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.activation.bank import BANK
from cardd.activation.hospital import HOSPITAL
from cardd.activation.moves import RouteTable
from cardd.activation.pharmacy import PHARMACY
from cardd.wire.activation import Route

TABLES: Final[Mapping[Route, RouteTable]] = MappingProxyType(
    {Route.PHARMACY: PHARMACY, Route.HOSPITAL: HOSPITAL, Route.BANK: BANK}
)
