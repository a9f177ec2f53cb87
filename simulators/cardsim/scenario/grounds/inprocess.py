"""The whole daemon in this process, on simulated readers and in virtual time.

The only module of the simulator that imports the daemon, and only when a scenario is run here. What is different from a
daemon of its own: it cannot be stopped and continued, and a killed one's command under way at a card still ends.
"""

import asyncio
import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

import structlog
import yaml
from msgspec.structs import replace

from cardd.base.document import DocumentError, locate
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.client.blocking import Client
from cardd.wire.methods import READERS_LIST
from cardd.wire.system import NoParams
from cardsim.card.image import CardImage
from cardsim.card.make import make_card
from cardsim.centre.desk import Desk
from cardsim.centre.server import CentreServer
from cardsim.fault_list import AnyFault
from cardsim.links.inprocess import InProcessBackend
from cardsim.scenario.grounds.clocks import VirtualTime
from cardsim.scenario.grounds.ground import Card, Deck, Stage
from cardsim.scenario.grounds.house import PEOPLE, SOCKET, STATE, sam_of, settings_of, write_people, write_settings
from cardsim.scenario.model import GroundName
from cardsim.scenario.plan import readers_of

if TYPE_CHECKING:
    from cardd.config import Config
    from cardd.daemon import Daemon
    from cardd.logs import Logs

T = TypeVar("T")
Power = Callable[[], None]

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 # where it is there, the journal waits for no disk
_NAMED: Final = re.compile(r"^`([^`]*)`: ")
_READY_S: Final = 20.0
_LOOK_S: Final = 0.002


