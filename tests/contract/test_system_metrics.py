"""The page of metrics of a whole daemon, as programs that collect metrics read it."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus
from support.counter import Message
from support.exchanges import PIN, everything, told, whole_daemon

from cardd.metrics.rows import ROWS, Kind
from cardd.wire.events import short_type

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Message]]:
    """Spend a day with everything that clients can call; return the page at its end, and what was told."""
    directory = tmp_path_factory.mktemp("d")

    async def spend() -> tuple[str, list[Message]]:
        async with whole_daemon(directory) as desk:
            await everything(desk)
            # once more, to be refused
            await desk.call("card.read", reader="none")
            text = (await desk.call("system.metrics"))["text"]
            return text, await told(directory / "cardd.sock")

    return asyncio.run(spend())


@pytest.fixture(scope="module")
def figures(day: tuple[str, list[Message]]) -> Figures:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families(day[0])
        for sample in family.samples
    }


def families(text: str) -> Iterator[Metric]:
    """Read with the parser of the format's own, which raises for whatever the format forbids."""
    yield from read_openmetrics(text)  # type: ignore[no-untyped-call] # the library says no types here


def figure(figures: Figures, name: str, **labels: str) -> float:
    return figures[name, frozenset(labels.items())]


def test_every_row_is_a_family_of_its_kind_and_nothing_else_is_there(
    day: tuple[str, list[Message]],
) -> None:
    found = {family.name: family for family in families(day[0])}
    assert [*found] == [*ROWS]
    for name, row in ROWS.items():
        assert (found[name].type, found[name].documentation) == (str(row.kind), row.tells)
        names = {frozenset(sample.labels) - {"le"} for sample in found[name].samples}
        assert names <= {frozenset(row.labels)}


def test_the_day_is_counted_as_the_journal_has_it(day: tuple[str, list[Message]], figures: Figures) -> None:
    types = [short_type(event["type"]) for event in day[1]]
    for kind in set(types):
        assert figure(figures, "cardd_events_total", type=kind) == types.count(kind), kind
    assert figure(figures, "cardd_journal_sequence") == len(types)
    assert figure(figures, "cardd_activations_ended_total", route="pharmacy", outcome="activated") == 1
    assert figure(figures, "cardd_activations_ended_total", route="pharmacy", outcome="cancelled") == 1
    assert figure(figures, "cardd_activation_seconds_count", route="pharmacy") == 2
    assert figure(figures, "cardd_account_moves_total", type="debited", outcome="done") == 1


def test_what_is_timed_was_timed(figures: Figures) -> None:
    assert figure(figures, "cardd_reads_total", outcome="read") == 2
    assert figure(figures, "cardd_read_seconds_count") == 2
    assert 0 < figure(figures, "cardd_read_seconds_sum") < 10
    assert figure(figures, "cardd_identification_seconds_count") >= 3
    assert figure(figures, "cardd_journal_commit_seconds_count") > 10
    assert figure(figures, "cardd_authority_seconds_count", question="activate", outcome="answered") == 1


def test_what_is_so_now_is_told(figures: Figures) -> None:
    station = {"station": "counter-0"}
    assert figure(figures, "cardd_readers", **station, role="counter", state="present") == 1
    assert figure(figures, "cardd_readers", **station, role="counter", state="mute") == 0
    assert figure(figures, "cardd_stopped_keys", **station) == 0
    assert figure(figures, "cardd_pcsc_up") == 1
    assert figure(figures, "cardd_authority_up") == 1
    assert figure(figures, "cardd_clients") == 1
    assert figure(figures, "cardd_activations_open") == 0
    assert figure(figures, "cardd_journal_space", space="ample") == 1
    assert figure(figures, "cardd_journal_bytes") > 0
    assert figure(figures, "cardd_journal_free_bytes") > 0
    assert figure(figures, "process_resident_memory_bytes") > 1 << 20
    assert figure(figures, "process_cpu_seconds_total") > 0
    assert figure(figures, "process_open_fds") > 3
    assert 0 < time.time() - figure(figures, "process_start_time_seconds") < 100


def test_refused_requests_count_by_method_and_reason(figures: Figures) -> None:
    assert figure(figures, "cardd_refusals_total", method="card.read", reason="NOT_FOUND") == 1


def test_no_person_card_or_pin_is_in_it(day: tuple[str, list[Message]]) -> None:
    text = day[0]
    assert text.isascii()
    for secret in (PIN, "51010119", "registration", "till-3"):
        assert secret not in text


def test_the_file_has_the_older_format(tmp_path: Path) -> None:
    async def write() -> str:
        file = tmp_path / "cardd.prom"
        async with whole_daemon(tmp_path, more=f"metrics: {{textfile: {file}, every_s: 0.05}}\n"):
            while not file.exists():  # noqa: ASYNC110 - written by a thread
                await asyncio.sleep(0.01)
            text = file.read_text()
        assert not file.exists()
        return text

    text = asyncio.run(write())
    found = {family.name: family for family in read_prometheus(text)}
    for name, row in ROWS.items():
        assert found[name].type == str(row.kind)
        if row.kind is Kind.COUNTER:
            assert {sample.name for sample in found[name].samples} <= {row.sample}
    assert "# EOF" not in text
