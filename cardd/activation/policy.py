"""What an operator decides about activations: which routes, which PINs, how long each waiting may take."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Final

import msgspec

from cardd.activation.options import ActivationOptions, PinPolicies
from cardd.activation.pins import PinPolicy
from cardd.base.structs import Struct
from cardd.wire.activation import Route, State


class Deadlines(Struct, frozen=True):
    """Seconds for people, for work on a card, and for one answer of the authority; `states` go before these."""

    person_s: float = 120.0
    card_s: float = 30.0
    authority_s: float = 15.0
    states: Mapping[State, float] = msgspec.field(default_factory=dict)


class Backoff(Struct, frozen=True):
    """Seconds between two questions to an authority that does not answer: doubled each time up to the most."""

    first_s: float = 0.5
    most_s: float = 30.0

    def after(self, tries: int) -> float:
        """Return how long to wait after so many tries (from 0)."""
        return min(self.first_s * 2.0 ** min(max(tries, 0), 16), self.most_s)


class Policy(Struct, frozen=True):
    """All of it.

    `auto`: stations where an old card put in begins a pharmacy activation by itself. `pin_policies` go before
    `pin_policy` for the routes that they name. `region`: where cards must have been issued (six digits, a trailing 00
    for every district below), None where the authority alone decides. `accept_expired`: the authority alone decides on
    cards whose validity is over. `without_old_card`: the pharmacy serves people who never had one. `old_numbers`: an
    old card without a chip may be given by its number.
    """

    routes: frozenset[Route] = frozenset(Route)
    pin_policy: PinPolicy = PinPolicy.NONE
    pin_policies: Mapping[Route, PinPolicy] = msgspec.field(default_factory=dict)
    region: str | None = None
    accept_expired: bool = False
    without_old_card: bool = False
    old_numbers: bool = True
    deadlines: Deadlines = msgspec.field(default_factory=Deadlines)
    backoff: Backoff = msgspec.field(default_factory=Backoff)
    auto: frozenset[str] = frozenset()

    def pin_of(self, route: Route) -> PinPolicy:
        """Return a route's PIN policy. An old card's password can be taken over only where one is handed in."""
        if route in self.pin_policies:
            return self.pin_policies[route]
        nothing_to_take = self.pin_policy is PinPolicy.TAKE_OVER and route is not Route.PHARMACY
        return PinPolicy.NONE if nothing_to_take else self.pin_policy

    def deadline_s(self, state: State) -> float | None:
        """Return how long a state may last, None where it has no end of its own."""
        parts = _WAITS_FOR[state]
        if parts and state in self.deadlines.states:
            return self.deadlines.states[state]
        return sum(seconds(self.deadlines) for seconds in parts) if parts else None


def policy_of(options: ActivationOptions, auto: frozenset[str]) -> Policy:
    """Return what the configuration says, for a counter at which these stations begin by themselves."""
    named = options.deadlines
    own = {state: getattr(named, state, None) for state in State}
    return Policy(
        routes=frozenset(Route(route) for route in options.routes),
        pin_policies=_pin_policies(options.pin_policy),
        region=options.region if options.other_regions == "refuse" else None,
        accept_expired=options.expired_cards == "ask",
        without_old_card=options.without_old_card == "accept",
        old_numbers=options.old_numbers == "accept",
        deadlines=Deadlines(
            person_s=named.person_s,
            card_s=named.card_s,
            authority_s=named.authority_s,
            states={state: seconds for state, seconds in own.items() if seconds is not None},
        ),
        auto=auto,
    )


def _pin_policies(named: str | PinPolicies) -> Mapping[Route, PinPolicy]:
    if isinstance(named, PinPolicies):
        return {route: PinPolicy(getattr(named, str(route))) for route in Route}
    policy = Policy(pin_policy=PinPolicy(named))
    return {route: policy.pin_of(route) for route in Route}


_PERSON: Final[Callable[[Deadlines], float]] = attrgetter("person_s")
_CARD: Final[Callable[[Deadlines], float]] = attrgetter("card_s")
_AUTHORITY: Final[Callable[[Deadlines], float]] = attrgetter("authority_s")

_WAITS_FOR: Final[Mapping[State, tuple[Callable[[Deadlines], float], ...]]] = MappingProxyType(
    {
        State.WAITING_OLD_CARD: (_PERSON,),
        State.READING_OLD_CARD: (_CARD, _AUTHORITY),
        State.WAITING_OLD_PASSWORD: (_PERSON,),
        State.WAITING_SOCIAL_CARD: (_PERSON,),
        State.READING_SOCIAL_CARD: (_CARD, _AUTHORITY),
        State.WAITING_PIN: (_PERSON,),
        State.AUTHORISING: (_AUTHORITY,),
        State.UPDATING_CARD: (_CARD,),
        State.WAITING_SAME_CARD: (_PERSON,),
        # a question that hangs is asked once more before the centre is left without the report
        State.CONFIRMING: (_AUTHORITY, _AUTHORITY),
        State.IN_DOUBT: (),
        State.COMPLETED: (),
        State.REFUSED: (),
        State.CANCELLED: (),
        State.EXPIRED: (),
    }
)