class InProcessGround:
    """A counter in this process. `start` makes one."""

    name: GroundName = "in-process"

    def __init__(self, stage: Stage, stack: contextlib.ExitStack) -> None:
        self.time: Final = VirtualTime()
        self._stage = stage
        stack.callback(self.time.loop.close)
        self._stack = stack
        self._deck = Deck(self.time.sleep)
        self._backend = InProcessBackend()
        self._daemon: Daemon | None = None
        where = os.environ.get("TMPDIR") or (str(_MEMORY) if _MEMORY.is_dir() else None)
        self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cardsim-run-", dir=where)))
        self._centre = _Centre(self) if stage.scenario.centre else None
        self._config: Config | None = None

    @classmethod
    def start(cls, stage: Stage) -> Self:
        """Bring everything up; return when the daemon answers and knows its readers.

        Raises DocumentError for settings that are none, CarddError where something does not come up; nothing is left
        then.
        """
        with contextlib.ExitStack() as stack:
            ground = cls(stage, stack)
            ground._begin()
            ground._stack = stack.pop_all()
            return ground
        raise AssertionError  # an exit stack swallows nothing here

    def _begin(self) -> None:
        check_settings(self._stage)
        slots = list(readers_of(self._stage.scenario))
        for slot in slots:
            self._backend.add_slot(slot)
        self._insert_module()
        write_people(self.directory, self._stage)
        if self._centre is not None:
            self._stack.callback(self._centre.close)
            self._centre.start()
        extra = {"journal": {"reserve_mb": 0}, **({} if self._centre is None else self._centre.settings())}
        settings = settings_of(self._stage, {one: one for one in slots}, extra)
        self._config = load_settings(write_settings(self.directory, settings), self._stage)
        self._stack.enter_context(_logging_to(self.directory / "cardd.log"))
        thread = threading.Thread(target=self._run_loop, name="daemon", daemon=True)
        thread.start()
        self._stack.callback(self._end_loop, thread)
        self._start_daemon()
        self._stack.callback(self._end_daemon)
        self.time.start()

    def _insert_module(self) -> None:
        slot = sam_of(self._stage)
        if slot is not None and self._stage.module is not None:
            self._backend.insert(slot, make_card(self._stage.module, sleep=self.time.sleep))

    # -- the loop

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self.time.loop)
        self.time.loop.run_forever()

    def _end_loop(self, thread: threading.Thread) -> None:
        self.time.give_up()
        self._do(_end_tasks())
        self.time.loop.call_soon_threadsafe(self.time.loop.stop)
        thread.join()

    def _do(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.time.loop).result()

    # -- the daemon

    def _start_daemon(self) -> None:
        from cardd.daemon import Daemon  # noqa: PLC0415 # only here is there one in this process
        from cardd.service import Standing  # noqa: PLC0415

        assert self._config is not None  # noqa: S101 # read when everything began
        standing = Standing(lambda _: None)
        self._daemon = self._do(Daemon.start(self._config, _logs(), standing, clock=self.time, backend=self._backend))
        self._await_readers()

    def _await_readers(self) -> None:
        wanted = len(readers_of(self._stage.scenario))
        changed = threading.Condition()
        for _ in range(int(_READY_S / _LOOK_S)):
            with self.client() as client:
                if len(client.call(READERS_LIST, NoParams()).readers) >= wanted:
                    return
            with changed:
                changed.wait(_LOOK_S)
        raise CarddError(Reason.TIMEOUT, "the daemon does not know its readers")

    def _end_daemon(self) -> None:
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            self._do(daemon.stop())

    def _kill_daemon(self) -> None:
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            self._do(daemon.abandon())

    def client(self) -> Client:
        """Connect to the daemon. Raises UnreachableError where there is none."""
        return Client.connect(self.directory / SOCKET)

    # -- hands

    def insert(self, card: Card, reader: str, interface: str | None, faults: Sequence[AnyFault]) -> None:
        """Put a card into a reader."""
        self._backend.insert(reader, self._deck.take(card, interface, faults))

    def remove(self, reader: str) -> None:
        """Take a card out."""
        self._backend.remove(reader)

    def swap(self, card: Card, reader: str, interface: str | None, faults: Sequence[AnyFault], gap_s: float) -> None:
        """Exchange the card in a reader."""
        self.remove(reader)
        self.time.sleep(gap_s)
        self.insert(card, reader, interface, faults)

    def forget(self, card: Card) -> None:
        """Have the card fresh when it is put in next."""
        self._deck.forget(card)

    def memory(self, card: Card) -> CardImage:
        """Return what a card remembers."""
        return self._deck.memory(card)

    # -- the centre

    def register(self) -> list[dict[str, object]]:
        """Return what the register holds, one dictionary a person."""
        if self._centre is not None:
            return self._centre.people()
        from cardd.activation.register import people_in  # noqa: PLC0415 # only here is there a daemon

        return people_in(self.directory / STATE / "register.sqlite")

    def order_centre(self, faults: Sequence[str]) -> None:
        """Have these things go wrong at the centre, and no others."""
        assert self._centre is not None  # noqa: S101 # a scenario without one gives no orders
        self._centre.order(faults)

    def power(self, verb: str, machine: str) -> None:
        """Kill, start or restart daemon or centre."""
        assert machine == "daemon" or self._centre is not None  # noqa: S101 # what else there is was refused before
        if self._centre is None or machine == "daemon":
            _switch(verb, self._kill_daemon, self._end_daemon, self._start_daemon)
            return
        # its port is closed and opened by the machine's clock
        with self.time.held():
            _switch(verb, self._centre.kill, self._centre.kill, self._centre.start)

    def close(self) -> None:
        """End everything that was begun, and leave nothing behind."""
        self.time.give_up()
        self._stack.close()


def _switch(verb: str, kill: Power, end: Power, start: Power) -> None:
    for act in {"kill": [kill], "start": [start], "restart": [end, start]}[verb]:
        act()


