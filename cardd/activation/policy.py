"""What an operator decides about activations: which routes, which PINs, how long each waiting may take."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import Final

from cardd.wire.activation import Route, State


class PinPolicy(StrEnum):
    """Whether the holder types the social security card's PIN before the activation."""

    NONE = "none"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds for people, for work on a card, and for one answer of the authority; `states` go before these."""

    person_s: float = 120.0
    card_s: float = 30.0
    authority_s: float = 15.0
    states: Mapping[State, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between two questions to an authority that does not answer: doubled each time up to the most."""

    first_s: float = 0.5
    most_s: float = 30.0

    def after(self, tries: int) -> float:
        """Return how long to wait after so many tries (from 0)."""
        return min(self.first_s * 2.0 ** min(max(tries, 0), 16), self.most_s)


@dataclass(frozen=True, slots=True)
class Policy:
    """All of it. `auto`: stations where an old card put in begins a pharmacy activation by itself."""

    routes: frozenset[Route] = frozenset({Route.PHARMACY})
    pin_policy: PinPolicy = PinPolicy.NONE
    deadlines: Deadlines = field(default_factory=Deadlines)
    backoff: Backoff = field(default_factory=Backoff)
    auto: frozenset[str] = frozenset()

    def deadline_s(self, state: State) -> float | None:
        """Return how long a state may last, None where it has no end of its own."""
        parts = _WAITS_FOR[state]
        if parts and state in self.deadlines.states:
            return self.deadlines.states[state]
        return sum(seconds(self.deadlines) for seconds in parts) if parts else None


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
        State.CONFIRMING: (_AUTHORITY,),
        State.IN_DOUBT: (),
        State.COMPLETED: (),
        State.REFUSED: (),
        State.CANCELLED: (),
        State.EXPIRED: (),
    }
)
