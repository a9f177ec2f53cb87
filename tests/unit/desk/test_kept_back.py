"""What an issuer was to do to a PIN and never came to the card: told as that, and free to be asked for again."""

from pathlib import Path

import pytest
from support.contents import social
from support.modules import virtual
from support.socket_desk import SocketDesk, client, socket_desk

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.desk.intending import preparing, was_kept_back
from cardd.rules.files import Generation
from cardd.rules.keys import KeyName

pytestmark = pytest.mark.asyncio

NEW = "86429753"
ISSUER = [("card.pin.reload", [NEW], "reloaded"), ("card.pin.unblock", [], "unblocked")]


async def own(at: SocketDesk) -> list[str]:
    return [event.type for event in await at.journal.read(0, 10_000) if event.type.startswith("pin.")]


@pytest.mark.parametrize(("method", "pins", "done"), ISSUER)
async def test_a_key_service_that_is_away_leaves_the_pin_as_it_is_and_the_request_free(
    tmp_path: Path, method: str, pins: list[str], done: str
) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3))
        await at.desk.remove("sam")
        answer = await asked.typed(method, *pins, request="u1")
        assert answer["error"]["data"]["reason"] == "PSAM_ABSENT"
        assert await own(at) == ["pin.intended", "pin.refused"]
        (refused,) = await at.recorded("pin.refused")
        assert (refused["reason"], refused["request"]) == ("PSAM_ABSENT", "u1")
        await at.desk.insert("sam", virtual("psam"))
        again = await asked.typed(method, *pins, first=len(pins) + 1, request="u1")
        assert again["result"]["done"] == done


@pytest.mark.parametrize(("method", "pins", "done"), ISSUER)
async def test_a_key_that_is_stopped_here_leaves_the_pin_as_it_is_and_the_request_free(
    tmp_path: Path, method: str, pins: list[str], done: str
) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        _, insertion = await at.insert(social(tmp_path, Generation.V3))
        at.stopped.stop(insertion.station, KeyName.PUK)
        assert (await asked.typed(method, *pins, request="u1"))["error"]["data"]["reason"] == "KEY_STOPPED"
        assert await own(at) == ["pin.intended", "pin.refused"]
        at.stopped.lift(insertion.station, [KeyName.PUK])
        again = await asked.typed(method, *pins, first=len(pins) + 1, request="u1")
        assert again["result"]["done"] == done


@pytest.mark.parametrize(
    ("method", "params", "told"),
    [
        ("card.block", {"what": "DF04"}, "card.block"),
        ("account.set_starting_day", {"day": "0701"}, "account.starting_day"),
    ],
)
async def test_a_key_service_that_goes_away_before_a_deed_of_the_issuer_leaves_the_request_free(
    tmp_path: Path, method: str, params: dict[str, str], told: str
) -> None:
    async with socket_desk(tmp_path) as at, client(at) as asked:
        await at.insert(social(tmp_path, Generation.V3, balance=100, files={"DF04EF05": {"8F": "2"}}))
        await at.desk.remove("sam")
        error = await asked.line.refusal(method, **params, request="i1")
        assert error["data"]["reason"] == "PSAM_ABSENT"
        assert await at.journal.open_deeds() == []
        kinds = [event.type for event in await at.journal.read(0, 10_000) if event.type.startswith(told)]
        assert kinds == [f"{told}_intended", f"{told}_refused"]
        (refused,) = await at.recorded(f"{told}_refused")
        assert (refused["reason"], refused["request"]) == ("PSAM_ABSENT", "i1")
        await at.desk.insert("sam", virtual("psam"))
        assert await asked.line.result(method, **params, request="i1")


async def test_what_failed_in_preparing_keeps_all_it_said() -> None:
    before = CarddError(Reason.HSM_UNAVAILABLE, "nobody answers", retry_after_ms=7, key="PUK").in_words("card_pulled")
    assert not was_kept_back(before)
    with pytest.raises(CarddError) as caught, preparing():
        raise before
    after = caught.value
    assert was_kept_back(after)
    assert (after.reason, after.detail, after.retry_after_ms) == (before.reason, before.detail, 7)
    assert (after.facts["key"], after.text) == ("PUK", before.text)
