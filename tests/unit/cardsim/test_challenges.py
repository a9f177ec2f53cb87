"""The card's random numbers: foreseeable, and found again by their place."""

import pytest

from cardsim.card.challenges import Challenges

SEED = 7
LAID_OUT = (bytes.fromhex("1122334455667788"), b"\xaa")
MANY = 200


def all_of(seed: int) -> list[bytes]:
    challenges = Challenges(LAID_OUT, seed)
    return [challenges.take(8) for _ in range(MANY)]


def test_what_was_laid_out_comes_first_and_goes_on_at_random() -> None:
    challenges = Challenges(LAID_OUT, SEED)
    whole, begun = challenges.take(16), challenges.take(8)
    assert (whole[:8], begun[:1]) == LAID_OUT
    assert len(whole) == 16
    assert len(begun) == 8


def test_a_seed_gives_the_same_numbers_again_and_another_one_others() -> None:
    assert all_of(SEED) == all_of(SEED)
    assert not set(all_of(SEED)[2:]) & set(all_of(SEED + 1)[2:])


def test_no_number_comes_twice() -> None:
    assert len(set(all_of(SEED))) == MANY


@pytest.mark.parametrize("place", [0, 1, 2, 7, 8, 9, 150])
def test_a_card_goes_on_from_the_place_that_was_written_down(place: int) -> None:
    challenges = Challenges(LAID_OUT, SEED)
    for _ in range(MANY):
        challenges.take(4)
    challenges.place = place
    assert challenges.take(8) == all_of(SEED)[place]
