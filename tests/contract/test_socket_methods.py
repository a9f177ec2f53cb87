"""What the methods take and give, and who may call them."""

import grp
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from support.counter import NAME, NUMBER, PIN, card_result, counter, line, reader_view

from cardd.api.methods import METHODS
from cardd.api.rights import Right, Rights, RightsRow
from cardd.base.reasons import Reason
from cardd.wire.activation import State
from cardd.wire.cards import CardSummary, Kind

pytestmark = pytest.mark.asyncio

ME = pwd.getpwuid(os.geteuid()).pw_name

EXAMPLES: dict[str, dict[str, Any]] = {
    "session.hello": {},
    "system.status": {},
    "system.metrics": {},
    "readers.list": {},
    "card.read": {},
    "card.write": {"files": {"DF04EF05": {"84": "510100"}}, "request": "r-3"},
    "card.pin.query": {},
    "card.pin.verify": {"request": "r-4"},
    "card.pin.change": {"request": "r-5"},
    "card.pin.reload": {"request": "r-6"},
    "card.pin.unblock": {"request": "r-7"},
    "card.block": {"what": "DF04", "request": "r-8"},
    "card.transmit": {"lease": "l-1", "apdu": "0084000008"},
    "lease.acquire": {},
    "lease.renew": {"lease": "l-1"},
    "lease.release": {"lease": "l-1"},
    "account.balance": {},
    "account.debit": {"request": "r-1", "account": 1250},
    "account.load": {"request": "r-2", "amount": 5000},
    "account.proof": {"request": "r-1"},
    "account.records": {},
    "account.set_starting_day": {"day": "0701", "request": "r-9"},
    "driver.call": {"function": "iReadCardBas", "args": [3]},
    "activation.start": {"route": "pharmacy"},
    "activation.get": {"activation": "act-1"},
    "activation.list": {},
    "activation.cancel": {"activation": "act-1"},
    "activation.incident": {"activation": "act-1"},
    "prompt.answer": {"prompt": "prompt-act-1", "pin": PIN},
    "reader.lend": {"reader": "front"},
    "reader.take_back": {"reader": "front"},
    "station.clear": {"station": "default"},
    "events.subscribe": {},
    "events.unsubscribe": {"subscription": "s1"},
    "journal.verify": {},
    "journal.find": {},
    "journal.export": {},
    "journal.erase": {"token": "0" * 32, "purpose": "asked for"},
    "rpc.discover": {},
}

NEEDED = {
    "session.hello": None,
    "system.status": "observe",
    "system.metrics": "observe",
    "readers.list": "observe",
    "card.read": "read_card",
    "card.write": "write_card",
    "card.pin.query": "pin",
    "card.pin.verify": "pin",
    "card.pin.change": "pin",
    "card.pin.reload": "pin",
    "card.pin.unblock": "pin",
    "card.block": "block_card",
    "card.transmit": "raw_apdu",
    "lease.acquire": "lease",
    "lease.renew": "lease",
    "lease.release": "lease",
    "account.balance": "settle",
    "account.debit": "settle",
    "account.load": "settle",
    "account.proof": "settle",
    "account.records": "settle",
    "account.set_starting_day": "write_card",
    "driver.call": "driver",
    "activation.start": "activate",
    "activation.get": "observe",
    "activation.list": "observe",
    "activation.cancel": "activate",
    "activation.incident": "audit",
    "prompt.answer": "pin",
    "reader.lend": "operate",
    "reader.take_back": "operate",
    "station.clear": "operate",
    "journal.verify": "audit",
    "journal.find": "audit",
    "journal.export": "audit",
    "journal.erase": "audit",
    "events.subscribe": "observe",
    "events.unsubscribe": "observe",
    "rpc.discover": None,
}

BESIDE = {"journal.erase": ["personal"], "driver.call": ["personal"]}
"""What a method needs beside the right of its row."""

GRANTED_TOGETHER = {"driver.call"}
"""Methods whose right is granted to nobody who lacks the other."""


def granting(*grant: str) -> Rights:
    return Rights.of([RightsRow(grant=grant, user=ME)])


