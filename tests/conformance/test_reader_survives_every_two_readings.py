"""The reader against cards that are otherwise in two ways at once: every two readings that a card can have."""

import pytest
from support.choices import BASES, Basis, pairs
from support.pairing import surprises, told, unknown

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("basis", BASES, ids=str)
def test_two_readings_together_change_only_what_one_of_them_does(basis: Basis) -> None:
    assert told(unknown(surprises(basis, pairs()))) == {}
