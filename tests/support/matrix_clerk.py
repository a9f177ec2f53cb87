"""Clerks and customers at a house: who does what the screen says, tears cards out, and goes away."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec

from cardd.activation.pins import PinPolicy
from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.wire.activation import ENDS, ActivationResult, ActivationStartParams, Route, State
from cardsim.persona import MedicalInsurancePersona, load_persona
from support.matrix_cards import Plastic, Tear
from support.matrix_house import House
from support.people import PASSWORD, PIN, Person

NAMES_FROM: Final = "测试"
_LOOK_S: Final = 0.004
_PATIENCE_S: Final = 0.6
"""So long a clerk looks at a card that leads to nothing, before taking it out and putting it in again."""
_END_S: Final = 30.0
READING: Final = frozenset({State.READING_OLD_CARD, State.READING_SOCIAL_CARD})


class Afterwards(StrEnum):
    """What happens when a card was torn out."""

    BACK = "back"
    OTHER = "other"
    """Another person's card comes first, and if that leads to no end, the right one again."""
    NONE = "none"


@dataclass(frozen=True)
class Variation:
    """A route, and what becomes of the card's PIN on it."""

    route: Route
    pins: PinPolicy

    def __str__(self) -> str:
        return f"{self.route}-{self.pins}"

    @property
    def sets_pin(self) -> bool:
        """Whether the card gets a new PIN."""
        return self.pins not in {PinPolicy.NONE, PinPolicy.VERIFY}


_FIRST: Final = (
    Variation(Route.PHARMACY, PinPolicy.VERIFY),
    Variation(Route.PHARMACY, PinPolicy.TAKE_OVER),
    Variation(Route.HOSPITAL, PinPolicy.NONE),
    Variation(Route.HOSPITAL, PinPolicy.CHANGE),
    Variation(Route.BANK, PinPolicy.VERIFY),
    Variation(Route.BANK, PinPolicy.CHANGE_IS_ACTIVATION),
)
"""Each route with two rules for the PIN, and each rule at least once."""

_ALL: Final = tuple(
    Variation(route, pins)
    for route in Route
    for pins in PinPolicy
    # only where there is an old card is there a password to take over
    if pins is not PinPolicy.TAKE_OVER or route is Route.PHARMACY
)

VARIATIONS: Final = (*_FIRST, *(one for one in _ALL if one not in _FIRST))
"""Every route with every rule for the PIN that it may have."""


def from_each(stride: int, variation: Variation) -> int:
    """Return where a sample of every so-many-th point begins, so that the variations try different ones together."""
    return VARIATIONS.index(variation) * stride // len(VARIATIONS)


@dataclass
class Customer:
    """A person with both cards, and what came of the visit."""

    index: int
    person: Person
    variation: "Variation"
    old: Plastic = field(init=False)
    social: Plastic = field(init=False)
    typed: Counter[str] = field(default_factory=Counter)
    """How often each kind of digits was typed, by the purpose of the prompt."""
    activation: str = ""
    stranger: "Customer | None" = None
    """Who comes with a card when this person's was torn out."""
    heard: bool = True
    """Whether the centre could hear what became of the card."""

    def __post_init__(self) -> None:
        self.old, self.social = Plastic(self.person.old), Plastic(self.person.social)

    @property
    def subjects(self) -> set[str]:
        """By what the authority is asked about this person: the key, the holder's number, the old card's."""
        number = load_persona(self.person.old).card
        assert isinstance(number, MedicalInsurancePersona)
        return {self.activation, self.person.number, str(number.number)}

    @property
    def name(self) -> str:
        return f"{NAMES_FROM}{self.index}"

    def params(self, station: str, **more: Any) -> ActivationStartParams:
        """Return what the till asks for."""
        about: Mapping[Route, Mapping[str, object]] = {
            Route.PHARMACY: {},
            Route.HOSPITAL: {"visit": {"kind": "outpatient", "number": f"V{self.index}"}},
            Route.BANK: {"identity_document": {"type": "01", "number": self.person.number, "name": self.name}},
        }
        route = self.variation.route
        given = {"route": str(route), "station": station, **about[route], **more}
        return msgspec.convert(given, ActivationStartParams)


NEW_PIN: Final = PASSWORD
"""Where the old card's password is taken over it is the new PIN; so it is elsewhere."""

DIGITS: Final[Mapping[str, str]] = MappingProxyType(
    {"old_card_password": PASSWORD, "social_pin": PIN, "new_pin": NEW_PIN}
)
"""What the holder types, by the purpose of the prompt."""