async def test_the_table_of_methods_and_rights_is_the_contracts() -> None:
    assert {name: row.right for name, row in METHODS.items()} == NEEDED


@pytest.mark.parametrize("method", [name for name, right in NEEDED.items() if right is not None])
async def test_without_the_right_a_method_is_forbidden_touches_nothing_and_is_on_record(
    tmp_path: Path, method: str
) -> None:
    others = [right for right in Right if right not in {NEEDED[method], Right.DRIVER}]
    async with counter(tmp_path, rights=granting(*others)) as desk, line(desk.path) as client:
        for _ in range(3):
            error = await client.refusal(method, **EXAMPLES[method])
            assert error["data"]["reason"] == "FORBIDDEN"
            assert error["data"]["right"] == NEEDED[method]
        assert desk.cards.reads == []
        assert desk.activations.started_by == []
        assert desk.activations.answers == []
        denied = await desk.recorded("access.denied")
        assert denied == [{"client": ME, "method": method, "right": NEEDED[method], "count": 1}]


@pytest.mark.parametrize("method", NEEDED)
async def test_with_its_right_alone_a_method_is_not_forbidden(tmp_path: Path, method: str) -> None:
    right = NEEDED[method]
    granted = [*([right] if right else []), *BESIDE.get(method, [])]
    async with counter(tmp_path, rights=granting(*granted)) as desk, line(desk.path) as client:
        answer = await client.call(method, **EXAMPLES[method])
        assert answer.get("error", {}).get("data", {}).get("reason") != "FORBIDDEN"
        assert await desk.recorded("access.denied") == []


WITH_A_PURPOSE = ["card.read", "activation.start", "activation.get", "activation.cancel", "journal.find"]
"""Methods that tell whole personal data to whoever says what for."""


@pytest.mark.parametrize(
    ("method", "further"),
    [
        *[(method, {}) for method in BESIDE if method not in GRANTED_TOGETHER],
        *[(method, {"purpose": "curiosity"}) for method in WITH_A_PURPOSE],
        ("events.subscribe", {"personal": True, "purpose": "curiosity"}),
    ],
)
async def test_whole_persons_are_nobodys_who_has_all_rights_but_that_to_them(
    tmp_path: Path, method: str, further: dict[str, Any]
) -> None:
    others = [right for right in Right if right not in {Right.PERSONAL, Right.DRIVER}]
    async with counter(tmp_path, rights=granting(*others)) as desk, line(desk.path) as client:
        error = await client.refusal(method, **EXAMPLES[method], **further)
        assert (error["data"]["reason"], error["data"].get("right")) == ("FORBIDDEN", "personal")
        assert (desk.cards.reads, desk.activations.started_by) == ([], [])
        (denied,) = await desk.recorded("access.denied")
        assert (denied["method"], denied["right"]) == (method, "personal")


async def test_rights_are_checked_before_parameters_are_read(tmp_path: Path) -> None:
    async with counter(tmp_path, rights=granting("watch")) as desk, line(desk.path) as client:
        assert (await client.refusal("activation.start", route=7))["data"]["reason"] == "FORBIDDEN"


async def test_a_right_may_come_from_a_group(tmp_path: Path) -> None:
    group = grp.getgrgid(os.getegid()).gr_name
    rights = Rights.of([RightsRow(grant=["observe"], group=group)])
    async with counter(tmp_path, rights=rights) as desk, line(desk.path) as client:
        assert (await client.result("session.hello"))["rights"] == ["observe"]


