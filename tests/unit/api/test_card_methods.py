"""Reading with a PIN, writing, and the PIN itself, through the socket, on virtual cards with a virtual PSAM."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.contents import social
from support.counter import Message
from support.socket_desk import client, socket_desk

from cardd.api.peer import Peer
from cardd.api.rights import Right, Rights
from cardd.rules.files import Generation

pytestmark = pytest.mark.asyncio

VERIFY, CHANGE_PIN, UPDATE_RECORD, EXTERNAL_AUTHENTICATION = 0x20, 0x5E, 0xDC, 0x82
ALL_FILES: dict[str, Any] = {
    "DF04EF05": {"84": "510100"},
    "DF04EF08": ["0001^1^510100000001^20240101101010^3.00^0.00^0.00^"],
}


def reason(answer: Message) -> str:
    found: str = answer["error"]["data"]["reason"]
    return found


def sent(commands: list[bytes], instruction: int) -> int:
    """Count commands that carry data; a query of the PIN carries none."""
    return sum(command[1] == instruction and len(command) > 5 for command in commands)


# -- reading


async def test_files_are_read_in_the_shape_file_tag_value(tmp_path: Path) -> None:
    files = ALL_FILES | {"DF01EF15": {"2A": "21", "40:2": "1^02^乙^"}, "SSSEEF07": "AB"}
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3, files=files))
        address = "DF04EF05|84|8F|$DF01EF15|2A|40:2|$DF04EF15|$SSSEEF07|$SSSEEF05|03|$"
        whole = await asked.line.result("card.read", files=address, purpose="test")
        assert whole["records"] == {
            "DF04EF05": {"84": "510100", "8F": None},
            "DF01EF15": {"2A": "21", "40:2": "1^02^乙^"},
            "DF04EF15": {},
            "SSSEEF07": {"whole": "AB" + "00" * 767},
            "SSSEEF05": {"03": "3.00"},
        }
        masked = await asked.line.result("card.read", files=address)
        assert masked["records"]["DF04EF05"] == {"84": "*", "8F": None}
        assert masked["records"]["DF01EF15"] == {"2A": "*", "40:2": "*"}
        (disclosed,) = await at.recorded("personal.disclosed")
        assert "records.DF01EF15.40:2" in disclosed["fields"]


async def test_what_only_the_pin_opens_is_read_with_the_pin_that_a_prompt_asks_for(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3, files=ALL_FILES))
        refused = await asked.line.refusal("card.read", files="DF04EF08|$", purpose="test")
        assert refused["data"]["reason"] == "ACCESS_DENIED"
        assert {key: refused["data"][key] for key in ("file", "item", "status_word", "needs")} == {
            "file": "DF04EF08",
            "item": "record 1",
            "status_word": "6982",
            "needs": "PIN",
        }
        answer = await asked.typed("card.read", "123456", files="DF04EF08|$", purpose="test", with_pin=True)
        assert answer["result"]["records"] == {"DF04EF08": {"1": ALL_FILES["DF04EF08"][0]}}
        opened = await at.prompt()
        assert (opened["purpose"], opened["tries_left"], opened["method"]) == ("social_pin", 6, "card.read")


async def test_old_meanings_of_a_first_generation_card_are_named(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V1, files={"DF04EF05": {"81": "一医院"}}))
        answer = await asked.typed("card.read", "123456", files="DF04EF05|81|$", purpose="test", with_pin=True)
        assert answer["result"]["records"] == {"DF04EF05": {"81": "一医院"}}
        assert answer["result"]["old_meanings"] == {"DF04EF05": {"81": "hospital_1"}}


# -- writing

WRITTEN = {"DF04EF05": {"84": "510700"}, "DF04EF15": {"1": "0001^1^"}}


async def test_what_is_written_is_told_by_result_and_event_and_can_be_read(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        _, insertion = await at.insert(social(tmp_path, Generation.V3))
        result = await asked.line.result("card.write", files=WRITTEN, request="w1")
        expected = {"DF04EF05": ["84"], "DF04EF15": ["1"]}
        assert result == {"insertion": insertion.id, "written": expected, "unchecked": []}
        (event,) = await at.recorded("card.written")
        assert (event["files"], event["unchecked"], event["station"]) == (expected, [], "desk")
        assert "510700" not in str(event)
        read = await asked.line.result("card.read", files="DF04EF05|84|$DF04EF15|$", purpose="test")
        assert read["records"] == WRITTEN


async def test_the_same_request_is_the_same_deed_and_gives_the_same_answer(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card, _ = await at.insert(social(tmp_path, Generation.V3))
        first = await asked.line.result("card.write", files=WRITTEN, request="w1")
        updates = sent(card.commands, UPDATE_RECORD)
        assert await asked.line.result("card.write", files=WRITTEN, request="w1") == first
        assert sent(card.commands, UPDATE_RECORD) == updates
        assert len(await at.recorded("card.written")) == 1
        other = await asked.line.refusal("card.write", files={"DF04EF05": {"84": "510100"}}, request="w1")
        assert (other["data"]["reason"], other["data"]["path"]) == ("INVALID", "$.request")


async def test_what_cannot_be_written_names_file_and_item_before_any_card_is_chosen(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        error = await asked.line.refusal("card.write", files={"DF04EF05": {"84": "51"}, "DF01EF05": {"20": "1234"}})
        assert error["data"]["reason"] == "INVALID"
        assert (error["data"]["file"], error["data"]["item"]) == ("DF01EF05", "20")
        assert (await asked.line.refusal("card.write", files={}))["data"]["reason"] == "INVALID"


async def test_a_file_that_only_the_pin_opens_is_read_back_with_it(tmp_path: Path) -> None:
    files = {"DF04EF06": {"90": "1"}}
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3))
        assert (await asked.line.result("card.write", files=files))["unchecked"] == ["DF04EF06"]
        answer = await asked.typed("card.write", "123456", files=files, with_pin=True)
        assert answer["result"]["unchecked"] == []


# -- the PIN


async def test_asking_how_the_pin_stands_costs_no_try(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        _, insertion = await at.insert(social(tmp_path, Generation.V3))
        for _ in range(2):
            result = await asked.line.result("card.pin.query")
            assert result == {"insertion": insertion.id, "set": True, "tries_left": 6}


async def test_a_card_without_a_pin_is_told_and_nothing_is_asked(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3, pin=""))
        assert (await asked.line.result("card.pin.query"))["set"] is False
        assert (await asked.line.refusal("card.pin.verify"))["data"]["reason"] == "RECORD_ABSENT"
        assert await at.recorded("prompt.opened") == []


async def test_a_pin_comes_through_a_prompt_and_is_compared_once(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card, insertion = await at.insert(social(tmp_path, Generation.V3))
        answer = await asked.typed("card.pin.verify", "123456", request="v1")
        assert answer["result"] == {"insertion": insertion.id, "done": "verified", "tries_left": None}
        assert sent(card.commands, VERIFY) == 1
        opened, (closed,) = await at.prompt(), await at.recorded("prompt.closed")
        assert {key: opened[key] for key in ("purpose", "digits", "tries_left", "request", "station")} == {
            "purpose": "social_pin",
            "digits": [4, 16],
            "tries_left": 6,
            "request": "v1",
            "station": "desk",
        }
        assert closed == {
            "prompt": opened["prompt"],
            "purpose": "social_pin",
            "cause": "answered",
            "station": "desk",
            "method": "card.pin.verify",
            "request": "v1",
        }


async def test_a_wrong_pin_is_not_tried_again_by_asking_again(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card, _ = await at.insert(social(tmp_path, Generation.V3))
        first = await asked.typed("card.pin.verify", "654321", request="v1")
        assert (reason(first), first["error"]["data"]["tries_left"]) == ("PIN_WRONG", 5)
        again = await asked.line.refusal("card.pin.verify", request="v1")
        assert again == first["error"]
        assert sent(card.commands, VERIFY) == 1
        assert (await asked.typed("card.pin.verify", "123456", first=2, request="v2"))["result"]["done"] == "verified"


async def test_the_last_try_locks_the_pin_which_goes_on_record_and_is_not_asked_for_again(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3, pin_tries=1))
        assert reason(await asked.typed("card.pin.verify", "654321")) == "PIN_LOCKED"
        (locked,) = await at.recorded("pin.locked")
        assert locked["purpose"] == "social_pin"
        assert (await asked.line.refusal("card.pin.verify"))["data"]["reason"] == "PIN_LOCKED"
        assert len(await at.recorded("prompt.opened")) == 1


async def test_a_pin_is_changed_by_two_prompts(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3))
        answer = await asked.typed("card.pin.change", "123456", "8765432", request="c1")
        assert answer["result"]["done"] == "changed"
        assert [(await at.prompt(number))["purpose"] for number in (1, 2)] == ["social_pin", "new_pin"]
        assert [event["done"] for event in await at.recorded("pin.changed")] == ["changed"]
        assert (await asked.typed("card.pin.verify", "8765432", first=3))["result"]["done"] == "verified"
        assert await asked.line.result("card.pin.change", request="c1") == answer["result"]


async def test_the_first_pin_needs_no_old_one(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3, pin=""))
        assert (await asked.typed("card.pin.change", "1357"))["result"]["done"] == "changed"
        assert (await asked.line.result("card.pin.query"))["set"] is True


@pytest.mark.parametrize("generation", [Generation.V2, Generation.V3])
async def test_a_locked_pin_is_unblocked_or_reloaded_with_the_issuers_right(
    tmp_path: Path, generation: Generation
) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, generation, pin_tries=1))
        await asked.typed("card.pin.verify", "654321")
        unblocked = await asked.line.result("card.pin.unblock", request="u1")
        assert (unblocked["done"], unblocked["tries_left"]) == ("unblocked", 1)
        assert (await asked.typed("card.pin.reload", "2468", first=2, request="r1"))["result"]["done"] == "reloaded"
        assert (await asked.typed("card.pin.verify", "2468", first=3))["result"]["done"] == "verified"
        assert len(await at.recorded("pin.unblocked")) == 1
        assert [event["done"] for event in await at.recorded("pin.changed")] == ["reloaded"]


# -- prompts and people


async def test_a_cancelled_prompt_ends_the_call_and_may_be_asked_for_again(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card, _ = await at.insert(social(tmp_path, Generation.V3))
        assert reason(await asked.typed("card.pin.verify", None, request="v1")) == "PIN_CANCELLED"
        assert sent(card.commands, VERIFY) == 0
        again = await asked.typed("card.pin.verify", "123456", first=2, request="v1")
        assert again["result"]["done"] == "verified"


async def test_a_prompt_that_nobody_answers_ends_at_its_time(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3))
        identity = await asked.line.send("card.pin.verify")
        opened = await at.prompt()
        at.desk.clock.advance(120)
        assert reason(await asked.line.answer(identity)) == "PIN_TIMEOUT"
        late = await asked.line.refusal("prompt.answer", prompt=opened["prompt"], pin="123456")
        assert late["data"]["reason"] == "NOT_FOUND"
        assert (await at.recorded("prompt.closed"))[0]["cause"] == "deadline"


async def test_a_prompt_ends_with_its_card(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3))
        identity = await asked.line.send("card.pin.change")
        await at.prompt()
        await at.desk.remove("front")
        assert reason(await asked.line.answer(identity)) == "CARD_REMOVED"
        assert (await at.recorded("prompt.closed"))[0]["cause"] == "card_removed"
        assert at.desk.readers.reserved_by("desk") is None


async def test_digits_that_are_no_pin_leave_the_prompt_open(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3))
        identity = await asked.line.send("card.pin.verify")
        prompt = (await at.prompt())["prompt"]
        short = await asked.line.refusal("prompt.answer", prompt=prompt, pin="123")
        assert short["data"]["reason"] == "PIN_LENGTH"
        await asked.line.result("prompt.answer", prompt=prompt, pin="123456")
        assert (await asked.line.answer(identity))["result"]["done"] == "verified"


async def test_while_a_prompt_is_open_the_station_is_held_and_nobody_is_told_of_an_activation(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3))
        identity = await asked.line.send("card.pin.verify")
        await at.prompt()
        busy = await asked.line.refusal("card.read")
        assert busy["data"]["reason"] == "BUSY"
        assert "activation" not in busy["data"]
        waiting = await asked.line.send("card.read", wait_s=5)
        await asked.line.result("prompt.answer", prompt=(await at.prompt())["prompt"], cancel=True)
        await asked.line.answer(identity)
        assert (await asked.line.answer(waiting))["result"]["kind"] == "social_security"


async def test_a_deed_goes_on_when_its_client_has_gone(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at:
        await at.insert(social(tmp_path, Generation.V3))
        async with client(at) as gone:
            await gone.line.send("card.pin.change", request="c1")
            await at.prompt()
        async with client(at) as asked:
            for number, pin in ((1, "123456"), (2, "2468")):
                await asked.line.result("prompt.answer", prompt=(await at.prompt(number))["prompt"], pin=pin)
            assert (await asked.line.result("card.pin.change", request="c1"))["done"] == "changed"
        assert len(await at.recorded("pin.changed")) == 1


async def test_no_pin_is_in_the_journal_or_an_answer(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3))
        answers = [
            await asked.typed("card.pin.verify", "97531864", request="v1"),
            await asked.typed("card.pin.change", "123456", "86429753", first=2, request="c1"),
        ]
        events = await at.journal.read(0, 10_000)
        everything = str(answers) + "".join(str(event.data) for event in events)
        assert "97531864" not in everything
        assert "86429753" not in everything


# -- who may, and on which cards

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("card.write", {"files": {"DF04EF05": {"84": "510100"}}}),
    ("card.pin.query", {}),
    ("card.pin.verify", {}),
    ("card.pin.change", {}),
    ("card.pin.reload", {}),
    ("card.pin.unblock", {}),
]


@pytest.mark.parametrize(("method", "params"), CALLS)
async def test_without_the_right_the_card_is_not_touched(tmp_path: Path, method: str, params: dict[str, Any]) -> None:
    class ReadersOnly(Rights):
        def granted(self, peer: Peer) -> frozenset[Right]:
            return super().granted(peer) - {Right.WRITE_CARD, Right.PIN}

    rights = ReadersOnly(Rights.own_user()._users, {})
    async with socket_desk(tmp_path, rights=rights) as at, client(at) as asked:
        card, _ = await at.insert(social(tmp_path, Generation.V3))
        card.commands.clear()
        error = await asked.line.refusal(method, **params)
        assert error["data"]["reason"] == "FORBIDDEN"
        assert error["data"]["right"] == ("write_card" if method == "card.write" else "pin")
        assert card.commands == []


@pytest.mark.parametrize(("method", "params"), CALLS)
async def test_another_kind_of_card_has_none_of_that(tmp_path: Path, method: str, params: dict[str, Any]) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert("old-jia")
        assert (await asked.line.refusal(method, **params))["data"]["reason"] == "FILE_ABSENT"


@pytest.mark.parametrize(("method", "params"), CALLS)
async def test_a_forged_card_gets_nothing(tmp_path: Path, method: str, params: dict[str, Any]) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card, _ = await at.insert("social-fake-3.0")
        assert (await asked.line.refusal(method, **params))["data"]["reason"] == "CARD_NOT_GENUINE"
        assert not {UPDATE_RECORD, EXTERNAL_AUTHENTICATION, CHANGE_PIN} & {command[1] for command in card.commands}


@pytest.mark.parametrize(("method", "params"), CALLS)
async def test_without_a_card_there_is_none(tmp_path: Path, method: str, params: dict[str, Any]) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        assert (await asked.line.refusal(method, **params))["data"]["reason"] == "NO_CARD"
        waited = await asked.line.send(method, wait_s=5, **params)
        await asyncio.sleep(0.01)
        at.desk.clock.advance(5)
        assert reason(await asked.line.answer(waited)) == "NO_CARD"


async def test_a_reader_without_a_keypad_says_so(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3))
        for method in ("card.pin.verify", "card.pin.change"):
            assert (await asked.line.refusal(method, keypad_digits=6))["data"]["reason"] == "NOT_FOUND"
        assert (await asked.line.refusal("card.pin.reload", keypad_digits=6))["data"]["reason"] == "INVALID"
        assert await at.recorded("prompt.opened") == []
