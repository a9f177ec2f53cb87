"""Counts of a service that changes a reader's state a moment before its count."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.iso7816.device import Presence, Slot
from cardd.pcsc.counting import Counting

ATR = bytes.fromhex("3B021450")


@dataclass
class Service:
    """One reader of a pcscd. A card comes or goes in two steps: first what is in, then how often that changed."""

    changes: int = 0
    counted: int = 0

    def look(self) -> Slot:
        inside = self.changes % 2
        return Slot("R", Presence.PRESENT if inside else Presence.EMPTY, self.counted % 0x10000, ATR * inside)

    def change(self) -> None:
        self.counted = self.changes
        self.changes += 1

    def count(self) -> None:
        self.counted = self.changes


@given(
    start=st.sampled_from([0, 1, 7, 0xFFFE, 0xFFFF]),
    steps=st.lists(st.sampled_from([Service.change, Service.count, None]), max_size=40),
)
def test_a_look_at_any_moment_tells_the_count_of_what_it_shows(start: int, steps: list[object]) -> None:
    service, counting = Service(start, start), Counting()
    counting.settled([service.look()])
    for step in steps:
        if step is None:
            (told,) = counting.settled([service.look()])
            assert told.counter == service.changes % 0x10000
        else:
            step(service)  # type: ignore[operator]


def test_a_card_seen_before_it_was_counted_is_not_exchanged_when_it_is() -> None:
    counting = Counting()
    counting.settled([Slot("R", Presence.EMPTY, 4)])
    told = [counting.settled([Slot("R", Presence.PRESENT, count, ATR)])[0].counter for count in (4, 5, 5)]
    assert told == [5, 5, 5]


def test_an_exchange_between_two_looks_moves_the_count() -> None:
    counting = Counting()
    counting.settled([Slot("R", Presence.PRESENT, 5, ATR)])
    assert counting.settled([Slot("R", Presence.PRESENT, 7, ATR)])[0].counter == 7


@pytest.mark.parametrize("forgotten", ["service", "device"])
def test_what_was_counted_before_the_service_or_the_device_went_says_nothing(forgotten: str) -> None:
    counting = Counting()
    counting.settled([Slot("R", Presence.PRESENT, 5, ATR)])
    if forgotten == "service":
        counting.forget()
    else:
        counting.settled([Slot("R", Presence.UNAVAILABLE, 5)])
    assert counting.settled([Slot("R", Presence.PRESENT, 0, ATR)])[0].counter == 0