async def test_readers_are_listed_with_the_card_that_is_in(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        card = CardSummary(insertion="1-1", kind=Kind.SOCIAL_SECURITY, generation="3.0", authentic=True, number="***1")
        desk.readers[:] = [reader_view(card)]
        assert (await client.result("readers.list"))["readers"] == [
            {
                "reader": "front",
                "station": "default",
                "pcsc_name": "Virtual PCD 00 00",
                "role": "counter",
                "state": "present",
                "card": {
                    "insertion": "1-1",
                    "kind": "social_security",
                    "generation": "3.0",
                    "authentic": True,
                    "number": "***1",
                },
                "device": "usb 1-2",
                "serial": "R-1234",
                "usb": "1-2",
            }
        ]


async def test_status_is_what_the_daemon_says(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        assert (await client.result("system.status"))["pcsc"] == {"state": "up"}


async def test_a_card_is_read_masked_without_a_purpose_and_nothing_is_put_on_record(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        result = await client.result("card.read", reader="front", files="SSSEEF05|01|$")
        assert result["holder"]["name"] == "测*甲"
        assert NUMBER not in str(result)
        assert desk.cards.reads[0].files == "SSSEEF05|01|$"
        assert await desk.recorded("personal.disclosed") == []


async def test_a_card_is_read_whole_with_a_purpose_and_that_is_on_record_before_the_answer(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.call("session.hello", client="ward-2")
        await client.call("events.subscribe", types=["personal.disclosed"])
        desk.readers[:] = [
            reader_view(
                CardSummary(insertion="1-1", kind=Kind.SOCIAL_SECURITY, generation="3.0", authentic=True, number=None)
            )
        ]
        result = await client.result("card.read", purpose="registration of a visit")
        assert result["holder"]["name"] == NAME
        (disclosed,) = await desk.recorded("personal.disclosed")
        assert disclosed["client"] == f"{ME}/ward-2"
        assert disclosed["purpose"] == "registration of a visit"
        assert disclosed["fields"] == [
            "issuer.identification_code",
            "issuer.issue_date",
            "issuer.valid_until",
            "issuer.card_number",
            "holder.social_security_number",
            "holder.name",
            "holder.sex",
            "holder.ethnic_group",
            "holder.birthplace",
            "holder.birth_date",
            "records.DF04EF05.81",
            "number",
        ]
        assert NAME not in str(disclosed)
        event = (await client.event())["event"]
        assert event["insertion"] == "1-1"
        assert event["subject"] == "front"


async def test_nothing_whole_leaves_when_the_record_cannot_be_written(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await desk.journal.close()
        answer = await client.call("card.read", purpose="visit")
        assert answer["error"]["data"]["reason"] == "JOURNAL_UNAVAILABLE"
        assert NAME not in str(answer)


@pytest.mark.parametrize("purpose", ["", "   ", "x" * 201, "a\nb"])
async def test_a_purpose_that_says_nothing_is_refused_before_the_card_is_touched(tmp_path: Path, purpose: str) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        error = await client.refusal("card.read", purpose=purpose)
        assert error["data"]["reason"] == "INVALID"
        assert error["data"]["path"] == "$.purpose"
        assert desk.cards.reads == []


async def test_asking_for_whole_data_without_the_right_is_forbidden_before_the_card_is_touched(tmp_path: Path) -> None:
    async with counter(tmp_path, rights=granting("till")) as desk, line(desk.path) as client:
        assert (await client.refusal("card.read", purpose="visit"))["data"]["right"] == "personal"
        assert desk.cards.reads == []
        assert (await client.result("card.read"))["holder"] == _masked_holder()
        denied = await desk.recorded("access.denied")
        assert [(one["method"], one["right"]) for one in denied] == [("card.read", "personal")]


def _masked_holder() -> dict[str, Any]:
    holder = card_result(personal=False).holder
    assert holder is not None
    return {name: getattr(holder, name) for name in holder.__struct_fields__}


@pytest.mark.parametrize("wait_s", [-1, 3601, "5", 1e300])
async def test_a_time_to_wait_is_a_number_of_seconds_up_to_an_hour(tmp_path: Path, wait_s: object) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        error = await client.refusal("card.read", wait_s=wait_s)
        assert error["data"]["reason"] == "INVALID"
        assert error["data"]["path"] == "$.wait_s"


async def test_an_activation_is_started_looked_at_answered_and_listed(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        started = await client.result("activation.start", route="pharmacy")
        assert started["state"] == "waiting_old_card"
        prompt = await desk.activations.ask_pin(started["activation"])
        got = await client.result("activation.get", activation=started["activation"])
        assert got["prompt"]["prompt"] == prompt
        assert (await client.result("prompt.answer", prompt=prompt, pin=PIN)) == {"prompt": prompt}
        ((answered, pin),) = desk.activations.answers
        assert answered == prompt
        assert pin is not None
        assert pin.reveal() == PIN.encode()
        listed = await client.result("activation.list")
        assert [one["state"] for one in listed["activations"]] == ["completed"]
        assert (await client.result("activation.list", open_only=True))["activations"] == []


@pytest.mark.parametrize(
    "params",
    [
        {"request": ""},
        {"request": "r" * 201},
        {"operator": "o" * 201},
        {"old_card": {"number": ""}},
        {"old_card": {"number": "1" * 201}},
        {"old_card": {}},
        {"route": "canteen"},
    ],
)
async def test_what_would_not_fit_the_record_is_refused_before_anything_begins(
    tmp_path: Path, params: dict[str, Any]
) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        error = await client.refusal("activation.start", **{"route": "pharmacy", **params})
        assert error["data"]["reason"] == "INVALID"
        assert desk.activations.started_by == []


async def test_a_start_that_waits_answers_at_the_end(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        waiting = await client.send("activation.start", route="pharmacy", wait_s=30)
        assert await client.result("readers.list")
        await desk.activations.end("act-1", State.REFUSED, Reason.OTHER_PERSON)
        result = (await client.answer(waiting))["result"]
        assert result["state"] == "refused"
        assert result["reason"] == "OTHER_PERSON"
        assert set(result["text"]) == {"en", "zh-CN"}


async def test_a_start_that_waits_answers_at_its_time(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        result = await client.result("activation.start", route="pharmacy", wait_s=0.05)
        assert result["state"] == "waiting_old_card"


async def test_a_holder_is_named_in_full_for_a_purpose_only_and_on_record(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.call("activation.start", route="pharmacy")
        await desk.activations.end("act-1", State.COMPLETED)
        assert (await client.result("activation.get", activation="act-1"))["holder"] == {"name": "测*甲"}
        assert await desk.recorded("personal.disclosed") == []
        whole = await client.result("activation.get", activation="act-1", purpose="receipt")
        assert whole["holder"] == {"name": NAME}
        (disclosed,) = await desk.recorded("personal.disclosed")
        assert disclosed["fields"] == ["holder.name"]


async def test_an_activation_past_its_point_of_no_return_is_not_cancelled(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.call("activation.start", route="pharmacy")
        (await desk.activations.view("act-1", personal=False)).state = State.AUTHORISING
        assert (await client.refusal("activation.cancel", activation="act-1"))["data"]["reason"] == "TOO_LATE"
        (await desk.activations.view("act-1", personal=False)).state = State.WAITING_OLD_CARD
        assert (await client.result("activation.cancel", activation="act-1"))["state"] == "cancelled"


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"prompt": "p"}, "$"),
        ({"prompt": "p", "pin": PIN, "cancel": True}, "$"),
        ({"prompt": "p", "pin": "24a813"}, "$.pin"),
        ({"prompt": "p", "pin": "²⁴⁶⁸"}, "$.pin"),
        ({"prompt": "p", "pin": int(PIN)}, "$.pin"),
    ],
)
async def test_a_prompt_takes_digits_or_a_cancel_and_errors_never_quote_them(
    tmp_path: Path, params: dict[str, Any], path: str
) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        error = await client.refusal("prompt.answer", **params)
        assert error["data"]["reason"] == "INVALID"
        assert error["data"]["path"] == path
        assert str(params.get("pin", PIN)) not in str(error)
        assert desk.activations.answers == []


async def test_a_cancelled_prompt_reaches_the_engine_as_such(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.call("activation.start", route="pharmacy")
        prompt = await desk.activations.ask_pin("act-1")
        await client.result("prompt.answer", prompt=prompt, cancel=True)
        assert desk.activations.answers == [(prompt, None)]


async def test_refusals_of_the_last_minute_are_on_record_when_the_daemon_ends(tmp_path: Path) -> None:
    async with counter(tmp_path, rights=granting("watch")) as desk, line(desk.path) as client:
        for _ in range(4):
            await client.refusal("card.read")
        await desk.server.close()
        assert [one["count"] for one in await desk.recorded("access.denied")] == [1, 3]
