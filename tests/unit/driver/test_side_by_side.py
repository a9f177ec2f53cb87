"""Two steps begun side by side on one connection: only one of them can go on, and the other's card is let go."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cardd.desk.requests import Chosen
from cardd.driver import service
from cardd.driver.calls import Job, Told
from cardd.driver.functions import INFO, Function
from cardd.driver.pending import Pending
from cardd.readers.insertion import Insertion
from cardd.wire.driver import DriverCallParams

pytestmark = pytest.mark.asyncio


async def test_what_was_begun_meanwhile_ends_where_another_step_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    go_on = asyncio.Event()

    async def begin(job: Job) -> Told:
        reader = job.params.reader or ""
        if reader == "slow":
            await go_on.wait()
        return Told(pending=Pending(Chosen(Insertion(f"1-{reader}", reader, "desk", b""), f"lease of {reader}")))

    monkeypatch.setattr(service, "FUNCTIONS", {"begin": Function("begin", None, INFO, begin)})
    readers = SimpleNamespace(lasts=lambda _: True, end_lease=lambda lease, _: ended.append(lease))
    driver = service.Driver(cast("Any", SimpleNamespace(readers=readers)))

    def call(reader: str) -> Any:
        return driver.call(DriverCallParams(function="begin", args=[], reader=reader), holder="c-1", client="his")

    slow = asyncio.create_task(call("slow"))
    await asyncio.sleep(0)
    await call("quick")
    assert ended == []
    go_on.set()
    await slow
    assert ended == ["lease of quick"]
