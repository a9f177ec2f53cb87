"""The holder's PIN for clients: compared, changed, reloaded, unblocked, each once and never again by itself."""

from collections.abc import Awaitable, Callable
from functools import partial
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Hidden, Struct
from cardd.desk import deed_rows as rows
from cardd.desk import pin as pins
from cardd.desk.at_card import JOB_S, AtCard, Inside
from cardd.desk.deed_rows import Deed, Intent, Told
from cardd.desk.deeds import Deeds, Done, Intend
from cardd.desk.keypad import change_at_keypad, verify_at_keypad
from cardd.desk.prompts import Purpose
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.channel import Channel
from cardd.journal.events import DeedRow, NewEvent
from cardd.readers.insertion import Insertion
from cardd.wire.deeds import CardPinParams, CardPinResult

_TYPED: Final = 3.0
"""PINs are typed at most so often: the old one, and the new one twice."""


class _Act(Struct, frozen=True):
    """Something done with the PIN: the method, what its result says, the event that tells of it."""

    method: str
    done: str
    event: str


_VERIFY: Final = _Act("card.pin.verify", "verified", "pin.verified")
_CHANGE: Final = _Act("card.pin.change", "changed", "pin.changed")
_RELOAD: Final = _Act("card.pin.reload", "reloaded", "pin.changed")
_UNBLOCK: Final = _Act("card.pin.unblock", "unblocked", "pin.unblocked")

Ready = Callable[[], None]
_Do = Callable[[Inside, Ready], Awaitable[int | None]]
_AtKeypad = Callable[..., None]


def _unknown(row: DeedRow) -> NewEvent:
    return rows.event("pin.unknown", row, {})


METHODS: Final = MappingProxyType({act.method: _unknown for act in (_VERIFY, _CHANGE, _RELOAD, _UNBLOCK)})


class PinDesk:
    """What may be done with the PIN of the card that is in.

    A deed that was torn is unknown for good: no card tells which PIN it has without a try, and those
    are for its holder to spend.
    """

    def __init__(self, at: AtCard, deeds: Deeds, stopped: StoppedKeys) -> None:
        self._at = at
        self._deeds = deeds
        self._stopped = stopped

    async def verify(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have the holder's PIN compared on the card, once.

        Raises CarddError: RECORD_ABSENT where the card has no PIN; PIN_WRONG, PIN_LOCKED; as `Asking.ask` does.
        """

        async def do(inside: Inside, ready: Ready) -> None:
            inside.need_pin()
            if params.keypad_digits is not None:
                await self._typed(inside, verify_at_keypad, params.keypad_digits, ready)
                return
            pin = await self._at.ask(inside, Purpose.SOCIAL_PIN, _VERIFY.method, params.request)
            await self._at.run(
                inside.chosen,
                lambda channel, card: pins.verify_pin(channel, card, inside.expected, pin, intend=ready),
            )

        return await self._once(_VERIFY, params, client, do)

    async def change(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have the holder set a new PIN with the old one, or the first one.

        Raises CarddError as `verify` does. After a CARD_REMOVED it is not known which PIN the card has.
        """

        async def do(inside: Inside, ready: Ready) -> None:
            if params.keypad_digits is not None:
                inside.need_pin()
                await self._typed(inside, change_at_keypad, params.keypad_digits, ready)
                return
            old = await self._at.pin_of(inside, _CHANGE.method, params.request)
            new = await self._at.ask(inside, Purpose.NEW_PIN, _CHANGE.method, params.request)
            await self._at.run(
                inside.chosen,
                lambda channel, card: pins.change_pin(channel, card, inside.expected, old, new, intend=ready),
            )

        return await self._once(_CHANGE, params, client, do)

    async def reload(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have the holder set a new PIN with the issuer's right. Raises CarddError as `pin.reload_pin` does."""

        async def do(inside: Inside, ready: Ready) -> None:
            new = await self._at.ask(inside, Purpose.NEW_PIN, _RELOAD.method, params.request)
            keys, deadline = self._at.keys, self._at.deadline()
            await self._at.run(
                inside.chosen,
                lambda channel, card: pins.reload_pin(
                    channel, card, keys, inside.expected, new, deadline, stopped=self._stopped, intend=ready
                ),
            )

        return await self._once(_RELOAD, _no_keypad(params), client, do)

    async def unblock(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Give all tries back with the issuer's right. Raises CarddError as `pin.unblock_pin` does."""

        async def do(inside: Inside, ready: Ready) -> int | None:
            keys, deadline = self._at.keys, self._at.deadline()
            return await self._at.run(
                inside.chosen,
                lambda channel, card: pins.unblock_pin(
                    channel, card, keys, inside.expected, deadline, stopped=self._stopped, intend=ready
                ),
            )

        return await self._once(_UNBLOCK, _no_keypad(params), client, do)

    async def _once(self, act: _Act, params: CardPinParams, client: str, do: _Do) -> CardPinResult:
        course = _PinCourse(self._at, act, params, do)
        return await self._deeds.once(Deed(client, act.method, params.request), CardPinResult, course)

    async def _typed(self, inside: Inside, at_keypad: _AtKeypad, digits: int, ready: Ready) -> None:
        """Run a job that waits for somebody at the reader's keypad."""

        def operation(channel: Channel, card: Insertion) -> None:
            at_keypad(channel, card, inside.expected, digits, intend=ready)

        typing_s = _TYPED * inside.chosen.insertion.keypad_s
        await self._at.run(inside.chosen, operation, timeout_s=JOB_S + typing_s)


class _PinCourse(Struct, frozen=True):
    """One deed with the PIN."""

    at: AtCard
    act: _Act
    params: CardPinParams
    carry_out: Hidden[_Do]

    async def do(self, intend: Intend) -> Done[CardPinResult]:
        """Have it done, the station held meanwhile."""
        async with self.at.requests.held(self.params) as chosen:
            inside = await self.at.look(chosen)
            intent = Intent("pin.intended", chosen.insertion, inside.expected)
            tries = await self.carry_out(inside, partial(intend, intent))
        done = CardPinResult(insertion=chosen.insertion.id, done=self.act.done, tries_left=tries)
        return done, Told(self.act.event, chosen.insertion, {"done": self.act.done})

    async def take_up(self, row: DeedRow) -> Done[CardPinResult]:
        """Tell how the PIN stands, which costs nothing; nothing is done again.

        Raises CarddError(CARD_DATA_DIFFERS) for another card.
        """
        inside = await self.at.look(await self.at.requests.choose(self.params))
        if not rows.is_on(row, inside.expected):
            raise CarddError(Reason.CARD_DATA_DIFFERS, "that request was for another card")
        return CardPinResult(insertion=inside.insertion.id, done=rows.UNKNOWN, tries_left=inside.tries), None

    def refused(self, row: DeedRow, error: CarddError) -> tuple[NewEvent, ...]:
        """Return what tells why it was not done, and that the PIN is locked where that is the reason."""
        return rows.pin_refusal(row, error)


def _no_keypad(params: CardPinParams) -> CardPinParams:
    if params.keypad_digits is not None:
        raise CarddError(Reason.INVALID, "a keypad verifies and changes only", path="$.keypad_digits")
    return params
