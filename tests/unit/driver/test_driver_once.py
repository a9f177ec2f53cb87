"""Money is taken once, though the driver's functions have no name for a deed: the same call again asks before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from support.back_office import BackOffice
from support.counter import line
from support.driver_calls import OFFLINE, Program, card_with, program
from support.exchanges import SAM

from cardsim.fault_list import Tear

pytestmark = pytest.mark.asyncio

OFFICE = BackOffice("510100", "0081544C9686845101C0FFEE13")
BILL = "12.50|3.00|20240102030405|"
LATER = "12.50|3.00|20240102030500|"
OTHER = "7.00|3.00|20240102030500|"


async def debits(call: Program) -> list[str]:
    """Return the amounts of the card's own records, the newest first, beside the one that it came with."""
    code, out = await call("iReadDebitRecord", 1)
    assert code == 0, out
    return [record.split("^")[3] for record in out.split("|")[:-2]]


async def pay(call: Program, bill: str = BILL) -> tuple[int, str]:
    return await call("iDoDebit", 1, OFFLINE, bill)


async def settled(call: Program) -> None:
    """Wait until the card that came back has had its say."""
    await call.desk.until("account.debited")


@asynccontextmanager
async def torn(path: Path, when: Literal["before", "during", "after"], *, name: str) -> AsyncIterator[Program]:
    """A bill whose debit was torn; the card is in again."""
    async with program(path, None) as call:
        card = card_with("p5-offline", Tear(at=name, nth=1, when=when))
        await call.put(card)
        assert (await pay(call))[0] < 0
        await call.back(card)
        yield call


DEBIT = "DEBIT FOR PURCHASE"


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("bill", [BILL, LATER])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_bill_whose_end_was_not_told_is_paid_once_when_it_is_asked_for_again(
    tmp_path: Path, when: Literal["before", "after"], bill: str, *, at_once: bool
) -> None:
    async with torn(tmp_path, when, name=DEBIT) as call:
        if not at_once:
            await settled(call)
        code, out = await pay(call, bill)
        assert code == 0
        # what was done before is told with its own time
        assert out.split("|")[6] == (BILL if when == "after" else bill).split("|")[2]
        assert await debits(call) == ["12.50"]


async def test_what_was_told_is_over_and_the_next_bill_of_the_same_amounts_is_another(tmp_path: Path) -> None:
    async with torn(tmp_path, "after", name=DEBIT) as call:
        assert (await pay(call, LATER))[0] == 0
        assert (await pay(call, "12.50|3.00|20240102030600|"))[0] == 0
        assert await debits(call) == ["12.50", "12.50"]


async def test_another_bill_waits_for_the_cards_word_on_the_one_before(tmp_path: Path) -> None:
    async with torn(tmp_path, "after", name=DEBIT) as call:
        assert (await pay(call, OTHER))[0] == 0
        (first, second) = await call.recorded("account.debited")
        assert (first["data"]["by_proof"], second["data"]["by_proof"]) == (True, False)
        assert await debits(call) == ["7.00", "12.50"]


async def test_the_same_bill_again_is_the_same_debit_under_whatever_request(tmp_path: Path) -> None:
    async with program(tmp_path, "p5-offline") as call:
        first = await pay(call)
        assert first[0] == 0
        assert await pay(call) == first
        assert await call("iDoDebit", 1, OFFLINE, BILL, request="r-2") == first
        assert await debits(call) == ["12.50"]


async def test_two_at_once_are_one(tmp_path: Path) -> None:
    async with program(tmp_path, "p5-offline") as call, line(tmp_path / "cardd.sock") as other:
        await other.call("session.hello", client="his", api=1)
        asked = {"function": "iDoDebit", "args": [1, OFFLINE, BILL], "wait_s": 5}
        second = asyncio.create_task(other.result("driver.call", **asked))
        first = await call("iDoDebit", 1, OFFLINE, BILL, wait_s=5)
        answer = await second
        assert (answer["code"], answer["out"]) == first
        assert await debits(call) == ["12.50"]


async def test_a_bill_that_the_card_has_refused_is_tried_anew(tmp_path: Path) -> None:
    async with program(tmp_path, "p5-offline") as call:
        request = (await call("iDoDebit_HSM_Step1", 1, OFFLINE, BILL))[1]
        sequence, time, _, end = OFFICE.debit(request).split("|")
        assert (await call("iDoDebit_HSM_Step2", f"{sequence}|{time}|00000000|{end}"))[0] == -37634
        assert (await pay(call))[0] == 0
        assert await debits(call) == ["12.50"]


async def test_a_bill_that_the_card_refuses_has_the_cards_own_word_for_its_number(tmp_path: Path) -> None:
    async with program(tmp_path, "p5-offline") as call:
        assert (await pay(call, "42949672.94|42949672.94|20240102030405|"))[0] == 0
        # the year's sums are full
        assert await pay(call, LATER) == (-27013, "卡片返回错误状态字。（6985）")
        request = (await call("iDoDebit_HSM_Step1", 1, OFFLINE, LATER))[1]
        assert (await call("iDoDebit_HSM_Step2", OFFICE.debit(request)))[0] == -27013
        assert await debits(call) == ["42949672.94"]


async def test_a_debit_whose_caller_has_gone_before_its_end_is_the_next_ones(tmp_path: Path) -> None:
    async with program(tmp_path, "p5-offline") as call:
        async with line(tmp_path / "cardd.sock") as impatient:
            await impatient.call("session.hello", client="his", api=1)
            await impatient.send("driver.call", function="iDoDebit", args=[1, OFFLINE, BILL])
            opened = await call.desk.until("prompt.opened")
        await call.desk.answer(opened)
        await settled(call)
        code, out = await pay(call, LATER)
        assert (code, out.split("|")[6]) == (0, BILL.split("|")[2])
        assert await debits(call) == ["12.50"]


