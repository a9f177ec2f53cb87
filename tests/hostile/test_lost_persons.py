"""Whoever may see persons is told masked what was erased or does not open, and that it is so; nothing is disclosed."""

from pathlib import Path
from typing import Any

import pytest
from support.counter import Message, line
from support.exchanges import Desk, told, whole_daemon

pytestmark = pytest.mark.asyncio


async def _hand_over(desk: Desk) -> str:
    """Complete a handoff and return its activation."""
    await desk.call("events.subscribe", after="now")
    begun = await desk.call("activation.start", route="pharmacy")

    async def as_told(message: Message) -> None:
        data = message["params"]["event"]["data"]
        if data.get("state") == "waiting_social_card" and data["prompt"]["code"] == "insert_social_card":
            await desk.swap("social-bing-2.0")
        if message["params"]["event"]["type"] == "org.cardd.prompt.opened.v1":
            await desk.answer(message)

    await desk.insert("old-bing")
    await desk.until("activation.completed", as_told)
    activation: str = begun["activation"]
    return activation


async def _seen(path: Path, activation: str) -> tuple[Message, Message, Message, int]:
    """Return the activation, its end as a subscription and as a search have it, and how many disclosures there are."""
    async with line(path) as client:
        got = await client.result("activation.get", activation=activation, purpose="a look")
        found = await client.result("journal.find", types=["activation.completed"], purpose="a look")
    events = await told(path, personal=True, purpose="a look")
    (end,) = (event for event in events if event["type"] == "org.cardd.activation.completed.v1")
    disclosed = [event for event in events if event["type"] == "org.cardd.personal.disclosed.v1"]
    return got, end, found["events"][0]["event"], len(disclosed)


async def test_an_erased_person_is_told_masked_as_erased_and_no_disclosure_is_on_record(tmp_path: Path) -> None:
    async with whole_daemon(tmp_path) as desk:
        activation = await _hand_over(desk)
        token = (await desk.call("card.read", purpose="registration"))["holder"]["token"]
        whole = await desk.call("activation.get", activation=activation, purpose="receipt")
        assert (whole["holder"]["name"][1], whole["personal"]) == ("试", None)
        await desk.call("journal.erase", token=token, purpose="asked for by the holder")
        _is_masked(await _seen(tmp_path / "cardd.sock", activation), whole, "erased", disclosures=2)


async def test_what_does_not_open_with_the_key_of_today_is_told_masked_as_unreadable(tmp_path: Path) -> None:
    async with whole_daemon(tmp_path) as desk:
        activation = await _hand_over(desk)
        whole = await desk.call("activation.get", activation=activation, purpose="receipt")
    (tmp_path / "state" / "journal.key").write_bytes(b"fedcba9876543210".hex().encode())
    async with whole_daemon(tmp_path):
        _is_masked(await _seen(tmp_path / "cardd.sock", activation), whole, "unreadable", disclosures=1)


def _is_masked(seen: tuple[Any, ...], whole: Message, why: str, *, disclosures: int) -> None:
    *told_of, disclosed = seen
    got, end, found = told_of
    assert [one["personal"] for one in told_of] == [why] * 3
    for holder in (got["holder"], end["data"]["holder"], found["data"]["holder"]):
        assert holder["name"][1:2] == "*"
        assert holder["social_security_number"] != whole["holder"]["social_security_number"]
    assert whole["card"]["number"] not in str(told_of)
    assert disclosed == disclosures
