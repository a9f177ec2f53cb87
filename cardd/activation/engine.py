"""The engine: takes facts, commits transitions, does their effects.

Each open activation has one task that takes outcomes from its queue, one after the other. A transition is adopted only
after its commit, and its effects are begun only after that; so what the journal says is what was intended, and nothing
outside happens that the journal does not know of. All of it runs on the event loop's thread.
"""

import asyncio
import secrets
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

import msgspec
import structlog

from cardd.activation import facts
from cardd.activation.authority import Authority
from cardd.activation.beginning import beginning, check_start, is_of, new_case
from cardd.activation.case import Case, from_row, masked, result, to_row
from cardd.activation.course import Step, account, noted, setting_of
from cardd.activation.effects import Effect, Purpose
from cardd.activation.facts import Fact
from cardd.activation.judge import judge
from cardd.activation.live import Item, Live
from cardd.activation.moves import AFTER_NO_RETURN, Known, Move
from cardd.activation.policy import Policy
from cardd.activation.ports import ActivationJournal, Counter, KeysChanged, Notice
from cardd.activation.routes import TABLES
from cardd.activation.storing import Storing
from cardd.activation.timing import within
from cardd.activation.transition import Moment, advance, begun, remaining_s, told
from cardd.activation.work import Job, Work
from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.desk.prompts import Prompts
from cardd.journal.events import ActivationRow
from cardd.wire.activation import ENDS, ActivationResult, ActivationStartParams, Route, State
from cardd.wire.cards import Kind
from cardd.wire.incident import Incident

T = TypeVar("T")

log = structlog.get_logger(__name__)

AUTO_CLIENT: Final = "auto"
_TOO_LATE: Final = AFTER_NO_RETURN | {State.COMPLETED}


