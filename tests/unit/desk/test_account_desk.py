"""Deeds on an account for clients: a real journal, real readers and workers, a virtual card with an account."""

import asyncio
import gc
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.account import account_card
from support.cards import ROOT, software_keys
from support.modules import Desk, virtual
from support.readers import Card

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.block import Algorithm
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.account import Services
from cardd.desk.account_desk import JOB_S, AccountDesk
from cardd.desk.asking import Asking
from cardd.desk.reception import Reception
from cardd.desk.requests import CardRequests
from cardd.desk.stopped import StoppedKeys
from cardd.journal.delivery import Delivery
from cardd.journal.events import DeedRow, Lost
from cardd.journal.store import Journal
from cardd.keys.software_money import SoftwareMoney
from cardd.wire.accounts import (
    AccountBalanceParams,
    AccountDebitParams,
    AccountLoadParams,
    AccountMoved,
    AccountProofParams,
    AccountRecordsParams,
)
from cardsim.card.base import VirtualCard

pytestmark = pytest.mark.asyncio

SEALER = Sm4GcmSealer(Secret(b"0123456789abcdef"))
TERMINAL = bytes.fromhex("510100000001")
DEBIT, CREDIT, INITIALIZE = 0x2C, 0x2A, 0x28
PIN = Secret(b"123456")
PAY = AccountDebitParams(request="r-1", account=12_50, self_paid=3_00, pool=20_00)
TOP_UP = AccountLoadParams(request="r-2", amount=50_00)


