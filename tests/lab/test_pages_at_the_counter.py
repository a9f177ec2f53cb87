"""Browser pages at a counter on the real pcscd."""

import asyncio
from collections.abc import Iterator

import pytest
from support.pages import TOKEN, free_port, page, web

from cardd.wire.cards import CardReadParams
from cardd.wire.methods import CARD_READ
from cardsim.rig import Rig


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def rig(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    directory = tmp_path_factory.mktemp("r")
    with Rig.start(directory, settings={"web": web(directory, port)}) as rig:
        yield rig


def test_a_page_sees_what_is_in_the_reader_and_its_hold_ends_with_it(rig: Rig, port: int) -> None:
    asyncio.run(_reads(rig, port))


async def _reads(rig: Rig, port: int) -> None:
    async with page(port, "/") as his, page(port) as own:
        assert (await his.say(function="iReadCardBas", iType=3))["success"] == -2
        await own.call("events.subscribe", after="now")
        rig.lab.insert_persona("social-jia-3.0", 0)
        while "card.identified" not in (await own.read())["params"]["event"]["type"]:
            pass
        answer = await his.say(function="iReadCardBas", iType=3)
        assert (answer["success"], answer["pOutInfo"].split("|")[4]) == (1, "测试甲")
        assert (await his.say(function="iReadCardBas_HSM_Step1", iType=3))["success"] == 1
        refused = await own.call("lease.acquire", reader="reader-0", wait_s=0)
        assert refused["error"]["data"]["reason"] == "LEASE_HELD"
    with rig.client() as client:
        assert client.call(CARD_READ, CardReadParams(wait_s=10.0)).authentic
    log = rig.log.read_text(encoding="utf-8")
    assert "测试甲" not in log
    assert TOKEN not in log
