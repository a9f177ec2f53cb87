"""Requirements of docs/reliability.md that no virtual reader can show: on scripted readers and a scripted service."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support.modules import Desk, virtual
from support.readers import Card, Gate, Rig, ScriptedBackend
from support.socket_desk import client, socket_desk

from cardd.base.errors import CarddError
from cardd.base.reasons import REASONS, Reason
from cardd.desk.identify import identify
from cardd.desk.keypad import verify_at_keypad
from cardd.desk.reading import Identity
from cardd.desk.refusals import Instruction, reason_of, refusals
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Presence, Transport
from cardd.iso7816.status import StatusError
from cardd.readers.facts import ReaderDetached, ReaderState
from cardd.readers.insertion import Insertion

SELECT = Command(0x00, 0xA4, 0x00, 0x00, b"\x3f\x00")
ATR = bytes.fromhex("3B021450")


def card() -> Card:
    return Card(ATR)


def select(channel: Channel, _: Insertion) -> int:
    return channel.send(SELECT).sw


@pytest.mark.asyncio
async def test_r02_unplugging_a_reader_in_the_middle_of_its_work_leaves_the_others_alone() -> None:
    async with Rig(ScriptedBackend("one", "two")) as rig:
        going, staying = await rig.insert("one", card()), await rig.insert("two", card())
        gate = Gate()
        rig.backend.bays["one"].on_transmit.append(gate)
        task = asyncio.create_task(rig.readers.run(going.id, select, timeout_s=5))
        await asyncio.to_thread(gate.reached.wait, 5)
        bay = rig.backend.bays.pop("one")
        await rig.seen()
        assert rig.told(ReaderDetached) == [ReaderDetached("one", "desk")]
        assert await rig.readers.run(staying.id, select, timeout_s=5) == 0x9000
        gate.open()
        with pytest.raises(CarddError) as caught:
            await task
        assert caught.value.reason is Reason.CARD_REMOVED
        await rig.remove("two")
        again = await rig.insert("two", card())
        assert await rig.readers.run(again.id, select, timeout_s=5) == 0x9000
        assert bay.card is not None


def _stands_still(gate: Gate, _code: int, _data: bytes) -> bytes:
    gate()
    return b""


@pytest.mark.asyncio
@pytest.mark.parametrize("call", ["on_connect", "on_begin", "on_transmit", "on_disconnect", "control"])
async def test_r09_whichever_call_never_returns_its_caller_is_answered_in_time(call: str) -> None:
    async with Rig(ScriptedBackend("one", "two"), exclusive=False) as rig:
        hung, other = await rig.insert("one", card()), await rig.insert("two", card())
        gate, bay = Gate(), rig.backend.bays["one"]
        if call == "control":
            bay.keypad = partial(_stands_still, gate)
        else:
            getattr(bay, call).append(gate)

        def work(channel: Channel, insertion: Insertion) -> int:
            if call == "control":
                channel.control(1, b"")
            return select(channel, insertion)

        task = asyncio.create_task(rig.readers.run(hung.id, work, timeout_s=2))
        await asyncio.to_thread(gate.reached.wait, 5)
        assert await rig.readers.run(other.id, select, timeout_s=2) == 0x9000
        rig.clock.advance(2.0)
        await asyncio.wait([task], timeout=2)
        assert task.done()
        if call == "on_disconnect":
            # the work itself was done before the card was let go
            assert task.result() == 0x9000
        else:
            error = task.exception()
            assert isinstance(error, CarddError)
            assert error.reason is Reason.TIMEOUT
        rig.clock.advance(1.5)
        await rig.until(lambda: rig.readers.views()[0].state is ReaderState.UNAVAILABLE, "the reader given up")
        assert rig.stays[-1] == ("transport_error", hung.id)
        assert await rig.readers.run(other.id, select, timeout_s=2) == 0x9000
        gate.open()


@pytest.mark.asyncio
async def test_r10_a_reader_that_was_reset_on_its_bus_is_a_new_one_with_a_new_insertion() -> None:
    async with Rig(ScriptedBackend("one")) as rig:
        before = await rig.insert("one", card())
        bay = rig.backend.bays.pop("one")
        await rig.seen()
        rig.backend.bays["one"] = bay
        await rig.seen()
        after = rig.readers.insertion_in("one")
        assert after is not None
        assert after.id != before.id
        with pytest.raises(CarddError) as caught:
            await rig.readers.run(before.id, select, timeout_s=1)
        assert caught.value.reason is Reason.STALE_INSERTION


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("presence", "state", "reason"),
    [
        (Presence.MUTE, "mute", Reason.CARD_MUTE),
        (Presence.UNPOWERED, "unpowered", Reason.CARD_UNPOWERED),
    ],
)
async def test_r17_what_does_not_answer_has_a_state_and_a_hint_of_its_own(
    tmp_path: Path, presence: Presence, state: str, reason: Reason
) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        at.desk.backend.bays["front"].presence = presence
        at.desk.backend.look()
        for _ in range(500):
            if await at.recorded("card.rejected"):
                break
            await asyncio.sleep(0.005)
        (told,) = await at.recorded("card.rejected")
        assert told["reason"] == reason
        (front,) = [view for view in (await asked.line.result("readers.list"))["readers"] if view["reader"] == "front"]
        assert front["state"] == state
        refused = await asked.line.refusal("card.read")
        assert refused["data"]["reason"] == reason
        assert refused["data"]["text"] == {"en": REASONS[reason].en, "zh-CN": REASONS[reason].zh}


def test_r17_no_two_hints_are_the_same() -> None:
    reasons = [Reason.NO_CARD, Reason.CARD_MUTE, Reason.CARD_UNPOWERED, Reason.CARD_UNKNOWN, Reason.CARD_REMOVED]
    assert len({REASONS[reason].en for reason in reasons}) == len(reasons)
    assert len({REASONS[reason].zh for reason in reasons}) == len(reasons)


@pytest.mark.asyncio
@pytest.mark.parametrize("silence", [Reason.CARD_MUTE, Reason.CARD_UNPOWERED])
@pytest.mark.parametrize(("failures", "works"), [(1, True), (2, False), (5, False)])
async def test_r18_a_power_up_that_fails_is_tried_once_more_and_no_oftener(
    silence: Reason, failures: int, *, works: bool
) -> None:
    async with Rig(ScriptedBackend("one")) as rig:
        insertion = await rig.insert("one", card())
        bay = rig.backend.bays["one"]
        bay.on_connect.extend([CarddError(silence)] * failures)
        before = sum(name.startswith("connect") for name in bay.calls)
        if works:
            assert await rig.readers.run(insertion.id, select, timeout_s=5) == 0x9000
        else:
            with pytest.raises(CarddError) as caught:
                await rig.readers.run(insertion.id, select, timeout_s=5)
            assert caught.value.reason is silence
        assert sum(name.startswith("connect") for name in bay.calls) - before == 2


FEATURES = bytes.fromhex("0604 42330006")
GET_FEATURES = 0x42000000 + 3400


def _breaks_down(_structure: bytes) -> bytes:
    raise CarddError(Reason.READER_UNAVAILABLE, "the keypad broke down")


def _gives_up(_structure: bytes) -> bytes:
    return bytes.fromhex("6400")


def _cuts_its_answer(_structure: bytes) -> bytes:
    return b"\x90"


def _knows_no_such_command(_structure: bytes) -> bytes:
    return bytes.fromhex("6D00")


@pytest.mark.asyncio
@pytest.mark.parametrize("lie", [_breaks_down, _gives_up, _cuts_its_answer, _knows_no_such_command])
async def test_r19_a_keypad_that_claims_more_than_it_can_do_costs_no_second_try(lie: Callable[[bytes], bytes]) -> None:
    async with Desk() as desk:
        chip = virtual("social-jia-3.0")
        insertion = await desk.insert("front", chip)
        asked: list[int] = []

        def control(code: int, data: bytes) -> bytes:
            asked.append(code)
            return FEATURES if code == GET_FEATURES else lie(data)

        desk.backend.bays["front"].keypad = control
        end = desk.clock.monotonic() + 60
        known: Identity = await desk.readers.run(
            insertion.id, lambda channel, inside: identify(channel, inside, None, end), timeout_s=60
        )
        with pytest.raises(CarddError) as caught:
            await desk.readers.run(
                insertion.id, lambda channel, inside: verify_at_keypad(channel, inside, known, 6), timeout_s=60
            )
        assert REASONS[caught.value.reason].en
        # asked once, never made up for by a command of our own
        assert [code for code in asked if code != GET_FEATURES] == [0x42330006]
        assert [command for command in chip.commands if command[1] == 0x20 and len(command) > 5] == []


@pytest.mark.parametrize("instruction", Instruction)
@pytest.mark.parametrize("word", [0x6900, 0x6D00, 0x6A00, 0x6E00, 0x6F00, 0x6300, 0x9001, 0x0090])
def test_r24_half_a_word_is_never_a_success(instruction: Instruction, word: int) -> None:
    with pytest.raises(CarddError), refusals():
        raise StatusError(word, Command(0x00, instruction, 0x00, 0x00))
    channel = Channel(lambda _: word.to_bytes(2, "big"), Transport.T1)
    with pytest.raises(StatusError) as caught:
        channel.expect(Command(0x00, instruction, 0x00, 0x00))
    assert caught.value.sw == word


def test_r24_tries_left_are_those_of_the_pin_or_of_the_key_by_the_command() -> None:
    assert reason_of(Instruction.VERIFY, 0x63C2) is Reason.PIN_WRONG
    assert reason_of(Instruction.EXTERNAL_AUTHENTICATION, 0x63C2) is Reason.KEY_STOPPED
    assert reason_of(Instruction.READ_RECORD, 0x63C2) is Reason.STATUS_WORD
    assert reason_of(Instruction.SELECT, 0x63C2) is Reason.STATUS_WORD