class Till:
    """A counter with an account desk, and the holder at its keypad."""

    def __init__(self, desk: Desk, journal: Journal) -> None:
        self.desk = desk
        self.journal = journal
        self.pins: list[Secret | None] = [PIN]
        keys = software_keys()
        self.reception = Reception(desk.readers, journal, keys, clock=desk.clock)
        stopped = StoppedKeys()
        requests = CardRequests(desk.readers, keys, stopped, clock=desk.clock, token_key=Secret(bytes(16)))
        self.asking = Asking(journal, clock=desk.clock)
        money = SoftwareMoney(Secret(ROOT), tests_only=True, terminal=TERMINAL)
        self.accounts = AccountDesk(
            requests, self.reception, journal, Services(keys, money), self.asking, clock=desk.clock
        )
        self._holder = asyncio.create_task(self._type())

    async def _type(self) -> None:
        """Answer every prompt as it comes, the last PIN again and again."""
        told: asyncio.Queue[str] = asyncio.Queue()

        def look(events: Any) -> None:
            for event in events:
                if event.type == "prompt.opened":
                    told.put_nowait(json.loads(event.data)["prompt"])

        self.journal.subscribe(look)
        while True:
            prompt = await told.get()
            # the event is told first, then the prompt is open
            await self.desk.until(lambda: self.asking.knows(prompt))  # noqa: B023 - asked before the next one comes
            await self.asking.answer(prompt, self.pins.pop(0) if len(self.pins) > 1 else self.pins[0])

    def close(self) -> None:
        self._holder.cancel()
        self.accounts.close()
        self.reception.close()

    async def debit(self, params: AccountDebitParams = PAY, client: str = "till") -> AccountMoved:
        return await self.accounts.debit(params, client=client)

    async def told(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the data of all events of these types, whole."""
        delivery = Delivery(SEALER, "/cardd/test")
        events = [event for event in await self.journal.read(0, 1000) if event.type in kinds]
        return [json.loads(delivery.event(event, personal=True))["data"] for event in events]

    async def balance(self) -> int:
        return (await self.accounts.balance(AccountBalanceParams())).account

    async def until(self, kind: str) -> dict[str, Any]:
        for _ in range(3000):
            found = await self.told(kind)
            if found:
                return found[0]
            await asyncio.sleep(0.001)
        raise AssertionError(f"no {kind}")


@asynccontextmanager
async def till(directory: Path) -> AsyncIterator[Till]:
    async with Desk() as desk:
        journal = Journal.open(directory / "journal", sealer=SEALER, clock=desk.clock, source="/cardd/test")
        opened = Till(desk, journal)
        opened.reception.start()
        await opened.accounts.recover()
        try:
            yield opened
        finally:
            opened.close()
            await journal.close()


class AccountCard:
    """A card with 1000.00 on it that can be torn out in the middle of a command."""

    def __init__(self, directory: Path, **changes: Any) -> None:
        self.card: VirtualCard = account_card(directory, Algorithm.SM4, **changes).on("contact")
        self.commands: list[int] = []
        self.before: dict[int, Callable[[], None]] = {}
        self.after: dict[int, Callable[[], None]] = {}

    def laid(self) -> Card:
        """Return it as it lies in a slot, powered anew."""
        return Card(self.card.power_on(), self._transmit)

    def _transmit(self, command: bytes) -> bytes:
        self.commands.append(command[1])
        self.before.pop(command[1], _nothing)()
        answer = self.card.transmit(command)
        self.after.pop(command[1], _nothing)()
        return answer


def _nothing() -> None:
    """Do nothing."""


def _wait(event: threading.Event) -> None:
    event.wait(5)


def torn() -> None:
    raise CarddError(Reason.CARD_REMOVED)


async def refusal(work: Any) -> CarddError:
    with pytest.raises(CarddError) as caught:
        await work
    return caught.value


async def test_a_debit_is_on_record_before_it_is_done_and_ends_with_what_both_sides_proved(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        card = AccountCard(tmp_path)
        seen: list[int] = []
        card.before[DEBIT] = lambda: seen.append(t.journal.last)
        await t.desk.insert("front", card.laid())
        moved = await t.debit()
        assert (moved.outcome, moved.tac_right, moved.mac_right, moved.by_proof) == ("done", True, True, False)
        assert (moved.sequence, moved.terminal, moved.terminal_sequence) == (3, "510100000001", 1)
        assert (moved.account, moved.self_paid, moved.pool, moved.balance_before) == (12_50, 3_00, 20_00, 1000_00)
        (intended,) = await t.told("account.intended")
        assert (intended["request"], intended["outcome"], intended["sequence"]) == ("r-1", None, 3)
        events = await t.journal.read(0, 1000)
        assert next(event.sequence for event in events if event.type == "account.intended") <= seen[0]
        (debited,) = await t.told("account.debited")
        assert debited["outcome"] == "done"
        assert debited["amounts"] == {"account": 12_50, "self_paid": 3_00, "pool": 20_00}
        assert await t.balance() == 987_50


async def test_nobody_reads_amounts_or_numbers_in_the_public_part(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        await t.desk.insert("front", AccountCard(tmp_path).laid())
        await t.debit()
        for event in await t.journal.read(0, 1000):
            if event.type.startswith("account."):
                data = json.loads(event.data)
                assert data["amounts"] is None
                assert data["number"] == "*****001X"
                assert "1250" not in event.data.decode()


async def test_the_same_request_is_the_same_deed_also_for_a_client_that_asks_twice_at_once(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        card = AccountCard(tmp_path)
        await t.desk.insert("front", card.laid())
        first, second = await asyncio.gather(t.debit(), t.debit())
        assert first == second == await t.debit()
        assert card.commands.count(DEBIT) == 1
        assert await t.balance() == 987_50
        # another client's request is another deed
        assert (await t.debit(client="desk")).sequence == 4


async def test_a_request_that_was_another_deed_is_refused(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        await t.desk.insert("front", AccountCard(tmp_path).laid())
        await t.debit()
        other = AccountDebitParams(request="r-1", account=1)
        assert (await refusal(t.debit(other))).reason is Reason.INVALID
        load = AccountLoadParams(request="r-1", amount=12_50)
        assert (await refusal(t.accounts.load(load, client="till"))).reason is Reason.INVALID
        assert await t.balance() == 987_50


async def test_a_load_is_recorded_as_one(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        await t.desk.insert("front", AccountCard(tmp_path).laid())
        moved = await t.accounts.load(TOP_UP, client="till")
        assert (moved.outcome, moved.tac_right, moved.sequence) == ("done", True, 7)
        assert (await t.told("account.loaded"))[0]["outcome"] == "done"
        assert await t.balance() == 1050_00


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("command", [DEBIT, CREDIT])
async def test_after_a_tear_the_card_is_asked_when_it_comes_back_and_nothing_is_repeated(
    tmp_path: Path, command: int, *, done: bool
) -> None:
    async with till(tmp_path) as t:
        card = AccountCard(tmp_path)
        await t.desk.insert("front", card.laid())
        (card.after if done else card.before)[command] = torn
        move = t.debit() if command == DEBIT else t.accounts.load(TOP_UP, client="till")
        moved = await move
        assert moved.outcome == "in_doubt"
        await t.desk.remove("front")
        await t.desk.insert("front", card.laid())
        ended = await t.until("account.debited" if command == DEBIT else "account.loaded")
        assert (ended["outcome"], ended["by_proof"]) == ("done" if done else "not_done", True)
        again = await (t.debit() if command == DEBIT else t.accounts.load(TOP_UP, client="till"))
        assert again.outcome == ("done" if done else "not_done")
        assert card.commands.count(command) == 1


async def test_another_card_is_not_asked_for_a_deed_that_is_not_its_own(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        card = AccountCard(tmp_path)
        await t.desk.insert("front", card.laid())
        card.before[DEBIT] = torn
        await t.debit()
        await t.desk.remove("front")
        other = virtual("p5-offline")
        insertion = await t.desk.insert("front", other)
        await t.desk.until(lambda: t.reception.identity_of(insertion.id) is not None)
        assert 0x2E not in [command[1] for command in other.commands]
        error = await refusal(t.accounts.proof(AccountProofParams(request="r-1"), client="till"))
        assert error.reason is Reason.CARD_DATA_DIFFERS


async def test_a_deed_that_was_open_when_the_daemon_ended_is_settled_by_the_next(tmp_path: Path) -> None:
    card = AccountCard(tmp_path)
    async with till(tmp_path) as t:
        await t.desk.insert("front", card.laid())
        card.after[DEBIT] = torn
        assert (await t.debit()).outcome == "in_doubt"
    async with till(tmp_path) as t:
        assert (await t.debit()).outcome == "in_doubt"
        await t.desk.insert("front", card.laid())
        assert (await t.until("account.debited"))["outcome"] == "done"
        moved = await t.debit()
        assert (moved.outcome, moved.by_proof, moved.tac_right, moved.mac_right) == ("done", True, True, True)
    async with till(tmp_path) as t:
        assert await t.debit() == moved
    assert card.commands.count(DEBIT) == 1


async def test_the_client_may_ask_for_the_proof_itself(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        await t.desk.insert("front", AccountCard(tmp_path).laid())
        moved = await t.debit()
        by_request = await t.accounts.proof(AccountProofParams(request="r-1"), client="till")
        by_sequence = await t.accounts.proof(AccountProofParams(sequence=3), client="till")
        assert (by_request.outcome, by_request.tac, by_request.mac) == ("done", moved.tac, moved.mac)
        assert by_sequence == by_request
        never = await t.accounts.proof(AccountProofParams(sequence=4, type="load"), client="till")
        assert (never.outcome, never.tac) == ("not_done", None)
        for wrong in (AccountProofParams(), AccountProofParams(request="r-1", sequence=3)):
            assert (await refusal(t.accounts.proof(wrong, client="till"))).reason is Reason.INVALID
        error = await refusal(t.accounts.proof(AccountProofParams(request="r-9"), client="till"))
        assert error.reason is Reason.NOT_FOUND


async def test_a_deed_that_is_asked_about_several_times_at_once_is_settled_once(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        card = AccountCard(tmp_path)
        await t.desk.insert("front", card.laid())
        card.after[DEBIT] = torn
        assert (await t.debit()).outcome == "in_doubt"
        await t.desk.remove("front")
        await t.desk.insert("front", card.laid())
        ask = AccountProofParams(request="r-1")
        answers = await asyncio.gather(*(t.accounts.proof(ask, client="till") for _ in range(3)))
        assert [answer.outcome for answer in answers] == ["done"] * 3
        await t.desk.drained()
        assert len(await t.told("account.debited")) == 1


async def test_nothing_is_kept_of_a_deed_that_was_asked_about_in_vain(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        card = AccountCard(tmp_path)
        insertion = await t.desk.insert("front", card.laid())
        card.before[DEBIT] = torn
        assert (await t.debit()).outcome == "in_doubt"
        refused = await refusal(
            t.accounts.proof(AccountProofParams(request="r-1", insertion=insertion.id), client="till")
        )
        assert refused.reason is Reason.STALE_INSERTION
        other = await t.desk.insert("front", virtual("p5-offline"))
        refused = await refusal(t.accounts.proof(AccountProofParams(request="r-1", insertion=other.id), client="till"))
        assert refused.reason is Reason.CARD_DATA_DIFFERS
        # it took its turn at that deed
        assert not t.accounts._turns


async def test_a_deed_that_ends_in_time_out_after_its_caller_has_gone_leaves_no_error_that_nobody_saw(
    tmp_path: Path,
) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with till(tmp_path) as t:
        card, over = AccountCard(tmp_path), threading.Event()
        card.before[INITIALIZE] = lambda: _wait(over)
        await t.desk.insert("front", card.laid())
        asked = asyncio.create_task(t.debit())
        await t.desk.until(lambda: INITIALIZE in card.commands)
        asked.cancel()
        await asyncio.sleep(0)
        t.desk.clock.advance(JOB_S)
        over.set()
        await t.desk.until(lambda: not t.accounts._running)
        await t.desk.drained()
    # what was cancelled knows the deed that it waited for
    del asked
    gc.collect()
    assert told == []


async def test_a_refusal_before_the_intent_leaves_the_request_free(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        card = AccountCard(tmp_path)
        await t.desk.insert("front", card.laid())
        too_much = AccountDebitParams(request="r-1", account=1000_01)
        assert (await refusal(t.debit(too_much))).reason is Reason.BALANCE_TOO_SMALL
        assert await t.told("account.intended", "account.debited") == []
        assert (await t.debit()).outcome == "done"


async def test_a_refusal_of_the_money_command_is_the_deeds_end(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        card = AccountCard(tmp_path)
        laid = card.laid()
        inner = laid.answer
        laid.answer = lambda command: b"\x93\x02" if command[1] == DEBIT else inner(command)
        await t.desk.insert("front", laid)
        moved = await t.debit()
        assert (moved.outcome, moved.reason) == ("not_done", "STATUS_WORD")
        assert (await t.told("account.debited"))[0]["outcome"] == "not_done"
        laid.answer = inner
        assert (await t.debit()) == moved


async def test_the_holder_types_the_pin_and_may_cancel(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        card = AccountCard(tmp_path)
        await t.desk.insert("front", card.laid())
        t.pins = [None, Secret(b"999999"), PIN]
        assert (await refusal(t.debit())).reason is Reason.PIN_CANCELLED
        error = await refusal(t.debit())
        assert (error.reason, error.facts["tries_left"]) == (Reason.PIN_WRONG, 5)
        assert INITIALIZE not in card.commands
        assert (await t.debit()).outcome == "done"
        opened = await t.told("prompt.opened")
        assert [(event["method"], event["tries_left"]) for event in opened] == [
            ("account.debit", 6),
            ("account.debit", 6),
            ("account.debit", 5),
        ]


async def test_a_card_without_a_pin_asks_nobody(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        await t.desk.insert("front", AccountCard(tmp_path, pin="").laid())
        assert (await t.debit()).outcome == "done"
        assert await t.told("prompt.opened") == []


async def test_the_station_is_held_while_money_is_moved(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        card = AccountCard(tmp_path)
        await t.desk.insert("front", card.laid())
        held: list[str | None] = []
        card.before[DEBIT] = lambda: held.append(t.desk.readers.reserved_by("desk"))
        await t.debit()
        assert held[0] is not None
        assert t.desk.readers.reserved_by("desk") is None
        t.desk.readers.reserve("desk", "an-activation")
        assert (await refusal(t.debit(AccountDebitParams(request="r-5", account=1)))).reason is Reason.BUSY


async def test_the_cards_own_records_are_shown_newest_first(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        await t.desk.insert("front", AccountCard(tmp_path).laid())
        await t.debit()
        await t.accounts.load(TOP_UP, client="till")
        newest, before = (await t.accounts.records(AccountRecordsParams(limit=2))).records
        assert (newest.type, newest.sequence, newest.account, newest.self_paid) == ("1", "0007", 50_00, 0)
        assert (before.type, before.terminal, before.account, before.pool) == ("2", "510100000001", 12_50, 20_00)


async def test_a_balance_that_wants_the_pin_is_told_once_the_holder_was_asked(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        await t.desk.insert("front", AccountCard(tmp_path, toggles={"balance_asked": "with_pin"}).laid())
        assert (await refusal(t.accounts.balance(AccountBalanceParams()))).reason is Reason.ACCESS_DENIED
        assert await t.told("prompt.opened") == []
        assert (await t.accounts.balance(AccountBalanceParams(with_pin=True))).account == 1000_00
        assert len(await t.told("prompt.opened")) == 1


async def test_a_card_without_an_account_has_none(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        await t.desk.insert("front", virtual("old-jia"))
        assert (await refusal(t.accounts.balance(AccountBalanceParams()))).reason is Reason.FILE_ABSENT
        assert (await refusal(t.debit())).reason is Reason.FILE_ABSENT


# -- cards whose account is not in use

ONLINE: dict[str, Any] = {"files": {"DF04EF05": {"8F": "1"}}}


@pytest.mark.parametrize("pin", ["123456", None])
@pytest.mark.parametrize("deed", ["balance", "balance with the PIN", "debit", "load"])
async def test_a_card_for_use_online_only_has_no_account_in_use_and_nobody_is_asked_for_a_pin(
    tmp_path: Path, deed: str, pin: str | None
) -> None:
    async with till(tmp_path) as at:
        card = AccountCard(tmp_path, pin=pin, **ONLINE)
        await at.desk.insert("front", card.laid())
        deeds: dict[str, Callable[[], Any]] = {
            "balance": lambda: at.accounts.balance(AccountBalanceParams()),
            "balance with the PIN": lambda: at.accounts.balance(AccountBalanceParams(with_pin=True)),
            "debit": at.debit,
            "load": lambda: at.accounts.load(TOP_UP, client="till"),
        }
        with pytest.raises(CarddError) as caught:
            await deeds[deed]()
        assert (caught.value.reason, caught.value.facts["status_word"]) == (Reason.ACCOUNT_NOT_IN_USE, "6985")
        assert await at.told("prompt.opened", "account.intended") == []
        assert INITIALIZE not in card.commands


async def test_a_card_that_wants_the_pin_for_its_balance_is_none_without_an_account(tmp_path: Path) -> None:
    async with till(tmp_path) as at:
        card = AccountCard(tmp_path, toggles={"balance_asked": "with_pin"})
        await at.desk.insert("front", card.laid())
        assert (await at.debit()).outcome == "done"


@pytest.mark.parametrize("why", list(Lost))
async def test_of_a_deed_whose_money_cannot_be_told_any_more_is_told_how_it_ended_and_it_is_not_done_again(
    tmp_path: Path, why: Lost
) -> None:
    async with till(tmp_path) as t:
        card = AccountCard(tmp_path)
        await t.desk.insert("front", card.laid())
        await t.debit()
        sealed = b"" if why is Lost.ERASED else b"of another key"
        await t.journal.record(also=lambda file: file.execute("UPDATE deeds SET sealed = ?", (sealed,)))
        for asked in (t.debit(), t.accounts.proof(AccountProofParams(request="r-1"), client="till")):
            told = await refusal(asked)
            reason = Reason.NOT_FOUND if why is Lost.ERASED else Reason.JOURNAL_UNAVAILABLE
            assert (told.reason, told.facts["personal"], told.facts["outcome"]) == (reason, str(why), "done")
        assert card.commands.count(DEBIT) == 1


async def test_a_request_that_was_no_account_s_is_refused(tmp_path: Path) -> None:
    async with till(tmp_path) as t:
        await t.desk.insert("front", AccountCard(tmp_path).laid())
        await t.journal.record(deed=DeedRow("till", "r-1", "card.write", open=False, data={"about": "x"}))
        assert (await refusal(t.debit())).reason is Reason.INVALID
        proof = t.accounts.proof(AccountProofParams(request="r-1"), client="till")
        assert (await refusal(proof)).reason is Reason.NOT_FOUND
