"""SAM slots that never announce their card."""

import pytest
from msgspec.structs import replace
from support.readers import ManualClock, Rig, ScriptedBackend

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import Presence, ServiceDown, Slot, Slots
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.matching import Placement
from cardd.readers.reconcile import State, dark, hang, lend, reconcile
from cardd.readers.waking import LONGEST_PAUSE_S, Waking

STATION = StationConfig(
    "desk",
    readers=(
        ReaderConfig(ReaderMatch(name="S"), Role.SAM, announces=False),
        ReaderConfig(ReaderMatch(name="A"), Role.SAM),
        ReaderConfig(ReaderMatch(name="C"), announces=False),
    ),
)
EMPTY = Slot("S", Presence.EMPTY, 0)


def seen(*slots: Slot) -> State:
    state = State(1)
    return reconcile(state, Slots(slots), Placement([STATION]).place).state


@pytest.mark.parametrize(
    ("presence", "is_dark"),
    [
        (Presence.EMPTY, True),
        (Presence.MUTE, True),
        (Presence.UNPOWERED, True),
        (Presence.UNAVAILABLE, False),
        (Presence.PRESENT, False),
    ],
)
def test_a_sam_slot_that_announces_nothing_is_dark_while_no_card_shows(presence: Presence, *, is_dark: bool) -> None:
    atr = b"\x3b\x00" if presence is Presence.PRESENT else b""
    assert dark(seen(replace(EMPTY, presence=presence, atr=atr))) == (("S",) if is_dark else ())


def test_other_slots_are_never_powered_without_a_card() -> None:
    assert dark(seen(replace(EMPTY, name="A"), replace(EMPTY, name="C"), replace(EMPTY, name="X"))) == ()


def test_a_slot_that_hangs_is_lent_or_away_is_left_alone() -> None:
    state = seen(EMPTY)
    assert dark(state) == ("S",)
    assert dark(hang(state, "S", CarddError(Reason.READER_UNAVAILABLE, "hung")).state) == ()
    assert dark(lend(state, "S").state) == ()
    assert dark(reconcile(state, ServiceDown(Reason.PCSC_UNAVAILABLE, ""), Placement([STATION]).place).state) == ()


def test_a_dark_slot_is_powered_at_once_and_then_less_and_less_often() -> None:
    clock = ManualClock()
    begin = clock.monotonic()
    tried: list[float] = []
    waking = Waking(clock, lambda _: tried.append(clock.monotonic() - begin))
    waking.tend(["S"])
    clock.advance(8)
    # a look that shows nothing new changes nothing
    waking.tend(["S"])
    clock.advance(300)
    assert tried[:6] == [0, 1, 3, 7, 15, 31]
    assert tried[-1] - tried[-2] == LONGEST_PAUSE_S
    waking.tend([])
    count = len(tried)
    clock.advance(300)
    assert len(tried) == count


class WakingBackend(ScriptedBackend):
    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.woken: list[str] = []

    def wake(self, slot: str) -> None:
        self.woken.append(slot)


@pytest.mark.asyncio
async def test_the_readers_wake_a_dark_slot_and_stop_when_they_are_closed() -> None:
    backend = WakingBackend("S", "A", "C")
    async with Rig(backend, (STATION,)) as rig:
        await rig.until(lambda: backend.woken == ["S"])
        rig.clock.advance(1)
        assert backend.woken == ["S", "S"]
    rig.clock.advance(100)
    assert backend.woken == ["S", "S"]
