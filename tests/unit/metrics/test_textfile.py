import asyncio
import builtins
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs
from support.readers import ManualClock
from support.waiting import comes_true

from cardd.base.document import DocumentError
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.config import load_config
from cardd.journal.events import Statistics
from cardd.metrics.metering import Metering
from cardd.metrics.page import Page, Sources
from cardd.metrics.textfile import TextFile

pytestmark = pytest.mark.asyncio

OFTEN_S = 0.01


@pytest.fixture(autouse=True)
def _own_logging() -> None:
    structlog.reset_defaults()


def pages(*texts: str | Exception) -> Callable[[], Awaitable[str]]:
    """Return what tells one page after the other, and the last for ever."""
    left = list(texts)

    async def page() -> str:
        text = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(text, Exception):
            raise text
        return text

    return page


def names(directory: Path) -> list[str]:
    return [one.name for one in directory.iterdir()]


async def test_the_file_is_renewed_readable_by_all_and_never_found_half_written(tmp_path: Path) -> None:
    path = tmp_path / "cardd.prom"
    long = ["a" * 300_000, "b" * 300_000]
    file = TextFile(path, pages(*long * 5, "c"), every_s=0.001)
    before = os.umask(0o077)
    try:
        file.start()
        seen = set()
        while "c" not in seen:
            seen.add(path.read_text() if path.exists() else "none")
            await asyncio.sleep(0)
    finally:
        os.umask(before)
        file.close()
    assert seen <= {*long, "c", "none"}


async def test_others_may_read_it_whatever_the_services_mask_is(tmp_path: Path) -> None:
    path = tmp_path / "cardd.prom"
    file = TextFile(path, pages("a"), every_s=OFTEN_S)
    before = os.umask(0o077)
    try:
        file.start()
        await comes_true(path.exists, "the file")
        assert path.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)
        file.close()


async def test_an_orderly_end_takes_the_file_away(tmp_path: Path) -> None:
    path = tmp_path / "cardd.prom"
    file = TextFile(path, pages("a"), every_s=OFTEN_S)
    file.start()
    await comes_true(path.exists, "the file")
    file.close()
    await asyncio.sleep(3 * OFTEN_S)
    assert names(tmp_path) == []
    # as by a thread that was under way at the end
    file._write("late")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "failure", [CarddError(Reason.NOT_FOUND, "no extra"), OSError(28, "No space left on device")], ids=str
)
async def test_a_page_that_cannot_be_written_is_logged_once_and_the_next_one_tried(
    failure: Exception, tmp_path: Path
) -> None:
    path = tmp_path / "cardd.prom"
    file = TextFile(path, pages(failure, failure, failure, "later", "later"), every_s=OFTEN_S)
    with capture_logs() as lines:
        file.start()
        await comes_true(path.exists, "the file")
        await asyncio.sleep(2 * OFTEN_S)
        file.close()
    problem = str(getattr(failure, "strerror", None) or "no extra")
    assert [(line["event"], line.get("problem")) for line in lines] == [
        ("metrics are not written", problem),
        ("metrics are written again", None),
    ]


async def test_what_an_earlier_daemon_left_half_written_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "cardd.prom"
    file = TextFile(path, pages("a"), every_s=OFTEN_S)
    file._beside.write_text("half")
    file._write("whole")
    assert names(tmp_path) == ["cardd.prom"]


async def test_the_first_page_waits_until_the_start_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    file = TextFile(tmp_path / "cardd.prom", pages("a"), every_s=15)
    with pytest.raises(asyncio.CancelledError):
        await file._keep()
    assert waited == [1.0]
    assert names(tmp_path) == []


def a_page(state: Path) -> Page:
    sources = Sources(
        versions=("0", "3.11"),
        began=1.0,
        state=state,
        readers=list,
        serves=lambda: False,
        statistics=lambda: Statistics(7, 8, 0),
        evicted=lambda: 0,
        stopped=dict,
        authority=lambda: None,
        open_activations=lambda: 0,
        clients=lambda: 0,
    )
    return Page(Metering(ManualClock()).book, sources)


async def test_without_the_extra_it_is_said_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(
        name: str,
        globals_: Mapping[str, object] | None = None,
        locals_: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if name == "cardd.metrics.text":
            raise ImportError
        return real(name, globals_, locals_, fromlist or (), level)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CarddError, match="cardd\\[metrics\\]") as caught:
        await a_page(tmp_path).openmetrics()
    assert caught.value.reason is Reason.NOT_FOUND


async def test_a_disk_that_is_away_costs_its_own_figure_alone(tmp_path: Path) -> None:
    there, gone = await a_page(tmp_path).prometheus(), await a_page(tmp_path / "none").prometheus()
    assert "\ncardd_journal_free_bytes " in there
    assert "\ncardd_journal_free_bytes " not in gone
    assert "\ncardd_pcsc_up 0.0" in gone
    assert "\ncardd_authority_up " not in gone


async def test_the_file_is_configured_relative_to_the_configuration_and_named_as_it_is_read(tmp_path: Path) -> None:
    config = tmp_path / "cardd.yaml"
    config.write_text("metrics: {textfile: m/cardd.prom, every_s: 30}")
    metrics = load_config(config).metrics
    assert (metrics.textfile, metrics.every_s) == (str(tmp_path / "m" / "cardd.prom"), 30)
    config.write_text("metrics: {textfile: cardd.txt}")
    with pytest.raises(DocumentError, match=r"cardd\.yaml:1:.*`cardd\.txt\.prom`"):
        load_config(config)
    config.write_text("")
    assert load_config(config).metrics.textfile is None
