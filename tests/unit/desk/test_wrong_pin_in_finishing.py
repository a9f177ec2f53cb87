"""A PIN or a key that the card refuses while a torn write is finished: what became of it is still to be settled."""

from pathlib import Path
from typing import Any

import pytest
from support.contents import social
from support.socket_desk import client, socket_desk
from support.torn import TornCard, back, put

from cardd.rules.files import Generation

pytestmark = pytest.mark.asyncio

UPDATE_RECORD, EXTERNAL_AUTHENTICATION = 0xDC, 0x82
FILES = {"DF04EF06": {"90": "1"}}
"""A file that only reads with the PIN."""
PIN, WRONG = "123456", "111111"
TRIES = 6


@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_wrong_pin_leaves_a_torn_write_open_and_the_next_one_finishes_it(tmp_path: Path, where: str) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        getattr(card, where)[UPDATE_RECORD] = 1
        words: dict[str, Any] = {"files": FILES, "with_pin": True, "request": "w1"}
        assert (await asked.typed("card.write", PIN, **words))["error"]["data"]["reason"] == "CARD_REMOVED"
        await back(at, card)
        wrong = (await asked.typed("card.write", WRONG, first=2, **words))["error"]["data"]
        assert (wrong["reason"], wrong["tries_left"]) == ("PIN_WRONG", TRIES - 1)
        assert [row.request for row in await at.journal.open_deeds()] == ["w1"]
        assert await at.recorded("card.write_refused") == []
        (told,) = await at.recorded("pin.refused")
        assert (told["request"], told["method"], told["tries_left"]) == ("w1", "card.write", TRIES - 1)
        done = (await asked.typed("card.write", PIN, first=3, **words))["result"]
        assert done["written"] == {"DF04EF06": ["90"]}
        assert await at.journal.open_deeds() == []
        assert card.times(UPDATE_RECORD) == 1


async def test_a_last_wrong_pin_is_told_as_a_lock_and_the_write_stays_open(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        card.after[UPDATE_RECORD] = 1
        words: dict[str, Any] = {"files": FILES, "with_pin": True, "request": "w1"}
        await asked.typed("card.write", PIN, **words)
        await back(at, card)
        reasons = [
            (await asked.typed("card.write", WRONG, first=number, **words))["error"]["data"]["reason"]
            for number in range(2, 2 + TRIES)
        ]
        assert reasons == ["PIN_WRONG"] * (TRIES - 1) + ["PIN_LOCKED"]
        assert len(await at.recorded("pin.locked")) == 1
        assert [row.request for row in await at.journal.open_deeds()] == ["w1"]
        # without the PIN it is written, and said to be unchecked
        del words["with_pin"]
        assert (await asked.line.result("card.write", **words))["unchecked"] == ["DF04EF06"]


async def test_a_key_that_is_refused_leaves_a_torn_write_open_for_the_right_one(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        card.before[UPDATE_RECORD] = 1
        words: dict[str, Any] = {"files": {"DF04EF05": {"84": "510700"}}, "request": "w1"}
        await asked.line.refusal("card.write", **words)
        await back(at, card)
        # what the card's return alone tells is over by then
        await at.desk.drained()
        while not await at.recorded("card.write_unfinished"):
            await at.desk.drained()
        whole = card.inner.answer
        card.inner.answer = lambda command: b"\x63\xc4" if command[1] == EXTERNAL_AUTHENTICATION else whole(command)
        refused = (await asked.line.refusal("card.write", **words))["data"]
        assert (refused["reason"], refused["status_word"]) == ("KEY_STOPPED", "63C4")
        assert "w1" in [row.request for row in await at.journal.open_deeds()]
        card.inner.answer = whole
        at.stopped.lift("desk", at.stopped.of("desk"))
        assert (await asked.line.result("card.write", **words))["written"] == {"DF04EF05": ["84"]}
