"""Writes and deeds with the PIN that were torn: what is on record, what the same request answers, what a card tells."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.contents import social
from support.counter import Message
from support.far_keys import FarKeys
from support.modules import virtual
from support.socket_desk import KEY, SocketDesk, client, socket_desk
from support.torn import TornCard, back, put

from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.away import PAUSE_S
from cardd.journal.delivery import Delivery
from cardd.rules.files import Generation

pytestmark = pytest.mark.asyncio

VERIFY, CHANGE_PIN, UPDATE_RECORD, EXTERNAL_AUTHENTICATION = 0x20, 0x5E, 0xDC, 0x82
WRITTEN = {"DF04EF05": {"84": "510700"}, "DF04EF15": {"1": "0001^1^"}}
NAMES = {"DF04EF05": ["84"], "DF04EF15": ["1"]}
SECRET = {"SSSEEF06": {"0C": "510722"}}
"""What only a key opens."""

PIN, NEW = "123456", "86429753"


async def told(at: SocketDesk, kind: str, number: int = 1) -> Message:
    """Wait for the so-many-th event of a kind."""
    events: list[Message] = []
    for _ in range(3000):
        events = await at.recorded(kind)
        if len(events) >= number:
            return events[number - 1]
        await at.desk.drained()
    raise AssertionError(f"{len(events)} of {kind}")


def reason(answer: Message) -> str:
    found: str = answer["error"]["data"]["reason"]
    return found


def tear(card: TornCard, where: str, instruction: int, number: int = 1) -> None:
    getattr(card, where)[instruction] = number


def refusing(answer: Callable[[bytes], bytes], instruction: int) -> Callable[[bytes], bytes]:
    return lambda command: b"\x69\x82" if command[1] == instruction else answer(command)


# -- writing


async def test_a_write_is_on_record_before_the_card_is_told_and_its_values_are_not_to_be_seen(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card, last = TornCard(social(tmp_path, Generation.V3)), list[int]()
        await put(at, card)
        card.seen = lambda instruction: last.append(at.journal.last) if instruction == EXTERNAL_AUTHENTICATION else None
        await asked.line.result("card.write", files=WRITTEN, request="w1")
        (intended,) = await at.recorded("card.write_intended")
        events = await at.journal.read(0, 1000)
        assert next(event.sequence for event in events if event.type == "card.write_intended") <= last[0]
        assert {key: intended[key] for key in ("station", "client", "request", "method", "files")} == {
            "station": "desk",
            "client": (await at.recorded("card.written"))[0]["client"],
            "request": "w1",
            "method": "card.write",
            "files": NAMES,
        }
        delivery = Delivery(Sm4GcmSealer(KEY), "/cardd/test")
        assert not any(b"510700" in delivery.event(event, personal=True) for event in events)


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
async def test_the_same_request_finishes_a_torn_write_and_writes_nothing_twice(
    tmp_path: Path, where: str, number: int
) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, where, UPDATE_RECORD, number)
        assert (await asked.line.refusal("card.write", files=WRITTEN, request="w1"))["data"]["reason"] == "CARD_REMOVED"
        assert await at.recorded("card.written") == []
        insertion = await back(at, card)
        result = await asked.line.result("card.write", files=WRITTEN, request="w1")
        assert (result["insertion"], result["written"], result["unchecked"]) == (insertion.id, NAMES, [])
        # one for each file: what was there already was only read
        assert card.times(UPDATE_RECORD) == 2
        assert len(await at.recorded("card.write_intended")) == 1
        assert len(await at.recorded("card.written")) == 1
        read = await asked.line.result("card.read", files="DF04EF05|84|$DF04EF15|$", purpose="test")
        assert read["records"] == WRITTEN


async def test_a_card_that_comes_back_with_all_of_it_ends_its_write(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, "after", UPDATE_RECORD, 2)
        await asked.line.refusal("card.write", files=WRITTEN, request="w1")
        insertion = await back(at, card)
        written = await told(at, "card.written")
        assert (written["by_reading"], written["files"], written["request"]) == (True, NAMES, "w1")
        assert await at.journal.open_deeds() == []
        result = await asked.line.result("card.write", files=WRITTEN, request="w1")
        assert result == {"insertion": insertion.id, "written": NAMES, "unchecked": []}
        assert card.times(UPDATE_RECORD) == 2


async def test_a_card_that_comes_back_with_half_of_it_says_so_and_nothing_is_written_by_itself(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, "before", UPDATE_RECORD, 2)
        await asked.line.refusal("card.write", files=WRITTEN, request="w1")
        await back(at, card)
        unfinished = await told(at, "card.write_unfinished")
        assert (unfinished["missing"], unfinished["unchecked"]) == (["DF04EF15"], [])
        assert (unfinished["request"], unfinished["files"]) == ("w1", NAMES)
        assert card.times(UPDATE_RECORD) == 1
        assert [row.request for row in await at.journal.open_deeds()] == ["w1"]
        assert (await asked.line.result("card.write", files=WRITTEN, request="w1"))["written"] == NAMES
        assert card.times(UPDATE_RECORD) == 2


async def test_what_cannot_be_read_back_is_left_open_by_a_returning_card_and_written_by_the_same_request(
    tmp_path: Path,
) -> None:
    files = {"DF04EF06": {"90": "1"}}
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, "after", UPDATE_RECORD)
        await asked.line.refusal("card.write", files=files, request="w1")
        await back(at, card)
        assert (await told(at, "card.write_unfinished"))["unchecked"] == ["DF04EF06"]
        assert (await asked.line.result("card.write", files=files, request="w1"))["unchecked"] == ["DF04EF06"]


async def test_a_torn_write_is_not_finished_on_another_card(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, "before", UPDATE_RECORD)
        await asked.line.refusal("card.write", files=WRITTEN, request="w1")
        other = TornCard(social(tmp_path, Generation.V2))
        await at.desk.remove("front")
        await put(at, other)
        refused = await asked.line.refusal("card.write", files=WRITTEN, request="w1")
        assert refused["data"]["reason"] == "CARD_DATA_DIFFERS"
        assert other.times(UPDATE_RECORD) + other.times(EXTERNAL_AUTHENTICATION) == 0
        assert len(await at.journal.open_deeds()) == 1


async def test_a_request_with_other_values_is_another_deed(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await put(at, TornCard(social(tmp_path, Generation.V3)))
        await asked.line.result("card.write", files=WRITTEN, request="w1")
        other = WRITTEN | {"DF04EF05": {"84": "510100"}}
        refused = await asked.line.refusal("card.write", files=other, request="w1")
        assert (refused["data"]["reason"], refused["data"]["path"]) == ("INVALID", "$.request")


async def test_a_card_that_could_not_be_read_is_asked_again_when_a_module_comes(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, "after", UPDATE_RECORD, 2)
        await asked.line.refusal("card.write", files=WRITTEN, request="w1")
        await at.desk.remove("sam")
        await back(at, card)
        await at.desk.until(lambda: bool(at.cards._writes._unasked), "a look that failed")
        assert await at.recorded("card.written") == []
        await at.desk.insert("sam", virtual("psam"))
        assert (await told(at, "card.written"))["by_reading"]


async def test_a_card_that_stays_in_is_asked_again_when_the_security_machine_answers_again(tmp_path: Path) -> None:
    machine = FarKeys()
    machine.away = False
    async with socket_desk(tmp_path, machine=machine) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, "after", UPDATE_RECORD)
        await asked.line.refusal("card.write", files=SECRET, request="w1")
        # it judges the card, and is away when the card is to be read
        machine.answers = 1
        await back(at, card)
        before = await failed(at, machine, 0)
        # it goes away again once it has said that it is there
        await answering_again(at, machine)
        await failed(at, machine, before)
        assert await at.recorded("card.written") == []
        machine.answers = None
        await answering_again(at, machine)
        assert (await told(at, "card.written"))["by_reading"]


async def failed(at: SocketDesk, machine: FarKeys, before: int) -> int:
    """Wait until another look at the card has failed; return how often the machine was away by then."""
    await at.desk.until(lambda: machine.refused > before and bool(at.cards._writes._unasked), "a look that failed")
    return machine.refused


async def answering_again(at: SocketDesk, machine: FarKeys) -> None:
    """Let the machine answer again when it is asked next."""
    machine.away, asked = False, machine.asked
    # the question is asked only where somebody waits for its answer
    await at.desk.drained()
    at.desk.clock.advance(PAUSE_S)
    await at.desk.until(lambda: machine.asked > asked, "a question")


async def test_a_write_without_a_request_leaves_its_events_and_nothing_open(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, "before", UPDATE_RECORD)
        await asked.line.refusal("card.write", files=WRITTEN)
        assert (await at.recorded("card.write_intended"))[0]["request"] is None
        assert await at.journal.open_deeds() == []
        await back(at, card)
        assert await at.recorded("card.write_unfinished") == []


async def test_a_card_that_refuses_a_write_has_had_its_word(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        card.inner.answer = refusing(card.inner.answer, UPDATE_RECORD)
        first = await asked.line.refusal("card.write", files=WRITTEN, request="w1")
        assert first["data"]["reason"] == "ACCESS_DENIED"
        sent = len(card.sent)
        assert await asked.line.refusal("card.write", files=WRITTEN, request="w1") == first
        assert len(card.sent) == sent
        (refused,) = await at.recorded("card.write_refused")
        assert (refused["reason"], refused["request"], refused["files"]) == ("ACCESS_DENIED", "w1", NAMES)
        assert await at.journal.open_deeds() == []


async def test_values_lie_sealed_in_the_database_and_only_while_the_write_is_open(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, "before", UPDATE_RECORD)
        await asked.line.refusal("card.write", files=SECRET, request="w1")
        (row,) = await at.journal.open_deeds()
        assert row.personal["kept"] == {"files": SECRET}
        await back(at, card)
        await asked.line.result("card.write", files=SECRET, request="w1")
        ended = await at.journal.deed(row.client, "w1")
        assert ended is not None
        assert set(ended.personal) == {"mark", "identification_code", "number"}
    for path in (tmp_path / "journal").iterdir():
        assert b"510722" not in path.read_bytes()


# -- the PIN


@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_torn_verification_is_unknown_and_never_repeated(tmp_path: Path, where: str) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, where, VERIFY)
        assert reason(await asked.typed("card.pin.verify", "111111", request="v1")) == "CARD_REMOVED"
        (unknown,) = await at.recorded("pin.unknown")
        assert (unknown["request"], unknown["method"]) == ("v1", "card.pin.verify")
        insertion, sent = await back(at, card), card.times(VERIFY)
        left = 5 if where == "after" else 6
        for _ in range(2):
            result = await asked.line.result("card.pin.verify", request="v1")
            assert result == {"insertion": insertion.id, "done": "unknown", "tries_left": left}
        assert card.times(VERIFY) == sent
        assert len(await at.recorded("prompt.opened")) == 1
        # another attempt is another request
        assert (await asked.typed("card.pin.verify", PIN, first=2, request="v2"))["result"]["done"] == "verified"


@pytest.mark.parametrize(("where", "now"), [("before", PIN), ("after", NEW)])
async def test_after_a_torn_change_the_tries_are_told_and_the_holder_tries_which_pin_it_is(
    tmp_path: Path, where: str, now: str
) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, where, CHANGE_PIN)
        assert reason(await asked.typed("card.pin.change", PIN, NEW, request="c1")) == "CARD_REMOVED"
        await back(at, card)
        result = await asked.line.result("card.pin.change", request="c1")
        assert (result["done"], result["tries_left"]) == ("unknown", 6)
        assert card.times(CHANGE_PIN) == (where == "after")
        assert (await asked.typed("card.pin.verify", now, first=3))["result"]["done"] == "verified"


@pytest.mark.parametrize(("method", "done"), [("card.pin.reload", "reloaded"), ("card.pin.unblock", "unblocked")])
async def test_what_the_issuer_does_is_not_repeated_by_itself_either(tmp_path: Path, method: str, done: str) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        pins = [NEW] if method == "card.pin.reload" else []
        tear(card, "after", 0x24)
        assert reason(await asked.typed(method, *pins, request="u1")) == "CARD_REMOVED"
        await back(at, card)
        assert (await asked.line.result(method, request="u1"))["done"] == "unknown"
        assert (await asked.typed(method, *pins, first=2, request="u2"))["result"]["done"] == done


async def test_what_is_unknown_of_one_card_is_not_told_of_another(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, "after", VERIFY)
        await asked.typed("card.pin.verify", PIN, request="v1")
        await at.desk.remove("front")
        assert (await asked.line.refusal("card.pin.verify", request="v1"))["data"]["reason"] == "NO_CARD"
        await put(at, TornCard(social(tmp_path, Generation.V2)))
        refused = await asked.line.refusal("card.pin.verify", request="v1")
        assert refused["data"]["reason"] == "CARD_DATA_DIFFERS"


@pytest.mark.parametrize(
    ("method", "pins", "end"),
    [
        ("card.pin.verify", [PIN], "pin.verified"),
        ("card.pin.verify", ["111111"], "pin.refused"),
        ("card.pin.change", [PIN, NEW], "pin.changed"),
        ("card.pin.reload", [NEW], "pin.changed"),
        ("card.pin.unblock", [], "pin.unblocked"),
    ],
)
async def test_every_deed_with_the_pin_has_an_intent_and_one_end_also_without_a_request(
    tmp_path: Path, method: str, pins: list[str], end: str
) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card, last = TornCard(social(tmp_path, Generation.V3)), dict[int, int]()
        await put(at, card)
        card.seen = lambda instruction: last.update({instruction: at.journal.last})
        await asked.typed(method, *pins)
        events = await at.journal.read(0, 1000)
        own = [event.type for event in events if event.type.startswith("pin.")]
        assert own == ["pin.intended", end]
        instruction = {"card.pin.verify": VERIFY, "card.pin.change": CHANGE_PIN}.get(method, EXTERNAL_AUTHENTICATION)
        assert next(event.sequence for event in events if event.type == "pin.intended") <= last[instruction]
        assert not [event for event in await at.recorded("pin.intended") if event["method"] != method]


async def test_digits_that_a_reader_has_not_sent_leave_the_request_free(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await put(at, TornCard(social(tmp_path, Generation.V3)))
        features = bytes.fromhex("0604") + (0x42000DB2).to_bytes(4, "big")
        bay = at.desk.backend.bays["front"]
        bay.keypad = lambda code, _: features if code == 0x42000000 + 3400 else b"\x64\x01"
        refused: Any = await asked.line.refusal("card.pin.verify", keypad_digits=6, request="v1")
        assert refused["data"]["reason"] == "PIN_CANCELLED"
        assert [event["reason"] for event in await at.recorded("pin.refused")] == ["PIN_CANCELLED"]
        assert (await asked.typed("card.pin.verify", PIN, request="v1"))["result"]["done"] == "verified"


async def test_a_pin_stands_in_no_row_and_no_event(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        tear(card, "after", CHANGE_PIN)
        await asked.typed("card.pin.change", PIN, NEW, request="c1")
        (row,) = [await at.journal.deed((await at.recorded("pin.intended"))[0]["client"], "c1")]
        assert row is not None
        assert NEW not in str(row.data) + str(row.personal)
        assert not row.open