@dataclass
class Clerk:
    """Serves one customer at one station."""

    house: House
    number: int
    customer: Customer
    afterwards: Afterwards = Afterwards.BACK
    stranger: Plastic | None = None
    """The card that comes instead of the one that was torn out."""
    patience_s: float = _PATIENCE_S
    _answered: set[str] = field(default_factory=set)
    _put_at: float = 0.0

    @classmethod
    def undisturbed(cls, house: House, number: int, customer: Customer) -> "Clerk":
        """Return one who leaves a card in until the end: its commands, and the commits, are those of a clean run.

        On a busy machine one who loses patience would put it in twice, and count what no other run has.
        """
        return cls(house, number, customer, patience_s=_END_S)

    @property
    def slot(self) -> str:
        return self.house.slot(self.number)

    @property
    def reader(self) -> str:
        """What the daemon calls the reader of this station."""
        return f"reader-{self.number}"

    def tear(self, card: Plastic, tear: Tear) -> None:
        """Have one of the customer's cards torn out of this station's reader."""
        card.tear_at(tear, self._pull)

    def tear_now(self, card: Plastic, why: str) -> None:
        """Tear one of the customer's cards out of this station's reader now."""
        card.tear_now(why.encode(), self._pull)

    def _pull(self) -> None:
        # the slot is empty before anybody may think so
        self.house.backend.remove(self.slot)
        self.house.inside.pop(self.slot, None)

    async def serve(self) -> ActivationResult:
        """Begin the customer's activation and do what the screen says until it ends."""
        params = self.customer.params(self.house.station(self.number))
        self.customer.activation = await self.house.engine.start(params, client="till")
        view = await self.finish()
        self.house.take(self.slot)
        return view

    async def finish(self) -> ActivationResult:
        """Do what the screen says until it ends."""
        deadline = time.monotonic() + _END_S
        while (view := await self.view()).state not in ENDS:
            assert time.monotonic() < deadline, f"{view.state}: nothing goes on"
            await self.act(view)
            await asyncio.sleep(_LOOK_S)
        return view

    async def view(self) -> ActivationResult:
        return await self.house.engine.view(self.customer.activation, personal=False)

    async def act(self, view: ActivationResult) -> None:
        """Do one thing that the screen asks for."""
        wanted = {
            State.WAITING_OLD_CARD: self.customer.old,
            State.WAITING_SOCIAL_CARD: self.customer.social,
            State.WAITING_SAME_CARD: self.customer.social,
        }
        await self._answer(view)
        if view.state in wanted:
            await self._offer(view, wanted[view.state])

    async def _offer(self, view: ActivationResult, card: Plastic) -> None:
        if self._torn() and self.afterwards is Afterwards.NONE:
            return
        if self._torn() and self.stranger is not None:
            stranger, self.stranger = self.stranger, None
            self.house.put(self.slot, stranger)
            await self._changed(view)
            return
        if self.house.inside.get(self.slot) is card and time.monotonic() - self._put_at > self.patience_s:
            self.house.take(self.slot)
            # on a busy machine a card may take longer to be known than anybody foresaw
            self.patience_s *= 2
        if self.house.inside.get(self.slot) is not card:
            self.house.put(self.slot, card)
            self._put_at = time.monotonic()

    def _torn(self) -> bool:
        return self.customer.old.torn is not None or self.customer.social.torn is not None

    async def _changed(self, before: ActivationResult) -> None:
        """Look on for a while: what was put in leads somewhere, or to nothing."""
        end = time.monotonic() + self.patience_s
        while (after := await self.view()).state in READING or (  # noqa: ASYNC110 - it changes in other threads
            _said(after) == _said(before) and not _over(end)
        ):
            # what is being read is not taken away
            await asyncio.sleep(_LOOK_S)

    async def _answer(self, view: ActivationResult) -> None:
        prompt = view.prompt
        if prompt is None or prompt.prompt is None or prompt.purpose is None or prompt.prompt in self._answered:
            return
        self._answered.add(prompt.prompt)
        self.customer.typed[prompt.purpose] += 1
        # it may be closed in this very moment
        with contextlib.suppress(CarddError):
            await self.house.engine.answer(prompt.prompt, Secret(DIGITS[prompt.purpose].encode()))


def _over(end: float) -> bool:
    return time.monotonic() >= end


def _said(view: ActivationResult) -> tuple[State, str | None]:
    return view.state, None if view.prompt is None else view.prompt.code
