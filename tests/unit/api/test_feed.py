import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.api.feed import Bell, Feed, Ring
from cardd.api.filters import Filter
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


@pytest.mark.asyncio
async def test_the_bell_rings_for_all_who_listen_and_again_after_a_rest_as_long_as_their_work() -> None:
    bell, loop = Bell(few=0), asyncio.get_running_loop()
    rung: list[float] = []

    async def work() -> None:
        while len(rung) < 3:
            await bell.listen(rung=False)
            until = loop.time() + 0.005
            while loop.time() < until:
                pass
            rung.append(loop.time())

    working = asyncio.create_task(work())
    while len(rung) < 3:
        bell.ring()
        await asyncio.sleep(0)
    await working
    # the first one may have come into the middle of it
    assert rung[2] - rung[1] > 0.03


@pytest.mark.asyncio
async def test_a_bell_that_is_wanted_in_its_rest_rings_by_itself_afterwards() -> None:
    bell = Bell(few=0)

    async def listener() -> None:
        await bell.listen(rung=False)
        time.sleep(0.002)  # noqa: ASYNC251 - work that keeps the loop

    first = asyncio.create_task(listener())
    await asyncio.sleep(0)
    bell.ring()
    await first
    later = bell.listen(rung=False)
    bell.ring()
    assert not later.done()
    async with asyncio.timeout(5):
        await later


@pytest.mark.asyncio
async def test_with_few_listeners_the_bell_rings_for_each_event() -> None:
    bell = Bell(few=2)
    for _ in range(3):
        listening = [bell.listen(rung=False) for _ in range(2)]
        bell.ring()
        assert all(one.done() for one in listening)


@pytest.mark.asyncio
async def test_whoever_has_forgotten_to_listen_is_not_kept() -> None:
    bell = Bell()
    one = bell.listen(rung=False)
    bell.forget(one)
    bell.ring()
    assert not one.done()


@pytest.mark.asyncio
async def test_those_who_want_the_same_get_the_same_bytes_and_others_their_own(tmp_path: Path) -> None:
    sealer, source = Sm4GcmSealer(Secret(b"0123456789abcdef")), "/cardd/test"
    journal = Journal.open(tmp_path, sealer=sealer, clock=SystemClock(), source=source)
    feed = Feed(journal, Delivery(sealer, source), ring_events=8, page_events=8)
    await journal.record(NewEvent("card.inserted", "front", {}), NewEvent("reader.attached", "front", {}))
    page = await feed.page(0)
    cards, every = Filter(("card.*",)), Filter()
    joined = feed.lines("s1", cards, 0, page)
    assert feed.lines("s1", Filter(("card.*",)), 0, page) is joined
    assert [json.loads(line)["params"]["subscription"] for line in feed.lines("s2", cards, 0, page).splitlines()] == [
        "s2"
    ]
    assert len(feed.lines("s1", every, 0, page).splitlines()) == 2
    assert feed.lines("s1", Filter(readers=("back",)), 0, page) == b""
    assert feed.lines("s1", every, 1, await feed.page(1)).count(b"\n") == 1
    await journal.close()


@pytest.mark.asyncio
async def test_a_page_of_the_journal_is_read_once_for_all_who_wait_for_it(tmp_path: Path) -> None:
    sealer, source = Sm4GcmSealer(Secret(b"0123456789abcdef")), "/cardd/test"
    journal = Journal.open(tmp_path, sealer=sealer, clock=SystemClock(), source=source)
    await journal.record(*(NewEvent("card.inserted", "front", {}) for _ in range(5)))
    feed = Feed(journal, Delivery(sealer, source), ring_events=8, page_events=3)
    gone = asyncio.create_task(_page(feed))
    waiting = [asyncio.create_task(_page(feed)) for _ in range(2)]
    await asyncio.sleep(0)
    gone.cancel()
    first, second = await asyncio.gather(*waiting)
    assert first is second
    assert [stored.sequence for stored in first] == [1, 2, 3]
    await journal.close()


async def _page(feed: Feed) -> Sequence[StoredEvent]:
    return await feed.page(0)
