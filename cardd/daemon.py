"""Composition: the one place where all floors meet, and how they begin, change their settings and end."""

import contextlib
import os
import socket
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import msgspec
import structlog

from cardd import __version__
from cardd.activation.counter import DeskCounter
from cardd.activation.engine import Engine
from cardd.activation.policy import policy_of
from cardd.api.server import Server
from cardd.api.services import Limits, Services
from cardd.api.sockets import Listening, adopt, listen
from cardd.base.clock import Clock, SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.config import Config
from cardd.crypto.tokens import KeyedTokens
from cardd.desk.account import Services as AccountServices
from cardd.desk.account_desk import AccountDesk
from cardd.desk.asking import Asking
from cardd.desk.at_card import AtCard
from cardd.desk.card_desk import CardDesk
from cardd.desk.lease_desk import LeaseDesk
from cardd.desk.reception import Reception
from cardd.desk.requests import CardRequests
from cardd.desk.stations import StationDesk
from cardd.desk.stop_record import StopRecord
from cardd.desk.stopped import StoppedKeys
from cardd.driver.amounts import AmountRule, Source
from cardd.driver.calls import Tools
from cardd.driver.debits import Debits
from cardd.driver.service import Driver
from cardd.driver.writes import Writes
from cardd.iso7816.device import Backend
from cardd.iso7816.trace import MaskingTracer
from cardd.journal.delivery import Delivery
from cardd.journal.events import NewEvent
from cardd.journal.store import Journal
from cardd.logs import Logs
from cardd.metrics.metering import Metering
from cardd.metrics.page import Page, Sources
from cardd.metrics.textfile import TextFile
from cardd.metrics.timing import TimedCentre
from cardd.pages import Pages, rights_of_pages
from cardd.providers import authority_of, backend_of, keys_of
from cardd.readers.facts import Fact, ServiceCameUp, ServiceWentDown
from cardd.readers.options import Access, stations_of
from cardd.readers.registry import Readers
from cardd.readers.tap import Tap
from cardd.records import Records, open_records, retention_of
from cardd.reloading import Part, Reloading, Taken, Takers
from cardd.service import Standing, passed_socket
from cardd.status import Status

log = structlog.get_logger()


class Daemon:
    """All parts, in the order in which they begin; they end the other way round."""

    def __init__(self, journal: Journal, reloading: Reloading, stack: AsyncExitStack) -> None:
        self._journal = journal
        self._reloading = reloading
        self._stack = stack

    @classmethod
    async def start(
        cls,
        config: Config,
        logs: Logs,
        standing: Standing,
        *,
        clock: Clock | None = None,
        backend: Backend | None = None,
        tap: Tap | None = None,
    ) -> "Daemon":
        """Begin everything. What has begun is ended again if a later part cannot begin.

        `clock` is the machine's and `backend` the configured one, unless others are given: those of a rig. `tap` is
        shown every exchange with a card.
        """
        async with AsyncExitStack() as stack:
            parts = _Parts(config, stack, logs, standing, clock or SystemClock(), backend, tap)
            journal, takers = await parts.begin()
            return cls(journal, Reloading(config, takers), stack.pop_all())
        raise AssertionError  # an exit stack swallows nothing here

    def reload(self, config: Config) -> Taken:
        """Take up what can be of another configuration. Raises CarddError(INVALID) where a part cannot."""
        return self._reloading.take(config)

    async def reach_journal(self) -> None:
        """Return when the journal's thread has come by. What it says is its own affair: a full disk is an answer."""
        with contextlib.suppress(CarddError):
            await self._journal.record()

    async def stop(self) -> None:
        """Say goodbye in the journal, let subscribers have it, end every part."""
        # a full disk must not keep the other parts from ending in order
        with contextlib.suppress(CarddError):
            await self._journal.record(NewEvent("service.stopping", "cardd", {}))
        await self._stack.aclose()

    async def abandon(self) -> None:
        """End every part as if the process had been killed: from this moment on nothing of it is recorded."""
        await self._journal.close()
        await self._stack.aclose()


