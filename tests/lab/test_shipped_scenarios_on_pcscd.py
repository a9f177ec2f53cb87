"""Scenarios that come with the simulator, in their short forms on a real pcscd, with the daemon as a process."""

import pytest

from cardsim.scenario.outcome import Came
from cardsim.scenario.runner import Job, run
from cardsim.scenario.shipped import SCENARIOS


def passes(name: str) -> None:
    result = run(Job(SCENARIOS / f"{name}.yaml", ground="pcscd", short=True))
    assert result.failures == []
    assert result.came is Came.PASSED


def test_a_hospitals_hour_passes_on_pcscd() -> None:
    passes("hospital-registration-hour")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["morning-rush", "clumsy-clerk", "bank-branch", "hostile-cards"])
def test_the_others_pass_on_pcscd_too(name: str) -> None:
    passes(name)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_night_in_which_pcscd_goes_too_is_got_over() -> None:
    passes("night-of-power-cuts")
