"""Files written in steps: read back with what the station has, looked into after a tear, taken up by the same call."""

from pathlib import Path
from typing import Literal

import pytest
from support.back_office import BackOffice
from support.driver_calls import INFO, Program, card_with, program
from support.exchanges import SAM

from cardsim.card.make import make_card
from cardsim.fault_list import Answer as Said
from cardsim.fault_list import Tear
from cardsim.persona import load_persona

pytestmark = pytest.mark.asyncio

OFFICE = BackOffice("510100", "0081544C9686845101C0FFEE08")


async def write(call: Program, address: str, data: str) -> int:
    """Write a file in two steps."""
    code, request = await call("iWriteCard_HSM_Step1", 1, INFO, address)
    assert code == 0, request
    return (await call("iWriteCard_HSM_Step2", OFFICE.key(request), data))[0]


async def read(call: Program, address: str) -> str:
    code, out = await call("iReadCard", 1, 2, INFO, address)
    assert code == 0, out
    return out


async def kinds(call: Program) -> list[str]:
    return [event["type"].split(".")[3] for event in await call.recorded("card.writ")]


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("DF04EF05|84|$", "DF04EF05|510700|$"),
        ("DF04EF15|$", "DF04EF15|0009^9^|$"),
        ("SSSEEF06|0C|$", "SSSEEF06|510722|$"),
    ],
)
async def test_what_was_written_is_read_back_with_what_the_station_has(tmp_path: Path, address: str, data: str) -> None:
    async with program(tmp_path) as call:
        assert await write(call, address, data) == 0
        _, ended = await call.recorded("card.writ")
        assert (ended["data"]["unchecked"], ended["data"]["by_reading"]) == ([], False)


async def test_without_a_module_what_only_a_key_opens_is_written_and_told_as_unchecked(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        call.desk._backend.remove(SAM)
        await call.desk.until("card.removed")
        for address, data in (
            ("DF04EF05|84|$", "DF04EF05|510700|$"),
            ("DF04EF15|$", "DF04EF15|0009^9^|$"),
            ("DF01EF15|40:1|$", "DF01EF15|1^02^乙^|$"),
        ):
            assert await write(call, address, data) == 0
        # which of several it is can only be read
        assert await write(call, "DF01EF15|40:2|$", "DF01EF15|1^02^乙^|$") == -27010
        ended = [event["data"] for event in await call.recorded("card.written")]
        assert [one["unchecked"] for one in ended] == [["DF04EF05"], ["DF04EF15"], ["DF01EF15"]]
        call.desk._backend.insert(SAM, make_card(load_persona("psam"), interface="contact"))
        await call.desk.until("card.inserted")
        assert (await read(call, "DF04EF15|$")).startswith("DF04EF15|0009^9^|")
        assert await read(call, "DF01EF15|40:1|$") == "DF01EF15|1^02^乙^|$"


async def test_what_the_card_keeps_otherwise_than_it_was_written_is_no_success(tmp_path: Path) -> None:
    async with program(tmp_path, None) as call:
        await call.put(card_with("p3-3.0-sm4", Said(at="UPDATE RECORD", word="9000")))
        code, request = await call("iWriteCard_HSM_Step1", 1, INFO, "DF04EF05|84|$")
        assert code == 0
        assert (await call("iWriteCard_HSM_Step2", OFFICE.key(request), "DF04EF05|510700|$"))[0] < 0
        assert (await kinds(call))[-1] != "written"


@pytest.mark.parametrize(
    ("when", "found"), [("before", "write_unfinished"), ("during", "write_unfinished"), ("after", "written")]
)
async def test_a_torn_write_is_looked_into_when_its_card_comes_back_and_taken_up_by_the_same_call(
    tmp_path: Path, when: Literal["before", "during", "after"], found: str
) -> None:
    async with program(tmp_path, None) as call:
        card = card_with("p3-3.0-sm4", Tear(at="UPDATE RECORD", nth=1, when=when))
        await call.put(card)
        assert await write(call, "DF04EF05|84|$", "DF04EF05|510700|$") == -22
        assert await kinds(call) == ["write_intended"]
        await call.back(card)
        told = await call.desk.until(f"card.{found}")
        data = told["params"]["event"]["data"]
        seen = (data.get("missing"), data.get("by_reading"))
        assert seen == ((["DF04EF05"], None) if found == "write_unfinished" else (None, True))
        assert await write(call, "DF04EF05|84|$", "DF04EF05|510700|$") == 0
        assert await read(call, "DF04EF05|84|$") == "DF04EF05|510700|$"
        # under its own intention; what has ended meanwhile is told, and not written again
        again = ["written"] if found == "write_unfinished" else []
        assert await kinds(call) == ["write_intended", found, *again]


@pytest.mark.parametrize("steps", [True, False])
async def test_a_record_is_added_once_however_often_the_torn_call_is_made_again(tmp_path: Path, *, steps: bool) -> None:
    async with program(tmp_path, None) as call:
        card = card_with("p3-3.0-sm4", Tear(at="UPDATE RECORD", nth=1, when="after"))
        await call.put(card)
        given = ("DF04EF15|$", "DF04EF15|0009^9^|$")

        async def once() -> int:
            return await write(call, *given) if steps else (await call("iWriteCard", 1, INFO, *given))[0]

        assert await once() < 0
        await call.back(card)
        assert await once() == 0
        assert (await read(call, "DF04EF15|$")).count("0009^9^") == 1


async def test_a_write_whose_card_went_between_the_steps_is_not_even_intended(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        code, request = await call("iWriteCard_HSM_Step1", 1, INFO, "DF04EF05|84|$")
        assert code == 0
        await call.swap("p3-3.0-sm4")
        assert (await call("iWriteCard_HSM_Step2", OFFICE.key(request), "DF04EF05|510700|$"))[0] == -22
        assert await kinds(call) == []


async def test_a_record_of_which_nobody_can_read_whether_it_was_added_is_asked_for_twice(tmp_path: Path) -> None:
    async with program(tmp_path, None) as call:
        call.desk._backend.remove(SAM)
        await call.desk.until("card.removed")
        card = card_with("p3-3.0-sm4", Tear(at="UPDATE RECORD", nth=1, when="after"))
        await call.put(card)
        given = ("DF04EF15|$", "DF04EF15|0009^9^|$")
        assert await write(call, *given) < 0
        await call.back(card)
        code, request = await call("iWriteCard_HSM_Step1", 1, INFO, given[0])
        assert code == 0
        assert await call("iWriteCard_HSM_Step2", OFFICE.key(request), given[1]) == (
            -27010,
            "此前同样的写卡结果不明，本机无法读取核对。请核对卡内数据后再次写卡。",
        )
        # whoever calls again has looked, and means it
        assert await write(call, *given) == 0
