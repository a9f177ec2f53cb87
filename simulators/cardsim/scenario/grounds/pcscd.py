"""A private pcscd, the daemon as a process of its own, and a centre as another one, in the machine's time."""

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.client.blocking import Client
from cardsim.card.image import CardImage
from cardsim.card.make import make_card
from cardsim.fault_list import AnyFault
from cardsim.lab import Lab
from cardsim.rig import Rig
from cardsim.scenario.grounds.clocks import RealTime
from cardsim.scenario.grounds.ground import Card, Deck, Stage
from cardsim.scenario.grounds.house import sam_of, settings_of, write_people
from cardsim.scenario.grounds.inprocess import check_settings, load_settings
from cardsim.scenario.grounds.process import CentreProcess
from cardsim.scenario.model import GroundName
from cardsim.scenario.plan import readers_of


class PcscdGround:
    """A counter on a private pcscd. `start` makes one."""

    name: GroundName = "pcscd"

    def __init__(self, stage: Stage, stack: contextlib.ExitStack) -> None:
        self.time: Final = RealTime()
        self._stack = stack
        self._deck = Deck(self.time.sleep)
        # a process whose parent is to take it along ends with the thread that began it
        self._hands = ThreadPoolExecutor(1, thread_name_prefix="power")
        stack.callback(self._hands.shutdown)
        self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cardsim-run-")))
        people = write_people(self.directory, stage)
        self._centre = None
        if stage.scenario.centre:
            self._centre = CentreProcess(self.directory, people)
            stack.callback(self._centre.close)
            self._hands.submit(self._centre.start).result()
        names = list(readers_of(stage.scenario))
        self._lab = stack.enter_context(Lab.start(self.directory / "pcscd", len(names)))
        self._slots: Mapping[str, str] = dict(zip(names, self._lab.readers, strict=False))
        extra = {"logs": {"level": "info", "format": "json"}, **({} if self._centre is None else self._centre.settings)}
        self._rig = Rig(self.directory, self._lab, settings_of(stage, self._slots, extra))
        load_settings(self._rig.config, stage)
        slot = sam_of(stage)
        if slot is not None and stage.module is not None:
            self._lab.insert(make_card(stage.module), self._slots[slot])
        stack.callback(self._rig.stop_daemon)
        self._hands.submit(self._rig.start_daemon).result()

    @classmethod
    def start(cls, stage: Stage) -> Self:
        """Bring everything up; return when the daemon answers and knows its readers.

        Raises DocumentError for settings that are none, CarddError where something does not come up; nothing is left
        then.
        """
        check_settings(stage)
        with contextlib.ExitStack() as stack:
            ground = cls(stage, stack)
            ground._stack = stack.pop_all()
            return ground
        raise AssertionError  # an exit stack swallows nothing here

    def client(self) -> Client:
        """Connect to the daemon. Raises UnreachableError where there is none."""
        return self._rig.client()

    # -- hands

    def insert(self, card: Card, reader: str, interface: str | None, faults: Sequence[AnyFault]) -> None:
        """Put a card into a reader; done when pcscd has seen it."""
        self._lab.insert(self._deck.take(card, interface, faults), self._slot(reader))

    def remove(self, reader: str) -> None:
        """Take a card out; done when pcscd has seen it."""
        self._lab.remove(self._slot(reader))

    def swap(self, card: Card, reader: str, interface: str | None, faults: Sequence[AnyFault], gap_s: float) -> None:
        """Exchange the card in a reader; done when the reader has spoken to the new one."""
        self._lab.swap(self._deck.take(card, interface, faults), self._slot(reader), gap_s)

    def forget(self, card: Card) -> None:
        """Have the card fresh when it is put in next."""
        self._deck.forget(card)

    def memory(self, card: Card) -> CardImage:
        """Return what a card remembers."""
        return self._deck.memory(card)

    def _slot(self, reader: str) -> str:
        slot = self._slots.get(reader)
        if slot is None:
            raise CarddError(Reason.NOT_FOUND, f"no reader `{reader}`: there are {', '.join(self._slots)}")
        return slot

    # -- the centre

    def register(self) -> list[dict[str, object]]:
        """Return what the register holds, one dictionary a person."""
        return self._rig.register() if self._centre is None else self._centre.people()

    def order_centre(self, faults: Sequence[str]) -> None:
        """Have these things go wrong at the centre, and no others."""
        assert self._centre is not None  # noqa: S101 # a scenario without one gives no orders
        self._centre.order(faults)

    # -- power

    def power(self, verb: str, machine: str) -> None:
        """Kill, stop, continue, start or restart pcscd, daemon or centre."""
        self._hands.submit(self._switches(machine)[verb]).result()

    def _switches(self, machine: str) -> Mapping[str, Callable[[], object]]:
        if machine == "pcscd":
            return {
                "kill": self._lab.kill_pcscd,
                "stop": self._lab.stop_pcscd,
                "continue": self._lab.continue_pcscd,
                "start": self._lab.restart_pcscd,
                "restart": self._lab.restart_pcscd,
            }
        if machine == "centre" and self._centre is not None:
            return self._centre.switches
        return {
            "kill": lambda: self._rig.stop_daemon(signal.SIGKILL),
            "stop": lambda: self._signal_daemon(signal.SIGSTOP),
            "continue": lambda: self._signal_daemon(signal.SIGCONT),
            "start": self._start_daemon,
            "restart": self._restart_daemon,
        }

    def _start_daemon(self) -> None:
        if self._rig.daemon is None:
            self._rig.start_daemon()

    def _restart_daemon(self) -> None:
        self._rig.stop_daemon()
        self._rig.start_daemon()

    def _signal_daemon(self, number: signal.Signals) -> None:
        daemon: subprocess.Popen[bytes] | None = self._rig.daemon
        if daemon is not None:
            daemon.send_signal(number)

    def close(self) -> None:
        """End everything that was begun, and leave nothing behind."""
        self.time.give_up()
        # what stands still could not end
        self._signal_daemon(signal.SIGCONT)
        self._stack.close()
