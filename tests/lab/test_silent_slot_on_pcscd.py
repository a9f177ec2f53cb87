"""A SAM slot that is said not to notice its card, on a real pcscd.

vpcd knows a card by its answer to reset alone and hangs without one, so what it can show is the other half: that power
for an empty slot is survived, and what pcscd says of the slot afterwards. The finding of a card is shown in tests/unit.
"""

import asyncio
import time
from functools import partial

import pytest
from support.waiting import comes_true

from cardd.base.clock import SystemClock
from cardd.iso7816.apdu import Command
from cardd.pcsc.backend import PcscBackend
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.registry import Readers
from cardsim.lab import Lab
from cardsim.links.echo import EchoCard

SELECT = Command(0x00, 0xA4, 0x00, 0x00, b"\x3f\x00")


@pytest.mark.asyncio
async def test_a_slot_that_was_powered_in_vain_stays_empty_and_takes_a_module_later(
    lab: Lab, readers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = ReaderConfig(ReaderMatch(name=readers[1]), Role.SAM, "module", announces=False)
    backend = PcscBackend()
    woken: list[str] = []

    def wake(slot: str) -> None:
        woken.append(slot)
        PcscBackend.wake(backend, slot)

    monkeypatch.setattr(backend, "wake", wake)
    sam = Readers(backend, (StationConfig("desk", readers=(rule,)),), clock=SystemClock(), boot=1)
    sam.start()
    try:
        await comes_true(lambda: len(woken) == 2, woken)
        await asyncio.sleep(0.5)
        assert {str(view.state) for view in sam.views() if view.reader == "module"} == {"empty"}
        await asyncio.to_thread(lab.insert, EchoCard(), 1)
        await comes_true(lambda: sam.insertion_in("module") is not None, "an insertion")
        deadline = time.monotonic() + 5
        compute = partial(sam.call_on, "module", lambda held: held.channel.send(SELECT).sw, deadline=deadline)
        assert await asyncio.to_thread(compute) == 0x9000
    finally:
        sam.close()
