"""What every place where a scenario happens can do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from cardd.base.structs import Struct
from cardd.client.blocking import Client
from cardd.register.document import RegisterDocument
from cardsim.card.base import VirtualCard
from cardsim.card.image import CardImage
from cardsim.drawer import Drawer
from cardsim.fault_list import AnyFault
from cardsim.faults import Sleep
from cardsim.persona import Persona
from cardsim.scenario.grounds.clocks import Time
from cardsim.scenario.model import GroundName, Scenario


class Card(Struct, frozen=True):
    """A physical card by its name; the persona's seed is already that of the run."""

    name: str
    persona: Persona


class Stage(Struct, frozen=True):
    """What a ground sets up: a scenario from a file, the daemon's settings, who is in the register, the module."""

    scenario: Scenario
    settings: Mapping[str, object]
    register: RegisterDocument
    module: Persona | None
    path: Path

    @property
    def folder(self) -> Path:
        """Return where the scenario's file is."""
        return self.path.parent


class Ground(Protocol):
    """A counter to act at. Methods of hands and power raise CarddError for what cannot be done; any thread."""

    @property
    def name(self) -> GroundName:
        """Return which ground it is."""

    @property
    def time(self) -> Time:
        """Return how time passes here."""

    def client(self) -> Client:
        """Connect to the daemon. Raises UnreachableError."""

    def insert(self, card: Card, reader: str, interface: str | None, faults: Sequence[AnyFault]) -> None:
        """Put a card into a reader, named as the daemon names it; done when the reader has seen it."""

    def remove(self, reader: str) -> None:
        """Take a card out; done when the reader has seen it."""

    def swap(self, card: Card, reader: str, interface: str | None, faults: Sequence[AnyFault], gap_s: float) -> None:
        """Exchange the card in a reader; done when the reader has spoken to the new one."""

    def forget(self, card: Card) -> None:
        """Have the card fresh when it is put in next."""

    def memory(self, card: Card) -> CardImage:
        """Return what a card remembers."""

    def register(self) -> list[dict[str, object]]:
        """Return what the centre's register holds, one dictionary a person."""

    def order_centre(self, faults: Sequence[str]) -> None:
        """Have these things go wrong at the centre, and no others."""

    def power(self, verb: str, machine: str) -> None:
        """Kill, stop, continue, start or restart pcscd, daemon or centre; done when it is so."""

    def close(self) -> None:
        """End everything that was begun, and leave nothing behind."""


class Deck:
    """The cards of a run in this process."""

    def __init__(self, sleep: Sleep) -> None:
        self._drawer: Final = Drawer(sleep)
        self._made: set[str] = set()

    def take(self, card: Card, interface: str | None, faults: Sequence[AnyFault]) -> VirtualCard:
        """Return a card as a reader sees it; it is made when it is seen first."""
        self._provide(card)
        return self._drawer.take(card.name, interface or self._drawer.first_interface(card.name), faults)

    def memory(self, card: Card) -> CardImage:
        """Return what a card remembers."""
        self._provide(card)
        return self._drawer.memory(card.name)

    def forget(self, card: Card) -> None:
        """Throw a card away."""
        self._made.discard(card.name)

    def _provide(self, card: Card) -> None:
        if card.name not in self._made:
            self._drawer.make(card.name, card.persona)
            self._made.add(card.name)
