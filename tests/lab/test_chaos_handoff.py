"""A handoff disturbed in every state, by everything that can happen to a counter, and completed all the same.

The matrix is (what happens) x (the state it happens in) x (how cards are opened). One counter serves all of it: the
daemon is never restarted, and each handoff shows that the one before did no harm.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import ClassVar, Final

import pytest
from support.chaos import Stage, Stages
from support.disturbances import DISTURBANCES
from support.matrix import cells
from support.moments import Recorded
from support.people import PASSWORD, PIN

from cardd.wire.activation import Outcome, State

READ_BINARY = bytes.fromhex("00B0")
READ_HOLDER = bytes.fromhex("00B20830")
UPDATE_RECORD = bytes.fromhex("00DC")

Release = Callable[[], None]

pytestmark = pytest.mark.timeout(90)


def begins(header: bytes) -> Callable[[bytes], bool]:
    return lambda command: command.startswith(header)


class Handoff:
    """One customer's, led into a state and held there."""

    def __init__(self, at: Stage, ended: ExitStack) -> None:
        self.at = at
        self.ended = ended
        self.old, self.social = at.person()
        self.activation = ""

    def lead(self, state: State) -> Release:
        """Come to the state; what is returned lets the work go on that stands still in it."""
        return self._ways[state](self)

    def _waiting_old_card(self) -> Release:
        self.activation = self.at.clerk.start(station="counter-0")
        return nothing

    def _reading_old_card(self) -> Release:
        hold = self.old.hold_at(begins(READ_BINARY), nth=2)
        self.at.put(self.old)
        self._step(State.READING_OLD_CARD)
        hold.reach()
        return hold.release

    def _waiting_old_password(self) -> Release:
        self.at.put(self.old)
        self._step(State.WAITING_OLD_PASSWORD)
        return nothing

    def _waiting_social_card(self) -> Release:
        self._waiting_old_password()
        self.at.type_next(PASSWORD)
        self._step(State.WAITING_SOCIAL_CARD)
        self.at.take()
        return nothing

    def _reading_social_card(self) -> Release:
        self._waiting_social_card()
        hold = self.social.hold_at(begins(READ_HOLDER))
        self.at.put(self.social)
        hold.reach()
        return hold.release

    def _waiting_pin(self) -> Release:
        self._waiting_social_card()
        self.at.put(self.social)
        self._step(State.WAITING_PIN)
        return nothing

    def _authorising(self) -> Release:
        self._waiting_pin()
        release = self.ended.enter_context(self.at.register_held())
        self.at.type_next(PIN)
        self._step(State.AUTHORISING)
        return release

    def _in_doubt(self) -> Release:
        release = self._authorising()
        self._step(State.IN_DOUBT)
        return release

    def _updating_card(self) -> Release:
        self._waiting_pin()
        hold = self.social.hold_at(begins(UPDATE_RECORD))
        self.at.type_next(PIN)
        self._step(State.UPDATING_CARD)
        hold.reach()
        return hold.release

    def _waiting_same_card(self) -> Release:
        release = self._updating_card()
        self.at.aside(self.at.take)
        self._step(State.WAITING_SAME_CARD)
        release()
        self.at.settle()
        return nothing

    def _confirming(self) -> Release:
        release = self._updating_card()
        let_go = self.ended.enter_context(self.at.register_held())
        release()
        self._step(State.CONFIRMING)
        return let_go

    def _step(self, state: State) -> None:
        self.activation = self.at.clerk.step(state)["correlationid"]

    _ways: ClassVar = {
        State.WAITING_OLD_CARD: _waiting_old_card,
        State.READING_OLD_CARD: _reading_old_card,
        State.WAITING_OLD_PASSWORD: _waiting_old_password,
        State.WAITING_SOCIAL_CARD: _waiting_social_card,
        State.READING_SOCIAL_CARD: _reading_social_card,
        State.WAITING_PIN: _waiting_pin,
        State.AUTHORISING: _authorising,
        State.IN_DOUBT: _in_doubt,
        State.UPDATING_CARD: _updating_card,
        State.WAITING_SAME_CARD: _waiting_same_card,
        State.CONFIRMING: _confirming,
    }
    STATES = tuple(_ways)


def nothing() -> None:
    """Let go of nothing: people are waited for."""


def renewed(card: Recorded) -> bool:
    """Tell whether the card has taken what the centre sent, by asking it."""
    card.power_on()
    card.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    return card.transmit(bytes.fromhex("00B2062806"))[:6] == bytes.fromhex("060420440101")


def disturbed(at: Stage, state: State, what: str) -> None:
    disturbance = DISTURBANCES[what]
    with ExitStack() as ended:
        handoff = Handoff(at, ended)
        release = handoff.lead(state)
        disturbance.strike(at)
        release()
        disturbance.mend(at)
        view = at.drive(handoff.activation, handoff.old, handoff.social)
    at.check(handoff.old, handoff.social)
    assert (view.state, view.outcome) == (State.COMPLETED, Outcome.ACTIVATED)
    assert len(handoff.social.asked(0x20)) <= at.typed
    assert renewed(handoff.social)


LEFT_OUT: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("card pulled", state): "no card is inside: it is waited for"
        for state in (State.WAITING_OLD_CARD, State.WAITING_SOCIAL_CARD, State.WAITING_SAME_CARD)
    }
)
"""What would strike nothing, and why. Whatever else happens in these states is tried: it waits for the card to come."""


@pytest.mark.parametrize(("what", "state", "mode"), cells(DISTURBANCES, Handoff.STATES, LEFT_OUT))
def test_a_handoff_completes_whatever_happens(stages: Stages, what: str, state: str, mode: str) -> None:
    with stages.at(mode) as at:
        disturbed(at, State(state), what)
