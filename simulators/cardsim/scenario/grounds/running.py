"""A daemon and a laboratory that run already, as `cardsim sandbox` keeps them: nothing is begun or ended here."""

import contextlib
import json
import os
import socket as sockets
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import msgspec
import yaml

from cardd.base.document import load_as_written, locate
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.client.blocking import Client
from cardd.wire.methods import READERS_LIST
from cardd.wire.system import NoParams
from cardsim.card.image import CardImage
from cardsim.control import CONTROL_SOCKET, order
from cardsim.fault_list import AnyFault
from cardsim.rig import program
from cardsim.scenario.grounds.clocks import RealTime
from cardsim.scenario.grounds.ground import Card, Stage
from cardsim.scenario.grounds.process import people_at
from cardsim.scenario.model import GroundName
from cardsim.scenario.plan import planned


class RunningGround:
    """A counter that somebody else keeps. `start` finds it."""

    name: GroundName = "running"

    def __init__(
        self, stage: Stage, stack: contextlib.ExitStack, socket: Path | None, lab: Path, config: Path | None
    ) -> None:
        self.time: Final = RealTime()
        self._stack = stack
        self._socket = socket
        self._lab = lab
        self._config = config
        self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cardsim-run-")))
        self._made: set[str] = set()
        self._inside: set[str] = set()
        """The slots that a card of this run is in."""
        with self.client() as client:
            self._slots = {view.reader: view.pcsc_name for view in client.call(READERS_LIST, NoParams()).readers}
        _find(lab)
        for number, station in enumerate(planned(stage.scenario)):
            for reader in station.readers:
                if reader.role == "counter" and reader.name not in self._slots:
                    where = "$.stations" if isinstance(stage.scenario.stations, int) else f"$.stations[{number}]"
                    known = ", ".join(self._slots)
                    raise locate(stage.path, where, f"the running daemon has no reader `{reader.name}`: it has {known}")

    @classmethod
    def start(cls, stage: Stage, *, socket: Path | None, lab: Path | None, config: Path | None) -> Self:
        """Find daemon and laboratory; `lab` is its directory, `socket` the daemon's (None: where it usually is).

        Raises UnreachableError, DocumentError for a reader that is not there, CarddError.
        """
        named = lab or os.environ.get("CARDSIM_DIR")
        if not named:
            raise CarddError(Reason.INVALID, "say which laboratory: --dir, or CARDSIM_DIR")
        if config is not None:
            # found wrong now and not when the register is looked at
            load_as_written(config, dict[str, object])
        with contextlib.ExitStack() as stack:
            ground = cls(stage, stack, socket, Path(named), config)
            ground._stack = stack.pop_all()
            return ground
        raise AssertionError  # an exit stack swallows nothing here

    def client(self) -> Client:
        """Connect to the daemon. Raises UnreachableError where there is none."""
        return Client.connect(self._socket)

    # -- hands

    def insert(self, card: Card, reader: str, interface: str | None, faults: Sequence[AnyFault]) -> None:
        """Put a card into a reader; done when pcscd has seen it."""
        self._order("insert", card, reader, interface, faults)

    def remove(self, reader: str) -> None:
        """Take a card out; done when pcscd has seen it."""
        slot = self._slot(reader)
        order(self._lab, "remove", reader=slot)
        self._inside.discard(slot)

    def swap(self, card: Card, reader: str, interface: str | None, faults: Sequence[AnyFault], gap_s: float) -> None:
        """Exchange the card in a reader; done when the reader has spoken to the new one."""
        self._order("swap", card, reader, interface, faults, gap_ms=round(gap_s * 1000))

    def forget(self, card: Card) -> None:
        """Have the card fresh when it is put in next."""
        self._made.discard(card.name)

    def memory(self, card: Card) -> CardImage:
        """Return what a card remembers."""
        image: CardImage = json.loads(order(self._lab, "memory", name=self._label(card)))
        return image

    def _order(
        self, action: str, card: Card, reader: str, interface: str | None, faults: Sequence[AnyFault], **more: int
    ) -> None:
        slot, fresh = self._slot(reader), card.name not in self._made
        self._made.add(card.name)
        order(
            self._lab,
            action,
            persona=str(self._persona(card)),
            reader=slot,
            name=self._label(card),
            fresh=fresh,
            interface=interface or "",
            faults=msgspec.json.encode(list(faults)).decode() if faults else "",
            **more,
        )
        self._inside.add(slot)

    def _label(self, card: Card) -> str:
        """Return the name of the card in the laboratory, where cards of other runs may be."""
        return f"{self.directory.name}/{card.name}"

    def _persona(self, card: Card) -> Path:
        """Return the file in which the card's persona stands, with the run's seed."""
        path = self.directory / f"{card.name}.yaml"
        if not path.exists():
            path.write_text(
                yaml.safe_dump(msgspec.to_builtins(card.persona.card), allow_unicode=True), encoding="utf-8"
            )
        return path

    def _slot(self, reader: str) -> str:
        slot = self._slots.get(reader)
        if slot is None:
            raise CarddError(Reason.NOT_FOUND, f"no reader `{reader}`: there are {', '.join(self._slots)}")
        return slot

    # -- the centre

    def register(self) -> list[dict[str, object]]:
        """Return what the register holds, which its configuration leads to. Raises CarddError where that is missing."""
        if self._config is None:
            raise CarddError(Reason.INVALID, "the register of a running daemon is found by --config FILE")
        authority = yaml.safe_load(self._config.read_text(encoding="utf-8")).get("authority", {})
        if authority.get("provider") == "http":
            return people_at(authority["url"])
        command = [program("cardd"), "register", "show", "--config", str(self._config)]
        shown = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own program
        if shown.returncode:
            raise CarddError(Reason.AUTHORITY_UNAVAILABLE, shown.stderr.decode(errors="replace").strip())
        return [json.loads(line) for line in shown.stdout.splitlines()]

    def order_centre(self, faults: Sequence[str]) -> None:
        """Refuse: it is not ours."""
        raise CarddError(Reason.INVALID, f"the centre takes no orders from here: {', '.join(faults)}")

    def power(self, verb: str, machine: str) -> None:
        """Kill, stop, continue, start or restart the laboratory's pcscd."""
        if machine != "pcscd":
            raise CarddError(Reason.INVALID, f"the {machine} is not ours to {verb}")
        order(self._lab, "pcscd", order="restart" if verb == "start" else verb)

    def close(self) -> None:
        """Remove what was written here, and take out the cards that were put in: the next run needs the readers."""
        self.time.give_up()
        for slot in self._inside:
            with contextlib.suppress(CarddError):
                order(self._lab, "remove", reader=slot)
        self._stack.close()


def _find(lab: Path) -> None:
    """Raise CarddError where no laboratory answers."""
    try:
        with sockets.socket(sockets.AF_UNIX) as link:
            link.connect(str(lab / CONTROL_SOCKET))
    except OSError:
        problem = f"no laboratory answers in {lab}: start one with `cardsim lab --dir {lab}`, or `cardsim sandbox`"
        raise CarddError(Reason.NOT_FOUND, problem) from None
