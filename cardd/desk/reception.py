"""The reception desk: whatever happens at the readers is recorded, and every card put in is asked what it is.

Everything here runs on the event loop's thread. The journal comes first: a card is known, here and to whoever listens,
once the event is durable; notices keep the order of the journal.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from contextlib import nullcontext
from typing import Final

import structlog

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.desk.away import AwayKeys
from cardd.desk.events import event_of, identified, rejected
from cardd.desk.identify import identify
from cardd.desk.reading import Identity
from cardd.desk.recording import Recorded, Recording
from cardd.desk.view import module_summary, summary
from cardd.iso7816.channel import Channel
from cardd.journal.events import NewEvent
from cardd.journal.store import Journal
from cardd.keys.service import KeyService
from cardd.readers.config import Role
from cardd.readers.facts import CardInserted, CardRemoved, CardTrouble, Cause, Fact, ReaderStatus
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers
from cardd.wire.cards import CardSummary, Kind, ReaderView

log = structlog.get_logger()

IDENTIFY_S: Final = 10.0
KEY_S: Final = 6.0
"""The key service's share of that: a module that hangs must not cost the card its identification."""

_TRANSIENT: Final = frozenset({Reason.TIMEOUT, Reason.READER_IN_USE, Reason.CARD_MUTE, Reason.CARD_UNPOWERED})
"""Failures after which the same card is asked once more."""

_FOR_A_MODULE: Final = frozenset(
    {Reason.PSAM_ABSENT, Reason.PSAM_ALGORITHM, Reason.PSAM_KEY_MISSING, Reason.PSAM_LEVEL, Reason.TIMEOUT}
)
"""Why nobody could judge a card's proof, where a module that comes may."""

_WAITED_FOR: Final = _FOR_A_MODULE | {Reason.HSM_UNAVAILABLE}


class CardIdentified(Struct, frozen=True):
    """A card is known. Its kind may be one that has no business here, and it may have failed to prove itself."""

    insertion: Insertion
    identity: Identity


class CardRejected(Struct, frozen=True):
    """Something is in a counter reader that cannot be used; without an insertion, it does not even answer."""

    reader: str
    station: str
    reason: Reason
    insertion: Insertion | None = None


class CardGone(Struct, frozen=True):
    """A card of a counter reader is no longer there."""

    insertion: Insertion
    cause: Cause


class ModuleCame(Struct, frozen=True):
    """A card is in a reader for security modules: what failed for want of one may be tried again."""

    insertion: Insertion


class KeysAnswer(Struct, frozen=True):
    """The key service that was away answers again: what failed for want of it may be tried again."""


_OnRecord = CardIdentified | CardRejected | CardGone | ModuleCame
_Announcement = tuple[Recorded, _OnRecord]
Notice = _OnRecord | KeysAnswer
Listener = Callable[[Notice], None]


