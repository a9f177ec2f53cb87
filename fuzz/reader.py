"""The reader against cards that answer anything: it ends with a reading or with an error of its own types."""

from collections.abc import Callable, Iterator
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.desk.identify import identify
from cardd.desk.read import read_card
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport
from cardd.keys.software import SoftwareKeys
from cardd.readers.insertion import Insertion
from cardsim.card.make import make_card
from cardsim.persona import Persona, load_persona, shipped

_KEYS: Final = SoftwareKeys(
    Secret(bytes.fromhex("00112233445566778899AABBCCDDEEFF")),
    tests_only=True,
    stk_root=Secret(bytes.fromhex("0123456789ABCDEF")),
)
_DEADLINE: Final = 1e12
_TRUE, _CUT, _FLIPPED = 0x00, 0x01, 0x02
"""Acts: the card's own answer; its first n bytes; one of its bits changed. Others: n bytes of the input instead."""


def readings(raw: bytes) -> None:
    """Read a real card (first byte: which) whose answers are spoilt as the rest of the input says."""
    if not raw:
        return
    card = make_card(_PERSONAS[raw[0] % len(_PERSONAS)])
    acts = iter(raw[1:])

    def transmit(command: bytes) -> bytes:
        return _spoilt(acts, lambda: card.transmit(command))

    answer = card.power_on()
    insertion = Insertion("1-1", "front", "desk", answer)
    for read in (_identified, _read):
        try:
            read(Channel(transmit, Transport.T0), insertion)
        except CarddError:
            continue


def _identified(channel: Channel, insertion: Insertion) -> None:
    identify(channel, insertion, _KEYS, _DEADLINE)


def _read(channel: Channel, insertion: Insertion) -> None:
    read_card(channel, insertion, _KEYS, None, _DEADLINE, stopped=StoppedKeys())


def _spoilt(acts: Iterator[int], true: Callable[[], bytes]) -> bytes:
    act = next(acts, _TRUE)
    if act == _TRUE:
        return true()
    operand = next(acts, 0)
    if act == _CUT:
        # less than a status word never reaches the channel
        return true()[: max(2, operand)]
    if act == _FLIPPED:
        answer = bytearray(true())
        bit = operand | next(acts, 0) << 8
        if answer:
            answer[bit // 8 % len(answer)] ^= 1 << bit % 8
        return bytes(answer)
    return bytes(byte for _ in range(operand) if (byte := next(acts, None)) is not None).rjust(2, b"\x90")


def _personas() -> tuple[Persona, ...]:
    return tuple(map(load_persona, shipped()))


_PERSONAS: Final = _personas()
