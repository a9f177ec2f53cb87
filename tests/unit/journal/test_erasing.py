"""Erasing a person page by page: what is put on record of it, what goes with it, and that it may end in between."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer
from cardd.base.secret import Secret
from cardd.crypto.signing import verify
from cardd.crypto.tokens import KeyedTokens
from cardd.journal import erasing
from cardd.journal.events import ActivationRow, DeedRow, NewEvent
from cardd.journal.evidence import Evidence
from cardd.journal.store import Journal, Keeping

pytestmark = pytest.mark.asyncio

TOKENS = KeyedTokens(Secret(b"0123456789abcdef"))
NUMBER, OTHER = "510101190001010012", "510101190002020028"
TOKEN = TOKENS.holder(NUMBER)


def opened(path: Path, sealer: Sealer) -> tuple[Journal, Evidence]:
    journal = Journal.open(
        path, sealer=sealer, clock=SystemClock(), source="/cardd/test", keeping=Keeping(tokens=TOKENS)
    )
    return journal, Evidence(journal, sealer=sealer, tokens=TOKENS, verify=verify)


def about(person: str, card: str | None = None) -> NewEvent:
    return NewEvent("a.b", "s", {}, {"social_security_number": person, "number": card})


async def record(journal: Journal, persons: Sequence[str]) -> None:
    for person in persons:
        await journal.record(about(person))


async def told(journal: Journal) -> list[dict[str, object]]:
    return [json.loads(event.data) for event in await journal.read(0, 10_000) if event.type == erasing.ERASED]


async def blank(journal: Journal) -> list[int]:
    return [event.sequence for event in await journal.read(0, 10_000) if event.sealed == b""]


@pytest.mark.parametrize(
    ("numbers", "runs"),
    [([], []), ([3], [(3, 3)]), ([1, 2, 3], [(1, 3)]), ([1, 2, 4, 6, 7], [(1, 2), (4, 4), (6, 7)])],
)
async def test_numbers_that_follow_one_another_are_told_as_runs(
    numbers: list[int], runs: list[tuple[int, int]]
) -> None:
    assert list(erasing.ranges(numbers)) == runs


async def test_an_erasure_names_the_events_that_are_not_as_they_were_and_nobody(tmp_path: Path, sealer: Sealer) -> None:
    journal, evidence = opened(tmp_path, sealer)
    await record(journal, [NUMBER, NUMBER, OTHER, NUMBER])
    await evidence.erase(TOKEN, client="auditor", purpose="asked for it")
    (one,) = await told(journal)
    assert one["sequences"] == [[1, 2], [4, 4]]
    assert one["events"] == 3
    assert NUMBER not in json.dumps(one)
    assert await blank(journal) == [1, 2, 4]
    await journal.close()


async def test_many_events_go_page_by_page_each_on_record_with_what_it_took(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "EVENTS_AT_ONCE", 3)
    monkeypatch.setattr(erasing, "ROWS_AT_ONCE", 2)
    journal, evidence = opened(tmp_path, sealer)
    await record(journal, [NUMBER, OTHER] * 6)
    for number in range(5):
        person = OTHER if number == 1 else NUMBER
        personal = {"social_security_number": person}
        await journal.record(activation=ActivationRow(f"a-{number}", "s", "bank", "refused", False, {}, personal))
        await journal.record(deed=DeedRow("c", f"r-{number}", "m", open=False, data={}, personal=personal))
    erased = await evidence.erase(TOKEN, client="auditor", purpose="asked for it")
    assert erased.events == tuple(range(1, 12, 2))
    assert erased.activations == ("a-0", "a-2", "a-3", "a-4")
    assert [request for _, request in erased.deeds] == ["r-0", "r-2", "r-3", "r-4"]
    records = await told(journal)
    assert [one["sequences"] for one in records] == [[[1, 1], [3, 3], [5, 5]], [[7, 7], [9, 9], [11, 11]]]
    assert [(one["activations"], one["payments"]) for one in records] == [(4, 4), (0, 0)]
    assert await blank(journal) == [1, 3, 5, 7, 9, 11]
    await journal.close()


async def test_an_erasure_may_end_between_two_pages_and_the_next_one_does_the_rest(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "EVENTS_AT_ONCE", 2)
    journal, evidence = opened(tmp_path, sealer)
    await record(journal, [NUMBER] * 6)
    work = asyncio.create_task(evidence.erase(TOKEN, client="auditor", purpose="asked for it"))

    def leave(_: object) -> None:
        work.cancel()

    journal.subscribe(leave)
    with pytest.raises(asyncio.CancelledError):
        await work
    (first,) = await told(journal)
    assert first["sequences"] == [[1, 2]]
    assert await blank(journal) == [1, 2]
    await evidence.erase(TOKEN, client="auditor", purpose="asked for it")
    assert await blank(journal) == [1, 2, 3, 4, 5, 6]
    report = await evidence.examine()
    assert report.whole
    await journal.close()


async def test_somebody_under_way_is_found_on_any_page_before_anything_is_blanked(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "ROWS_AT_ONCE", 1)
    journal, evidence = opened(tmp_path, sealer)
    await record(journal, [NUMBER])
    for number in range(3):
        personal = {"social_security_number": NUMBER}
        is_open = number == 2
        await journal.record(deed=DeedRow("c", f"r-{number}", "m", open=is_open, data={}, personal=personal))
    with pytest.raises(CarddError) as caught:
        await evidence.erase(TOKEN, client="auditor", purpose="asked for it")
    assert caught.value.reason is Reason.BUSY
    assert await blank(journal) == []
    await journal.close()


async def test_what_was_begun_after_it_was_looked_at_is_left_alone(tmp_path: Path, sealer: Sealer) -> None:
    journal, _ = opened(tmp_path, sealer)
    personal = {"social_security_number": NUMBER}
    await journal.record(deed=DeedRow("c", "r", "m", open=True, data={}, personal=personal))
    await journal.record(activation=ActivationRow("a", "s", "bank", "authorising", True, {}, personal))
    erasure = erasing.Erasure((), ("a",), (("c", "r"),))
    await journal.record(NewEvent("x", "s", {}), also=lambda connection: erasing.erase(connection, erasure))
    assert [row.personal for row in await journal.open_deeds()] == [personal]
    assert [row.personal for row in await journal.activations(open_only=True)] == [personal]
    await journal.close()


async def test_what_stands_for_the_values_of_a_write_goes_with_the_person(tmp_path: Path, sealer: Sealer) -> None:
    journal, evidence = opened(tmp_path, sealer)
    await journal.record(about(NUMBER, "T1"))
    await journal.record(about(OTHER, "T2"))
    kept = {
        "theirs": {"mark": "digest", "number": "T1"},
        "another's": {"mark": "digest", "number": "T2"},
        # an older cardd kept nothing but the digest: nobody can tell whose it is
        "nobody's": {"mark": "digest"},
    }
    for request, personal in kept.items():
        await journal.record(deed=DeedRow("c", request, "card.write", open=False, data={}, personal=personal))
    erased = await evidence.erase(TOKEN, client="auditor", purpose="asked for it")
    assert erased.deeds == (("c", "theirs"),)
    rows = {request: await journal.deed("c", request) for request in kept}
    assert {request: row.personal for request, row in rows.items() if row is not None} == {
        "theirs": {},
        "another's": kept["another's"],
        "nobody's": {},
    }
    await journal.close()


async def test_a_person_of_more_marks_than_a_statement_takes_parameters_is_erased(
    tmp_path: Path, sealer: Sealer
) -> None:
    journal, evidence = opened(tmp_path, sealer)
    await record(journal, [NUMBER])
    about_person = frozenset(f"insertion 1-{number}" for number in range(300_000)) | {f"holder {TOKEN}"}
    assert await evidence._events_of(about_person, 0) == (1,)
    await journal.close()