async def test_in_steps_a_debit_that_was_done_is_told_once_and_nothing_is_begun(tmp_path: Path) -> None:
    async with program(tmp_path, None) as call:
        card = card_with("p5-offline", Tear(at=DEBIT, nth=1, when="after"))
        await call.put(card)
        request = (await call("iDoDebit_HSM_Step1", 1, OFFLINE, BILL))[1]
        assert (await call("iDoDebit_HSM_Step2", OFFICE.debit(request)))[0] < 0
        await call.back(card)
        code, text = await call("iDoDebit_HSM_Step1", 1, OFFLINE, LATER)
        assert (code, text) == (-27013, "此前同额消费已成功，本次未扣款。请读取消费记录核对。")
        assert await debits(call) == ["12.50"]
        # whoever wants another one after that, means it
        code, request = await call("iDoDebit_HSM_Step1", 1, OFFLINE, LATER)
        assert code == 0
        assert (await call("iDoDebit_HSM_Step2", OFFICE.debit(request)))[0] == 0
        assert await debits(call) == ["12.50", "12.50"]


async def test_the_name_of_a_bill_on_record_tells_nothing_without_the_machines_key(tmp_path: Path) -> None:
    names = []
    for machine in ("one", "other"):
        (tmp_path / machine).mkdir()
        async with program(tmp_path / machine, "p5-offline") as call:
            assert [(await pay(call))[0] for _ in range(2)] == [0, 0]
            names.append({event["data"]["request"] for event in await call.recorded("account.")})
    assert [len(of_one) for of_one in names] == [1, 1]
    assert not names[0] & names[1]


async def test_a_debit_that_a_daemon_left_open_is_asked_for_by_the_next(tmp_path: Path) -> None:
    card = card_with("p5-offline", Tear(at=DEBIT, nth=1, when="after"))
    async with program(tmp_path, None) as call:
        await call.put(card)
        assert (await pay(call))[0] < 0
    async with program(tmp_path, None) as call:
        await call.put(card)
        code, out = await pay(call, LATER)
        assert (code, out.split("|")[6]) == (0, BILL.split("|")[2])
        assert await debits(call) == ["12.50"]


async def test_without_anybody_who_can_judge_the_card_still_says_what_it_did(tmp_path: Path) -> None:
    async with torn(tmp_path, "after", name=DEBIT) as call:
        await settled(call)
        call.desk._backend.remove(SAM)
        await call.desk.until("card.removed")
        assert (await pay(call, LATER))[0] == 0
        assert await debits(call) == ["12.50"]


async def test_a_debit_that_was_settled_and_told_to_nobody_is_told_once_by_a_later_daemon(tmp_path: Path) -> None:
    card = card_with("p5-offline", Tear(at=DEBIT, nth=1, when="after"))
    async with program(tmp_path, None) as call:
        await call.put(card)
        assert (await pay(call))[0] < 0
    async with program(tmp_path, None) as call:
        # the card says what it did, and nobody is there to hear it
        await call.put(card)
        await settled(call)
    async with program(tmp_path, None) as call:
        await call.put(card)
        code, out = await pay(call, LATER)
        assert (code, out.split("|")[6]) == (0, BILL.split("|")[2])
        assert await debits(call) == ["12.50"]
    async with program(tmp_path, None) as call:
        # that was told: what comes now is another bill
        await call.put(card)
        code, out = await pay(call, "12.50|3.00|20240102030600|")
        assert (code, out.split("|")[6]) == (0, "20240102030600")
        assert await debits(call) == ["12.50", "12.50"]


async def test_a_debit_that_was_told_is_over_for_a_later_daemon(tmp_path: Path) -> None:
    card = card_with("p5-offline")
    async with program(tmp_path, None) as call:
        await call.put(card)
        assert (await pay(call))[0] == 0
    async with program(tmp_path, None) as call:
        await call.put(card)
        code, out = await pay(call, LATER)
        assert (code, out.split("|")[6]) == (0, LATER.split("|")[2])
        assert await debits(call) == ["12.50", "12.50"]


async def test_in_steps_a_debit_told_to_nobody_is_told_by_a_later_daemon(tmp_path: Path) -> None:
    card = card_with("p5-offline", Tear(at=DEBIT, nth=1, when="after"))
    async with program(tmp_path, None) as call:
        await call.put(card)
        request = (await call("iDoDebit_HSM_Step1", 1, OFFLINE, BILL))[1]
        assert (await call("iDoDebit_HSM_Step2", OFFICE.debit(request)))[0] < 0
        await call.back(card)
        await settled(call)
    async with program(tmp_path, None) as call:
        await call.put(card)
        assert (await call("iDoDebit_HSM_Step1", 1, OFFLINE, LATER))[0] == -27013
        assert await debits(call) == ["12.50"]


async def test_a_debit_whose_caller_has_gone_is_told_by_a_later_daemon(tmp_path: Path) -> None:
    card = card_with("p5-offline")
    async with program(tmp_path, None) as call:
        await call.put(card)
        async with line(tmp_path / "cardd.sock") as impatient:
            await impatient.call("session.hello", client="his", api=1)
            await impatient.send("driver.call", function="iDoDebit", args=[1, OFFLINE, BILL])
            opened = await call.desk.until("prompt.opened")
        await call.desk.answer(opened)
        await settled(call)
    async with program(tmp_path, None) as call:
        await call.put(card)
        code, out = await pay(call, LATER)
        assert (code, out.split("|")[6]) == (0, BILL.split("|")[2])
        assert await debits(call) == ["12.50"]
