"""Every kind of work on a card, disturbed by everything that can happen to a counter.

The matrix is (what happens) x (the work it happens to) x (how cards are opened). The work is answered, whatever came of
it, and done once more; money moves once, a PIN is compared once for each time that it was typed.
"""

import pytest
from support.chaos import Stages
from support.chaos_jobs import WORK
from support.disturbances import DISTURBANCES
from support.matrix import cells

pytestmark = [pytest.mark.xdist_group("chaos jobs"), pytest.mark.timeout(90)]


@pytest.mark.parametrize(("what", "kind", "mode"), cells(DISTURBANCES, WORK))
def test_work_is_answered_and_can_be_done_again_whatever_happens(
    stages: Stages, what: str, kind: str, mode: str
) -> None:
    with stages.at(mode) as at:
        work = WORK[kind](at)
        hold = work.begin()
        DISTURBANCES[what].strike(at)
        if hold is not None:
            hold.release()
        DISTURBANCES[what].mend(at)
        work.answered()
        at.settle()
        work.again()
        at.check(work.card)
