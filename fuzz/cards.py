"""Whole sessions with virtual cards: any commands, resets, cut power; the terminal may know the card's keys."""

from collections.abc import Iterator
from functools import cache
from typing import Final

from cardd.crypto.authentication import authentication_data
from cardsim.card.chip import Chip
from cardsim.card.image import put_image, take_image
from cardsim.card.make import make_chip
from cardsim.card.status import RIGHT_LENGTH, TRIES_LEFT, WAITING, Status
from cardsim.persona import Persona, load_persona, shipped

NAMES: Final = shipped()
"""The cards, by the first byte of an input."""

_STANDARD: Final = (
    ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "00B2012812", "0020000003123456", "00B2013400"),
    (
        "00DC062C060604FFFFFFFF",
        "00A4000002DF04",
        "00B2012C00",
        "B0280001 0B 01 00000064 510100000001",
        "B026000104",
        "B0280101 13 01 000000010000000000000000 510100000001",
        "00A404000E315041592E5359532E4444463031",
    ),
)
"""What a terminal sends before and after it proved the key that updates."""

_INTERFACES: Final = ("contact", "contactless")
_WORDS: Final = frozenset(map(int, Status))
_LONGEST: Final = 258
_COLD, _WARM, _TEAR, _PROVE = 0xF0, 0xF1, 0xF2, 0xF3
"""What stands in the place of a command's length: power off and on; reset; cut power after n; prove a key."""

_GET_CHALLENGE: Final = bytes.fromhex("0084000008")
_ORIGINAL: Final = bytes(8)


def sessions(raw: bytes) -> None:
    """Hold a card (first byte: which, second: interface) to: a legal answer to every command, and a memory that lasts.

    After that come commands, each behind its length, and the acts F0 to F3.
    """
    if len(raw) < 2:  # the two bytes
        return
    name = NAMES[raw[0] % len(NAMES)]
    chip = make_chip(_persona(name))
    wanted = _INTERFACES[raw[1] % 2]
    card = chip.on(wanted if getattr(chip.answers, wanted) else None)
    card.power_on()
    for act, body in _acts(raw[2:]):
        if act == _COLD:
            card.power_off()
            card.power_on()
        elif act == _WARM:
            card.reset()
        elif act == _TEAR:
            chip.machine.memory.cut_after(sum(body))
        else:
            _is_legal(card.transmit(_proof(chip, body) if act == _PROVE else body))
    # what it remembers can be written down and put into another card of the persona
    other = _twin(name)
    card.power_off()
    put_image(other.machine, take_image(chip.machine))
    assert take_image(other.machine) == take_image(chip.machine)


def standard_sessions() -> Iterator[bytes]:
    """Yield, for each card on each interface, a session in which a terminal does what terminals do."""
    acts = b"".join(bytes((len(command),)) + command for command in map(bytes.fromhex, _STANDARD[0]))
    acts += bytes((len(_GET_CHALLENGE),)) + _GET_CHALLENGE + bytes((_PROVE, 0x04))
    acts += b"".join(bytes((len(command),)) + command for command in map(bytes.fromhex, _STANDARD[1]))
    for number in range(len(NAMES)):
        for interface in range(len(_INTERFACES)):
            yield bytes((number, interface)) + acts


@cache
def _twin(name: str) -> Chip:
    return make_chip(_persona(name))


@cache
def _persona(name: str) -> Persona:
    return load_persona(name)


def _acts(raw: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(raw):
        act = raw[at]
        length = {_COLD: 0, _WARM: 0, _TEAR: 1, _PROVE: 1}.get(act, act)
        yield act, raw[at + 1 : at + 1 + length]
        at += 1 + length


def _proof(chip: Chip, body: bytes) -> bytes:
    """Return EXTERNAL AUTHENTICATION with a key of the card's own, for the challenge that is there."""
    kid = body[0] if body else 0
    key = chip.machine.session.application.key(kid)
    challenge = chip.machine.session.challenge
    if key is None or challenge is None or not key.versions:
        return _GET_CHALLENGE
    value = next(iter(key.versions.values()))
    factor = challenge[:8] if len(value) <= 8 or chip.machine.algorithm == 1 else challenge  # DES
    proof = authentication_data(chip.machine.algorithm, value, factor, _ORIGINAL)
    return bytes((0x00, 0x82, 0x00, kid, 0x10)) + proof + _ORIGINAL


def _is_legal(answer: bytes) -> None:
    # no answer at all: the power was cut
    if not answer:
        return
    assert 2 <= len(answer) <= _LONGEST  # a status word
    word = int.from_bytes(answer[-2:], "big")
    legal = word in _WORDS or word & 0xFF00 in {WAITING, RIGHT_LENGTH} or word & 0xFFF0 == TRIES_LEFT
    assert legal, f"{word:04X} is no status word of the rule"
