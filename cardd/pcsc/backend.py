"""Card readers through PC/SC, as the reader protocol has them."""

import threading
import weakref
from collections import Counter
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import Observer, Transport
from cardd.pcsc.devices import direct
from cardd.pcsc.errors import CARD_DENIED, COMM_ERROR, CONTEXT_LOST, Phase, convey, explain
from cardd.pcsc.neighbours import Neighbours
from cardd.pcsc.scard import Disposition, PcscError, Protocol, ReaderState, Scard, Share, State
from cardd.pcsc.service import explain_absence
from cardd.pcsc.watcher import Watcher

_STATUS_WORD_LENGTH: Final = 2

SCOUTING_S: Final = 0.25
"""How long the service may take to say whether a reader is in use."""

_HELD_BY_ANOTHER: Final = PcscError("SCardBeginTransaction", 0x8010000B)


class PcscBackend:
    """The readers of pcscd, at its usual place or where PCSCLITE_CSOCK_NAME says.

    Making one raises CarddError PCSC_UNAVAILABLE where libpcsclite or pyscard is missing. That no pcscd runs is no
    error here: the watch tells it.
    """

    def __init__(self, scard: Scard | None = None) -> None:
        self._scard = scard or Scard()
        self._threads = threading.local()
        self._held = _Held()
        self._neighbours = Neighbours()
        self._watchers: weakref.WeakSet[Watcher] = weakref.WeakSet()
        self._waking: set[str] = set()

    def watch(self, observer: Observer) -> Watcher:
        """Start the watching thread; it outlives the service."""
        watcher = Watcher(self._scard, observer, self._held.holds)
        watcher.start()
        self._watchers.add(watcher)
        return watcher

    def wake(self, slot: str) -> None:
        """Give power to whatever is in a slot, in a thread of its own; a card that answers is told by the watch."""
        if slot not in self._waking:
            self._waking.add(slot)
            threading.Thread(target=self._wake, args=(slot,), name="pcsc-wake", daemon=True).start()

    def _wake(self, slot: str) -> None:
        try:
            with direct(self._scard, slot) as handle:
                self._scard.power_anew(handle)
        except PcscError:
            # no card, or nobody may ask just now: the next try comes
            return
        finally:
            self._waking.discard(slot)
        # pcscd may tell nobody of what it has found
        for watcher in self._watchers:
            watcher.wake()

    def connect(self, slot: str, *, exclusive: bool) -> "PcscConnection":
        """Power the card in a slot and open it, on the calling thread's own context.

        Raises CarddError: NO_CARD, CARD_MUTE, CARD_UNPOWERED, READER_IN_USE, READER_UNAVAILABLE, TIMEOUT,
        PCSC_UNAVAILABLE, PCSC_DENIED.
        """
        try:
            return self._connect(slot, exclusive=exclusive)
        except PcscError as error:
            if error.code not in CONTEXT_LOST:
                raise self._explain(error) from None
        # the service went and came back since this thread used it: its context is of no use, a new one may be
        self._threads.context = None
        try:
            return self._connect(slot, exclusive=exclusive)
        except PcscError as error:
            raise self._explain_again(error) from None

    def in_the_way(self, slot: str) -> CarddError | None:
        """Return READER_IN_USE if the service answers and says that a card is in use, though we do not get at it."""
        answer: SimpleQueue[bool] = SimpleQueue()
        threading.Thread(target=self._look_at, args=(slot, answer), name="pcsc-scout", daemon=True).start()
        try:
            taken = answer.get(timeout=SCOUTING_S)
        except Empty:
            # then it is the service that does not answer
            return None
        return self._explain(_HELD_BY_ANOTHER) if taken else None

    def _look_at(self, slot: str, answer: SimpleQueue[bool]) -> None:
        try:
            context = self._scard.establish_context()
            try:
                (state,) = self._scard.wait(context, [ReaderState(slot)], 0)
            finally:
                self._scard.release_context(context)
        except PcscError:
            answer.put(False)
        else:
            answer.put(bool(state.flags & (State.INUSE | State.EXCLUSIVE)))

    def _explain(self, error: PcscError) -> CarddError:
        problem = explain(error, Phase.CONNECTING)
        names = ", ".join(self._neighbours.names()) if problem.reason is Reason.READER_IN_USE else ""
        if not names:
            return problem
        detail = f"{problem.detail} Programs that may be using readers now: {names}."
        return CarddError(problem.reason, detail, pcsc=problem.facts["pcsc"], programs=names)

    def _explain_again(self, error: PcscError) -> CarddError:
        """Explain why connecting on a new context failed too."""
        if (error.call, error.code) != ("SCardConnect", COMM_ERROR):
            return explain_absence(error) if error.code in CONTEXT_LOST else self._explain(error)
        self._threads.context = None
        try:
            self._own_context()
        except PcscError as gone:
            return explain_absence(gone)
        # the service takes us and hangs up on the one question: up to 2.0.0 that is how it passes on polkit's no
        return convey(error, CARD_DENIED, Phase.CONNECTING)

    def _connect(self, slot: str, *, exclusive: bool) -> "PcscConnection":
        let_go = self._held.hold(slot) if exclusive else _nothing
        share = Share.EXCLUSIVE if exclusive else Share.SHARED
        try:
            context = self._own_context()
            handle, protocol = self._scard.connect(context.number, slot, share, Protocol.T0 | Protocol.T1)
        except PcscError:
            let_go()
            raise
        return PcscConnection(self._scard, context, handle, protocol, let_go)

    def _own_context(self) -> "_Context":
        context: _Context | None = getattr(self._threads, "context", None)
        if context is None:
            context = self._threads.context = _Context(self._scard)
        return context