class Engine:
    """The activations of this machine."""

    def __init__(
        self,
        counter: Counter,
        authority: Authority,
        journal: ActivationJournal,
        *,
        policy: Policy,
        clock: Clock,
        terminal: str,
        provider: str = "local",
    ) -> None:
        """Begin with nothing open; `provider` names the authority's, for accounts of what went on."""
        self._counter = counter
        self._provider = provider
        self._journal = journal
        self._policy = policy
        self._clock = clock
        self._storing = Storing(journal, clock, self._pause_s)
        self._prompts = Prompts()
        self._work = Work(counter, authority, self._prompts, policy, clock, terminal)
        self._live: dict[str, Live] = {}
        self._beginning: dict[tuple[str, str], asyncio.Task[str]] = {}
        """Requests under way; the journal knows all others."""
        self._tasks: set[asyncio.Task[Any]] = set()

    # -- life

    async def recover(self) -> None:
        """Take up what an earlier daemon left open, then listen to the readers. Call it once, before clients come.

        Before the point of no return an activation goes on where it stood, unless its deadline has passed meanwhile:
        cards and digits are asked for again. After it, it goes forward.
        """
        marks = []
        # all of them: what can never be taken up, for want of its sealing key, must not stand before what can
        for row in await self._journal.activations(open_only=True, limit=None):
            if row.personal_lost:
                # only masks are left, which nobody may be asked about: it stays open until the sealing key is back
                log.error("activation.unreadable", activation=row.id)
                continue
            try:
                case = from_row(row)
            except msgspec.ValidationError:
                log.error("activation.unreadable", activation=row.id)  # noqa: TRY400 - the message may hold data
                continue
            self._hold_again(case)
            live = self._begin(case)
            late = case.state not in AFTER_NO_RETURN and remaining_s(case, self._clock.now()) <= 0
            marks.append(live.post(facts.Restarted(late=late)))
        await asyncio.gather(*marks)
        self._counter.subscribe(self._notice)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    def follow(self, policy: Policy) -> None:
        """Go by another policy from now on: what is open too, as it would after a restart. Deadlines that run, stay."""
        self._policy = policy
        self._work.follow(policy)

    async def close(self) -> None:
        """Stop without ending anything: open activations are taken up by the next start."""
        for live in self._live.values():
            live.disarm()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for activation in self._live:
            self._prompts.forget(activation)

    # -- what clients ask

    async def start(self, params: ActivationStartParams, *, client: str) -> str:
        """Begin an activation and return its id; the same client's same `request` gives the same activation.

        That holds for as long as the journal keeps it. It is carried out to its commit also when the caller is gone.

        Raises CarddError: INVALID for a route that is not offered, a station that cannot be guessed, or a request that
        was another activation; NOT_FOUND for an unknown station or reader; BUSY while the station has another
        activation; JOURNAL_FULL, JOURNAL_UNAVAILABLE.
        """
        if params.request is None:
            return await asyncio.shield(self._spawn(self._start(params, client)))
        key = (client, params.request)
        if key not in self._beginning:
            self._beginning[key] = task = self._spawn(self._start_once(params, *key))
            task.add_done_callback(lambda _: self._beginning.pop(key))
        activation = await asyncio.shield(self._beginning[key])
        if not is_of(await self._case(activation), params):
            detail = "this request was another activation: give each its own"
            raise CarddError(Reason.INVALID, detail, path="$.request")
        return activation

    async def cancel(self, activation: str) -> None:
        """End an activation that has not reached its point of no return; one that has ended otherwise stays so.

        Raises CarddError: NOT_FOUND, TOO_LATE, JOURNAL_UNAVAILABLE for one that could not be taken up.
        """
        live = self._live.get(activation)
        state = (await self._case(activation)).state if live is None else await live.post(facts.CancelAsked())
        if live is None and state not in ENDS:
            detail = "what is sealed of it does not open with the key of today: it waits for the key that it began with"
            raise CarddError(Reason.JOURNAL_UNAVAILABLE, detail)
        if state in _TOO_LATE:
            raise CarddError(Reason.TOO_LATE, f"the activation is {state}")

    async def answer(self, prompt: str, pin: Secret | None) -> None:
        """Give a prompt its digits, or None to cancel it; returns when that is committed.

        Raises CarddError: NOT_FOUND for a prompt that is not open, PIN_LENGTH (the prompt stays open).
        """
        asked = self._prompts.answer(prompt, pin)
        outcome = facts.PromptCancelled() if pin is None else facts.Answered(asked.purpose)
        await self._live[asked.owner].post(outcome)

    async def view(self, activation: str, *, personal: bool) -> ActivationResult:
        """Return an activation as committed, open or ended, whole or masked. Raises CarddError(NOT_FOUND).

        Where whole personal data are wanted and lost, it is masked and its `personal` says why.
        """
        if not personal:
            return result(masked(await self._case(activation)))
        live = self._live.get(activation)
        if live is not None:
            return result(live.case)
        row = await self._row(activation)
        return result(from_row(row), lost=row.personal_lost)

    async def incident(self, activation: str) -> Incident:
        """Return the account of an activation, open or ended: no person is in it. Raises CarddError(NOT_FOUND)."""
        live = self._live.get(activation)
        if live is not None:
            return account(live.case, live.waiting)
        row = await self._journal.activation(activation)
        if row is None:
            detail = "there is no such activation; of one that was refused at its start (JOURNAL_FULL) nothing is kept"
            raise CarddError(Reason.NOT_FOUND, detail)
        return account(from_row(row))

    async def list(self, *, open_only: bool, limit: int) -> Sequence[ActivationResult]:
        """Return activations, open ones first, each kind newest first; masked."""
        rows = await self._journal.activations(open_only=open_only, limit=limit)
        cases = sorted((masked(from_row(row)) for row in rows), key=lambda case: case.started, reverse=True)
        return [result(case) for case in sorted(cases, key=lambda case: not case.is_open)]

    async def wait_end(self, activation: str, seconds: float) -> None:
        """Return when it has ended, or at that time. Raises CarddError(NOT_FOUND)."""
        live = self._live.get(activation)
        if live is None:
            await self._case(activation)
            return
        try:
            await within(self._clock, seconds, live.ended.wait())
        except CarddError as error:
            if error.reason is not Reason.TIMEOUT:
                raise

    def open_count(self) -> int:
        """Return how many activations are open."""
        return len(self._live)

    # -- beginning

    async def _start_once(self, params: ActivationStartParams, client: str, request: str) -> str:
        known = await self._journal.activation_begun(client, request)
        return await self._start(params, client) if known is None else known

    async def _start(self, params: ActivationStartParams, client: str) -> str:
        check_start(params, self._policy)
        station = self._station(params)
        case = self._new(params, station, client)
        self._hold(station, case.id)
        try:
            await self._journal.record(*begun(case), activation=to_row(case))
        except BaseException:
            self._counter.release(station, case.id)
            raise
        live = self._begin(case)
        self._arm(live)
        self._do(live, beginning(params).do)
        return case.id

    def _new(self, params: ActivationStartParams, station: str, client: str) -> Case:
        case = new_case(params, station=station, client=client, policy=self._policy, now=self._clock.now())
        own = client == AUTO_CLIENT
        setting = setting_of(case, self._counter, self._policy, authority=self._provider, by_itself=own)
        return msgspec.structs.replace(case, setting=setting)

    def _station(self, params: ActivationStartParams) -> str:
        station = params.station if params.reader is None else self._counter.station_of(params.reader)
        if station is None and params.reader is None:
            station = self._only_station()
        if station is None or station not in self._counter.stations():
            known = ", ".join(self._counter.stations())
            raise CarddError(Reason.NOT_FOUND, f"there is no such station or reader; the stations are {known}")
        if params.station not in {None, station}:
            raise CarddError(Reason.INVALID, "that reader is not of that station")
        return station

    def _only_station(self) -> str:
        """Return the station that must be meant: the only one, or the only one with a card in."""
        stations = self._counter.stations()
        meant = stations if len(stations) == 1 else [name for name in stations if self._counter.cards(name)]
        if len(meant) != 1:
            raise CarddError(Reason.INVALID, "there are several stations: name one")
        return meant[0]

    def _begin(self, case: Case) -> Live:
        live = Live(case)
        self._live[case.id] = live
        self._spawn(self._run(live))
        return live

    def _hold(self, station: str, activation: str) -> None:
        """Hold a station; where another activation has it, say which: somebody may want to look at it or cancel it."""
        try:
            self._counter.reserve(station, activation)
        except CarddError as error:
            other = next((name for name, live in self._live.items() if live.case.station == station), None)
            if error.reason is not Reason.BUSY or other is None:
                raise
            said = f"station {station} is held by the activation {other}"
            raise CarddError(Reason.BUSY, said, station=station, activation=other) from None

    def _hold_again(self, case: Case) -> None:
        try:
            self._counter.reserve(case.station, case.id)
        except CarddError as error:
            # the station may be gone from the configuration: the authority must be asked all the same
            log.warning("activation.unreserved", activation=case.id, reason=str(error.reason))

    # -- going on

    async def _run(self, live: Live) -> None:
        # for every line that is logged in this task, in those that it begins, and in the readers' work for them
        structlog.contextvars.bind_contextvars(activation=live.case.id)
        try:
            while live.case.is_open:
                item = await live.next()
                await self._take(live, item)
                item.settle(live.case.state)
        finally:
            live.drain()
        self._end(live)

    async def _take(self, live: Live, item: Item) -> None:
        """Judge one outcome and, where it moves the activation, commit, adopt, and begin what follows."""
        if not live.concerns(item):
            return
        case = live.case
        fact = judge(case.state, item.outcome, self._known(case))
        move = TABLES[case.route][case.state, fact]
        if move is None:
            if isinstance(item.outcome, facts.Answered):
                self._prompts.take(case.id, item.outcome.purpose)
            return
        moment = Moment(self._clock.now(), self._policy, self._journal.vouch, _new_prompt)
        after = noted(case, advance(case, move, item.outcome, moment), self._step(live, fact, move, item.outcome))
        after = await self._storing.store(live, after, told(case, after, item.outcome))
        self._adopt(live, after, move, item.outcome)

    def _step(self, live: Live, fact: Fact, move: Move, outcome: facts.Outcome) -> Step:
        """Return what an account of the activation tells of a move."""
        station = live.case.station
        readers = [reader.name for reader in self._counter.readers(station)]
        work, asked = self._counter.take_work(station), live.questions.so_far()
        return Step(fact, outcome, move.do, self._clock.now(), readers, work, asked)

    def _pause_s(self, tries: int) -> float:
        return self._policy.backoff.after(tries)

    def _adopt(self, live: Live, after: Case, move: Move, outcome: facts.Outcome) -> None:
        before = live.case
        live.adopt(after, outcome)
        if before.question is not None and before.question != after.question:
            self._prompts.close(before.question.prompt)
        if after.question is not None and before.question != after.question:
            self._prompts.open(after.question.prompt, after.id, after.question.purpose)
        if after.is_open:
            self._arm(live, remaining_s(after, self._clock.now()) if isinstance(outcome, facts.Restarted) else None)
            self._do(live, move.do)

    def _end(self, live: Live) -> None:
        live.disarm()
        self._prompts.forget(live.case.id)
        self._live.pop(live.case.id, None)
        self._counter.release(live.case.station, live.case.id)
        live.ended.set()

    def _arm(self, live: Live, remaining_s: float | None = None) -> None:
        """Arm the state's deadline, which after a restart is what remains of it; a clock set back gives no more."""
        seconds = self._policy.deadline_s(live.case.state)
        step = live.step
        if seconds is not None:
            seconds = seconds if remaining_s is None else min(seconds, remaining_s)
            live.arm(self._clock.call_later(seconds, lambda: live.put(facts.DeadlinePassed(), step)))

    def _do(self, live: Live, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if effect is Effect.LOOK_AT_CARDS:
                self._look(live)
            else:
                job = Job(live.case, live.insertion, live.questions)
                live.working(self._spawn(self._carry_out(live, effect, job, live.step)))

    async def _carry_out(self, live: Live, effect: Effect, job: Job, step: int) -> None:
        live.put(await self._work.do(effect, job), step)

    def _look(self, live: Live) -> None:
        """Take notice of the cards that are in, those that lead on first."""
        wanted = Kind.MEDICAL_INSURANCE if live.case.state is State.WAITING_OLD_CARD else Kind.SOCIAL_SECURITY
        for card in sorted(self._counter.cards(live.case.station), key=lambda card: card.kind is not wanted):
            if card.insertion != live.old_insertion:
                live.put(card)

    # -- what readers tell

    def _notice(self, notice: Notice) -> None:
        if isinstance(notice, KeysChanged):
            for live in self._live.values():
                live.look_again()
                self._look(live)
            return
        live_here = next((live for live in self._live.values() if live.case.station == notice.station), None)
        if live_here is not None:
            live_here.put(notice)
        elif isinstance(notice, facts.CardIn) and self._starts_by_itself(notice):
            self._spawn(self._start_by_itself(notice.station))

    def _starts_by_itself(self, card: facts.CardIn) -> bool:
        offered = card.station in self._policy.auto and Route.PHARMACY in self._policy.routes
        return offered and card.kind is Kind.MEDICAL_INSURANCE and not card.at_start

    async def _start_by_itself(self, station: str) -> None:
        try:
            await self._start(ActivationStartParams(route=Route.PHARMACY, station=station), AUTO_CLIENT)
        except CarddError as error:
            log.warning("activation.not_started", station=station, reason=str(error.reason))

    # -- small helps

    async def _case(self, activation: str) -> Case:
        live = self._live.get(activation)
        if live is not None:
            return live.case
        return from_row(await self._row(activation))

    async def _row(self, activation: str) -> ActivationRow:
        row = await self._journal.activation(activation)
        if row is None:
            raise CarddError(Reason.NOT_FOUND, "there is no such activation")
        return row

    def _known(self, case: Case) -> Known:
        code = None if case.social is None else case.social.identification_code
        return Known(
            old_number=case.old_card,
            identification_code=code,
            pin_policy=self._policy.pin_of(case.route),
            pin=case.pin,
            holds_password=self._prompts.look(case.id, Purpose.OLD_CARD_PASSWORD) is not None,
            without_old_card=self._policy.without_old_card,
        )

    def _spawn(self, work: "Coroutine[Any, Any, T]") -> "asyncio.Task[T]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, CarddError):
            # the message may hold what nobody may read in a log: the place is enough
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{frame.name}:{frame.lineno}"
            log.critical("activation.broken", error=type(error).__name__, place=place)


def _new_prompt() -> str:
    return secrets.token_hex(16)
