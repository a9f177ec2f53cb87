"""A laboratory: a real pcscd, virtual readers, virtual cards; all of it is gone when it is closed."""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardsim.card.base import VirtualCard
from cardsim.control import CONTROL_SOCKET, ControlServer
from cardsim.drawer import Drawer
from cardsim.fault_list import AnyFault
from cardsim.links.vpcd import VpcdLink
from cardsim.pcscd import PrivatePcscd, VirtualReader
from cardsim.pcsclite import PcscdSilentError, ReaderView, wait_for
from cardsim.persona import load_persona
from cardsim.replay import ReplayCard
from cardsim.trace import RecordingCard, load_trace

_SEEN_SECONDS: Final = 5.0
_FAULTS: Final = msgspec.json.Decoder(tuple[AnyFault, ...])


class _Stay(Struct, frozen=True):
    """A card in a reader; `label` is the named card's (name, interface), None for a card that was handed over."""

    card: VirtualCard
    link: VpcdLink
    label: tuple[str, str] | None


class Lab:
    """A private pcscd with virtual readers and the cards that lie in them.

    vpcd listens on every address of the machine: a laboratory belongs on no counter. Methods may be called from any
    thread and wait for each other. They raise CarddError: NOT_FOUND for a reader or card that is not there, BUSY for
    one that is taken, PCSC_UNAVAILABLE where pcscd does not start, TIMEOUT where it does not see what was done.
    """

    def __init__(self, directory: Path, readers: int) -> None:
        self.directory: Final = directory
        self._pcscd = PrivatePcscd(directory, readers)
        self._made = not directory.exists()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._claim = _claim(directory)
        self._drawer = Drawer()
        self._stays: dict[VirtualReader, _Stay] = {}
        self._replays: dict[VirtualReader, ReplayCard] = {}
        self._lock = threading.RLock()
        self._control = ControlServer(
            directory / CONTROL_SOCKET,
            {
                "insert": self.insert_persona,
                "remove": self.remove,
                "swap": self.swap_persona,
                "memory": self._tell_memory,
                "replay": self.replay,
                "replayed": self._tell_replayed,
                "pcscd": self._order_pcscd,
            },
        )

    @classmethod
    def start(cls, directory: Path, readers: int) -> Self:
        """Start a laboratory in a directory, which is made if it is not there; return when pcscd shows the readers."""
        lab = cls(directory, readers)
        try:
            lab._pcscd.start()
            lab._control.start()
        except BaseException:
            lab.close()
            raise
        return lab

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pcscd_socket(self) -> Path:
        """The socket for PCSCLITE_CSOCK_NAME."""
        return self._pcscd.socket

    @property
    def control_socket(self) -> Path:
        """Where `cardsim insert` and `cardsim remove` are heard."""
        return self._control.path

    @property
    def readers(self) -> tuple[str, ...]:
        """The readers' names as pcscd shows them."""
        return tuple(reader.name for reader in self._pcscd.readers)

    @property
    def places(self) -> tuple[VirtualReader, ...]:
        """The readers and their ports, for links of one's own: cards that the laboratory then knows nothing of."""
        return self._pcscd.readers

    @property
    def pcscd_process(self) -> int | None:
        """The id of its pcscd's process, None while there is none."""
        return self._pcscd.process

    @property
    def answers(self) -> bool:
        """Whether its pcscd is meant to run and to answer just now."""
        return self._pcscd.answers

    def insert(self, card: VirtualCard, reader: str | int) -> str:
        """Put a card into a reader, named whole, by a part or by its index; return its name when pcscd has seen it."""
        with self._lock:
            return self._insert(card, self._find(reader), None)

    def insert_persona(
        self,
        persona: str,
        reader: str | int,
        *,
        name: str = "",
        fresh: bool = False,
        interface: str = "",
        record: str = "",
        record_pins: bool = False,
        faults: str = "",
    ) -> str:
        """Put a persona's card into a reader and return the reader's name when pcscd has seen it.

        `persona` is a shipped name or the path of a YAML file; a broken one is a DocumentError.
        `name` is one physical card (default: the persona's own name), which keeps what was done to it until it is made
        `fresh`. `interface` is `contact` or `contactless`; contacts, if left out and the card has them. `record` is the
        path of a file in which this stay's exchanges are written down, PINs masked unless `record_pins`. `faults`, a
        JSON list, are wrong with the card for this stay, beside its own.
        """
        with self._lock:
            place = self._find(reader)
            self._refuse_if_taken(place)
            card, label = self._card(persona, name, interface, faults, fresh=fresh)
            return self._insert(_recorded(card, record, masked=not record_pins) if record else card, place, label)

    def swap_persona(
        self,
        persona: str,
        reader: str | int,
        *,
        name: str = "",
        fresh: bool = False,
        interface: str = "",
        faults: str = "",
        gap_ms: int = 0,
    ) -> str:
        """Exchange the card in a reader for a persona's; return when the reader has spoken to that."""
        with self._lock:
            card, label = self._card(persona, name, interface, faults, fresh=fresh)
            return self._exchange(card, self._find(reader), label, gap_ms / 1000)

    def _card(
        self, persona: str, name: str, interface: str, faults: str, *, fresh: bool
    ) -> tuple[VirtualCard, tuple[str, str]]:
        """Take a card from the drawer, or make it; return it with its label."""
        character = load_persona(persona)
        name = name or character.name
        if fresh:
            self._refuse_if_inserted(lambda label: label[0] == name)
            self._drawer.make(name, character)
        else:
            self._drawer.provide(name, character)
        label = (name, interface or self._drawer.first_interface(name))
        self._refuse_if_inserted(lambda other: other == label)
        return self._drawer.take(*label, _FAULTS.decode(faults) if faults else ()), label

    def _tell_memory(self, name: str) -> str:
        """Return as JSON what a card remembers. It holds the PIN."""
        return msgspec.json.encode(self._drawer.memory(name)).decode()

    def replay(self, trace: str, reader: str | int, insertion: str = "") -> str:
        """Put a recorded card into a reader; return the reader's name when pcscd has seen it.

        `insertion` is which stay, where the trace is of several.

        Raises DocumentError for a broken trace, CarddError NOT_FOUND for one that cannot be read.
        """
        try:
            card = ReplayCard(load_trace(Path(trace), insertion))
        except OSError as error:
            raise CarddError(Reason.NOT_FOUND, f"{trace}: {error.strerror}") from None
        with self._lock:
            place = self._find(reader)
            name = self._insert(card, place, None)
            self._replays[place] = card
            return name

    def _tell_replayed(self, reader: str | int) -> str:
        """Return as JSON how far the last replay in a reader has come, also when its card has been taken out."""
        with self._lock:
            place = self._find(reader)
            card = self._replays.get(place)
            if card is None:
                raise CarddError(Reason.NOT_FOUND, f"nothing was replayed in {place.name}")
            stay = self._stays.get(place)
            lies_there = stay is not None and stay.card is card
            return msgspec.json.encode(card.progress(inserted=lies_there)).decode()

    def remove(self, reader: str | int) -> str:
        """Take the card out of a reader; return the reader's name when pcscd has seen it."""
        with self._lock:
            place = self._find(reader)
            before = self._look(place)
            self._take_out(place)
            self._await(place, partial(_is_out, before), "removal")
            return place.name

    def empty(self) -> None:
        """Take every card out; return when pcscd has seen it."""
        with self._lock:
            before = {place: self._look(place) for place in self._stays}
            for place in before:
                self._take_out(place)
            for place, view in before.items():
                self._await(place, partial(_is_out, view), "removal")

    def swap(self, card: VirtualCard, reader: str | int, gap_seconds: float) -> str:
        """Exchange the card in a reader for another one; return when the reader has spoken to the new one.

        pcscd looks every 400 ms: with a gap below that it may see nothing at all.
        """
        with self._lock:
            return self._exchange(card, self._find(reader), None, gap_seconds)

    def _exchange(
        self, card: VirtualCard, place: VirtualReader, label: tuple[str, str] | None, gap_seconds: float
    ) -> str:
        self._take_out(place)
        time.sleep(gap_seconds)
        stay = self._put_in(card, place, label)
        if not stay.link.wait_noticed(_SEEN_SECONDS):
            raise CarddError(Reason.TIMEOUT, f"pcscd did not speak to the new card in {place.name}")
        return place.name

    def kill_pcscd(self) -> None:
        """Kill pcscd; it stays away until `restart_pcscd`. The cards stay where they are."""
        self._pcscd.kill()

    def stop_pcscd(self) -> None:
        """Stop pcscd with SIGSTOP: it is there and answers nobody."""
        self._pcscd.freeze()

    def continue_pcscd(self) -> None:
        """Let a stopped pcscd go on."""
        self._pcscd.thaw()

    def restart_pcscd(self, *, strangers: int = 0, unplugged: Collection[int] = ()) -> None:
        """Start pcscd again, after killing it if it runs; return when it has seen the cards that lie in the readers.

        `strangers`: so many pairs of other readers are there as well, which changes the names of ours. `unplugged`:
        pairs of ours, by number, that have gone; a card stays in its reader also then.
        """
        with self._lock:
            self._pcscd.restart(strangers=strangers, unplugged=unplugged)
            here = {place.port: place for place in self._pcscd.readers}
            self._stays = {here[place.port]: stay for place, stay in self._stays.items()}
            self._replays = {here[place.port]: card for place, card in self._replays.items()}
            for place in self._stays.keys() - self._pcscd.unplugged:
                self._await(place, lambda view: view.present, "card")

    def close(self) -> None:
        """Take all cards out, end pcscd, remove what was written."""
        with self._lock:
            for place in tuple(self._stays):
                self._take_out(place)
            self._pcscd.close()
            self._control.close()
            os.close(self._claim)
            if self._made:
                _remove_if_empty(self.directory)

    def _order_pcscd(self, order: str) -> str:
        """Carry out one of the four orders that come from outside."""
        orders = {
            "kill": self.kill_pcscd,
            "stop": self.stop_pcscd,
            "continue": self.continue_pcscd,
            "restart": self.restart_pcscd,
        }
        orders[order]()
        return order

    def _find(self, reader: str | int) -> VirtualReader:
        places = self._pcscd.readers
        text = str(reader)
        if text.isascii() and text.isdecimal() and int(text) < len(places):
            return places[int(text)]
        found = [place for place in places if place.name == text] or [place for place in places if text in place.name]
        if len(found) != 1:
            problem = "is part of several names" if found else "is no reader here"
            raise CarddError(Reason.NOT_FOUND, f"`{text}` {problem}; readers: {', '.join(self.readers)}")
        return found[0]

    def _refuse_if_taken(self, place: VirtualReader) -> None:
        if place in self._stays:
            raise CarddError(Reason.BUSY, f"there is a card in {place.name}: remove it first")

    def _refuse_if_inserted(self, same: Callable[[tuple[str, str]], bool]) -> None:
        for place, stay in self._stays.items():
            if stay.label is not None and same(stay.label):
                raise CarddError(Reason.BUSY, f"the card `{stay.label[0]}` is in {place.name}: remove it first")

    def _insert(self, card: VirtualCard, place: VirtualReader, label: tuple[str, str] | None) -> str:
        self._refuse_if_taken(place)
        self._put_in(card, place, label)
        self._await(place, lambda view: view.present, "insertion")
        return place.name

    def _put_in(self, card: VirtualCard, place: VirtualReader, label: tuple[str, str] | None) -> _Stay:
        stay = self._stays[place] = _Stay(card, VpcdLink(card, place.port), label)
        stay.link.start()
        return stay

    def _take_out(self, place: VirtualReader) -> None:
        stay = self._stays.pop(place, None)
        if stay is None:
            raise CarddError(Reason.NOT_FOUND, f"there is no card in {place.name}")
        stay.link.close()

    def _look(self, place: VirtualReader) -> ReaderView | None:
        """Return what pcscd shows of a reader now, None where it cannot be asked."""
        if not self._pcscd.answers:
            return None
        try:
            return next(
                (view for view in wait_for(self.pcscd_socket, bool, _SEEN_SECONDS) if view.name == place.name), None
            )
        except PcscdSilentError:
            return None

    def _await(self, place: VirtualReader, wanted: Callable[[ReaderView], bool], what: str) -> None:
        """Wait until pcscd shows a reader as wanted. One that was killed or stopped will see it later, by itself."""
        if not self._pcscd.answers:
            return
        try:
            wait_for(
                self.pcscd_socket,
                lambda views: any(view.name == place.name and wanted(view) for view in views),
                _SEEN_SECONDS,
            )
        except PcscdSilentError:
            raise CarddError(Reason.TIMEOUT, f"pcscd did not see the {what} in {place.name}") from None


def _is_out(before: ReaderView | None, view: ReaderView) -> bool:
    """Say whether pcscd has counted the removal; `before` is what it showed before the card was taken out.

    A reset of a card that was torn out makes pcscd show an empty reader before its own look has found it empty. A card
    put in before that look is never seen. Where the reader was not shown as taken, the count of an empty one is even,
    except where pcscd found a card inside when it started, which it does not count.
    """
    counted = view.counter != before.counter if before is not None and before.present else view.counter % 2 == 0
    return counted and not view.present


def _recorded(card: VirtualCard, path: str, *, masked: bool) -> VirtualCard:
    try:
        return RecordingCard(card, Path(path), masked=masked)
    except OSError as error:
        raise CarddError(Reason.INVALID, f"{path}: {error.strerror}") from None


def _claim(directory: Path) -> int:
    """Lock a directory for one laboratory as long as the descriptor lives; raises CarddError BUSY."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise CarddError(Reason.BUSY, f"another laboratory runs in {directory}: use another directory") from None
    return descriptor


def _remove_if_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        # somebody else's files are in it
        return
