"""A card whose own number or code is written stays in: it goes by what it says now, and no more by what it said."""

from pathlib import Path
from typing import Any

import pytest
from support.back_office import BackOffice
from support.driver_calls import CODE, INFO, Program, program

from cardsim.fault_list import Answer as Said

pytestmark = pytest.mark.asyncio

OFFICE = BackOffice("510100", "0081544C9686845101C0FFEE08")
NEW_CODE = "510100D156000005C0FFEE77FFFFFFFF"
NEW_NUMBER = "T00000777"

WRITTEN = [
    ("07", NEW_NUMBER, f"{CODE}|{NEW_NUMBER}|"),
    ("01", NEW_CODE, f"{NEW_CODE}|T00000087|"),
]


async def asked(call: Program, info: str) -> list[int]:
    """Return what functions say that are given that card."""
    return [
        (await call("iReadCard", 1, 2, info, "DF01EF0A|37|$"))[0],
        (await call("iWriteCard", 1, info, "DF04EF05|84|$", "DF04EF05|510700|$"))[0],
        (await call("iUnblockPIN", 1, info))[0],
        (await call("iReadCard_HSM_Step1", 1, info, "DF04EF05|84|$"))[0],
    ]


async def identified(call: Program) -> list[Any]:
    """Return the insertions and numbers of the cards that were identified, after the second of them."""
    await call.desk.until("card.identified")
    events = await call.recorded("card.identified")
    return [(event["insertion"], event["data"]["number"]) for event in events]


@pytest.mark.parametrize(("item", "value", "info"), WRITTEN)
async def test_a_card_goes_by_its_new_code_or_number_once_that_is_written(
    tmp_path: Path, item: str, value: str, info: str
) -> None:
    async with program(tmp_path) as call:
        address = f"SSSEEF05|{item}|$"
        assert await call("iWriteCard", 1, INFO, address, address.replace(item, value)) == (0, "")
        assert await asked(call, info) == [0] * 4
        assert await asked(call, INFO) == [-22] * 4
        assert (await call("iReadCardBas", 1))[1].split("|")[2:4] == info.split("|")[1::-1]


@pytest.mark.parametrize(("item", "value", "info"), WRITTEN)
async def test_in_steps_too(tmp_path: Path, item: str, value: str, info: str) -> None:
    async with program(tmp_path) as call:
        address = f"SSSEEF05|{item}|$"
        code, request = await call("iWriteCard_HSM_Step1", 1, INFO, address)
        assert code == 0
        assert await call("iWriteCard_HSM_Step2", OFFICE.key(request), address.replace(item, value)) == (0, "")
        assert await asked(call, info) == [0] * 4
        assert await asked(call, INFO) == [-22] * 4


async def test_the_insertion_stays_and_is_identified_a_second_time(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        assert (await call("iWriteCard", 1, INFO, "SSSEEF05|07|$", f"SSSEEF05|{NEW_NUMBER}|$"))[0] == 0
        (before, first), (after, second) = await identified(call)
        assert before == after
        assert (first[-4:], second[-4:]) == ("0087", "0777")
        (card,) = [
            view["card"] for view in (await call.desk.call("readers.list"))["readers"] if view["role"] == "counter"
        ]
        assert (card["insertion"], card["number"]) == (before, second)


async def test_a_write_that_fails_behind_the_number_has_it_read_anew_too(tmp_path: Path) -> None:
    async with program(tmp_path, None) as call:
        await call.insert("p3-3.0-sm4", Said(at="UPDATE RECORD", nth=2, word="6581"))
        both = f"SSSEEF05|{NEW_NUMBER}|$DF04EF05|510700|$"
        assert (await call("iWriteCard", 1, INFO, "SSSEEF05|07|$DF04EF05|84|$", both))[0] == -25985
        assert (await call("iReadCard", 1, 2, f"{CODE}|{NEW_NUMBER}|", "DF01EF0A|37|$"))[0] == 0


async def test_what_identifies_no_card_leaves_it_known(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        assert (await call("iWriteCard", 1, INFO, "SSSEEF06|0C|$", "SSSEEF06|510722|$"))[0] == 0
        assert (await call("iReadCard", 1, 2, INFO, "DF01EF0A|37|$"))[0] == 0
        assert len(await call.recorded("card.identified")) == 1
