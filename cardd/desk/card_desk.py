"""Cards for clients: files written, PINs asked for, compared and changed, each deed done once.

All of it on the event loop's thread; the card's work in the reader's worker, prompts between the jobs, the station held
meanwhile.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.desk import pin as pins
from cardd.desk.asking import Asking, Question
from cardd.desk.deeds import Deed, Deeds
from cardd.desk.identify import identify
from cardd.desk.keypad import TYPING_S, change_at_keypad, verify_at_keypad
from cardd.desk.prompts import Purpose
from cardd.desk.reading import Identity
from cardd.desk.reception import Reception
from cardd.desk.requests import CardRequests, Chosen
from cardd.desk.social import refuse_forged
from cardd.desk.stopped import StoppedKeys
from cardd.desk.updates import prepare
from cardd.desk.write import write_records
from cardd.iso7816.channel import Channel
from cardd.journal.events import Json, NewEvent
from cardd.journal.store import Journal
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from cardd.wire.cards import CardChoice, CardReadParams, CardReadResult, Kind
from cardd.wire.deeds import CardPinParams, CardPinQueryResult, CardPinResult, CardWriteParams, CardWriteResult

T = TypeVar("T")

JOB_S: Final = 30.0
"""How long one job may take: a photo written and read back at a contact card's pace."""

_MARGIN_S: Final = 1.0
"""How much earlier a key service must have answered than the whole job must end."""

_KEYPAD_S: Final = 3.0 * TYPING_S

Operation = Callable[[Channel, Insertion], T]
AtKeypad = Callable[[Channel, Insertion, Identity, int], None]


@dataclass(frozen=True, slots=True)
class _Inside:
    """The card of a deed, and how many tries its PIN has left: None where it has none."""

    chosen: Chosen
    expected: Identity
    tries: int | None

    @property
    def insertion(self) -> Insertion:
        """Return the card's insertion."""
        return self.chosen.insertion


@dataclass(frozen=True, slots=True)
class _Act:
    """Something done with the PIN: the method, what its result says, the event that tells of it."""

    method: str
    done: str
    event: str | None


_VERIFY: Final = _Act("card.pin.verify", "verified", None)
_CHANGE: Final = _Act("card.pin.change", "changed", "pin.changed")
_RELOAD: Final = _Act("card.pin.reload", "reloaded", "pin.changed")
_UNBLOCK: Final = _Act("card.pin.unblock", "unblocked", "pin.unblocked")


