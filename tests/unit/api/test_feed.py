from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.api.feed import Feed, Ring
from cardd.base.clock import SystemClock
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.crypto.signing import verify
from cardd.crypto.tokens import KeyedTokens
from cardd.journal.delivery import Delivery
from cardd.journal.events import NewEvent, StoredEvent
from cardd.journal.evidence import Evidence
from cardd.journal.store import Journal, Keeping

NUMBER = "510101190001010012"


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


@pytest.mark.asyncio
async def test_what_was_erased_is_not_told_from_what_was_kept_for_the_live_end(tmp_path: Path) -> None:
    key, clock, source = Secret(b"0123456789abcdef"), SystemClock(), "/cardd/test"
    sealer, tokens = Sm4GcmSealer(key), KeyedTokens(key)
    journal = Journal.open(tmp_path, sealer=sealer, clock=clock, source=source, keeping=Keeping(tokens=tokens))
    feed = Feed(journal, Delivery(sealer, source), ring_events=8, page_events=8)
    await journal.record(NewEvent("card.identified", "r", {}, {"social_security_number": NUMBER}))
    (before,) = await feed.page(0)
    assert NUMBER.encode() in feed.whole(before)
    evidence = Evidence(journal, sealer=sealer, tokens=tokens, verify=verify)
    await evidence.erase(tokens.holder(NUMBER), client="auditor", purpose="asked for it")
    erased, told = await feed.page(0)
    assert (erased.sealed, told.type) == (b"", "journal.erased")
    assert NUMBER.encode() not in feed.whole(erased)
    await journal.close()
