"""What a route's table is made of: moves, and what `judge` may compare with."""

from collections.abc import Mapping
from typing import Final

from cardd.activation.effects import Effect, Purpose
from cardd.activation.facts import Fact
from cardd.activation.pins import PinPolicy, PinStep
from cardd.base.structs import Struct
from cardd.wire.activation import Outcome, State

AFTER_NO_RETURN: Final = frozenset(
    {State.AUTHORISING, State.UPDATING_CARD, State.WAITING_SAME_CARD, State.CONFIRMING, State.IN_DOUBT}
)
"""The states beyond the point of no return, which is the move to `authorising`."""


class Known(Struct, frozen=True):
    """What `judge` may compare with: the cards read so far, the rules that hold, what stands open about the PIN.

    `holds_password`: the old card's password was typed, was right, and is still in memory.
    """

    old_number: str | None = None
    identification_code: str | None = None
    pin_policy: PinPolicy = PinPolicy.NONE
    pin: PinStep = PinStep.NONE
    holds_password: bool = False
    without_old_card: bool = False


class Move(Struct, frozen=True):
    """Where a fact leads: the next state, what to say, whom to ask, what to do, what it came to.

    `say` is a text's code; None says the reason that came with the outcome. `keeps_question`: a prompt that is open
    stays open.
    """

    to: State
    say: str | None
    do: tuple[Effect, ...] = ()
    ask: Purpose | None = None
    outcome: Outcome | None = None
    keeps_question: bool = False


Moves = Mapping[State, Mapping[Fact, Move]]
Ignored = Mapping[State, frozenset[Fact]]


class Beginning(Struct, frozen=True):
    """How an activation begins: its first state, what it says, what is done."""

    state: State
    say: str
    do: tuple[Effect, ...]


class RouteTable(Struct, frozen=True):
    """One route. `moves` and `ignored` together say what every fact does in every state that the route has."""

    begin: Beginning
    moves: Moves
    ignored: Ignored

    def __getitem__(self, at: tuple[State, Fact]) -> Move | None:
        """Return a fact's move in a state, None where it changes nothing; KeyError where nobody thought of it."""
        state, fact = at
        move = self.moves[state].get(fact)
        if move is None and fact not in self.ignored[state]:
            raise KeyError(at)
        return move
