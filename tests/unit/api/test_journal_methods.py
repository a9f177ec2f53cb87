"""The journal's methods at a daemon that runs, on a journal that was filled before."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from support.bare_daemon import BareDaemon, bare_daemon

from cardd.base.clock import SystemClock
from cardd.client.errors import CallError
from cardd.config import load_config
from cardd.crypto.tokens import KeyedTokens
from cardd.journal.events import ActivationRow, NewEvent
from cardd.records import open_records, sealing_key
from cardd.wire.events import EARLIEST, EventsSubscribeParams, short_type
from cardd.wire.journal import (
    JournalEraseParams,
    JournalExportParams,
    JournalFindParams,
    JournalFindResult,
    JournalVerifyParams,
)
from cardd.wire.methods import JOURNAL_ERASE, JOURNAL_EXPORT, JOURNAL_FIND, JOURNAL_VERIFY

NUMBER = "510101190001010012"
SETTINGS = "backend: in-process\nkeys: {provider: none}\njournal: {reserve_mb: 0}\n"
WHOLE = {"card": {"number": "T00000036"}, "holder": {"name": "测试甲", "social_security_number": NUMBER}}
MASKED = {"card": {"number": "*****0036"}, "holder": {"name": "测*甲", "social_security_number": "5101************12"}}


async def fill(config: Path) -> str:
    records = open_records(load_config(config), clock=SystemClock(), source="/cardd/test")
    journal = records.journal
    await journal.record(NewEvent("card.inserted", "r", {}), NewEvent("card.removed", "r", {}))
    await records.evidence.retire(datetime.now(UTC))
    inside = NewEvent("card.identified", "r", {"number": "*****0036"}, {"number": "T00000036"}, insertion="1-1")
    row = ActivationRow("a-1", "s", "pharmacy", "completed", False, {})
    await journal.record(
        inside, NewEvent("activation.completed", "s", MASKED, WHOLE, correlation="a-1"), activation=row
    )
    await journal.close()
    return KeyedTokens(sealing_key(load_config(config))).holder(NUMBER)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BareDaemon, str]]:
    directory = tmp_path_factory.mktemp("daemon")
    (directory / "cardd.yaml").write_text(f"state_dir: state\n{SETTINGS}")
    token = asyncio.run(fill(directory / "cardd.yaml"))
    with bare_daemon(directory, SETTINGS) as running:
        yield running, token


def types(found: JournalFindResult) -> list[str]:
    return [short_type(msgspec.json.decode(one.event)["type"]) for one in found.events]


def text(found: JournalFindResult) -> str:
    return b"".join(bytes(one.event) for one in found.events).decode()


def test_a_person_is_found_by_token_masked_and_whole_only_with_a_purpose_on_record(
    daemon: tuple[BareDaemon, str],
) -> None:
    running, token = daemon
    with running.client() as client:
        found = client.call(JOURNAL_FIND, JournalFindParams(token=token))
        assert types(found) == ["card.identified", "activation.completed"]
        assert NUMBER not in text(found)
        assert "5101************12" in text(found)
        whole = client.call(JOURNAL_FIND, JournalFindParams(token=token, purpose="complaint 7"))
        assert NUMBER in text(whole)
        told = client.call(JOURNAL_FIND, JournalFindParams(types=["personal.disclosed"]))
        data = [msgspec.json.decode(one.event)["data"] for one in told.events]
        assert {(one["purpose"], one["method"]) for one in data} == {("complaint 7", "journal.find")}
        assert sorted(field for one in data for field in one["fields"]) == [
            "card.number",
            "holder.name",
            "holder.social_security_number",
            "number",
        ]


def test_a_page_leads_to_the_next(daemon: tuple[BareDaemon, str]) -> None:
    running, _ = daemon
    with running.client() as client:
        params = JournalFindParams(limit=1, types=["card.*", "activation.*"])
        first = client.call(JOURNAL_FIND, params)
        second = client.call(JOURNAL_FIND, msgspec.structs.replace(params, after=first.cursor))
        third = client.call(JOURNAL_FIND, msgspec.structs.replace(params, after=second.cursor))
        assert (types(first), types(second), third.more) == (["card.identified"], ["activation.completed"], False)


def test_the_earliest_is_what_retention_has_left(daemon: tuple[BareDaemon, str]) -> None:
    running, _ = daemon
    with running.client() as client:
        subscribed = client.subscribe(EventsSubscribeParams(after=EARLIEST))
        assert subscribed.cursor.endswith(".2")
        first = next(client.events(5))
        assert first.event.type == "org.cardd.journal.evicted.v1"
        stream = subscribed.cursor.partition(".")[0]
        for call in (
            lambda: client.subscribe(EventsSubscribeParams(after=f"{stream}.1")),
            lambda: client.call(JOURNAL_EXPORT, JournalExportParams(after=f"{stream}.1")),
        ):
            with pytest.raises(CallError) as caught:
                call()
            assert (caught.value.reason, caught.value.fact("earliest")) == ("CURSOR_GONE", f"{stream}.2")


@pytest.mark.parametrize(
    ("params", "path"),
    [
        (JournalFindParams(limit=0), "$.limit"),
        (JournalFindParams(limit=1001), "$.limit"),
        (JournalFindParams(card=""), "$.card"),
        (JournalFindParams(token="x" * 129), "$.token"),
        (JournalFindParams(types=["x"] * 65), "$.types"),
        (JournalFindParams(purpose=" "), "$.purpose"),
    ],
)
def test_what_cannot_be_looked_for_is_invalid(
    daemon: tuple[BareDaemon, str], params: JournalFindParams, path: str
) -> None:
    with daemon[0].client() as client, pytest.raises(CallError) as caught:
        client.call(JOURNAL_FIND, params)
    assert (caught.value.reason, caught.value.fact("path")) == ("INVALID", path)


def test_what_is_no_head_is_invalid(daemon: tuple[BareDaemon, str]) -> None:
    with daemon[0].client() as client, pytest.raises(CallError) as caught:
        client.call(JOURNAL_VERIFY, JournalVerifyParams(heads=["7"]))
    assert caught.value.reason == "INVALID"


def test_a_person_is_erased_and_the_journal_is_whole_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "cardd.yaml").write_text(f"state_dir: state\n{SETTINGS}")
    token = asyncio.run(fill(tmp_path / "cardd.yaml"))
    with bare_daemon(tmp_path, SETTINGS) as running, running.client() as client:
        before = client.call(JOURNAL_VERIFY, JournalVerifyParams()).head
        assert before is not None
        erased = client.call(JOURNAL_ERASE, JournalEraseParams(token=token, purpose="asked for it"))
        assert (erased.events, erased.activations, erased.payments) == (2, 0, 0)
        whole = client.call(JOURNAL_FIND, JournalFindParams(token=token, purpose="a look"))
        assert [msgspec.json.decode(one.event)["personal"] for one in whole.events] == ["erased"] * 2
        report = client.call(JOURNAL_VERIFY, JournalVerifyParams(heads=[before]))
        assert (report.whole, report.agreed) == (True, [before])
        with pytest.raises(CallError) as caught:
            client.call(JOURNAL_ERASE, JournalEraseParams(token=token, purpose="again"))
        assert caught.value.reason == "NOT_FOUND"
