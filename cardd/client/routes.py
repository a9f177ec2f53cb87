"""How a program begins an activation by each route, whichever client it uses."""

import os
from abc import ABC, abstractmethod
from typing import Generic, TypedDict, TypeVar, Unpack
from uuid import uuid4

import msgspec

from cardd.base.structs import Struct
from cardd.client.resume import Reconnect
from cardd.wire.activation import ActivationIdParams, ActivationStartParams, IdentityDocument, OldCard, Route, Visit

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


class Behind(Struct, frozen=True):
    """Which daemon it is, by what name it knows this program, and how a lost connection is made again."""

    path: str | os.PathLike[str] | None
    program: str | None
    reconnect: Reconnect | None


class Begun:
    """What an activation is for its caller, whichever client goes through it."""

    def __init__(self, params: ActivationStartParams, behind: Behind) -> None:
        self._params = with_request(params)
        self._behind = behind
        self.id: str | None = None
        """The activation's name, once it has begun."""

    @property
    def request(self) -> str:
        """Return the caller's name for it: the same one goes on with it, also in another process."""
        return self._params.request or ""

    def _named(self, activation: str) -> ActivationIdParams:
        return ActivationIdParams(activation=activation, purpose=self._params.purpose)


class Routes(ABC, Generic[A]):
    """The counter behind a socket: that of the path, else CARDD_SOCKET, else the default.

    `program` names this program in records (`pharmacy/till-3`), and the `request` of an activation is its own by that
    name: give the same one after a restart. Nothing is sent before the steps are asked for.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        program: str | None = None,
        reconnect: Reconnect | None = None,
    ) -> None:
        self._behind = Behind(path, program, reconnect)

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