class CardDesk:
    """What may be done to the card that is in, besides reading it."""

    def __init__(
        self,
        requests: CardRequests,
        reception: Reception,
        journal: Journal,
        keys: KeyService | None,
        stopped: StoppedKeys,
        asking: Asking,
        *,
        clock: Clock,
    ) -> None:
        self._requests = requests
        self._reception = reception
        self._keys = keys
        self._stopped = stopped
        self._asking = asking
        self._clock = clock
        self._deeds = Deeds(journal)

    def close(self) -> None:
        """Give up what is under way."""
        self._deeds.close()

    async def read(self, params: CardReadParams, *, personal: bool) -> CardReadResult:
        """Read a card, with the holder's PIN where that is asked for. Raises CarddError as `CardRequests.read` does."""
        if not params.with_pin:
            return await self._requests.read(params, personal=personal)
        async with self._requests.held(params) as chosen:
            inside = await self._look(chosen)
            pin = await self._pin_of(inside, "card.read", params.request)
            return await self._requests.read_from(chosen, params, personal=personal, pin=pin)

    async def write(self, params: CardWriteParams, *, client: str) -> CardWriteResult:
        """Write files, once for each request.

        Raises CarddError: as `write_records` does; those of choosing a card and of asking for the PIN.
        """
        prepared = prepare(params.files)
        written = {update.rule.address: list(update.names) for update in prepared}
        deed = Deed(client, "card.write", params.request, about={file: [*items] for file, items in written.items()})

        async def work() -> tuple[CardWriteResult, tuple[NewEvent, ...]]:
            async with self._requests.held(params) as chosen:
                inside = await self._look(chosen)
                pin = await self._pin_of(inside, deed.method, params.request) if params.with_pin else None
                deadline = self._deadline()

                def operation(channel: Channel, card: Insertion) -> tuple[str, ...]:
                    return write_records(
                        channel,
                        card,
                        self._keys,
                        inside.expected,
                        params.files,
                        deadline,
                        stopped=self._stopped,
                        pin=pin,
                    )

                unchecked = await self._run(chosen, operation)
            insertion = chosen.insertion
            files: Json = {file: [*items] for file, items in written.items()}
            told = _event("card.written", insertion, {"files": files, "unchecked": [*unchecked], "client": client})
            return CardWriteResult(insertion=insertion.id, written=written, unchecked=list(unchecked)), (told,)

        return await self._deeds.once(deed, CardWriteResult, work, _nothing)

    async def query_pin(self, params: CardChoice) -> CardPinQueryResult:
        """Tell whether the card has a PIN and how many tries are left, which costs none."""
        inside = await self._look(await self._requests.choose(params))
        return CardPinQueryResult(insertion=inside.insertion.id, set=inside.tries is not None, tries_left=inside.tries)

    async def verify_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have the holder's PIN compared on the card, once.

        Raises CarddError: RECORD_ABSENT where the card has no PIN; PIN_WRONG, PIN_LOCKED; as `Asking.ask` does.
        """

        async def do(inside: _Inside) -> None:
            _needs_pin(inside)
            if params.keypad_digits is not None:
                await self._typed(inside, verify_at_keypad, params.keypad_digits)
                return
            pin = await self._ask(inside, Purpose.SOCIAL_PIN, _VERIFY.method, params.request)
            await self._run(inside.chosen, lambda channel, card: pins.verify_pin(channel, card, inside.expected, pin))

        return await self._pin_deed(_VERIFY, params, client, do)

    async def change_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have the holder set a new PIN with the old one, or the first one.

        Raises CarddError as `verify_pin` does. After a CARD_REMOVED it is not known which PIN the card has.
        """

        async def do(inside: _Inside) -> None:
            if params.keypad_digits is not None:
                _needs_pin(inside)
                await self._typed(inside, change_at_keypad, params.keypad_digits)
                return
            old = await self._pin_of(inside, _CHANGE.method, params.request)
            new = await self._ask(inside, Purpose.NEW_PIN, _CHANGE.method, params.request)
            await self._run(
                inside.chosen, lambda channel, card: pins.change_pin(channel, card, inside.expected, old, new)
            )

        return await self._pin_deed(_CHANGE, params, client, do)

    async def reload_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have the holder set a new PIN with the issuer's right. Raises CarddError as `pin.reload_pin` does."""

        async def do(inside: _Inside) -> None:
            new = await self._ask(inside, Purpose.NEW_PIN, _RELOAD.method, params.request)
            deadline = self._deadline()
            await self._run(
                inside.chosen,
                lambda channel, card: pins.reload_pin(
                    channel, card, self._keys, inside.expected, new, deadline, stopped=self._stopped
                ),
            )

        return await self._pin_deed(_RELOAD, _no_keypad(params), client, do)

    async def unblock_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Give all tries back with the issuer's right. Raises CarddError as `pin.unblock_pin` does."""

        async def do(inside: _Inside) -> int | None:
            deadline = self._deadline()
            return await self._run(
                inside.chosen,
                lambda channel, card: pins.unblock_pin(
                    channel, card, self._keys, inside.expected, deadline, stopped=self._stopped
                ),
            )

        return await self._pin_deed(_UNBLOCK, _no_keypad(params), client, do)

    # -- one deed

    async def _pin_deed(
        self, act: _Act, params: CardPinParams, client: str, do: Callable[[_Inside], Awaitable[int | None]]
    ) -> CardPinResult:
        where: list[Insertion] = []

        async def work() -> tuple[CardPinResult, tuple[NewEvent, ...]]:
            async with self._requests.held(params) as chosen:
                insertion = chosen.insertion
                where.append(insertion)
                tries = await do(await self._look(chosen))
            result = CardPinResult(insertion=insertion.id, done=act.done, tries_left=tries)
            if act.event is None:
                return result, ()
            return result, (_event(act.event, insertion, {"done": act.done, "client": client}),)

        def told(error: CarddError) -> tuple[NewEvent, ...]:
            if error.reason is not Reason.PIN_LOCKED or "status_word" not in error.facts:
                return ()
            text: Json = {"code": str(Reason.PIN_LOCKED), "args": {}}
            data: dict[str, Json] = {"purpose": str(Purpose.SOCIAL_PIN), "client": client, "text": text}
            return tuple(_event("pin.locked", insertion, data) for insertion in where)

        return await self._deeds.once(Deed(client, act.method, params.request), CardPinResult, work, told)

    async def _look(self, chosen: Chosen) -> _Inside:
        """Find out which card it is that everything after this must be done to, and how its PIN stands.

        Raises CarddError: FILE_ABSENT for a card without the social application, CARD_NOT_GENUINE.
        """
        expected = self._reception.identity_of(chosen.insertion.id)
        if expected is None:
            deadline = self._deadline()
            expected = await self._run(chosen, lambda channel, card: identify(channel, card, self._keys, deadline))
        if expected.kind is not Kind.SOCIAL_SECURITY:
            raise CarddError(Reason.FILE_ABSENT, f"a card of kind {expected.kind} has no social application")
        refuse_forged(expected)
        known = expected
        tries = await self._run(chosen, lambda channel, card: pins.query_pin(channel, card, known))
        return _Inside(chosen, known, tries)

    async def _pin_of(self, inside: _Inside, method: str, request: str | None) -> Secret | None:
        """Ask for the PIN where the card has one. Raises CarddError(PIN_LOCKED), and as `Asking.ask` does."""
        if inside.tries is None:
            return None
        _needs_pin(inside)
        return await self._ask(inside, Purpose.SOCIAL_PIN, method, request)

    async def _ask(self, inside: _Inside, purpose: Purpose, method: str, request: str | None) -> Secret:
        tries = inside.tries if purpose is Purpose.SOCIAL_PIN else None
        return await self._asking.ask(Question(inside.insertion, purpose, method, tries, request))

    async def _run(self, chosen: Chosen, operation: Operation[T]) -> T:
        return await self._requests.run(chosen, operation, timeout_s=JOB_S)

    async def _typed(self, inside: _Inside, at_keypad: AtKeypad, digits: int) -> None:
        """Run a job that waits for somebody at the reader's keypad."""

        def operation(channel: Channel, card: Insertion) -> None:
            at_keypad(channel, card, inside.expected, digits)

        await self._requests.run(inside.chosen, operation, timeout_s=JOB_S + _KEYPAD_S)

    def _deadline(self) -> float:
        return self._clock.monotonic() + JOB_S - _MARGIN_S


def _needs_pin(inside: _Inside) -> None:
    if inside.tries is None:
        raise CarddError(Reason.RECORD_ABSENT, "the card has no PIN")
    if inside.tries == 0:
        raise CarddError(Reason.PIN_LOCKED, tries_left=0)


def _no_keypad(params: CardPinParams) -> CardPinParams:
    if params.keypad_digits is not None:
        raise CarddError(Reason.INVALID, "a keypad verifies and changes only", path="$.keypad_digits")
    return params


def _nothing(_: CarddError) -> tuple[NewEvent, ...]:
    return ()


def _event(kind: str, insertion: Insertion, data: Mapping[str, Json]) -> NewEvent:
    return NewEvent(kind, insertion.reader, {"station": insertion.station, **data}, insertion=insertion.id)
