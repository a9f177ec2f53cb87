"""Whatever number a function ends with, the next call works: nothing is held, open or left over."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace
from support.back_office import BackOffice
from support.counter import line
from support.driver_calls import INFO, OFFLINE, Program, card_with, program
from support.exchanges import FRONT, SAM

from cardd.rules.driver_errors import DRIVER_ERRORS, driver_error
from cardsim.card.make import make_card
from cardsim.fault_list import Answer as Said
from cardsim.fault_list import AnyFault, Mute
from cardsim.persona import SocialSecurityPersona, load_persona

OFFICE: Final = BackOffice("510100", "0081544C9686845101C0FFEE08")
GOOD: Final = "p3-3.0-sm4"
BILL: Final = "12.50|3.00|20240102030405|"
WRITE: Final = ("iWriteCard", 1, INFO, "DF04EF05|84|$", "DF04EF05|510700|$")

Provoke = Callable[[Program], Awaitable[int]]


async def exchanged(call: Program, persona: str, *faults: AnyFault, slot: str = FRONT, until: str = "") -> None:
    """Have another card there."""
    call.desk._backend.remove(slot)
    await call.desk.until("card.removed")
    call.desk._backend.insert(slot, card_with(persona, *faults))
    await call.desk.until(until or ("card.identified" if slot == FRONT else "card.inserted"))


def on(persona: str, *function: int | str, until: str = "", faults: tuple[AnyFault, ...] = ()) -> Provoke:
    """Return the number of a function with that card."""

    async def provoke(call: Program) -> int:
        await exchanged(call, persona, *faults, until=until)
        name, *args = function
        return (await call(str(name), *args))[0]

    return provoke


def plain(*function: int | str, **more: object) -> Provoke:
    async def provoke(call: Program) -> int:
        name, *args = function
        return (await call(str(name), *args, **more))[0]

    return provoke


def refused_with(word: str) -> Provoke:
    """Return the number of a write that the card refuses once with a status word."""
    return on(GOOD, *WRITE, faults=(Said(at="UPDATE RECORD", nth=1, word=word),))


async def no_card(call: Program) -> int:
    await call.desk.remove()
    return (await call("iReadCardBas", 3, wait_s=0))[0]


async def without_module(call: Program) -> int:
    call.desk._backend.remove(SAM)
    await call.desk.until("card.removed")
    return (await call("iReadCardBas", 3))[0]


async def busy(call: Program) -> int:
    begun = await call.desk.call("activation.start", route="pharmacy", operator="0421", request="17")
    number = (await call("iReadCardBas", 3, wait_s=0))[0]
    await call.desk.call("activation.cancel", activation=begun["activation"])
    return number


async def wrong_pin(call: Program) -> int:
    call.desk.pin = "000000"
    return (await call("iVerifyPIN", 1))[0]


async def cancelled(call: Program) -> int:
    async with line(call.path) as other:
        calling = await other.send("driver.call", function="iVerifyPIN", args=[1])
        opened = await call.desk.until("prompt.opened")
        await call.desk.call("prompt.answer", prompt=opened["params"]["event"]["data"]["prompt"], cancel=True)
        answer = await other.read()
        assert answer["id"] == calling
        return int(answer["result"]["code"])


async def made_out(call: Program, **changed: object) -> int:
    """Return the number of reading a card that was made out otherwise."""
    await call.desk.remove()
    persona = load_persona(GOOD)
    card = replace(persona, card=replace(persona.card, **changed))
    call.desk._backend.insert(FRONT, make_card(card, interface="contact"))
    await call.desk.until("card.inserted")
    return (await call("iReadCardBas", 3))[0]


async def damaged(call: Program) -> int:
    return await made_out(call, identification_code="510100D256000005C0FFEE08FFFFFFFF")


async def separator(call: Program) -> int:
    found = load_persona(GOOD).card
    assert isinstance(found, SocialSecurityPersona)
    return await made_out(call, holder=replace(found.holder, name="测试|辛"))


def wrong_keys(times: int) -> Provoke:
    """Return the number of the so-many-th wrong key, the station cleared between them."""

    async def provoke(call: Program) -> int:
        number = 0
        for _ in range(times):
            key = OFFICE.key((await call("iWriteCard_HSM_Step1", 1, INFO, "DF04EF05|84|$"))[1])
            number = (await call("iWriteCard_HSM_Step2", "00" * 8 + key[16:], "DF04EF05|510700|$"))[0]
            await call.desk.call("station.clear", station="counter-0")
        return number

    return provoke


async def stopped(call: Program) -> int:
    key = OFFICE.key((await call("iWriteCard_HSM_Step1", 1, INFO, "DF04EF05|84|$"))[1])
    await call("iWriteCard_HSM_Step2", "00" * 8 + key[16:], "DF04EF05|510700|$")
    number = (await call(*WRITE))[0]
    await call.desk.call("station.clear", station="counter-0")
    return number


def module(*faults: AnyFault, **changed: object) -> Provoke:
    """Return the number of the basic information with a security module that is otherwise."""

    async def provoke(call: Program) -> int:
        call.desk._backend.remove(SAM)
        await call.desk.until("card.removed")
        persona = load_persona("psam")
        made = replace(persona, card=replace(persona.card, faults=faults, **changed))
        call.desk._backend.insert(SAM, make_card(made, interface="contact"))
        await call.desk.until("card.inserted")
        return (await call("iReadCardBas", 3))[0]

    return provoke


async def without_other_key(call: Program) -> int:
    await module(Said(at="BF DE", word="6A88"))(call)
    return (await call("iReadCard", 1, 2, INFO, "DF04EF05|84|$"))[0]


async def wrong_signature(call: Program) -> int:
    await exchanged(call, "p5-offline")
    office = BackOffice("510100", "0081544C9686845101C0FFEE13")
    sequence, time, _, end = office.debit((await call("iDoDebit_HSM_Step1", 1, OFFLINE, BILL))[1]).split("|")
    return (await call("iDoDebit_HSM_Step2", f"{sequence}|{time}|00000000|{end}"))[0]


BY_WORD: Final = [
    *("6700", "6901", "6981", "6982", "6983", "6984", "6985", "6988"),
    *("6A80", "6A81", "6A84", "6A88", "9302", "9303", "9403", "9406"),
]

PROVOKED: Final[dict[int, Provoke]] = {
    -1: on("old-jia", "iReadCardBas", 3),
    -2: no_card,
    -4: on(GOOD, *WRITE, faults=(Mute(at="UPDATE RECORD", nth=1),)),
    -11: busy,
    -12: plain("iReadCardBas_HSM_Step2", "00"),
    -13: plain("iFoo"),
    -14: plain("iReadCardBas", 9),
    -20: damaged,
    -21: on("p4-bad-irk", "iReadCardBas", 3),
    -22: plain("iReadCard", 1, 2, OFFLINE, "DF01EF0A|37|$"),
    -23: plain("iWriteCard", 1, INFO, "DF04EF05|84|$", "DF04EF05|x|y|$"),
    -31: cancelled,
    -41: separator,
    -42: plain("iReadCard", 1, 2, INFO, "SSSEEF08|$" * 3),
    -51: wrong_pin,
    -52: on("p4-bad-locked-pin", "iVerifyPIN", 1),
    -2201: without_module,
    -2202: module(algorithms=["des"]),
    -24: module(level="provincial", region="440100"),
    -2203: module(Said(at="BF DE", word="6A88")),
    -27272: without_other_key,
    -2204: plain("iReadCard_HSM_Step1", 1, INFO, "SSSEEF05|07|$"),
    -25536: wrong_keys(3),
    -25537: wrong_keys(2),
    -25538: wrong_keys(1),
    -27011: stopped,
    -27266: plain("iReadCard", 1, 2, INFO, "DF01EF7A|37|$"),
    -27267: plain("iReadCard", 1, 2, INFO, "DF01EF0A|99|$"),
    -37634: wrong_signature,
}
"""How a number comes about; those of status words are in a test of their own."""


async def whole(call: Program) -> None:
    """Have the next holder's card and the module in, as at any counter."""
    call.desk.pin = "123456"
    for slot, persona in ((SAM, "psam"), (FRONT, GOOD)):
        if await state(call, slot) != "empty":
            call.desk._backend.remove(slot)
        while await state(call, slot) != "empty":  # noqa: ASYNC110 - asked, as a client has to
            await asyncio.sleep(0.01)
        call.desk._backend.insert(slot, card_with(persona))
        while await state(call, slot) != "present":  # noqa: ASYNC110 - asked, as a client has to
            await asyncio.sleep(0.01)


