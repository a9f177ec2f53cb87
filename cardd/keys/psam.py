"""The terminal's security module (PSAM): a card in a reader with the role `sam` that computes with the issuer's keys.

All counters share the modules of the machine. Each computation is one call on the module's own worker: environment,
application, session key and cipher together, because nothing of it may be left over from another counter's card.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.crypto.authentication import fold, original_block
from cardd.crypto.block import Algorithm, block_size
from cardd.crypto.derive import Factors
from cardd.iso7816 import tlv
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, describe
from cardd.keys.service import UNASKED
from cardd.readers.config import Role
from cardd.readers.facts import Fact
from cardd.readers.registry import Readers
from cardd.readers.worker import HeldChannel
from cardd.rules.keys import KEYS, KeyName, Level, Usage, usage_byte
from cardd.rules.names import FCI_ALGORITHM, PSAM_APPLICATION, PSAM_NAMES, SX1_NAME
from cardd.wire.base import Json

_WHOLE: Final = 256
_FIRST_VERSION: Final = 1

# What says most about a module that is there comes last.
_TELLING: Final = (Reason.PSAM_ABSENT, Reason.PSAM_ALGORITHM, Reason.PSAM_KEY_MISSING, Reason.PSAM_LEVEL)

# BF EC is known to some modules only; these words say "I do not know that".
_NOT_NEEDED: Final = frozenset({SW.INS_UNKNOWN, SW.CLA_UNKNOWN, SW.FUNCTION_NOT_SUPPORTED})


@dataclass(frozen=True, slots=True)
class _Module:
    """One PSAM in its reader."""

    reader: str
    insertion: str


_Delivery = tuple[Level, Usage]
_Learned = dict[tuple[str, Algorithm, KeyName], _Delivery]


class PsamKeys:
    """A key service of all PSAMs of this machine, tried in the order of their readers."""

    def __init__(self, readers: Readers) -> None:
        """Watch the readers for modules. Event loop's thread."""
        self._readers = readers
        # replaced whole by the loop's thread, read by the workers'
        self._modules: tuple[_Module, ...] = ()
        self._learned: _Learned = {}
        readers.subscribe(self._look)
        self._look()

    def authentication_data(
        self,
        key: KeyName,
        algorithm: Algorithm,
        factors: Factors,
        process_factor: bytes,
        original: bytes,
        *,
        version: int | None = None,
        deadline: float,
    ) -> bytes:
        """Return the 8 bytes of authentication data for one card, as KeyService says (LD/T 32.9 9.4).

        Raises CarddError: PSAM_ABSENT, PSAM_ALGORITHM, PSAM_KEY_MISSING, PSAM_LEVEL, whichever module came furthest;
        TIMEOUT.
        """
        if version not in {None, _FIRST_VERSION}:
            raise CarddError(Reason.PSAM_KEY_MISSING, f"a PSAM computes with the first version of {key} only")
        question = _Question(key, algorithm, factors, process_factor, original)
        error = CarddError(Reason.PSAM_ABSENT, "no card in a reader with the role sam")
        for module in self._modules:
            try:
                return self._ask(module, question, deadline)
            except CarddError as refused:
                error = max(error, _about_module(module, refused), key=_telling)
        raise error

    def status(self) -> Mapping[str, Json]:
        """Return which readers hold a module, and at which level each key was found so far."""
        found: dict[str, dict[str, Json]] = {module.reader: {} for module in self._modules}
        readers = {module.insertion: module.reader for module in self._modules}
        for (insertion, algorithm, key), (level, _) in tuple(self._learned.items()):
            if insertion in readers:
                found[readers[insertion]][f"{algorithm.name} {key}"] = level.name.lower()
        modules: list[Json] = [{"reader": reader, "levels": levels} for reader, levels in found.items()]
        return {"provider": "psam", "available": bool(modules), "modules": modules}

    def _look(self, _: Fact | None = None) -> None:
        self._modules = tuple(
            _Module(view.reader, view.insertion.id)
            for view in self._readers.views()
            if view.role is Role.SAM and view.insertion is not None
        )
        present = {module.insertion for module in self._modules}
        self._learned = {place: found for place, found in tuple(self._learned.items()) if place[0] in present}

    def _ask(self, module: _Module, question: "_Question", deadline: float) -> bytes:
        def compute(held: HeldChannel) -> bytes:
            place = (held.insertion.id, question.algorithm, question.key)
            session = _Session(held.channel, question)
            session.open()
            self._learned[place] = session.deliver(self._learned.get(place))
            return session.cipher()

        return self._readers.call_on(module.reader, compute, deadline=deadline)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is to be computed."""

    key: KeyName
    algorithm: Algorithm
    factors: Factors
    process_factor: bytes
    original: bytes


class _Session:
    """One computation on an open module."""

    def __init__(self, channel: Channel, question: _Question) -> None:
        self._channel = channel
        self._question = question

    def open(self) -> None:
        """Select environment and application and name the card's province (LD/T 32.9 9)."""
        algorithm = self._question.algorithm
        if not (self._select_environment(algorithm) and self._select_application()):
            if any(self._select(name) is not None and self._select_application() for name in PSAM_NAMES.values()):
                raise CarddError(Reason.PSAM_ALGORITHM, f"the PSAM has no environment for {algorithm.name}")
            raise CarddError(Reason.PSAM_ABSENT, "the card is no PSAM")
        province = bytes.fromhex(self._question.factors.province[:2].decode("ascii"))
        response = self._channel.send(Command(0xBF, 0xEC, 0x00, 0x00, province))
        if not response.ok and response.sw not in _NOT_NEEDED:
            raise CarddError(
                Reason.PSAM_LEVEL,
                f"the PSAM answered {describe(response.sw)} to the card's province",
                status_word=f"{response.sw:04X}",
            )

    def deliver(self, known: _Delivery | None) -> _Delivery:
        """Have the module derive the card's session key, and return at which level and usage it did.

        What a module holds is what it accepts: the levels and usages are tried, the known ones first.
        """
        levels_refused = False
        for level, usage in _deliveries(self._question.key, known):
            sw = self._deliver(level, usage)
            if sw == SW.OK:
                return level, usage
            if sw not in {SW.WRONG_DATA, SW.REFERENCED_DATA_NOT_FOUND}:
                raise CarddError(
                    Reason.PSAM_KEY_MISSING,
                    f"the PSAM answered {describe(sw)} when asked for {self._question.key}",
                    status_word=f"{sw:04X}",
                )
            levels_refused = levels_refused or sw == SW.WRONG_DATA
        reason = Reason.PSAM_LEVEL if levels_refused else Reason.PSAM_KEY_MISSING
        raise CarddError(reason, f"the PSAM gives {self._question.key} at no level", key=str(self._question.key))

    def cipher(self) -> bytes:
        """Encipher the original data under the delivered session key; the halves of 16 bytes are joined here."""
        block = original_block(self._question.algorithm, self._question.original)
        response = self._channel.send(Command(0x80, 0xFA, 0x00, 0x00, block, _WHOLE))
        if not response.ok or len(response.data) != len(block):
            raise CarddError(
                Reason.PSAM_KEY_MISSING,
                f"the PSAM answered {describe(response.sw)} with {len(response.data)} bytes to its cipher command",
                status_word=f"{response.sw:04X}",
            )
        return fold(response.data)

    def _select_environment(self, algorithm: Algorithm) -> bool:
        if self._select(PSAM_NAMES[algorithm]) is not None:
            return True
        # some modules keep every algorithm in the first environment and say so in its answer
        fci = self._select(SX1_NAME)
        return fci is not None and _algorithm_number(fci) == algorithm

    def _select_application(self) -> bool:
        return self._select(PSAM_APPLICATION) is not None

    def _select(self, name: bytes) -> bytes | None:
        response = self._channel.send(Command(0x00, 0xA4, 0x04, 0x00, name, _WHOLE))
        return response.data if response.ok else None

    def _deliver(self, level: Level, usage: Usage) -> int:
        question = self._question
        # card first, and only as many as the module has still to diversify
        inside_out = b"".join(tuple(reversed(question.factors.chain))[:level])
        random = question.process_factor.ljust(block_size(question.algorithm), b"\x00")
        psam_id = KEYS[question.key].psam_id
        return self._channel.send(Command(0xBF, 0xDE, usage_byte(level, usage), psam_id, inside_out + random)).sw


def _deliveries(key: KeyName, known: _Delivery | None) -> Iterator[_Delivery]:
    """Give every level and usage once: the known pair, then the rule's level, then the others."""
    rule = KEYS[key]
    levels = dict.fromkeys((rule.level, *sorted(Level, reverse=True)))
    pairs = ((level, usage) for level in levels for usage in rule.usages)
    yield from dict.fromkeys((known, *pairs) if known else pairs)


def _algorithm_number(fci: bytes) -> int | None:
    try:
        value = tlv.find(fci, *FCI_ALGORITHM)
    except tlv.TlvError:
        return None
    return int.from_bytes(value, "big") if value else None


def _about_module(module: _Module, error: CarddError) -> CarddError:
    """Return an error that blames the module: the counter's card has no part in it."""
    if error.reason in UNASKED:
        return error
    return CarddError(Reason.PSAM_ABSENT, f"the PSAM in {module.reader} does not answer: {error.reason}")


def _telling(error: CarddError) -> int:
    return _TELLING.index(error.reason) if error.reason in _TELLING else len(_TELLING)
