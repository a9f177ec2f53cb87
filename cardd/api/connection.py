"""One connection: lines in, requests carried out side by side, lines out, and an orderly end whoever ends it."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec
import structlog

from cardd.api.dispatch import Methods, answer, answer_at_once, identity_of
from cardd.api.faults import log_fault
from cardd.api.method import Call, Office
from cardd.api.outbox import Outbox, SlowConsumerError
from cardd.api.rights import Rights
from cardd.api.session import Session
from cardd.api.sockets import has_gone
from cardd.api.subscriptions import Subscription
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire import rpc

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

_CHUNK: Final = 64 * 1024
_LOOK_S: Final = 1.0

Work = Callable[[], Awaitable[None]]


def _begin_nothing(_: Subscription) -> None:
    """Begin no subscription: what is answered at once makes none."""


class Connection:
    """Serves one client. Requests run concurrently, up to a limit; subscriptions beside them.

    When the client closes its sending side, what it has asked for is still answered and its subscriptions go on, but
    what it holds is let go. When it has gone altogether, or is too slow, everything of it is cancelled; deeds that were
    begun are carried out.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        session: Session,
        office: Office,
        methods: Methods,
    ) -> None:
        limits = office.limits
        self._reader = reader
        self._sock: socket.socket = writer.get_extra_info("socket")
        self._session = session
        self._office = office
        self._methods = methods
        self._outbox = Outbox(writer, slow_s=limits.slow_s, buffer_bytes=limits.buffer_bytes)
        self._places = asyncio.Semaphore(limits.requests)
        self._requests: set[asyncio.Task[None]] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._over: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(self) -> None:
        """Serve until the client is done, has gone, or is sent away."""
        receiving: set[asyncio.Task[None]] = set()
        self._spawn(self._receive, receiving).add_done_callback(lambda _: self._end())
        try:
            last_words = await self._over
        finally:
            await _cancel(receiving | self._requests | self._pumps)
            self._session.share.end_subscriptions(len(self._session.subscriptions))
            self._let_go()
        await self._outbox.close(last_words, grace_s=self._office.limits.farewell_s)

    def follow(self, rights: Rights) -> None:
        """Have what the client is granted by other rights; end if that is not all of what it had.

        Subscriptions that show persons, leases and requests under way rest on what was granted when they began.
        """
        granted = rights.granted(self._session.peer)
        if granted >= self._session.rights:
            self._session.rights = granted
        else:
            changed = CarddError(Reason.FORBIDDEN, "what you may do was changed: connect again with the rights left")
            self._end(rpc.failure(None, rpc.Code.REFUSED, changed))

    async def stop(self, grace_s: float) -> None:
        """End after its subscriptions have sent what the closed feed still holds for them, within a time."""
        if self._pumps:
            await asyncio.wait(self._pumps, timeout=grace_s)
        self._end()

    async def _receive(self) -> None:
        limits = self._office.limits
        lines, lines_a_turn = rpc.LineSplitter(limits.line_bytes), limits.lines_a_turn
        while not lines.too_long:
            chunk = await self._reader.read(_CHUNK)
            if not chunk:
                break
            whole = lines.feed(chunk)
            free = self._office.turns.at_once(self, min(len(whole), lines_a_turn))
            for number, line in enumerate(whole):
                if number % lines_a_turn == 0 and (number or not free):
                    # the first ones are mostly taken at once, and mostly there are no others
                    await self._office.turns.lot()
                await self._take(line)
        if lines.too_long:
            await self._refuse_the_rest()
        elif not has_gone(self._sock):
            if rest := lines.flush():
                await self._take(rest)
            self._let_go()
            await self._finish()

    async def _take(self, line: bytes) -> None:
        """Begin to carry out one line. Returns at once, unless every place is taken."""
        try:
            request = rpc.parse_request(line)
        except rpc.RpcError as error:
            await self._outbox.send(rpc.failure(None, error.code, error.error))
            return
        if self._outbox.has_room and (made := answer_at_once(self._methods, request, self._call(request))):
            if request.id is not msgspec.UNSET:
                self._outbox.put(made)
            return
        try:
            await self._take_place()
        except TimeoutError:
            await self._reply(request, rpc.failure(identity_of(request), rpc.Code.REFUSED, self._full()))
            return
        # with the task, not in it: one that is cancelled before it began has places too
        self._spawn(partial(self._carry_out, request), self._requests).add_done_callback(self._leave_place)

    async def _take_place(self) -> None:
        """Wait for a place among this connection's requests, and then for one among its user's.

        Raises TimeoutError. Where both are free, as they mostly are, nothing is waited for and no timer is set.
        """
        if not (self._places.locked() or self._session.share.places.locked()):
            await self._take_both()
            return
        async with asyncio.timeout(self._office.limits.patience_s):
            await self._take_both()

    async def _take_both(self) -> None:
        await self._places.acquire()
        try:
            await self._session.share.places.acquire()
        except asyncio.CancelledError:
            self._places.release()
            raise

    def _leave_place(self, _: asyncio.Task[None]) -> None:
        self._places.release()
        self._session.share.places.release()

    async def _carry_out(self, request: rpc.Request) -> None:
        begun: list[Subscription] = []
        call = self._call(request, begun.append)
        made = await answer(self._methods, request, call)
        if request.id is not msgspec.UNSET:
            await self._outbox.send_made(made)
        for subscription in begun:
            # it may have been ended already, by a request that came right behind
            if subscription.name in self._session.subscriptions:
                subscription.pump = self._spawn(subscription.run, self._pumps)

    def _call(self, request: rpc.Request, pump: Callable[[Subscription], None] = _begin_nothing) -> Call:
        return Call(request.method, self._office, self._session, self._outbox, pump)

    def _let_go(self) -> None:
        """End what this connection holds. A request under way that would hold something finds that it may not."""
        self._session.left = True
        self._office.services.leave(self._session.name)

    async def _reply(self, request: rpc.Request, line: bytes) -> None:
        if request.id is not msgspec.UNSET:
            await self._outbox.send(line)

    async def _finish(self) -> None:
        """Wait until all that the client asked for has ended, or it has gone: nothing tells that of itself here."""
        while (running := self._requests | self._pumps) and not has_gone(self._sock):
            await asyncio.wait(running, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)

    async def _refuse_the_rest(self) -> None:
        limit = self._office.limits.line_bytes
        error = CarddError(Reason.INVALID, f"a line holds at most {limit} bytes; the connection is closed")
        await self._outbox.send(rpc.failure(None, rpc.Code.INVALID_REQUEST, error))
        # read on for a while: closing over unread bytes could take the answer from the client
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._office.limits.farewell_s):
                while await self._reader.read(_CHUNK):
                    pass

    def _full(self) -> CarddError:
        limits = self._office.limits
        if self._places.locked():
            return CarddError(Reason.BUSY, f"{limits.requests} requests are under way on this connection already")
        return CarddError(Reason.BUSY, f"{limits.requests_of_user} requests of this user are under way already")

    def _spawn(self, work: Work, group: set[asyncio.Task[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guarded(work))
        group.add(task)
        task.add_done_callback(group.discard)
        return task

    async def _guarded(self, work: Work) -> None:
        """Run a part of this connection; what it cannot go on from ends the connection.

        A client that has gone ends only the part that noticed: its deeds and the reading side see for themselves.
        """
        try:
            with contextlib.suppress(ConnectionError):
                await work()
        except SlowConsumerError:
            self._end(self._too_slow())
        except Exception as fault:  # noqa: BLE001 - a fault of ours must not leave a client hanging
            log_fault("a connection failed", fault)
            self._end(rpc.failure(None, rpc.Code.INTERNAL, CarddError(Reason.INTERNAL)))

    def _end(self, last_words: bytes = b"") -> None:
        if not self._over.done():
            self._over.set_result(last_words)

    def _too_slow(self) -> bytes:
        """Return one error for each subscription, with the cursor to come back with."""
        _log.warning("a client reads too slowly and is disconnected", client=self._session.client)
        errors = [
            CarddError(Reason.SLOW_CONSUMER, subscription=one.name, cursor=one.cursor)
            for one in self._session.subscriptions.values()
        ]
        told = errors or [CarddError(Reason.SLOW_CONSUMER)]
        return b"".join(rpc.failure(None, rpc.Code.REFUSED, error) for error in told)


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
