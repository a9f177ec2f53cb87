"""Which activation, insertion and reader a line belongs to, on whatever thread it is written."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars, get_contextvars
from support.activations import JIA, bench
from support.readers import Card, Rig, ScriptedBackend

from cardd.iso7816.channel import Channel
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.insertion import Insertion
from cardd.readers.worker import HeldChannel
from cardd.wire.activation import State

WORK_S = 5.0
DESK = StationConfig(
    "desk", readers=(ReaderConfig(ReaderMatch(name="S"), Role.SAM, "module"), ReaderConfig(ReaderMatch(name="R")))
)

pytestmark = pytest.mark.asyncio

Marks = dict[str, Any]


def marks(_channel: Channel, _insertion: Insertion) -> Marks:
    return get_contextvars()


async def test_a_readers_thread_knows_whose_work_it_does_and_on_which_card() -> None:
    async with Rig(ScriptedBackend("R", "S"), (DESK,)) as r:
        insertion = await r.insert("R", Card(b"\x3b\x0a"))
        with bound_contextvars(activation="a-1"):
            seen = await r.readers.run(insertion.id, marks, timeout_s=WORK_S)
        assert seen == {"activation": "a-1", "insertion": insertion.id, "reader": "R"}


async def test_the_next_work_on_that_thread_bears_no_mark_of_the_one_before() -> None:
    async with Rig(ScriptedBackend("R", "S"), (DESK,)) as r:
        insertion = await r.insert("R", Card(b"\x3b\x0a"))
        with bound_contextvars(activation="a-1"):
            await r.readers.run(insertion.id, marks, timeout_s=WORK_S)
        assert "activation" not in await r.readers.run(insertion.id, marks, timeout_s=WORK_S)
        assert get_contextvars() == {}


async def test_the_security_module_is_asked_in_the_name_of_the_card_that_it_judges() -> None:
    async with Rig(ScriptedBackend("R", "S"), (DESK,)) as r:
        r.backend.put("S", Card(b"\x3b\x5a"))
        r.backend.look()
        await r.until(lambda: r.readers.insertion_in("module") is not None)
        insertion = await r.insert("R", Card(b"\x3b\x0a"))

        def ask(_held: HeldChannel) -> Marks:
            return get_contextvars()

        def operation(_channel: Channel, _insertion: Insertion) -> tuple[Marks, Marks]:
            deadline = r.clock.monotonic() + WORK_S
            called = r.readers.call_on("module", ask, deadline=deadline)
            return called, r.readers.begin_on("module", ask, deadline=deadline).result()

        with bound_contextvars(activation="a-1"):
            seen = await r.readers.run(insertion.id, operation, timeout_s=WORK_S)
        assert seen == ({"activation": "a-1", "insertion": insertion.id, "reader": "module"},) * 2


async def test_all_that_an_activation_does_bears_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path) as b:
        seen: dict[str, Marks] = {}
        ask = b.line._ask

        async def spy(name: str) -> None:
            seen[name] = get_contextvars()
            await ask(name)

        monkeypatch.setattr(b.line, "_ask", spy)
        one = await b.start()
        other = await asyncio.create_task(b.start(station="counter-2"))
        old = b.counter.put_old("10000001")
        await b.until(one, State.WAITING_SOCIAL_CARD)
        b.counter.pull(old)
        b.counter.put_social(JIA)
        await b.until(one, State.COMPLETED)
        assert {name: seen[name].get("activation") for name in seen} == dict.fromkeys(
            ["look_up_old_card", "look_up_social_card", "activate", "report_update"], one
        )
        assert other != one
        assert get_contextvars() == {}
