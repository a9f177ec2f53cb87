"""Every kind of work on a card, disturbed by everything that can happen to a counter.

The matrix is (what happens) x (the work it happens to) x (how cards are opened). The work is answered, whatever came of
it, and done once more; money moves once, a PIN is compared once for each time that it was typed.
"""

from contextlib import closing, suppress

import pytest
from support.chaos import FRONT, Stages
from support.chaos_jobs import ANSWER_S, WORK, Reading
from support.disturbances import DISTURBANCES
from support.matrix import MODES, cells
from support.neighbour import Neighbour

from cardd.client.errors import CallError
from cardd.desk.requests import JOB_S
from cardd.wire.cards import CardReadParams
from cardd.wire.methods import CARD_READ

_A_WHILE_S = 1.5

pytestmark = pytest.mark.timeout(90)


@pytest.mark.parametrize(("what", "kind", "mode"), cells(DISTURBANCES, WORK))
def test_work_is_answered_and_can_be_done_again_whatever_happens(
    stages: Stages, what: str, kind: str, mode: str
) -> None:
    with stages.at(mode) as at, closing(WORK[kind](at)) as work:
        hold = work.begin()
        DISTURBANCES[what].strike(at)
        if hold is not None:
            hold.release()
        DISTURBANCES[what].mend(at)
        work.answered()
        at.settle()
        work.offer()
        work.again()
        at.check(work.card)


@pytest.mark.night
def test_a_service_that_stands_still_beyond_the_deadline_costs_that_work_only(stages: Stages) -> None:
    with stages.at("exclusive") as at:
        work = Reading(at)
        hold = work.begin()
        at.lab.stop_pcscd()
        hold.release()
        assert work.asked is not None
        error = work.asked.exception(JOB_S + 1)
        assert isinstance(error, CallError)
        assert error.reason == "TIMEOUT"
        at.clerk.wait("reader.unavailable")
        assert at.views()["reader-0"].state == "unavailable"
        at.lab.continue_pcscd()
        work.offer()
        work.again()
        at.check(work.card, expected=frozenset({"reader.unavailable"}))


def test_a_neighbour_that_is_only_connected_is_waited_for_unless_cards_are_shared(stages: Stages) -> None:
    waited = {}
    for mode in MODES:
        with stages.at(mode) as at:
            work = Reading(at)
            work.offer()
            with Neighbour(at.neighbour, at.lab.pcscd_socket) as neighbour:
                neighbour.order(f"shared {at.lab.readers[FRONT]}")
                assert neighbour.answered(1, ANSWER_S)
                work.asked = at.call_aside(CARD_READ, CardReadParams())
                with suppress(TimeoutError):
                    work.asked.result(_A_WHILE_S)
                waited[mode] = not work.asked.done()
            assert work.asked.result(ANSWER_S).holder is not None
            at.check(work.card)
    assert waited == {"exclusive": True, "shared": False}
