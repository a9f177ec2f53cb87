"""What is done with the issuer's keys alone, through the socket: blocking for good, and the account's starting day."""

from pathlib import Path
from typing import Any

import pytest
from support.contents import KEYS, social
from support.socket_desk import client, socket_desk
from support.torn import TornCard, back, put

from cardd.rules.files import Generation

pytestmark = pytest.mark.asyncio

EXTERNAL_AUTHENTICATION, APPLICATION_BLOCK, CARD_BLOCK, STARTING_DAY = 0x82, 0x1E, 0x16, 0x56
DAY = {"day": "0701"}
ACCOUNT = {"balance": 100_000, "files": {"DF04EF05": {"8F": "2"}}}
BLOCKS = [("DF04", APPLICATION_BLOCK), ("SSSE", APPLICATION_BLOCK), ("card", CARD_BLOCK)]


def with_account(directory: Path, **changes: Any) -> TornCard:
    return TornCard(social(directory, Generation.V3, **(ACCOUNT | changes)))


@pytest.mark.parametrize(("what", "_command"), BLOCKS)
async def test_a_card_is_blocked_once_and_the_same_request_is_answered_the_same(
    tmp_path: Path, what: str, _command: int
) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = with_account(tmp_path)
        insertion = await put(at, card)
        result = await asked.line.result("card.block", what=what, request="b1")
        assert result == {"insertion": insertion.id, "blocked": what}
        shown = card.times(EXTERNAL_AUTHENTICATION)
        assert await asked.line.result("card.block", what=what, request="b1") == result
        assert card.times(EXTERNAL_AUTHENTICATION) == shown == 1
        other = await asked.line.refusal("card.block", what="DF03", request="b1")
        assert other["data"]["path"] == "$.request"
        error = await asked.line.refusal("card.read", files="DF04EF05|84|$")
        assert error["data"]["reason"] == "CARD_BLOCKED"