class Reception:
    """Records what the readers tell, identifies cards in counter readers, and tells its listeners.

    `keys` is None where no key service is configured: cards are identified and not judged.
    """

    def __init__(self, readers: Readers, journal: Journal, keys: KeyService | None, *, clock: Clock) -> None:
        self._readers = readers
        self._keys = keys
        self._clock = clock
        self._present: set[str] = set()
        self._identities: dict[str, Identity] = {}
        self._turns: Counter[str] = Counter()
        """How often what an insertion's card was identified as has become wrong."""
        self._shown: tuple[object, tuple[ReaderView, ...]] | None = None
        self._listeners: list[Listener] = []
        self._announcements: asyncio.Queue[_Announcement] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._recording = Recording(journal, clock=clock)
        self._without_keys: set[str] = set()
        """The insertions with a card at which work failed for want of a key service."""
        self._came = 0
        """How often somebody came who may judge what nobody could judge."""
        self._stirred = asyncio.Event()
        self._away = AwayKeys(keys, self._keys_answer, clock=clock)
        readers.on_release(lambda _: self._stirred.set())

    def start(self) -> None:
        """Begin, with the event loop running; after `Readers.start` as well as before, nothing is missed."""
        self._begin(self._announce())
        self._readers.subscribe(self._take)

    def close(self) -> None:
        """Give up what is under way. What was recorded stays."""
        self._recording.close()
        self._present.clear()
        for task in self._tasks:
            task.cancel()

    def subscribe(self, listener: Listener) -> None:
        """Tell a listener every notice from now on. It returns at once."""
        self._listeners.append(listener)

    def await_keys(self, insertion: str) -> None:
        """Have listeners told when a key service that was away just now answers again, while that card is in."""
        if insertion in self._present and insertion not in self._without_keys:
            self._without_keys.add(insertion)
            self._begin(self._until_keys_answer(insertion))

    def identity_of(self, insertion: str) -> Identity | None:
        """Return what a card was identified as; None while that is not known, and once the insertion is over."""
        return self._identities.get(insertion)

    def identify_anew(self, insertion: Insertion) -> None:
        """Forget what a card was identified as, since what tells that was written, and find it out once it is free.

        The insertion stays; it is identified a second time, and that is told. Work that comes before asks the card.
        """
        if insertion.id in self._present:
            self._identities.pop(insertion.id, None)
            self._shown = None
            self._turns[insertion.id] += 1
            self._stirred.set()
            self._begin(self._identify_once_free(insertion))

    def readers(self) -> tuple[ReaderView, ...]:
        """Return every reader as clients see it, with the card that is in it; the same tuple while nothing changes."""
        statuses = self._readers.views()
        if self._shown is None or self._shown[0] is not statuses:
            self._shown = (statuses, self._views(statuses))
        return self._shown[1]

    def _views(self, statuses: Iterable[ReaderStatus]) -> tuple[ReaderView, ...]:
        return tuple(
            ReaderView(
                reader=status.reader,
                station=status.station,
                pcsc_name=status.pcsc_name,
                role=str(status.role),
                state=str(status.state),
                card=None if status.insertion is None else self._summary(status.insertion),
                device=status.device,
                serial=status.serial,
                usb=status.usb,
            )
            for status in statuses
        )

    def _summary(self, insertion: Insertion) -> CardSummary:
        if insertion.role is Role.SAM:
            return module_summary(insertion.id)
        return summary(insertion.id, self._identities.get(insertion.id))

    def _take(self, fact: Fact) -> None:
        """Record a fact, and have a card that was put in identified."""
        recorded = self._record(event_of(fact, self._station_of), self._notice(fact))
        if isinstance(fact, CardInserted) and fact.insertion.role is Role.COUNTER:
            self._present.add(fact.insertion.id)
            # not before: work on the card would take the interpreter from those who record and tell that it came
            recorded.add_done_callback(lambda _: self._meet(fact.insertion))
        elif isinstance(fact, CardInserted) and fact.insertion.role is Role.SAM:
            self._somebody_came()
        elif isinstance(fact, CardRemoved):
            self._present.discard(fact.insertion.id)
            self._identities.pop(fact.insertion.id, None)
            self._turns.pop(fact.insertion.id, None)
            self._shown = None
            self._stirred.set()

    def _meet(self, insertion: Insertion) -> None:
        """Begin to identify a card, recorded or not, unless it has gone meanwhile or nobody wants to know any more."""
        if insertion.id in self._present:
            self._begin(self._identify(insertion))

    def _notice(self, fact: Fact) -> _OnRecord | None:
        """Return what listeners are told of a fact alone."""
        match fact:
            case CardInserted(insertion) if insertion.role is Role.SAM:
                return ModuleCame(insertion)
            case CardRemoved(insertion, cause) if insertion.role is Role.COUNTER:
                return CardGone(insertion, cause)
            case CardTrouble(reader, reason):
                return CardRejected(reader, self._station_of(reader), reason)
            case _:
                return None

    async def _identify(self, insertion: Insertion) -> None:
        """Find out what a card is, and again with each module that comes, as long as none could judge its proof.

        A security machine that was away is one that comes, too, when it answers again.
        """
        structlog.contextvars.bind_contextvars(insertion=insertion.id)
        came, turn = self._came, self._turns[insertion.id]
        identity = await self._find_out(insertion)
        while identity is not None and identity.unproven in _WAITED_FOR:
            with self._away.awaited() if identity.unproven is Reason.HSM_UNAVAILABLE else nullcontext():
                await self._until(
                    lambda: self._came != came or self._turns[insertion.id] != turn,  # noqa: B023 - awaited in this turn
                    insertion.id,
                )
            if insertion.id not in self._present or self._turns[insertion.id] != turn:
                return
            came = self._came
            identity = await self._judge_again(insertion, identity)

    async def _identify_once_free(self, insertion: Insertion) -> None:
        # whoever has written has the card or its station as yet
        await self._until(lambda: not self._is_held(insertion), insertion.id)
        if insertion.id in self._present:
            await self._identify(insertion)

    async def _until_keys_answer(self, insertion: str) -> None:
        came = self._came
        try:
            with self._away.awaited():
                await self._until(lambda: self._came != came, insertion)
        finally:
            self._without_keys.discard(insertion)

    def _somebody_came(self) -> None:
        self._came += 1
        self._stirred.set()

    def _keys_answer(self) -> None:
        self._somebody_came()
        # whoever holds a station asks by itself: nothing is judged beside it
        self._tell(KeysAnswer())

    async def _find_out(self, insertion: Insertion) -> Identity | None:
        """Ask a card what it is, and record that or why not."""
        turn = self._turns[insertion.id]
        try:
            identity = await self._ask(insertion)
        except CarddError as error:
            self._reject(insertion, error.reason)
        except Exception as error:  # noqa: BLE001 - a fault of our own must not leave a card without an answer
            # the message may hold what nobody may read in a log
            log.error("reception.identify_failed", insertion=insertion.id, error=type(error).__name__)  # noqa: TRY400
            self._reject(insertion, Reason.INTERNAL)
        else:
            if identity.kind is Kind.UNKNOWN:
                self._reject(insertion, Reason.CARD_UNKNOWN)
            elif insertion.id in self._present and self._turns[insertion.id] == turn:
                self._record(identified(insertion, identity), CardIdentified(insertion, identity))
                return identity
        return None

    async def _judge_again(self, insertion: Insertion, known: Identity) -> Identity:
        """Have a card prove itself anew, once nobody holds it or its station, and record what is known of it then.

        A card that cannot be asked now stays what it was identified as.
        """
        # an activation or a deed asks by itself, and is not to be told of its own card as of one that came
        await self._until(lambda: not self._is_held(insertion), insertion.id)
        try:
            identity = await self._ask(insertion)
        except CarddError as error:
            log.info("reception.not_judged_again", insertion=insertion.id, reason=str(error.reason))
            return known
        same = (identity.kind, identity.identification_code) == (known.kind, known.identification_code)
        if not same or identity.unproven is known.unproven or insertion.id not in self._present:
            return known
        self._record(identified(insertion, identity), CardIdentified(insertion, identity))
        return identity

    def _is_held(self, insertion: Insertion) -> bool:
        readers = self._readers
        return readers.reserved_by(insertion.station) is not None or readers.lease_of(insertion.id) is not None

    async def _until(self, condition: Callable[[], bool], insertion: str) -> None:
        """Wait until something is so, or the insertion is over."""
        while insertion in self._present and not condition():
            self._stirred.clear()
            await self._stirred.wait()

    def _reject(self, insertion: Insertion, reason: Reason) -> None:
        # of a card that has gone, its removal tells enough
        if insertion.id in self._present and reason not in {Reason.STALE_INSERTION, Reason.CARD_REMOVED}:
            notice = CardRejected(insertion.reader, insertion.station, reason, insertion)
            self._record(rejected(insertion.reader, insertion.station, reason, insertion.id), notice)

    async def _ask(self, insertion: Insertion) -> Identity:
        try:
            return await self._ask_once(insertion)
        except CarddError as error:
            if error.reason not in _TRANSIENT or insertion.id not in self._present:
                raise
        return await self._ask_once(insertion)

    async def _ask_once(self, insertion: Insertion) -> Identity:
        """Identify a card, once nobody leases it: a client's selection and challenge are not to be disturbed."""
        await self._until(lambda: self._readers.lease_of(insertion.id) is None, insertion.id)
        end = self._clock.monotonic() + IDENTIFY_S

        def operation(channel: Channel, insertion: Insertion) -> Identity:
            return identify(channel, insertion, self._keys, min(end, self._clock.monotonic() + KEY_S))

        return await self._readers.run(insertion.id, operation, timeout_s=IDENTIFY_S)

    def _station_of(self, reader: str) -> str:
        return next((status.station for status in self._readers.views() if status.reader == reader), "")

    def _record(self, event: NewEvent, notice: _OnRecord | None) -> Recorded:
        recorded = self._recording.record(event, lambda: self._tell_late(notice))
        if notice is not None:
            self._announcements.put_nowait((recorded, notice))
        return recorded

    def _tell_late(self, notice: _OnRecord | None) -> None:
        """Tell listeners what is on record only now, if it still holds; a card that has gone they know of."""
        if notice is not None and not isinstance(notice, CardGone) and self._still_holds(notice):
            self._tell(notice)

    def _still_holds(self, notice: _OnRecord) -> bool:
        insertion = notice.insertion
        inside = {status.insertion.id for status in self._readers.views() if status.insertion is not None}
        return insertion is not None and insertion.id in inside

    async def _announce(self) -> None:
        """Tell notices in the order of their events, each once its event is durable."""
        while True:
            recorded, notice = await self._announcements.get()
            try:
                await recorded
            except CarddError:
                # nothing new is begun on what is not recorded; a card that has gone is gone all the same
                if not isinstance(notice, CardGone):
                    continue
            self._tell(notice)

    def _tell(self, notice: Notice) -> None:
        if isinstance(notice, CardIdentified) and notice.insertion.id in self._present:
            self._identities[notice.insertion.id] = notice.identity
            self._shown = None
        for listener in self._listeners:
            try:
                listener(notice)
            except Exception as error:  # noqa: BLE001 - one listener's fault is not the others'
                log.error("reception.listener_failed", notice=type(notice).__name__, error=type(error).__name__)  # noqa: TRY400

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