class PcscConnection:
    """A card that one thread has opened. The handle lives as long as this object does and the service runs."""

    def __init__(
        self, scard: Scard, context: "_Context", handle: int, protocol: Protocol, let_go: Callable[[], None]
    ) -> None:
        self._scard = scard
        # kept: with the context goes the handle
        self._context = context
        self._handle = handle
        self._protocol = protocol
        self._let_go = let_go
        self._open = True
        try:
            self._atr = scard.answer_to_reset(handle)
        except PcscError:
            self.disconnect(reset=False)
            raise

    @property
    def atr(self) -> bytes:
        """The answer to reset of the card that was connected."""
        return self._atr

    @property
    def transport(self) -> Transport:
        """The protocol that was agreed on."""
        return Transport.T0 if self._protocol is Protocol.T0 else Transport.T1

    def transmit(self, command: bytes) -> bytes:
        """Send one command as it is; an answer too short for a status word means that the card has gone."""
        try:
            response = self._scard.transmit(self._handle, self._protocol, command)
        except PcscError as error:
            raise explain(error, Phase.OPEN) from None
        if len(response) < _STATUS_WORD_LENGTH:
            raise CarddError(Reason.CARD_REMOVED, "The card was taken out in the middle of a command. Insert it again.")
        return response

    def control(self, code: int, data: bytes) -> bytes:
        """Send a command to the reader itself (PC/SC part 10)."""
        try:
            return self._scard.control(self._handle, code, data)
        except PcscError as error:
            raise explain(error, Phase.OPEN) from None

    def begin(self) -> None:
        """Begin a transaction; waits while another program has one."""
        try:
            self._scard.begin_transaction(self._handle)
        except PcscError as error:
            raise explain(error, Phase.OPEN) from None

    def end(self, *, reset: bool = False) -> None:
        """End the transaction; with a reset, if told so, before anybody who waits gets the card."""
        try:
            self._scard.end_transaction(self._handle, Disposition.RESET if reset else Disposition.LEAVE)
        except PcscError as error:
            raise explain(error, Phase.OPEN) from None

    def disconnect(self, *, reset: bool) -> None:
        """Let go of the card, with a reset if told so. Never raises; a second time does nothing."""
        if not self._open:
            return
        self._open = False
        try:
            self._scard.disconnect(self._handle, Disposition.RESET if reset else Disposition.LEAVE)
        except PcscError:
            # card or service have gone before: there is nothing left to let go of
            return
        finally:
            self._let_go()


class _Context:
    """A context that is given back when nobody has it any more: its thread has ended, or has taken a new one."""

    def __init__(self, scard: Scard) -> None:
        self.number = scard.establish_context()
        weakref.finalize(self, _give_back, scard, self.number).atexit = False


def _give_back(scard: Scard, context: int) -> None:
    # in a thread of its own, because a hung service would hold up whoever dropped the context
    threading.Thread(target=_release, args=(scard, context), name="pcsc-release", daemon=True).start()


def _release(scard: Scard, context: int) -> None:
    try:
        scard.release_context(context)
    except PcscError:
        # the service that made it has gone, and the context with it
        return


class _Held:
    """The readers that this process holds, or is about to hold, exclusively."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: Counter[str] = Counter()

    def hold(self, slot: str) -> Callable[[], None]:
        """Count a hold; the callable that comes back ends it."""
        with self._lock:
            self._slots[slot] += 1
        return lambda: self._drop(slot)

    def _drop(self, slot: str) -> None:
        with self._lock:
            self._slots[slot] -= 1
            if not self._slots[slot]:
                del self._slots[slot]

    def holds(self, slot: str) -> bool:
        """Say whether this process holds the reader."""
        with self._lock:
            return slot in self._slots


def _nothing() -> None:
    """End no hold."""
