"""Cards held for connections, and commands sent to them as they are: through the socket, on virtual cards."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.contents import social
from support.counter import Message
from support.socket_desk import Client, SocketDesk, client, socket_desk

from cardd.api.rights import Right, Rights
from cardd.readers.facts import CardInserted, Fact
from cardd.readers.insertion import Insertion
from cardd.readers.leases import LONGEST_S
from cardd.rules.files import Generation
from cardd.rules.names import SSSE_NAME
from cardd.wire.leases import CardTransmitParams, CardTransmitResult

pytestmark = pytest.mark.asyncio

EVERYTHING = Rights({os.geteuid(): frozenset(Right)}, {})
SELECT = (b"\x00\xa4\x04\x00" + bytes((len(SSSE_NAME),)) + SSSE_NAME).hex()
GET_CHALLENGE = "0084000008"
VERIFY = "0020000003123456"


def reason(answer: Message) -> str:
    found: str = answer["error"]["data"]["reason"]
    return found


class Bench:
    """A station with a card in it, and two clients."""

    def __init__(
        self, at: SocketDesk, mine: Client, other: Client, insertion: Insertion, commands: list[bytes]
    ) -> None:
        self.at = at
        self.mine = mine
        self.other = other
        self.insertion = insertion
        self.commands = commands

    async def acquired(self, who: Client | None = None, **params: object) -> str:
        lease: str = (await (who or self.mine).line.result("lease.acquire", **params))["lease"]
        return lease

    async def transmit(self, lease: str, apdu: str) -> str:
        response: str = (await self.mine.line.result("card.transmit", lease=lease, apdu=apdu))["response"]
        return response

    def leased(self) -> bool:
        return self.at.desk.readers.lease_of(self.insertion.id) is not None

    async def closed(self) -> list[bool]:
        """Wait until the card is let go of, and return how it was, each time."""
        bay = self.at.desk.backend.bays["front"]
        await self.at.desk.until(lambda: bay.open_now == 0, "a closed card")
        return bay.disconnects


@contextlib.asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Bench]:
    async with socket_desk(directory, rights=EVERYTHING) as at, client(at) as mine, client(at) as other:
        card, insertion = await at.insert(social(directory, Generation.V3))
        at.desk.backend.bays["front"].disconnects.clear()
        yield Bench(at, mine, other, insertion, card.commands)


# -- whose it is


async def test_a_lease_names_its_card_and_its_time(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        given = await bench.mine.line.result("lease.acquire", ttl_s=12.5)
        assert (given["insertion"], given["ttl_s"]) == (bench.insertion.id, 12.5)
        assert bytes.fromhex(given["atr"]) == bench.insertion.atr
        renewed = await bench.mine.line.result("lease.renew", lease=given["lease"])
        assert renewed == {**given, "ttl_s": 30.0}
        assert (await bench.mine.line.result("lease.release", lease=given["lease"])) == {"lease": given["lease"]}
        assert reason(await bench.mine.line.call("lease.renew", lease=given["lease"])) == "LEASE_LOST"


@pytest.mark.parametrize("ttl_s", [0, -5, LONGEST_S + 1])
async def test_a_lease_has_a_bounded_time(tmp_path: Path, ttl_s: float) -> None:
    async with opened(tmp_path) as bench:
        error = await bench.mine.line.refusal("lease.acquire", ttl_s=ttl_s)
        assert (error["data"]["reason"], error["data"]["path"]) == ("INVALID", "$.ttl_s")


async def test_a_leased_card_is_worked_on_under_its_lease_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        lease = await bench.acquired()
        bench.commands.clear()
        for who in (bench.mine, bench.other):
            for method in ("card.read", "card.pin.query", "card.pin.verify", "lease.acquire"):
                assert reason(await who.line.call(method)) == "LEASE_HELD"
        assert bench.commands == []
        read = await bench.mine.line.result("card.read", lease=lease)
        assert read["insertion"] == bench.insertion.id
        assert (await bench.mine.line.result("card.pin.query", lease=lease))["tries_left"] == 6
        await bench.mine.line.result("lease.release", lease=lease)
        assert (await bench.other.line.result("card.read"))["insertion"] == bench.insertion.id


async def test_whoever_holds_the_card_himself_is_told_so_and_not_that_another_does(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        await bench.acquired()
        for who, says in ((bench.mine, "You hold a lease on the card"), (bench.other, "Another client holds")):
            error = await who.line.refusal("card.read")
            assert error["data"]["text"]["en"].startswith(says)


async def test_a_lease_is_of_no_use_on_another_connection(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        lease = await bench.acquired()
        bench.commands.clear()
        for method, params in (
            ("card.read", {}),
            ("card.write", {"files": {"DF04EF05": {"84": "510100"}}}),
            ("card.pin.verify", {}),
            ("card.transmit", {"apdu": GET_CHALLENGE}),
            ("lease.renew", {}),
            ("lease.release", {}),
        ):
            assert reason(await bench.other.line.call(method, lease=lease, **params)) == "LEASE_LOST"
        assert bench.commands == []
        assert bench.leased()


async def test_a_lease_is_for_its_card_and_not_for_another_that_is_named_beside_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        lease = await bench.acquired()
        for named in ({"reader": "sam"}, {"insertion": "7-99"}):
            assert reason(await bench.mine.line.call("card.read", lease=lease, **named)) == "INVALID"
        both = {"reader": "front", "insertion": bench.insertion.id}
        assert (await bench.mine.line.result("card.read", lease=lease, **both))["insertion"] == bench.insertion.id


# -- its end


async def test_a_lease_ends_with_the_sending_side_of_its_connection_and_subscriptions_do_not(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        await bench.acquired()
        await bench.mine.line.call("events.subscribe", types=["card.removed"])
        bench.mine.line.half_close()
        await bench.at.desk.until(lambda: not bench.leased(), "the lease's end")
        await bench.at.desk.remove("front")
        assert (await bench.mine.line.event())["event"]["data"]["cause"] == "removed"


async def test_a_lease_ends_with_its_connection(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        await bench.acquired()
        bench.mine.line.writer.transport.abort()
        await bench.at.desk.until(lambda: not bench.leased(), "the lease's end")
        assert (await bench.other.line.result("lease.acquire"))["insertion"] == bench.insertion.id


async def test_a_lease_that_is_waited_for_is_not_given_to_who_can_say_nothing_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        await bench.acquired(bench.other)
        waiting = await bench.mine.line.send("lease.acquire", wait_s=5)
        bench.mine.line.half_close()
        await asyncio.sleep(0.05)
        bench.other.line.writer.transport.abort()
        assert reason(await bench.mine.line.answer(waiting)) == "LEASE_LOST"
        assert not bench.leased()


async def test_whoever_waits_is_given_the_card_when_its_lease_ends(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        lease = await bench.acquired()
        waiting = await bench.other.line.send("lease.acquire", wait_s=5)
        reading = await bench.other.line.send("card.read", wait_s=0.5)
        await asyncio.sleep(0.05)
        bench.at.desk.clock.advance(1)
        assert reason(await bench.other.line.answer(reading)) == "LEASE_HELD"
        await bench.mine.line.result("lease.release", lease=lease)
        assert (await bench.other.line.answer(waiting))["result"]["insertion"] == bench.insertion.id


async def test_a_lease_ends_by_its_time_and_with_its_card(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        lease = await bench.acquired(ttl_s=10)
        bench.at.desk.clock.advance(10)
        assert reason(await bench.mine.line.call("card.read", lease=lease)) == "LEASE_LOST"
        again = await bench.acquired()
        await bench.at.desk.remove("front")
        assert reason(await bench.mine.line.call("card.read", lease=again)) == "LEASE_LOST"


# -- deeds


async def test_a_deed_under_a_lease_asks_for_the_pin_and_nothing_comes_between(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        lease = await bench.acquired()
        verifying = await bench.mine.line.send("card.pin.verify", lease=lease)
        prompt = (await bench.at.prompt())["prompt"]
        for method, params in (("card.read", {}), ("card.transmit", {"apdu": VERIFY})):
            assert reason(await bench.mine.line.call(method, lease=lease, **params)) == "BUSY"
        await bench.mine.line.result("prompt.answer", prompt=prompt, pin="123456")
        assert (await bench.mine.line.answer(verifying))["result"]["done"] == "verified"
        assert await bench.transmit(lease, GET_CHALLENGE)
        await bench.mine.line.result("lease.release", lease=lease)
        assert await bench.closed() == [True]


async def test_a_deed_whose_lease_ends_while_the_holder_types_touches_the_card_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        lease = await bench.acquired()
        verifying = await bench.mine.line.send("card.pin.verify", lease=lease)
        prompt = (await bench.at.prompt())["prompt"]
        await bench.mine.line.result("lease.release", lease=lease)
        bench.commands.clear()
        await bench.mine.line.result("prompt.answer", prompt=prompt, pin="123456")
        assert reason(await bench.mine.line.answer(verifying)) == "LEASE_LOST"
        assert bench.commands == []
        assert (await bench.other.line.result("card.pin.query"))["tries_left"] == 6


# -- commands as they are


async def test_a_command_goes_to_the_card_as_it_is_and_the_answer_comes_as_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        lease = await bench.acquired()
        bench.commands.clear()
        selected = await bench.transmit(lease, SELECT)
        challenge = await bench.transmit(lease, GET_CHALLENGE)
        assert [command.hex() for command in bench.commands] == [SELECT, GET_CHALLENGE]
        assert selected == selected.upper()
        assert (len(challenge), challenge[-4:]) == (20, "9000")
        await bench.mine.line.result("lease.release", lease=lease)
        # nobody here knows what they have opened
        assert await bench.closed() == [True]


@pytest.mark.parametrize("apdu", ["", "0084", "00840000088", "0084 000008", "008400000g", "00" * 65545])
async def test_what_is_no_command_is_refused_and_not_repeated(tmp_path: Path, apdu: str) -> None:
    async with opened(tmp_path) as bench:
        lease = await bench.acquired()
        bench.commands.clear()
        error = await bench.mine.line.refusal("card.transmit", lease=lease, apdu=apdu)
        assert (error["data"]["reason"], error["data"]["path"]) == ("INVALID", "$.apdu")
        assert not apdu or apdu not in str(error)
        assert bench.commands == []


async def test_that_raw_commands_are_sent_is_on_record_once_for_each_lease_before_the_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        lease = await bench.acquired()
        await bench.transmit(lease, GET_CHALLENGE)
        await bench.transmit(lease, VERIFY)
        (told,) = await bench.at.recorded("card.transmitted")
        assert told["station"] == "desk"
        assert "123456" not in str(told)
        await bench.mine.line.result("lease.release", lease=lease)
        again = await bench.acquired()
        await bench.at.journal.close()
        bench.commands.clear()
        answer = await bench.mine.line.call("card.transmit", lease=again, apdu=GET_CHALLENGE)
        assert reason(answer) == "JOURNAL_UNAVAILABLE"
        assert bench.commands == []


async def test_commands_and_answers_do_not_show_when_they_are_printed() -> None:
    assert "123456" not in repr(CardTransmitParams(lease="l", apdu=VERIFY))
    assert "123456" not in repr(CardTransmitResult(response="1234569000"))


# -- who else may want the card


async def test_a_card_that_is_leased_at_once_is_identified_when_the_lease_ends(tmp_path: Path) -> None:
    async with opened(tmp_path) as bench:
        desk = bench.at.desk

        def lease(fact: Fact) -> None:
            if isinstance(fact, CardInserted) and fact.insertion != bench.insertion:
                desk.readers.lease(fact.insertion.id, "somebody", ttl_s=10)

        desk.readers.subscribe(lease)
        card = desk.backend.bays["front"].card
        assert card is not None
        card.commands.clear()
        insertion = await desk.insert("front", card)
        await asyncio.sleep(0.02)
        assert card.commands == []
        desk.clock.advance(10)
        await desk.until(lambda: bench.at.reception.identity_of(insertion.id) is not None, "an identity")
        assert await bench.at.recorded("card.rejected") == []
