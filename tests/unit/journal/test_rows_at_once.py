"""However many events a commit holds, each is stored, found and chained as it would be alone."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from cardd.base.clock import SystemClock
from cardd.base.sealing import Sealer
from cardd.base.secret import Secret
from cardd.crypto.signing import Ed25519Signer, verify
from cardd.crypto.tokens import KeyedTokens
from cardd.journal.encoding import decode_mapping, rfc3339
from cardd.journal.events import NewEvent
from cardd.journal.evidence import Evidence, Wanted
from cardd.journal.heads import Notary
from cardd.journal.store import Journal, Keeping

TOKENS = KeyedTokens(Secret(b"0123456789abcdef"))


@pytest.mark.asyncio
@pytest.mark.parametrize("count", [1, 4, 5, 9, 10, 11, 20, 25])
async def test_each_of_a_commit_s_events_is_stored_in_its_place_and_found(
    tmp_path: Path, sealer: Sealer, count: int
) -> None:
    keeping = Keeping(notary=Notary(Ed25519Signer(Secret(bytes(32))), SystemClock()), tokens=TOKENS)
    journal = Journal.open(tmp_path, sealer=sealer, clock=SystemClock(), source="/cardd/test", keeping=keeping)
    evidence = Evidence(journal, sealer=sealer, tokens=TOKENS, verify=verify)
    # of two marks each, so that their rows end elsewhere than the events'
    events = [NewEvent("a.b", "s", {"n": n}, {"number": f"T{n}"}, insertion=f"1-{n}") for n in range(count)]
    await journal.record(*events)
    stored = await journal.read(0, 100)
    assert [event.sequence for event in stored] == list(range(1, count + 1))
    assert [decode_mapping(event.data)["n"] for event in stored] == list(range(count))
    for n in range(count):
        for wanted in (Wanted(card=f"T{n}"), Wanted(insertion=f"1-{n}")):
            found = await evidence.find(wanted, after=0, limit=100)
            assert [event.sequence for event in found.events] == [n + 1]
    report = await evidence.examine()
    assert (report.whole, report.events) == (True, count)
    await journal.close()


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2031, 5, 7, 8, 9, 10, tzinfo=UTC), "2031-05-07T08:09:10.000000Z"),
        (datetime(2031, 5, 7, 8, 9, 10, 1, tzinfo=UTC), "2031-05-07T08:09:10.000001Z"),
        (datetime(2031, 5, 7, 8, 9, 10, 120_000, tzinfo=UTC), "2031-05-07T08:09:10.120000Z"),
        (datetime(2031, 5, 7, 8, 9, 10, tzinfo=timezone(timedelta(hours=8))), "2031-05-07T00:09:10.000000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_is_as_long_whatever_it_is_so_that_texts_are_ordered_as_times_are(moment: datetime, text: str) -> None:
    assert rfc3339(moment) == text
