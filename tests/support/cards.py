"""Virtual cards on an open channel, without readers: what reaches the card is on record."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import Factors
from cardd.iso7816.apdu import Command, Response
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport
from cardd.keys.software import SoftwareKeys
from cardd.keys.versions import KeyVersions
from cardd.readers.insertion import Insertion
from cardd.rules.keys import KeyName
from cardd.wire.base import Json
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.persona import PERSONAS, load_persona

ROOT = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
STK_ROOT = bytes.fromhex("0123456789ABCDEF")
DEADLINE = 1e12

_TRANSPORTS = {"contact": Transport.T0, "contactless": Transport.T1}
_numbers = itertools.count(1)


@dataclass
class Record:
    """A tracer that keeps every command, and the status words."""

    commands: list[Command] = field(default_factory=list)
    words: list[int] = field(default_factory=list)

    def command(self, command: Command) -> None:
        self.commands.append(command)

    def response(self, command: Command, response: Response, seconds: float) -> None:
        assert command is not None
        assert seconds >= 0
        self.words.append(response.sw)

    @property
    def instructions(self) -> list[int]:
        return [command.ins for command in self.commands]


@dataclass
class OpenCard:
    """One stay of a card. `removed` is set by a test that pulls the card."""

    card: VirtualCard
    channel: Channel
    insertion: Insertion
    record: Record

    def again(self) -> "OpenCard":
        """Power the same card up anew."""
        return on_channel(self.card, self.channel.transport, self.insertion.station)


def on_channel(card: VirtualCard, transport: Transport, station: str = "desk") -> OpenCard:
    atr, record = card.power_on(), Record()
    insertion = Insertion(f"1-{next(_numbers)}", "front", station, atr)
    return OpenCard(card, Channel(card.transmit, transport, record), insertion, record)


def insert(persona: str | Path, interface: str = "contact", station: str = "desk") -> OpenCard:
    """Make a card of its own and power it up."""
    return on_channel(make_card(load_persona(persona), interface=interface), _TRANSPORTS[interface], station)


def pulled_after(card: OpenCard, commands: int) -> OpenCard:
    """Return the same stay, in which the card answers so many commands and is then pulled."""
    left = [commands]

    def transmit(command: bytes) -> bytes:
        if left[0] == 0:
            raise CarddError(Reason.CARD_REMOVED, "pulled")
        left[0] -= 1
        return card.card.transmit(command)

    channel = Channel(transmit, card.channel.transport, card.record)
    return OpenCard(card.card, channel, card.insertion, card.record)


def answered_instead(card: OpenCard, answers: Mapping[int, bytes]) -> None:
    """Have commands with these instruction bytes answered so from now on; the card never sees them."""
    inner = card.card.transmit

    def transmit(command: bytes) -> bytes:
        return answers[command[1]] if command[1] in answers else inner(command)

    card.channel._transmit = transmit


def altered(directory: Path, base: str, **changes: Any) -> Path:
    """Write a shipped persona with some of its values changed, one level deep, and return the file."""
    document = yaml.safe_load((PERSONAS / f"{base}.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        document[key] = document.get(key, {}) | value if isinstance(value, dict) else value
    path = directory / f"{base}-altered.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def software_keys(root: bytes = ROOT) -> SoftwareKeys:
    return SoftwareKeys(Secret(root), tests_only=True, stk_root=Secret(STK_ROOT))


class RefusingKeys:
    """A key service that cannot compute, for one reason."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        self.versions = KeyVersions()

    def authentication_data(
        self,
        key: KeyName,  # noqa: ARG002
        algorithm: Algorithm,  # noqa: ARG002
        factors: Factors,  # noqa: ARG002
        process_factor: bytes,  # noqa: ARG002
        original: bytes,  # noqa: ARG002
        *,
        version: int | None = None,  # noqa: ARG002
        deadline: float,  # noqa: ARG002
    ) -> bytes:
        raise CarddError(self.reason)

    def maintenance(
        self,
        key: KeyName,  # noqa: ARG002
        algorithm: Algorithm,  # noqa: ARG002
        factors: Factors,  # noqa: ARG002
        challenge: bytes,  # noqa: ARG002
        header: bytes,  # noqa: ARG002
        plaintext: Secret | None,  # noqa: ARG002
        *,
        deadline: float,  # noqa: ARG002
    ) -> bytes:
        raise CarddError(self.reason)

    def status(self) -> Mapping[str, Json]:
        return {}
