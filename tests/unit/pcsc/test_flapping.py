"""Contacts that bounce, against a clock that is moved."""

import pytest

from cardd.iso7816.device import Presence, Slot
from cardd.pcsc.flapping import CALM_S, Flapping

ATR = bytes.fromhex("3B021450")


class Reader:
    """One reader whose card comes and goes; `see` returns what is told of it."""

    def __init__(self, counter: int = 0) -> None:
        self.now = 50.0
        self.counter = counter
        self.flapping = Flapping(lambda: self.now)
        self.flapping.steady([self.slot(Presence.EMPTY)])

    def slot(self, presence: Presence) -> Slot:
        return Slot("R", presence, self.counter, ATR if presence is Presence.PRESENT else b"", serial="S")

    def see(self, presence: Presence, *, moved: int, after: float) -> Presence:
        self.now += after
        self.counter = (self.counter + moved) % 0x10000
        (told,) = self.flapping.steady([self.slot(presence)])
        assert (told.counter, told.serial, bool(told.atr)) == (self.counter, "S", told.presence is Presence.PRESENT)
        return told.presence


def test_a_card_that_comes_is_told_at_once_and_so_is_one_that_goes() -> None:
    reader = Reader()
    assert reader.see(Presence.PRESENT, moved=1, after=0.0) is Presence.PRESENT
    assert reader.see(Presence.EMPTY, moved=1, after=0.0) is Presence.EMPTY
    assert reader.flapping.rest_s is None


def test_a_fast_exchange_of_cards_is_no_bounce() -> None:
    reader = Reader()
    assert reader.see(Presence.PRESENT, moved=1, after=0.0) is Presence.PRESENT
    assert reader.see(Presence.PRESENT, moved=2, after=CALM_S + 0.001) is Presence.PRESENT


@pytest.mark.parametrize("moves", [[1, 1, 1], [3], [2, 1], [7], [1, 4]])
def test_three_moves_in_a_moment_are_a_bounce_until_the_card_is_still(moves: list[int]) -> None:
    reader = Reader()
    told = [reader.see(Presence.PRESENT, moved=moved, after=0.05) for moved in moves]
    assert told[-1] is Presence.EMPTY
    assert reader.see(Presence.PRESENT, moved=0, after=CALM_S - 0.01) is Presence.EMPTY
    assert reader.flapping.rest_s == pytest.approx(0.01)
    assert reader.see(Presence.PRESENT, moved=0, after=0.011) is Presence.PRESENT
    assert reader.flapping.rest_s is None


def test_each_further_move_begins_the_rest_anew() -> None:
    reader = Reader()
    reader.see(Presence.PRESENT, moved=3, after=0.0)
    for _ in range(5):
        assert reader.see(Presence.PRESENT, moved=1, after=CALM_S - 0.05) is Presence.EMPTY
    assert reader.see(Presence.PRESENT, moved=0, after=CALM_S + 0.001) is Presence.PRESENT


def test_what_else_a_bouncing_reader_shows_is_not_told_either_but_that_it_failed_is() -> None:
    reader = Reader()
    assert reader.see(Presence.MUTE, moved=3, after=0.0) is Presence.EMPTY
    assert reader.see(Presence.UNAVAILABLE, moved=0, after=0.0) is Presence.UNAVAILABLE


def test_a_device_that_did_not_answer_has_not_bounced_because_it_counts_anew() -> None:
    reader = Reader(counter=9)
    assert reader.see(Presence.UNAVAILABLE, moved=-9, after=0.0) is Presence.UNAVAILABLE
    assert reader.see(Presence.PRESENT, moved=5, after=0.0) is Presence.PRESENT


def test_a_count_that_wraps_is_no_bounce() -> None:
    reader = Reader(counter=0xFFFF)
    assert reader.see(Presence.PRESENT, moved=1, after=0.0) is Presence.PRESENT


def test_another_reader_does_not_bounce_along() -> None:
    now = 5.0
    flapping = Flapping(lambda: now)
    still, bouncing = Slot("A", Presence.PRESENT, 1, ATR), Slot("B", Presence.PRESENT, 1, ATR)
    flapping.steady([still, bouncing])
    told = flapping.steady([still, Slot("B", Presence.PRESENT, 4, ATR)])
    assert [slot.presence for slot in told] == [Presence.PRESENT, Presence.EMPTY]
