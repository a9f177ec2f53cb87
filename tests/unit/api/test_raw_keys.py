"""Keys that clients show to cards with commands of their own: stopped and held to stops like any other."""

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.contents import social
from support.counter import Message
from support.socket_desk import Client, SocketDesk, client, socket_desk
from support.torn import TornCard, put

from cardd.api.rights import Right, Rights
from cardd.desk.raw_keys import keys_shown
from cardd.keys.versions import KeyVersions
from cardd.rules.files import Generation
from cardd.rules.keys import KeyName
from cardd.rules.names import SSSE_NAME

pytestmark = pytest.mark.asyncio

SELECT = (b"\x00\xa4\x04\x00" + bytes((len(SSSE_NAME),)) + SSSE_NAME).hex()
GET_CHALLENGE = "0084000008"
UKSSSE, LOCAL = 0x04, 0x86
OF_THAT_NUMBER = {KeyName.UK4DF01, KeyName.UK4DF02, KeyName.UK1DF03, KeyName.UK2DF04, KeyName.UK2DF07}
EXTERNAL_AUTHENTICATION = 0x82
EVERYTHING = frozenset(Right)


@dataclass
class Bench:
    at: SocketDesk
    asked: Client
    card: TornCard
    lease: str

    async def send(self, apdu: str, **further: bool) -> Message:
        return await self.asked.line.call("card.transmit", lease=self.lease, apdu=apdu, **further)

    async def show(self, key: int, **further: bool) -> Message:
        """Show a key that is wrong, as any program does that has another one."""
        for apdu in (SELECT, GET_CHALLENGE):
            await self.send(apdu)
        return await self.send(f"008200{key:02X}10" + "55" * 16, **further)

    async def stopped(self) -> set[str]:
        return {told["key"] for told in await self.at.recorded("key.stopped")}


@contextlib.asynccontextmanager
async def bench(directory: Path, rights: frozenset[Right] = EVERYTHING) -> AsyncIterator[Bench]:
    async with socket_desk(directory, rights=Rights({os.geteuid(): rights}, {})) as at, client(at) as asked:
        card = TornCard(social(directory, Generation.V3))
        await put(at, card)
        lease = (await asked.line.result("lease.acquire"))["lease"]
        yield Bench(at, asked, card, lease)


def reason(answer: Message) -> str:
    found: str = answer["error"]["data"]["reason"]
    return found


async def test_a_key_that_a_client_shows_wrongly_is_answered_and_stopped_for_everybody(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        assert (await b.show(UKSSSE))["result"]["response"].startswith("63C")
        assert await b.stopped() == {"UKSSSE"}
        assert reason(await b.show(UKSSSE)) == "KEY_STOPPED"
        files = {"SSSEEF05": {"05": "20240101"}}
        written = await b.asked.line.refusal("card.write", files=files, lease=b.lease)
        assert written["data"]["reason"] == "KEY_STOPPED"
        assert b.card.times(EXTERNAL_AUTHENTICATION) == 1


async def test_a_key_that_is_stopped_already_is_not_sent(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.at.stopped.stop("desk", KeyName.UKSSSE)
        assert reason(await b.show(UKSSSE)) == "KEY_STOPPED"
        assert reason(await b.show(UKSSSE, spends=True)) == "KEY_STOPPED"
        assert b.card.times(EXTERNAL_AUTHENTICATION) == 0
        assert (await b.send(GET_CHALLENGE))["result"]["response"].endswith("9000")


async def test_a_number_that_several_applications_have_counts_as_one_key(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.at.stopped.stop("desk", KeyName.UK1DF03)
        assert reason(await b.show(LOCAL)) == "KEY_STOPPED"
        assert b.card.times(EXTERNAL_AUTHENTICATION) == 0
        await b.asked.line.result("station.clear", station="desk")
        df04 = "00A4040006" + "D15600000503"
        await b.send(df04)
        await b.send(GET_CHALLENGE)
        answer = await b.send(f"008200{LOCAL:02X}10" + "55" * 16)
        assert answer["result"]["response"].startswith("63C")
        assert {KeyName(key) for key in await b.stopped()} == OF_THAT_NUMBER


async def test_a_try_that_is_spent_on_purpose_stops_nothing_and_takes_the_right_to_lift_stops(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        assert (await b.show(UKSSSE, spends=True))["result"]["response"].startswith("63C")
        assert await b.stopped() == set()
    (tmp_path / "other").mkdir()
    async with bench(tmp_path / "other", EVERYTHING - {Right.OPERATE}) as b:
        refused = await b.show(UKSSSE, spends=True)
        assert (reason(refused), refused["error"]["data"]["right"]) == ("FORBIDDEN", "operate")
        assert b.card.times(EXTERNAL_AUTHENTICATION) == 0


async def test_what_the_card_refuses_for_another_reason_stops_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.send(SELECT)
        # without a challenge no key is compared
        assert (await b.send(f"008200{UKSSSE:02X}10" + "55" * 16))["result"]["response"] == "6984"
        assert (await b.send("0020000003123456"))["result"]["response"] == "9000"
        assert (await b.send("0020000003654321"))["result"]["response"].startswith("63C")
        assert await b.stopped() == set()


async def test_another_kind_of_card_has_other_keys(tmp_path: Path) -> None:
    rights = Rights({os.geteuid(): EVERYTHING}, {})
    async with socket_desk(tmp_path, rights=rights) as at, client(at) as asked:
        at.cards._requests.listen(at.reception)
        at.stopped.stop("desk", KeyName.UKSSSE)
        await at.insert("old-jia")
        lease = (await asked.line.result("lease.acquire"))["lease"]
        answer = await asked.line.call("card.transmit", lease=lease, apdu=f"008200{UKSSSE:02X}10" + "55" * 16)
        assert "result" in answer


async def test_a_number_names_the_keys_that_a_card_may_be_shown_and_no_others() -> None:
    versions = KeyVersions()

    def shown(command: str) -> set[KeyName]:
        return set(keys_shown(bytes.fromhex(command), versions))

    assert shown("00820004") == shown("0C820004") == {KeyName.UKSSSE}
    assert shown("00820086") == OF_THAT_NUMBER
    assert KeyName.DSK in shown("00820087")
    # what proves the card, what makes messages, and a number that the rule gives no key
    assert shown("00820000") == shown("00820082") == shown("008200FF") == set()
    assert shown("00880004") == shown("00200004") == set()
    versions.number({KeyName.UK7DF01: 0x9A})
    assert shown("0082009A") == {KeyName.UK7DF01}
