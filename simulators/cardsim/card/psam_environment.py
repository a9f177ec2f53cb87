"""What a security module computes with in one environment: keys at its level, session keys, ciphers and MACs."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct
from cardd.crypto.block import Algorithm, block_size, encrypt
from cardd.crypto.derive import diversify_all, session_key
from cardd.crypto.messaging import shortened
from cardd.rules.keys import Usage
from cardsim.card.command import Command
from cardsim.card.keyring import HeldKey
from cardsim.card.machine import SessionCipher
from cardsim.card.status import Refusal, Status

FACTOR: Final = 8
_LEVEL_SHIFT: Final = 5
_TYPE: Final = 0x1F
_MAC_TYPES: Final = frozenset({Usage.MAC, Usage.MAC_AND_ENCRYPT, Usage.LOAD})
_ENCRYPTION_TYPES: Final = frozenset({Usage.ENCRYPT, Usage.MAC_AND_ENCRYPT})


class Environment:
    """What the module computes with in one algorithm. `keys` are those of its DF01, by identifier.

    With the `master_key`, which is the module's own, keys are loaded and replaced.
    """

    def __init__(
        self, algorithm: Algorithm, keys: dict[int, HeldKey], province: int | None, master_key: bytes | None
    ) -> None:
        self.algorithm: Final = algorithm
        self.keys: Final = keys
        self.master_key: Final = master_key
        self._province = province

    def initialise(self, command: Command) -> None:
        """Take the province of the card to come: any in a national module, its own in the others."""
        (province,) = command.data
        known = all(digit.isdecimal() for digit in f"{province:02x}")
        if not known or (self._province is not None and province != self._province):
            raise Refusal(Status.WRONG_DATA, "LD/T 32.9 BF EC: this module does not serve that province")

    def deliver(self, command: Command) -> SessionCipher:
        """Diversify a key for one card (factors: card, city, province) and make a session key of the process factor."""
        block = block_size(self.algorithm)
        count, rest = divmod(len(command.data) - block, FACTOR)
        if rest or count < 0:
            raise Refusal(Status.WRONG_LENGTH, "LD/T 32.9 BF DE: Lc is not that of factors and process factor")
        usage = command.p1 & _TYPE
        held = self.keys.get(command.p2)
        if held is None or usage not in held.types:
            raise Refusal(Status.KEY_ABSENT, f"LD/T 32.9 BF DE: no key {command.p2:02X} of type {usage}")
        if command.p1 >> _LEVEL_SHIFT != count:
            raise Refusal(Status.WRONG_DATA, "LD/T 32.9 BF DE: usage and data give different numbers of levels")
        factors, process = command.data[:-block], command.data[-block:]
        session = session_key(self.algorithm, self.for_card(held, factors), process)
        return SessionCipher(session, _abilities(Usage(usage)))

    def for_card(self, held: HeldKey, factors: bytes) -> bytes:
        """Diversify a key for one card; the card's factor comes first, the outermost level's last.

        Refuses another number of factors than the module's level leaves to be done.
        """
        if len(factors) != held.level * FACTOR:
            raise Refusal(Status.WRONG_DATA, f"LD/T 32.9: the key is to be diversified {held.level} times")
        chain = [factors[at : at + FACTOR] for at in range(0, len(factors), FACTOR)][::-1]
        return diversify_all(self.algorithm, held.value, chain)

    def cipher(self, session: SessionCipher, command: Command) -> bytes:
        """Encrypt blocks, or go on with a MAC (answer: none until its last part, then 4 bytes)."""
        block = block_size(self.algorithm)
        data = command.data
        if not data or len(data) % block or len(data) > 8 * block:
            raise Refusal(Status.WRONG_LENGTH, "LD/T 32.9 80 FA: Lc is one to eight blocks")
        step = STEPS[command.p1]
        if step.ability not in session.usages:
            raise Refusal(Status.CONDITIONS, f"LD/T 32.9 80 FA: the key is not for {step.ability}")
        return step.work(self.algorithm, session, data)


def _abilities(usage: Usage) -> frozenset[str]:
    return frozenset(
        name
        for name, usages in (
            ("encryption", _ENCRYPTION_TYPES),
            ("MACs", _MAC_TYPES),
        )
        if usage in usages
    )


class Step(Struct, frozen=True):
    """What P1 of CIPHER DATA asks for."""

    ability: str
    work: Callable[[Algorithm, SessionCipher, bytes], bytes]


def _encrypt(algorithm: Algorithm, session: SessionCipher, data: bytes) -> bytes:
    return encrypt(algorithm, session.key, data)


def _begin(algorithm: Algorithm, session: SessionCipher, data: bytes) -> bytes:
    block = block_size(algorithm)
    session.chain = data[:block]
    return _go_on(algorithm, session, data[block:])


def _go_on(algorithm: Algorithm, session: SessionCipher, data: bytes) -> bytes:
    if session.chain is None:
        raise Refusal(Status.WRONG_STATE, "LD/T 32.9 80 FA: no MAC was begun")
    block = block_size(algorithm)
    for at in range(0, len(data), block):
        mixed = bytes(a ^ b for a, b in zip(session.chain, data[at : at + block], strict=True))
        session.chain = encrypt(algorithm, session.key, mixed)
    return b""


def _end(algorithm: Algorithm, session: SessionCipher, data: bytes) -> bytes:
    _go_on(algorithm, session, data)
    last, session.chain = session.chain or b"", None
    return shortened(algorithm, last)


def _single(algorithm: Algorithm, session: SessionCipher, data: bytes) -> bytes:
    if len(data) == block_size(algorithm):
        raise Refusal(Status.WRONG_LENGTH, "LD/T 32.9 80 FA: behind the IV comes at least one block")
    _begin(algorithm, session, data[: block_size(algorithm)])
    return _end(algorithm, session, data[block_size(algorithm) :])


STEPS: Final = MappingProxyType(
    {
        0x00: Step("encryption", _encrypt),
        0x02: Step("encryption", _encrypt),
        0x05: Step("MACs", _single),
        0x07: Step("MACs", _begin),
        0x03: Step("MACs", _go_on),
        0x01: Step("MACs", _end),
    }
)
