"""Whatever a card answers, and whenever: each operation of the desk ends with a result or an error of its own types."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cards import DEADLINE, ROOT, software_keys

from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.cards.account import Deed
from cardd.crypto.money import Amounts
from cardd.desk.account import Order, Services, UnsettledError, debit, load
from cardd.desk.account_reading import ask_proof, read_balances, read_debit_records
from cardd.desk.identify import identify
from cardd.desk.pin import change_pin, query_pin, reload_pin, unblock_pin, verify_pin
from cardd.desk.read import read_card
from cardd.desk.reading import Identity
from cardd.desk.stopped import StoppedKeys
from cardd.desk.write import write_records
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport
from cardd.keys.software_money import SoftwareMoney
from cardd.readers.insertion import Insertion
from cardd.rules.files import FILES
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.persona import Persona, load_persona

PERSONAS = ("p1-1.0-des", "p2-2.0-des", "p3-3.0-sm4", "p5-offline", "old-jia", "psam")
PIN, NEW_PIN = Secret(b"123456"), Secret(b"654321")
SERVICES = Services(software_keys(), SoftwareMoney(Secret(ROOT), tests_only=True))
ADDRESS = "".join(f"{name}|$" for name in FILES if name[:4] in {"SSSE", "DF01", "DF02", "DF04"} and name != "SSSEEF1E")
UPDATES = {
    "SSSEEF06": {"0C": "510700"},
    "DF01EF15": {"40:2": "9^09^A^"},
    "DF02EF07": {"1": "1^20240101^20240102^A^"},
    "SSSEEF08": {"whole": "AB"},
}
PURCHASE = Order(Deed.PURCHASE, Amounts(100, 200, 300), "20240506101112")
LOAD = Order(Deed.LOAD, Amounts(100), "20240506101112")

Work = Callable[[Channel, Insertion, Identity], object]
OPERATIONS: dict[str, Work] = {
    "identify": lambda channel, insertion, _: identify(channel, insertion, SERVICES.keys, DEADLINE),
    "read": lambda channel, insertion, _: read_card(
        channel, insertion, SERVICES.keys, None, DEADLINE, ADDRESS, stopped=StoppedKeys(), pin=PIN
    ),
    "write": lambda channel, insertion, identity: write_records(
        channel, insertion, SERVICES.keys, identity, UPDATES, DEADLINE, stopped=StoppedKeys(), pin=PIN
    ),
    "verify": lambda channel, insertion, identity: verify_pin(channel, insertion, identity, PIN),
    "query": query_pin,
    "change": lambda channel, insertion, identity: change_pin(channel, insertion, identity, PIN, NEW_PIN),
    "reload": lambda channel, insertion, identity: reload_pin(
        channel, insertion, SERVICES.keys, identity, NEW_PIN, DEADLINE, stopped=StoppedKeys()
    ),
    "unblock": lambda channel, insertion, identity: unblock_pin(
        channel, insertion, SERVICES.keys, identity, DEADLINE, stopped=StoppedKeys()
    ),
    "balances": read_balances,
    "records": lambda channel, insertion, identity: read_debit_records(channel, insertion, identity, PIN),
    "debit": lambda channel, insertion, identity: settled(debit, PURCHASE, channel, insertion, identity),
    "load": lambda channel, insertion, identity: settled(load, LOAD, channel, insertion, identity),
}


@dataclass(frozen=True)
class Spoiling:
    """What becomes of one answer: its end cut off, bits flipped, or another in its place."""

    at: int
    keep: int | None = None
    flip: tuple[int, int] | None = None
    instead: bytes | None = None

    def of(self, answer: bytes) -> bytes:
        if self.instead is not None:
            return self.instead
        if self.keep is not None:
            # less than a status word never reaches the channel
            return answer[: max(2, len(answer) - self.keep)]
        assert self.flip is not None
        place, bits = self.flip
        spoilt = bytearray(answer)
        # often the status word, which stands at the end
        spoilt[-1 - place % len(spoilt)] ^= bits
        return bytes(spoilt)


WORDS = st.sampled_from(
    [bytes.fromhex(word) for word in ("9000", "6100", "61FF", "6C00", "6C01", "63C0", "63C3", "6982", "6983", "6A82")]
    + [bytes.fromhex(word) for word in ("6A83", "6A81", "6A88", "6985", "9303", "9406", "6581", "6D00", "6E00", "0000")]
)
ANSWERS = st.one_of(
    st.binary(min_size=2, max_size=258), st.builds(bytes.__add__, st.binary(max_size=256), WORDS), WORDS
)
PLACES = st.integers(0, 150)
_MORE = 4
SPOILINGS = st.one_of(
    st.builds(Spoiling, at=PLACES, keep=st.integers(1, 256)),
    st.builds(Spoiling, at=PLACES, flip=st.tuples(st.integers(0, 257), st.integers(1, 255))),
    st.builds(Spoiling, at=PLACES, instead=ANSWERS),
)


@pytest.mark.parametrize("name", OPERATIONS)
@given(
    persona=st.sampled_from(PERSONAS),
    transport=st.sampled_from(Transport),
    spoilings=st.lists(SPOILINGS, min_size=1, max_size=6),
    ever=st.none() | ANSWERS,
)
def test_only_errors_of_our_own_come_out(
    name: str, persona: str, transport: Transport, spoilings: list[Spoiling], ever: bytes | None
) -> None:
    card = make_card(loaded(persona))
    insertion = Insertion("1-1", "front", "desk", card.power_on())
    # what was known of the card before it began to talk nonsense
    identity = identified(persona)
    channel = Channel(nonsense(card, spoilings, ever, answers_to(name, persona)), transport)
    with suppress(CarddError):
        OPERATIONS[name](channel, insertion, identity)


def nonsense(card: VirtualCard, spoilings: list[Spoiling], ever: bytes | None, usual: int) -> Callable[[bytes], bytes]:
    """Spoil the answers that are named; with `ever`, all that come after the last of them are that one.

    `usual` is how many answers come if none is spoilt; where one is, a few more may.
    """
    by_number = {spoiling.at % (usual + _MORE): spoiling for spoiling in spoilings}
    last = max(by_number)
    numbers: Iterator[int] = iter(range(1 << 20))

    def transmit(command: bytes) -> bytes:
        number = next(numbers)
        if ever is not None and number > last:
            return ever
        answer = card.transmit(command)
        return by_number[number].of(answer) if number in by_number else answer

    return transmit


def settled(
    move: Callable[..., object], order: Order, channel: Channel, insertion: Insertion, identity: Identity
) -> None:
    """Move money, and ask for the proof where nobody knows whether it moved."""
    try:
        move(channel, insertion, identity, SERVICES, order, PIN, lambda _: None, DEADLINE)
    except UnsettledError as error:
        ask_proof(channel, insertion, SERVICES, error.intent, DEADLINE, PIN)


@cache
def answers_to(name: str, persona: str) -> int:
    """Return how many answers an operation waits for on a sound card."""
    card = make_card(loaded(persona))
    insertion = Insertion("1-1", "front", "desk", card.power_on())
    answers: list[bytes] = []

    def transmit(command: bytes) -> bytes:
        answers.append(card.transmit(command))
        return answers[-1]

    with suppress(CarddError):
        OPERATIONS[name](Channel(transmit, Transport.T0), insertion, identified(persona))
    return len(answers)


@cache
def loaded(name: str) -> Persona:
    return load_persona(name)


@cache
def identified(name: str) -> Identity:
    card = make_card(loaded(name))
    insertion = Insertion("1-1", "front", "desk", card.power_on())
    return identify(Channel(card.transmit, Transport.T0), insertion, SERVICES.keys, DEADLINE)