async def state(call: Program, slot: str) -> str:
    listed = (await call.desk.call("readers.list"))["readers"]
    return next(str(view["state"]) for view in listed if view["pcsc_name"] == slot)


@pytest.mark.asyncio
@pytest.mark.parametrize("number", sorted(PROVOKED, reverse=True))
async def test_after_a_number_the_next_call_works(tmp_path: Path, number: int) -> None:
    async with program(tmp_path) as call:
        assert await PROVOKED[number](call) == number
        await whole(call)
        assert (await call("iReadCardBas", 3))[0] == 0
        status = await call.desk.call("system.status")
        assert [station["leased"] for station in status["stations"]] == [[]]


@pytest.mark.asyncio
@pytest.mark.parametrize("word", BY_WORD)
async def test_after_a_status_word_the_next_call_works_on_the_same_card(tmp_path: Path, word: str) -> None:
    async with program(tmp_path) as call:
        assert await refused_with(word)(call) == driver_error(int(word, 16))
        assert await call(*WRITE) == (0, "")


@pytest.mark.asyncio
async def test_after_a_prompt_that_nobody_answers_the_next_call_works(tmp_path: Path) -> None:
    more = "activation: {deadlines: {person_s: 0.2}}\n"
    async with program(tmp_path, more=more) as call:
        async with line(call.path) as other:
            assert (await other.result("driver.call", function="iVerifyPIN", args=[1]))["code"] == -32
        assert (await call("iReadCardBas", 3))[0] == 0


ELSEWHERE: Final = frozenset(
    {
        *(-3, -5, -15, -32, -33, -34, -35, -36),
        *(driver_error(int(word, 16)) for word in BY_WORD),
    }
)
"""Provoked above or by tests of their own, the keypad's and the modules' among them; the library's own; reserved."""


def test_every_number_of_the_notice_is_one_of_these() -> None:
    assert DRIVER_ERRORS.keys() - PROVOKED.keys() <= ELSEWHERE
