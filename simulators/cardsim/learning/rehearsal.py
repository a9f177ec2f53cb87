"""The recorded commands said to another card: what is answered otherwise than it was recorded."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from cardd.base.structs import Struct
from cardd.crypto.authentication import authentication_data
from cardsim.card.chip import Chip
from cardsim.card.make import make_chip
from cardsim.card.messaging import process_factor
from cardsim.card.status import Refusal
from cardsim.persona import Persona, SocialSecurityPersona
from cardsim.trace import Exchange, Trace, hide, secret_part

Document = dict[str, object]
"""A persona as its YAML file says it."""

_EXTERNAL: Final = b"\x00\x82"
_DONE: Final = b"\x90\x00"
_HEADER: Final = 5
_WORD: Final = 2
_EIGHT: Final = 8
_SIXTEEN: Final = 16
_WRONG_PIN: Final = b"\x99"


class Mismatch(Struct, frozen=True):
    """An exchange (its index) that the other card answers with another status word or another number of bytes."""

    index: int
    recorded: bytes
    answered: bytes


def persona_of(document: Document) -> Persona:
    """Make the persona that a document is. Raises ValueError for one that is none."""
    return Persona("learned", Path("learned.yaml"), msgspec.convert(document, SocialSecurityPersona, strict=False))


def rehearse(document: Document, trace: Trace, interface: str) -> Trace:
    """Say a trace's commands to the card of a persona, and return what became of them.

    What a terminal proves with keys is proved with those of that card; a PIN that was right is its PIN (00 in each
    byte), one that was wrong is wrong. Where the power went in the recording, it goes here. Raises ValueError for a
    persona that fits no card.
    """
    try:
        chip = make_chip(persona_of(document))
    except OSError as error:
        # the place of its mistake was looked for, in a file that is not there
        raise ValueError("a persona that fits no card") from error
    card = chip.on(interface)
    atr = card.power_on()
    exchanges = []
    for exchange in trace.exchanges:
        command = _said(chip, exchange)
        answer = card.transmit(command)
        if not exchange.response:
            card.power_off()
            card.power_on()
            answer = b""
        exchanges.append(Exchange(command, answer))
    return Trace(atr, tuple(exchanges))


def mismatches(document: Document, trace: Trace, interface: str) -> list[Mismatch]:
    """Return where a card answers otherwise than recorded. Raises ValueError for a persona that fits no card."""
    played = rehearse(document, trace, interface)
    return [
        Mismatch(index, recorded.response, answered.response)
        for index, (recorded, answered) in enumerate(zip(trace.exchanges, played.exchanges, strict=True))
        if _shape(recorded.response) != _shape(answered.response)
    ]


def _shape(answer: bytes) -> tuple[int, bytes]:
    return len(answer), answer[-_WORD:]


def _said(chip: Chip, exchange: Exchange) -> bytes:
    command = exchange.command
    if command[:2] == _EXTERNAL and exchange.response == _DONE:
        with suppress(Refusal, ValueError, IndexError):
            return _proof(chip, command)
    place = exchange.masked or secret_part(command)
    if place is None:
        return command
    right = exchange.response[-_WORD:] == _DONE
    offset, length = place
    return hide(command, place) if right else command[:offset] + _WRONG_PIN * length + command[offset + length :]


def _proof(chip: Chip, command: bytes) -> bytes:
    """Return the command with the data that the card's own key makes of its last challenge."""
    machine = chip.machine
    key, challenge = machine.key(command[3]), machine.session.challenge
    if challenge is None:
        raise ValueError("no challenge was asked for")
    data = command[_HEADER : _HEADER + command[4]]
    original, version = data[_EIGHT:_SIXTEEN], data[_SIXTEEN] if len(data) > _SIXTEEN else min(key.versions)
    factor = process_factor(machine, challenge)
    answer = authentication_data(machine.algorithm, key.versions.get(version, b""), factor, original)
    return command[:_HEADER] + answer + data[_EIGHT:] + command[_HEADER + command[4] :]
