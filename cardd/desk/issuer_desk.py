"""What is done to a card with its issuer's keys alone: blocking it, or a part of it, and the account's starting day.

Nobody is asked for a PIN. What was torn is found out on the card and carried on by the same request: each of these
comes to the same when it is done again.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.desk import deed_rows as rows
from cardd.desk.at_card import AtCard, Inside
from cardd.desk.block import block_application, block_card, is_blocked
from cardd.desk.deed_rows import Deed, Intent, Told
from cardd.desk.deeds import Deeds, Done, Intend
from cardd.desk.intending import at_once
from cardd.desk.requests import Chosen
from cardd.desk.starting_day import set_starting_day
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.channel import Channel
from cardd.journal.events import DeedRow, Json, NewEvent
from cardd.readers.insertion import Insertion
from cardd.wire.accounts import AccountStartingDayParams, AccountStartingDayResult
from cardd.wire.base import Result
from cardd.wire.cards import CardChoice
from cardd.wire.deeds import CardBlockParams, CardBlockResult

R = TypeVar("R", bound=Result)

_WHOLE: Final = "card"
_ENVIRONMENT: Final = "SSSE"
_ANSWER_TO_RESET: Final = "answer_to_reset"

Ready = Callable[[], None]
_Work = Callable[[Channel, Insertion, Inside, float, Ready], None]


class _Act(Struct, frozen=True):
    """Something done with the issuer's keys: the method, and the events of its intent, its end and its refusal."""

    method: str
    intended: str
    done: str
    refused: str


_BLOCK: Final = _Act("card.block", "card.block_intended", "card.blocked", "card.block_refused")
_STARTING_DAY: Final = _Act(
    "account.set_starting_day",
    "account.starting_day_intended",
    "account.starting_day_set",
    "account.starting_day_refused",
)

METHODS: Final = MappingProxyType({_BLOCK.method: None, _STARTING_DAY.method: None})


class IssuerDesk:
    """Blocks cards and sets starting days for clients, each once for each request."""

    def __init__(self, at: AtCard, deeds: Deeds, stopped: StoppedKeys) -> None:
        self._at = at
        self._deeds = deeds
        self._stopped = stopped

    async def block(self, params: CardBlockParams, *, client: str) -> CardBlockResult:
        """Block an application or the whole card, for good.

        Raises CarddError: as `block_application` and `block_card` do; those of choosing a card; CARD_DATA_DIFFERS where
        the request was begun on another card, or on one that is blocked by now and cannot be told from another.
        """
        what, at, stopped = params.what, self._at, self._stopped

        def work(channel: Channel, card: Insertion, inside: Inside, deadline: float, ready: Ready) -> None:
            if what == _WHOLE:
                block_card(channel, card, at.keys, inside.expected, deadline, stopped=stopped, intend=ready)
            else:
                block_application(
                    channel, card, at.keys, inside.expected, what, deadline, stopped=stopped, intend=ready
                )

        def result(insertion: Insertion) -> CardBlockResult:
            return CardBlockResult(insertion=insertion.id, blocked=what)

        course = _Course(at, _BLOCK, params, {"what": what}, work, result, _silencing(what))
        deed = Deed(client, _BLOCK.method, params.request, about=what)
        return await self._deeds.once(deed, CardBlockResult, course)

    async def set_starting_day(self, params: AccountStartingDayParams, *, client: str) -> AccountStartingDayResult:
        """Set the day on which the account's payment year begins.

        Raises CarddError: as `set_starting_day` does; those of choosing a card; CARD_DATA_DIFFERS where the request was
        begun on another card.
        """
        day, at, stopped = params.day, self._at, self._stopped

        def work(channel: Channel, card: Insertion, inside: Inside, deadline: float, ready: Ready) -> None:
            set_starting_day(channel, card, at.keys, inside.expected, day, deadline, stopped=stopped, intend=ready)

        def result(insertion: Insertion) -> AccountStartingDayResult:
            return AccountStartingDayResult(insertion=insertion.id, starting_day=day)

        course = _Course(at, _STARTING_DAY, params, {"day": day}, work, result, _speaks)
        deed = Deed(client, _STARTING_DAY.method, params.request, about=day)
        return await self._deeds.once(deed, AccountStartingDayResult, course)


class _Course(Struct, Generic[R], frozen=True):
    """One of these deeds. `is_silenced` tells whether it is what makes the card say nothing of itself any more."""

    at: AtCard
    act: _Act
    params: CardChoice
    shown: dict[str, Json]
    work: _Work
    result: Callable[[Insertion], R]
    is_silenced: Callable[[Channel, Insertion], bool]

    async def do(self, intend: Intend) -> Done[R]:
        """Have it done, the station held meanwhile; a card that was so already is told of by the answer alone."""
        async with self.at.requests.held(self.params) as chosen:
            inside = await self.at.look(chosen)
            kept: dict[str, Json] = {_ANSWER_TO_RESET: inside.insertion.atr.hex()}
            intent = Intent(self.act.intended, inside.insertion, inside.expected, self.shown, kept)
            intended: list[Intent] = []

            def ready() -> None:
                intended.append(intent)
                intend(intent)

            await self._carry_out(inside, ready)
        result, told = self._end(chosen)
        return result, told if intended else None

    async def take_up(self, row: DeedRow) -> Done[R]:
        """Find out what became of it on its card, and carry it on."""
        async with self.at.requests.held(self.params) as chosen:
            if await self.at.run(chosen, self.is_silenced):
                self._must_be_same(rows.kept(row).get(_ANSWER_TO_RESET) == chosen.insertion.atr.hex())
                return self._end(chosen)
            inside = await self.at.look(chosen)
            self._must_be_same(rows.is_on(row, inside.expected))
            await self._carry_out(inside, at_once)
        return self._end(chosen)

    def refused(self, row: DeedRow, error: CarddError) -> tuple[NewEvent, ...]:
        """Return what tells why it was not done."""
        return (rows.refusal(self.act.refused, row, error),)

    async def _carry_out(self, inside: Inside, ready: Ready) -> None:
        deadline = self.at.deadline()
        await self.at.run(inside.chosen, lambda channel, card: self.work(channel, card, inside, deadline, ready))

    def _end(self, chosen: Chosen) -> Done[R]:
        return self.result(chosen.insertion), Told(self.act.done, chosen.insertion, self.shown)

    @staticmethod
    def _must_be_same(same: bool) -> None:  # noqa: FBT001 - the one thing that it judges
        if not same:
            raise CarddError(Reason.CARD_DATA_DIFFERS, "that request was begun on another card")


def _silencing(what: str) -> Callable[[Channel, Insertion], bool]:
    """Return what tells whether a block has silenced a card: the whole card's and the environment's do."""
    if what not in {_WHOLE, _ENVIRONMENT}:
        return _speaks
    application = None if what == _WHOLE else what
    return lambda channel, _: is_blocked(channel, application)


def _speaks(_channel: Channel, _insertion: Insertion) -> bool:
    """Tell that the deed leaves a card that can be asked which one it is."""
    return False
