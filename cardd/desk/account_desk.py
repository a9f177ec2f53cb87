"""Accounts for clients: one deed a request, on record before it is done, and settled by the card's proof after a tear.

All of it on the event loop's thread; the card's work in the reader's worker.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta, timezone
from functools import partial
from typing import Final, TypeVar, cast
from weakref import WeakValueDictionary

import structlog
from msgspec.structs import replace

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.cards.account import Deed
from cardd.crypto.money import Amounts
from cardd.desk import account, account_reading, account_rows
from cardd.desk.account import (
    Intend,
    Intent,
    Order,
    PurchaseBegun,
    Services,
    Settled,
    UnsettledError,
    finish_debit,
)
from cardd.desk.account_deeds import AccountDeeds, Key
from cardd.desk.account_reading import told_record
from cardd.desk.asking import Asking, Question
from cardd.desk.intending import INTEND_S, wait_for
from cardd.desk.prompts import Purpose
from cardd.desk.reading import Identity
from cardd.desk.reception import CardIdentified, Notice, Reception
from cardd.desk.requests import CardRequests, Chosen
from cardd.desk.social import open_social
from cardd.iso7816.channel import Channel
from cardd.journal.events import DeedRow
from cardd.journal.store import Journal
from cardd.keys.money import Signature
from cardd.readers.insertion import Insertion
from cardd.wire.accounts import (
    AccountBalanceParams,
    AccountBalanceResult,
    AccountChoice,
    AccountDebitParams,
    AccountLoadParams,
    AccountMoved,
    AccountProofParams,
    AccountProofResult,
    AccountRecordsParams,
    AccountRecordsResult,
)

log = structlog.get_logger()

T = TypeVar("T")

JOB_S: Final = 20.0

_CHINA: Final = timezone(timedelta(hours=8))
_TIME: Final = "%Y%m%d%H%M%S"
_TYPES: Final = {"debit": Deed.PURCHASE, "load": Deed.LOAD}

Operation = Callable[[Channel, Insertion], T]
Move = Callable[[Channel, Insertion, Identity | None, Services, Order, Secret | None, Intend, float], Settled]


class AccountDesk:
    """Balance, debit, load, proof and records of the medical account, for clients."""

    def __init__(
        self,
        requests: CardRequests,
        reception: Reception,
        journal: Journal,
        services: Services,
        asking: Asking,
        *,
        clock: Clock,
    ) -> None:
        self._requests = requests
        self._reception = reception
        self._deeds = AccountDeeds(journal)
        self._services = services
        self._asking = asking
        self._clock = clock
        self._running: dict[Key, asyncio.Task[DeedRow]] = {}
        self._settling: set[asyncio.Task[None]] = set()
        # a lock is there for as long as somebody holds it or waits for it
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def recover(self) -> None:
        """Take up the deeds of an earlier daemon of which nobody knows what became, then listen for their cards."""
        await self._deeds.recover()
        self._reception.subscribe(self._notice)

    def close(self) -> None:
        """Stop asking cards. Open deeds are taken up by the next start."""
        for task in self._settling:
            task.cancel()

    # -- looking

    async def balance(self, params: AccountBalanceParams) -> AccountBalanceResult:
        """Return the three sums and the starting day, with the holder's PIN where that was asked for.

        Raises CarddError as `read_balances`, and for the choice.
        """
        if params.with_pin:
            async with self._requests.held(params) as chosen:
                pin = await self._pin_for_account(chosen, "account.balance", None)
                return await self._balance(chosen, pin)
        return await self._balance(await self._requests.choose(params), None)

    async def _balance(self, chosen: Chosen, pin: Secret | None) -> AccountBalanceResult:
        expected = self._reception.identity_of(chosen.insertion.id)
        found = await self._run(
            chosen, lambda channel, inside: account_reading.read_balances(channel, inside, expected, pin)
        )
        return AccountBalanceResult(
            insertion=chosen.insertion.id,
            account=found.account,
            self_paid=found.self_paid,
            pool=found.pool,
            year=found.year,
            starting_day=found.starting_day,
        )

    async def records(self, params: AccountRecordsParams, request: str | None = None) -> AccountRecordsResult:
        """Return the card's transactions, the newest first; the holder is asked for the PIN where one is set.

        The prompt bears `request`, so that whoever called knows it.
        """
        async with self._requests.held(params) as chosen:
            expected = self._reception.identity_of(chosen.insertion.id)
            pin = await self._pin(chosen, "account.records", request)
            found = await self._run(
                chosen, lambda channel, inside: account_reading.read_debit_records(channel, inside, expected, pin)
            )
        return AccountRecordsResult(
            insertion=chosen.insertion.id, records=[told_record(fields) for fields in found[: params.limit]]
        )

    async def proof(self, params: AccountProofParams, *, client: str) -> AccountProofResult:
        """Return the card's word on a deed. That of an open `request` is settled by it, and on record."""
        if (params.request is None) == (params.sequence is None):
            raise CarddError(Reason.INVALID, "name either a `request` or a `sequence`", path="$")
        chosen = await self._requests.choose(params)
        if params.request is not None:
            return await self._proof_of_request(chosen, client, params.request)
        sequence, deed = params.sequence or 0, _TYPES[params.type]
        expected = self._reception.identity_of(chosen.insertion.id)
        found = await self._run(
            chosen, lambda channel, inside: account_reading.read_proof(channel, inside, expected, deed, sequence)
        )
        return AccountProofResult(
            insertion=chosen.insertion.id,
            outcome="not_done" if found is None else "done",
            sequence=sequence,
            tac=None if found is None else found.tac.hex().upper(),
            mac=None if found is None else found.mac.hex().upper(),
        )

    # -- moving

    async def debit(
        self,
        params: AccountDebitParams,
        *,
        client: str,
        time: str | None = None,
        asked: str | None = None,
        untold: bool = False,
    ) -> AccountMoved:
        """Take money once. The same request gives the same answer, also after a restart.

        `time` (YYYYMMDDHHMMSS) is the bill's, now where none is given; `asked` names the prompt, else the request does.
        One that is `untold` is kept as such until `told` says otherwise.

        Raises CarddError: INVALID for a request that was something else; as `account.debit` where nothing was moved and
        nothing was on record yet: the same request may then be tried again.
        """
        amounts = Amounts(params.account, params.self_paid, params.pool)
        order = replace(self._order(Deed.PURCHASE, amounts, params, time), untold=untold)
        return await self._once(params, params.request, client, order, account.debit, asked)

    async def known(self, client: str, request: str) -> AccountMoved | None:
        """Return how a request stands on record, None for one that was never begun.

        Raises CarddError: INVALID for one that was no account's; as `account_rows.check_told`.
        """
        row = await self._deeds.known((client, request))
        if row is None:
            return None
        if not account_rows.is_here(row):
            raise CarddError(Reason.INVALID, "this request was another deed: give each its own", path="$.request")
        account_rows.check_told(row)
        return account_rows.result_of(row)

    def open(self) -> list[DeedRow]:
        """Return the deeds of which only their cards know what became of them."""
        return self._deeds.open()

    def untold(self) -> Sequence[DeedRow]:
        """Return the deeds of an earlier daemon of whose end somebody had still to be told."""
        return self._deeds.untold

    def told(self, client: str, request: str) -> None:
        """Have it on record that somebody was told what became of a request; it is not waited for."""
        self._deeds.told((client, request))

    async def settled(
        self, params: AccountChoice, request: str, *, client: str, asked: str | None = None
    ) -> AccountMoved:
        """Return what became of a request, by the card's word where nobody knows yet.

        `asked` names the prompt, else the request does. Raises CarddError as `proof`.
        """
        running = self._running.get((client, request))
        if running is not None:
            await asyncio.wait([running])
        return await self._settled(await self._requests.choose(params), client, request, asked)

    async def finish(
        self, chosen: Chosen, begun: PurchaseBegun, time: bytes, signature: Signature, *, request: str, client: str
    ) -> AccountMoved:
        """Take the money of a purchase that was begun on a card which is held since, once.

        Raises CarddError: INVALID for a request that was a deed already; as `account.finish_debit` where nothing was
        moved and nothing was on record yet.
        """
        key = (client, request)
        if await self._deeds.known(key) is not None:
            raise CarddError(Reason.INVALID, "this request was another deed: give each its own", path="$.request")

        def move(*given: object) -> Settled:
            *_, intend, _deadline = given
            return finish_debit(begun, time, signature, cast("Intend", intend))

        return account_rows.result_of(await self._move(chosen, key, begun.order, move, None))

    async def load(self, params: AccountLoadParams, *, client: str) -> AccountMoved:
        """Put money on the account once, as `debit`."""
        order = self._order(Deed.LOAD, Amounts(params.amount), params, None)
        return await self._once(params, params.request, client, order, account.load, None)

    def _order(
        self, deed: Deed, amounts: Amounts, params: AccountDebitParams | AccountLoadParams, time: str | None
    ) -> Order:
        now = self._clock.now().astimezone(_CHINA).strftime(_TIME)
        return Order(deed, amounts, time or now, params.key_index)

    async def _once(
        self, params: AccountChoice, request: str, client: str, order: Order, move: Move, asked: str | None
    ) -> AccountMoved:
        key = (client, request)
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(self._do(params, key, order, move, asked))
            running.add_done_callback(partial(self._ended, key))
        row = await asyncio.shield(running)
        if not account_rows.same_order(row, order):
            raise CarddError(Reason.INVALID, "this request was another deed: give each its own", path="$.request")
        return account_rows.result_of(row)

    def _ended(self, key: Key, running: "asyncio.Task[DeedRow]") -> None:
        self._running.pop(key, None)
        if not running.cancelled():
            # read, so that asyncio does not complain where whoever asked is gone
            running.exception()

    async def _do(self, params: AccountChoice, key: Key, order: Order, move: Move, asked: str | None) -> DeedRow:
        known = await self._deeds.known(key)
        if known is not None:
            return known
        async with self._requests.held(params) as chosen:
            pin = await self._pin_for_account(chosen, account_rows.METHODS[order.deed], asked or key[1])
            return await self._move(chosen, key, order, move, pin)

    async def _move(self, chosen: Chosen, key: Key, order: Order, move: Move, pin: Secret | None) -> DeedRow:
        """Do a deed that is not known yet, and return its row: ended, or open where only the card knows."""
        expected = self._reception.identity_of(chosen.insertion.id)
        deadline = self._clock.monotonic() + JOB_S
        loop = asyncio.get_running_loop()

        def intend(intent: Intent) -> None:
            """Have the intent made durable, on the worker's thread, while the card waits in its power."""
            left = min(INTEND_S, deadline - self._clock.monotonic())
            wait_for(loop, lambda: self._deeds.intend(key, chosen.insertion, intent), left)

        def operation(channel: Channel, inside: Insertion) -> Settled:
            return move(channel, inside, expected, self._services, order, pin, intend, deadline)

        try:
            settled = await self._run(chosen, operation)
        except (CarddError, UnsettledError) as error:
            return await self._deeds.fail(key, error)
        return await self._deeds.settle(key, settled)

    # -- settling

    def _notice(self, notice: Notice) -> None:
        """Ask a card that has come back what became of the deeds that are open on it."""
        if not isinstance(notice, CardIdentified):
            return
        for key in self._deeds.open_on(notice.identity):
            task = asyncio.get_running_loop().create_task(self._settle_quietly(Chosen(notice.insertion), key))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    async def _settle_quietly(self, chosen: Chosen, key: Key) -> None:
        try:
            await self._settle(chosen, key, None)
        except CarddError as error:
            # it stays open: the client may ask with the PIN, or the card comes again
            log.info("account.still_in_doubt", insertion=chosen.insertion.id, reason=str(error.reason))

    async def _proof_of_request(self, chosen: Chosen, client: str, request: str) -> AccountProofResult:
        result = await self._settled(chosen, client, request, None)
        return AccountProofResult(
            insertion=chosen.insertion.id,
            outcome=result.outcome,
            sequence=result.sequence,
            tac=result.tac,
            mac=result.mac,
        )

    async def _settled(self, chosen: Chosen, client: str, request: str, asked: str | None) -> AccountMoved:
        key = (client, request)
        row = await self._deeds.known(key)
        if not account_rows.is_here(row):
            raise CarddError(Reason.NOT_FOUND, "no such request is on record", path="$.request")
        account_rows.check_told(row)
        if row.open:
            try:
                row = await self._settle(chosen, key, None)
            except CarddError as error:
                if error.reason is not Reason.ACCESS_DENIED:
                    raise
                pin = await self._pin(chosen, "account.proof", asked or request)
                row = await self._settle(chosen, key, pin)
        return account_rows.result_of(row)

    async def _settle(self, chosen: Chosen, key: Key, pin: Secret | None) -> DeedRow:
        """Ask the card about one deed, unless that is settled by now: its return and a client may ask at once."""
        running = self._running.get(key)
        if running is not None:
            await asyncio.wait([running])
        async with self._turns.setdefault(key, asyncio.Lock()):
            return await self._settle_now(chosen, key, pin)

    async def _settle_now(self, chosen: Chosen, key: Key, pin: Secret | None) -> DeedRow:
        row = await self._deeds.known(key)
        if row is None:
            raise CarddError(Reason.NOT_FOUND, "no such request is on record")
        if not self._deeds.is_open(key):
            return row
        intent, deadline = account_rows.intent_of(row), self._clock.monotonic() + JOB_S
        settled = await self._run(
            chosen,
            lambda channel, inside: account_reading.ask_proof(channel, inside, self._services, intent, deadline, pin),
        )
        return await self._deeds.settle(key, settled)

    # -- the card

    async def _run(self, chosen: Chosen, operation: Operation[T]) -> T:
        return await self._requests.run(chosen, operation, timeout_s=JOB_S)

    async def _pin(self, chosen: Chosen, method: str, request: str | None) -> Secret | None:
        """Have the holder type the PIN where one is set. Raises CarddError(PIN_LOCKED), and as `Asking.ask` does."""
        return await self._typed(chosen, await self._run(chosen, _tries), method, request)

    async def _pin_for_account(self, chosen: Chosen, method: str, request: str | None) -> Secret | None:
        """Have it typed for an account in use. Before anybody is asked raises FILE_ABSENT, ACCOUNT_NOT_IN_USE."""
        return await self._typed(chosen, await self._run(chosen, _tries_with_account), method, request)

    async def _typed(self, chosen: Chosen, left: int | None, method: str, request: str | None) -> Secret | None:
        if left is None:
            return None
        if left == 0:
            raise CarddError(Reason.PIN_LOCKED, tries_left=0)
        return await self._asking.ask(Question(chosen.insertion, Purpose.SOCIAL_PIN, method, left, request))


def _tries(channel: Channel, insertion: Insertion) -> int | None:
    card = open_social(channel, insertion)
    if card is None:
        raise CarddError(Reason.FILE_ABSENT, "the card has no medical account")
    return card.environment.pin_tries()


def _tries_with_account(channel: Channel, insertion: Insertion) -> int | None:
    left = _tries(channel, insertion)
    account.find(channel)
    return left
