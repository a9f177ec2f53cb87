from hypothesis import given
from hypothesis import strategies as st

from cardd.api.feed import Ring
from cardd.journal.events import StoredEvent


def event(sequence: int) -> StoredEvent:
    return StoredEvent(sequence, str(sequence), "card.inserted", "", "front", None, None, b"{}", None)


def filled(size: int, first: int, last: int) -> Ring:
    ring = Ring(size, first - 1)
    for sequence in range(first, last + 1):
        ring.append(event(sequence))
    return ring


@given(
    size=st.integers(1, 8),
    first=st.integers(1, 5),
    count=st.integers(0, 20),
    after=st.integers(0, 30),
    most=st.integers(1, 9),
)
def test_the_ring_gives_what_follows_without_a_hole_or_says_that_it_does_not_reach_back(
    size: int, first: int, count: int, after: int, most: int
) -> None:
    last = first + count - 1
    found = filled(size, first, last).after(after, most)
    if after >= last:
        assert found == []
    elif after + 1 < max(first, last - size + 1):
        assert found is None
    else:
        assert found is not None
        assert [one.sequence for one in found] == list(range(after + 1, min(after + most, last) + 1))


def test_a_ring_that_missed_events_does_not_pretend_to_have_them() -> None:
    ring = filled(8, 1, 3)
    ring.append(event(7))
    assert ring.after(2, 8) is None
    found = ring.after(6, 8)
    assert found is not None
    assert [one.sequence for one in found] == [7]