async def _end_tasks() -> None:
    """End what is still under way, and read what became of it: a loop that merely stops leaves errors unseen."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Centre:
    """A centre on a port, whose register outlives it."""

    def __init__(self, ground: InProcessGround) -> None:
        self._ground = ground
        self._desk: Desk | None = None
        self._server: CentreServer | None = None
        self._port = 0
        self._faults: Sequence[str] = ()

    def start(self) -> None:
        if self._server is not None:
            return
        if self._desk is None:
            directory = self._ground.directory
            self._desk = Desk.open(directory / "centre.sqlite", directory / PEOPLE, clock=self._ground.time)
        self._server = CentreServer(self._desk, port=self._port, faults=self._faults, sleep=self._ground.time.sleep)
        self._server.__enter__()
        self._port = int(self._server.url.rpartition(":")[2])

    def kill(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.__exit__(None, None, None)

    def settings(self) -> dict[str, object]:
        return {"authority": {"provider": "http", "url": f"http://127.0.0.1:{self._port}"}}

    def people(self) -> list[dict[str, object]]:
        assert self._desk is not None  # noqa: S101 # it was started
        return self._desk.people()

    def order(self, faults: Sequence[str]) -> None:
        self._faults = tuple(faults)
        if self._server is not None:
            self._server.faults.order(*faults)

    def close(self) -> None:
        self.kill()
        if self._desk is not None:
            self._desk.close()


def check_settings(stage: Stage) -> None:
    """Have the daemon's configuration read before anything is begun. Raises DocumentError where it is none."""
    names = {one: one for one in readers_of(stage.scenario)}
    extra = {"authority": {"provider": "http", "url": "http://127.0.0.1:1"}} if stage.scenario.centre else {}
    with tempfile.TemporaryDirectory(prefix="cardsim-run-") as directory:
        # that there is a register is enough; thousands of people take seconds to write
        write_people(Path(directory), replace(stage, register=replace(stage.register, people=[])))
        load_settings(write_settings(Path(directory), settings_of(stage, names, extra)), stage)


def load_settings(written: Path, stage: Stage) -> "Config":
    """Read the daemon's configuration. Raises DocumentError at the scenario's own settings where those are wrong."""
    from cardd.config import load_config  # noqa: PLC0415 # only here is there a daemon

    try:
        return load_config(written)
    except DocumentError as error:
        where = _path_of(yaml.compose(written.read_text(encoding="utf-8")), error, "$.settings") or "$"
        raise locate(stage.path, where, _NAMED.sub("", error.problem)) from None


def _path_of(node: yaml.Node | None, error: DocumentError, where: str) -> str | None:
    """Return the path of the innermost part that begins where an error is."""
    parts: list[tuple[str, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        parts = [(f"{where}.{key.value}", one) for key, value in node.value for one in (key, value)]
    elif isinstance(node, yaml.SequenceNode):
        parts = [(f"{where}[{number}]", one) for number, one in enumerate(node.value)]
    for path, one in parts:
        if (found := _path_of(one, error, path)) is not None:
            return found
    here = node is not None and (node.start_mark.line + 1, node.start_mark.column + 1) == (error.line, error.column)
    return where if here else None


def _logs() -> "Logs":
    """Return a log that is set up by who runs the scenario."""
    from cardd.logs import Logs  # noqa: PLC0415 # only here is there a daemon

    class Quiet(Logs):
        """Writes what the ground has it write, whatever the configuration says."""

        def __init__(self) -> None:
            """Set nothing up."""

        def set_level(self, level: str) -> None:
            """Leave the level as it is."""

        def writes(self, level: str) -> bool:
            """Write from warnings on."""
            return level in {"warning", "error"}

    return Quiet()


@contextlib.contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Have the daemon's log in a file."""
    from cardd.logs import configure  # noqa: PLC0415 # only here is there a daemon

    before = structlog.get_config()
    with path.open("w", encoding="utf-8") as file:
        with contextlib.redirect_stderr(file):
            configure("warning", "json")
        # a logger that keeps what it was set up with would go on writing to this file when the next run has its own
        structlog.configure(cache_logger_on_first_use=False)
        try:
            yield
        finally:
            structlog.configure(**before)
