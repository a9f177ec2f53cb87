"""How a program begins an activation by each route, whichever client it uses."""

from abc import ABC, abstractmethod
from typing import Generic, TypedDict, TypeVar, Unpack
from uuid import uuid4

import msgspec

from cardd.wire.activation import ActivationStartParams, IdentityDocument, OldCard, Route, Visit

A = TypeVar("A")


class Choices(TypedDict, total=False):
    """What every route may be given.

    `station` or `reader` where there are several; `operator`: who stands at the counter; `purpose`: what whole names
    and numbers are needed for, which goes on record; `request`: the caller's own name for this activation. The same
    request is the same activation, also after a restart of either side; without one each call is another activation.
    """

    station: str
    reader: str
    operator: str
    purpose: str
    request: str


class Routes(ABC, Generic[A]):
    """The three routes. Nothing is sent before the steps are asked for."""

    @abstractmethod
    def activate(self, params: ActivationStartParams) -> A:
        """Return the activation that these parameters begin, to be iterated over."""

    def activate_pharmacy(self, *, old_card: str | None = None, **choices: Unpack[Choices]) -> A:
        """Hand in an old card for a social security card; `old_card` is the number of one without a chip."""
        old = None if old_card is None else OldCard(number=old_card)
        return self.activate(ActivationStartParams(route=Route.PHARMACY, old_card=old, **choices))

    def activate_hospital(self, *, visit: Visit | None = None, **choices: Unpack[Choices]) -> A:
        """Register a visit, and activate the card with it where it is not active yet."""
        return self.activate(ActivationStartParams(route=Route.HOSPITAL, visit=visit, **choices))

    def activate_bank(self, identity_document: IdentityDocument, **choices: Unpack[Choices]) -> A:
        """Activate a card whose holder's identity document has been seen."""
        return self.activate(ActivationStartParams(route=Route.BANK, identity_document=identity_document, **choices))


def with_request(params: ActivationStartParams) -> ActivationStartParams:
    """Give an activation a name of its own where the caller has given none, so that it can be asked for again."""
    return params if params.request else msgspec.structs.replace(params, request=uuid4().hex)