class _Parts:
    """Puts the floors together, from the ground up."""

    def __init__(
        self,
        config: Config,
        stack: AsyncExitStack,
        logs: Logs,
        standing: Standing,
        clock: Clock,
        backend: Backend | None,
        tap: Tap | None,
    ) -> None:
        self._config = config
        self._stack = stack
        self._logs = logs
        self._standing = standing
        self._clock = clock
        self._backend = backend
        self._tap = tap
        self._metering = Metering(self._clock)
        self._state = Path(config.state_dir)
        self._source = f"/cardd/{socket.gethostname()}"

    async def begin(self) -> tuple[Journal, Takers]:
        """Begin all parts; return the journal, and who takes up settings while all run."""
        config, clock, stack = self._config, self._clock, self._stack
        records = self._records()
        journal = records.journal
        authority = TimedCentre(authority_of(config, clock, stack), self._metering.asking)
        readers = self._readers(journal.boot)
        keys, money = keys_of(config, readers, clock)
        record = StopRecord(journal)
        known = await record.load(station.name for station in readers.stations())
        stopped = StoppedKeys(record, stopped=known, clock=clock)
        reception = Reception(readers, journal, keys, clock=clock)
        reception.start()
        stack.callback(reception.close)
        engine = Engine(
            DeskCounter(readers, reception, keys, stopped, clock=clock),
            authority,
            journal,
            policy=policy_of(config.activation, config.auto_stations()),
            clock=clock,
            terminal=socket.gethostname(),
            provider=config.authority.provider,
        )
        rights, listening = rights_of_pages(config, config.socket.table()), _listening(config)
        stack.callback(listening.remove)
        pages = Pages(config)
        stack.callback(pages.shut)
        # nothing can keep the daemon from starting any more: the first event of every start
        await journal.record(NewEvent("service.started", "cardd", {"version": __version__}))
        await engine.recover()
        stack.push_async_callback(engine.close)
        requests = CardRequests(
            readers, keys, stopped, clock=clock, token_key=records.key, timed=self._metering.reading
        )
        requests.listen(reception)
        asking = Asking(journal, clock=clock, person_s=config.activation.deadlines.person_s)
        asking.listen(reception)
        cards = CardDesk(requests, reception, journal, keys, stopped, asking, clock=clock)
        await cards.recover()
        stack.callback(cards.close)
        settling = AccountServices(keys, money)
        accounts = AccountDesk(requests, reception, journal, settling, asking, clock=clock)
        await accounts.recover()
        stack.callback(accounts.close)
        stations = StationDesk(readers, journal, stopped, record)
        status = Status(config, clock, records, readers, keys, stopped, stations, engine, authority)
        page = self._page(status.sources(clients=lambda: server.connections))
        services = Services(
            clock=clock,
            journal=journal,
            delivery=Delivery(records.sealer, self._source),
            activations=engine,
            read_card=cards.read,
            readers=reception.readers,
            status=status,
            cards=cards,
            accounts=accounts,
            driver=Driver(
                Tools(
                    readers,
                    requests,
                    AtCard(requests, reception, keys, asking, clock=clock),
                    cards,
                    accounts,
                    stopped,
                    money,
                    journal,
                    Debits(accounts, KeyedTokens(records.key)),
                    Writes(cards),
                    clock,
                    config.leases.longest_s,
                    AmountRule(*map(Source, msgspec.structs.astuple(config.driver.amounts))),
                )
            ),
            prompts=asking,
            leases=LeaseDesk(readers, requests, journal, keys, stopped, clock=clock, longest_s=config.leases.longest_s),
            leave=readers.end_holds_of,
            stations=stations,
            evidence=records.evidence,
            metrics=page.openmetrics,
            refused=self._metering.refused,
        )
        limits = Limits(**msgspec.structs.asdict(config.socket.limits))
        server = Server(services, rights, limits)
        await server.serve(listening)
        # pages are let in no more, then told goodbye by the server, and have had it before they are let go of
        stack.push_async_callback(pages.close)
        stack.push_async_callback(server.close)
        pages.open(server, limits)
        stack.callback(pages.shut)
        readers.start()
        # a socket of the service manager's has the name it was given; one of our own was made under another name
        socket_path = str(listening.path or os.fsdecode(listening.sock.getsockname()))
        log.info("ready", socket=socket_path, stream=journal.stream, boot=journal.boot)
        self._standing.say("service", f"serving {socket_path}")
        return journal, {
            Part.RIGHTS: lambda new: server.follow(rights_of_pages(new, new.socket.table())),
            Part.LOGS: lambda new: self._log_from(new.logs.level, readers),
            Part.RULES: lambda new: engine.follow(policy_of(new.activation, new.auto_stations())),
            Part.RETENTION: lambda new: records.keeper.follow(retention_of(new)),
        }

    def _records(self) -> Records:
        """Open the journal, and begin to measure and to keep what is in it."""
        _make_state_dir(self._state)
        records = open_records(self._config, clock=self._clock, source=self._source)
        self._stack.push_async_callback(records.journal.close)
        self._metering.hear(records.journal)
        records.keeper.start()
        self._stack.callback(records.keeper.close)
        return records

    def _readers(self, boot: int) -> Readers:
        """Return the readers, which are not watched before all others are ready for what is in them."""
        config = self._config
        readers = Readers(
            self._backend or backend_of(config),
            stations_of(config.stations),
            clock=self._clock,
            boot=boot,
            exclusive=config.access is Access.EXCLUSIVE,
            lease_s=config.leases.longest_s,
            tracer=_tracer(self._logs),
            tap=self._tap,
        )
        self._stack.callback(readers.close)
        readers.subscribe(partial(_tell_service, self._standing))
        return readers

    def _page(self, sources: Sources) -> Page:
        """Return the page of all that is measured, which is kept in a file where that is wanted."""
        page, named = Page(self._metering.book, sources), self._config.metrics
        if named.textfile is not None:
            file = TextFile(Path(named.textfile), page.prometheus, every_s=named.every_s)
            self._stack.callback(file.close)
            file.start()
        return page

    def _log_from(self, level: str, readers: Readers) -> None:
        self._logs.set_level(level)
        readers.trace(_tracer(self._logs))


def _tell_service(standing: Standing, fact: Fact) -> None:
    """Tell operators when the service behind all readers goes, with the remedy, and when it is back."""
    if isinstance(fact, ServiceWentDown):
        log.warning(fact.detail, reason=str(fact.reason))
        standing.say("pcsc", fact.detail)
    elif isinstance(fact, ServiceCameUp):
        log.info("the smart-card service is back")
        standing.say("pcsc", "")


def _tracer(logs: Logs) -> MaskingTracer | None:
    """Return who logs every command, where that would be read."""
    return MaskingTracer(structlog.get_logger()) if logs.writes("debug") else None


def _listening(config: Config) -> Listening:
    passed = passed_socket()
    if passed is not None:
        return adopt(passed)
    path = Path(config.socket.path)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise CarddError(Reason.INVALID, f"{path.parent} cannot be made: {error.strerror}") from None
    return listen(path, mode=int(str(config.socket.mode), 8), group=config.socket.group)


def _make_state_dir(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        detail = f"state_dir {path} cannot be made: {error.strerror}. Name one that this user may write"
        raise CarddError(Reason.INVALID, detail) from None
