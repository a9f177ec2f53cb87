"""One open activation in memory: its committed case, its queue, its timer, the cards it has seen."""

import asyncio
from typing import Any

from cardd.activation import facts
from cardd.activation.case import Case
from cardd.activation.questions import Questions
from cardd.base.clock import TimerHandle
from cardd.base.structs import Struct
from cardd.wire.activation import State
from cardd.wire.incident import Turn


class Item(Struct, frozen=True):
    """An outcome on its way. With a `step` it counts only while that step lasts; `done` tells its sender the state."""

    outcome: facts.Outcome
    step: int | None = None
    done: "asyncio.Future[State] | None" = None

    def settle(self, state: State) -> None:
        """Tell the sender where the activation stands now."""
        if self.done is not None and not self.done.done():
            self.done.set_result(state)


class Live:
    """What is not durable about an activation. Loop thread only."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.step = 0
        """Counts the transitions: what an earlier step asked for no longer counts."""
        self.insertion: str | None = None
        """The card that is being worked with."""
        self.old_insertion: str | None = None
        """The old card that was taken: it may go on lying where it is."""
        self.questions = Questions()
        """What the authority was asked in this step."""
        self.waiting: Turn | None = None
        """The move for which the journal has no room."""
        self.ended = asyncio.Event()
        self._queue: asyncio.Queue[Item] = asyncio.Queue()
        self._seen: set[tuple[State, str]] = set()
        self._timer: TimerHandle | None = None
        self._jobs: set[asyncio.Task[Any]] = set()

    def put(self, outcome: facts.Outcome, step: int | None = None) -> None:
        """Add an outcome to the queue."""
        self._queue.put_nowait(Item(outcome, step))

    def post(self, outcome: facts.Outcome) -> "asyncio.Future[State]":
        """Add an outcome to the queue; the future tells the state once it was taken."""
        done: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(Item(outcome, done=done))
        return done

    async def next(self) -> Item:
        """Return the next outcome."""
        return await self._queue.get()

    def drain(self) -> None:
        """Tell every sender that is still waiting how it ended."""
        while not self._queue.empty():
            self._queue.get_nowait().settle(self.case.state)

    def concerns(self, item: Item) -> bool:
        """Tell whether an outcome still counts: of this step, of the card worked with, of a card not yet judged."""
        outcome = item.outcome
        if item.step is not None and item.step != self.step:
            return False
        if isinstance(outcome, facts.CardGone):
            return outcome.insertion == self.insertion
        if isinstance(outcome, facts.CardIn):
            return (self.case.state, outcome.insertion) not in self._seen
        return True

    def adopt(self, case: Case, outcome: facts.Outcome) -> None:
        """Take over a committed case and begin its step."""
        left = self.case.state
        if isinstance(outcome, facts.CardIn):
            self._seen.add((left, outcome.insertion))
        if case.state in _BESIDE_A_CARD:
            self.insertion = outcome.insertion if isinstance(outcome, facts.CardIn) else self.insertion
        else:
            if left is State.READING_OLD_CARD and isinstance(outcome, facts.OldCardLookedUp):
                self.old_insertion = self.insertion
            self.insertion = None
        self.case = case
        self.step += 1
        self.questions = Questions()
        self.disarm()
        for job in self._jobs:
            job.cancel()

    def look_again(self) -> None:
        """Forget which cards were judged, so that those still in are judged anew."""
        self._seen.clear()

    def arm(self, timer: TimerHandle) -> None:
        """Keep the timer of this step."""
        self.disarm()
        self._timer = timer

    def disarm(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def working(self, job: "asyncio.Task[Any]") -> None:
        """Keep a job of this step; the next step cancels it."""
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)


_BESIDE_A_CARD = frozenset({State.READING_OLD_CARD, State.READING_SOCIAL_CARD, State.WAITING_PIN})