async def test_a_block_is_on_record_before_its_key_is_shown_and_its_end_after(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card, last = with_account(tmp_path), list[int]()
        await put(at, card)
        card.seen = lambda instruction: last.append(at.journal.last) if instruction == EXTERNAL_AUTHENTICATION else None
        await asked.line.result("card.block", what="DF04", request="b1")
        events = await at.journal.read(0, 1000)
        assert next(event.sequence for event in events if event.type == "card.block_intended") <= last[0]
        for kind in ("card.block_intended", "card.blocked"):
            (told,) = await at.recorded(kind)
            assert (told["what"], told["request"], told["method"]) == ("DF04", "b1", "card.block")


async def test_what_was_blocked_already_is_answered_and_no_deed_is_told(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = with_account(tmp_path)
        await put(at, card)
        await asked.line.result("card.block", what="DF04", request="b1")
        assert (await asked.line.result("card.block", what="DF04", request="b2"))["blocked"] == "DF04"
        assert card.times(EXTERNAL_AUTHENTICATION) == 1
        assert [told["request"] for told in await at.recorded("card.blocked")] == ["b1"]


@pytest.mark.parametrize(("what", "command"), BLOCKS)
@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_torn_block_is_carried_on_or_found_done_by_the_same_request(
    tmp_path: Path, what: str, command: int, where: str
) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = with_account(tmp_path)
        await put(at, card)
        getattr(card, where)[command] = 1
        torn = await asked.line.refusal("card.block", what=what, request="b1")
        assert torn["data"]["reason"] == "CARD_REMOVED"
        assert await at.recorded("card.blocked") == []
        insertion = await returned(at, card)
        result = await asked.line.result("card.block", what=what, request="b1")
        assert result == {"insertion": insertion, "blocked": what}
        assert card.times(command) == 1
        assert len(await at.recorded("card.block_intended")) == len(await at.recorded("card.blocked")) == 1
        assert await at.journal.open_deeds() == []


async def returned(at: Any, card: TornCard) -> str:
    """Lay it in again; one that is blocked is never known."""
    await at.desk.remove("front")
    inserted: str = (await at.desk.insert("front", card.laid())).id
    return inserted


async def test_another_blocked_card_is_not_taken_for_the_one_that_was_torn(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        (tmp_path / "other").mkdir()
        other = TornCard(social(tmp_path / "other", Generation.V2))
        await put(at, other)
        await asked.line.result("card.block", what="card", request="b0")
        await at.desk.remove("front")
        card = with_account(tmp_path)
        await put(at, card)
        card.before[CARD_BLOCK] = 1
        await asked.line.refusal("card.block", what="card", request="b1")
        await returned(at, other)
        refused = await asked.line.refusal("card.block", what="card", request="b1")
        assert refused["data"]["reason"] == "CARD_DATA_DIFFERS"
        assert [row.request for row in await at.journal.open_deeds()] == ["b1"]


async def test_a_torn_block_is_no_writing_that_a_returning_card_is_compared_with(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = with_account(tmp_path)
        await put(at, card)
        card.before[APPLICATION_BLOCK] = 1
        await asked.line.refusal("card.block", what="DF04", request="b1")
        await back(at, card)
        assert at.cards._writes._torn() == []
        assert (await asked.line.result("card.block", what="DF04", request="b1"))["blocked"] == "DF04"


async def test_a_refused_lock_key_is_told_kept_and_stopped_and_nothing_is_blocked(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = with_account(tmp_path, keys=KEYS | {"BK": "FF" * 16})
        await put(at, card)
        error = await asked.line.refusal("card.block", what="card", request="b1")
        assert error["data"]["reason"] == "KEY_STOPPED"
        (refused,) = await at.recorded("card.block_refused")
        assert (refused["reason"], refused["what"], refused["request"]) == ("KEY_STOPPED", "card", "b1")
        assert [told["key"] for told in await at.recorded("key.stopped")] == ["BK"]
        again = await asked.line.refusal("card.block", what="card", request="b2")
        assert again["data"]["reason"] == "KEY_STOPPED"
        assert len(await at.recorded("card.block_intended")) == 1
        assert (card.times(EXTERNAL_AUTHENTICATION), card.times(CARD_BLOCK)) == (1, 0)


@pytest.mark.parametrize("params", [{}, {"what": "DF04"}, {"request": "b1"}, {"what": "DF01", "request": "b1"}])
async def test_a_block_that_does_not_say_what_and_for_which_request_reaches_no_card(
    tmp_path: Path, params: dict[str, Any]
) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = with_account(tmp_path)
        await put(at, card)
        card.sent.clear()
        assert (await asked.line.refusal("card.block", **params))["data"]["reason"] == "INVALID"
        assert card.sent == []


# -- the starting day


async def test_the_starting_day_is_set_once_on_record_before_and_shown_by_the_balance(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card, last = with_account(tmp_path), list[int]()
        insertion = await put(at, card)
        card.seen = lambda instruction: last.append(at.journal.last) if instruction == EXTERNAL_AUTHENTICATION else None
        result = await asked.line.result("account.set_starting_day", **DAY, request="s1")
        assert result == {"insertion": insertion.id, "starting_day": "0701"}
        assert await asked.line.result("account.set_starting_day", **DAY, request="s1") == result
        assert card.times(EXTERNAL_AUTHENTICATION) == 1
        events = await at.journal.read(0, 1000)
        intended = next(event for event in events if event.type == "account.starting_day_intended")
        assert intended.sequence <= last[0]
        (told,) = await at.recorded("account.starting_day_set")
        assert (told["day"], told["request"], told["method"]) == ("0701", "s1", "account.set_starting_day")


@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_torn_starting_day_is_carried_on_by_the_same_request(tmp_path: Path, where: str) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = with_account(tmp_path)
        await put(at, card)
        getattr(card, where)[STARTING_DAY] = 1
        torn = await asked.line.refusal("account.set_starting_day", **DAY, request="s1")
        assert torn["data"]["reason"] == "CARD_REMOVED"
        insertion = await back(at, card)
        result = await asked.line.result("account.set_starting_day", **DAY, request="s1")
        assert result == {"insertion": insertion.id, "starting_day": "0701"}
        # what the card had already was only read
        assert card.times(EXTERNAL_AUTHENTICATION) == (2 if where == "before" else 1)
        assert len(await at.recorded("account.starting_day_set")) == 1
        assert await at.journal.open_deeds() == []


async def test_a_torn_starting_day_is_not_carried_on_on_another_card(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = with_account(tmp_path)
        await put(at, card)
        card.before[STARTING_DAY] = 1
        await asked.line.refusal("account.set_starting_day", **DAY, request="s1")
        (tmp_path / "other").mkdir()
        other = TornCard(social(tmp_path / "other", Generation.V2, balance=100))
        await at.desk.remove("front")
        await put(at, other)
        refused = await asked.line.refusal("account.set_starting_day", **DAY, request="s1")
        assert refused["data"]["reason"] == "CARD_DATA_DIFFERS"
        assert other.times(EXTERNAL_AUTHENTICATION) == 0


@pytest.mark.parametrize("day", ["1301", "0132", "701", "07-01", ""])
async def test_what_is_no_day_reaches_no_card(tmp_path: Path, day: str) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = with_account(tmp_path)
        await put(at, card)
        card.sent.clear()
        error = await asked.line.refusal("account.set_starting_day", day=day, request="s1")
        assert (error["data"]["reason"], error["data"]["path"]) == ("INVALID", "$.day")
        assert card.sent == []


async def test_a_card_whose_account_is_not_in_use_takes_no_starting_day(tmp_path: Path) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        card = TornCard(social(tmp_path, Generation.V3))
        await put(at, card)
        error = await asked.line.refusal("account.set_starting_day", **DAY, request="s1")
        assert error["data"]["reason"] == "ACCOUNT_NOT_IN_USE"
        assert card.times(EXTERNAL_AUTHENTICATION) == 0
