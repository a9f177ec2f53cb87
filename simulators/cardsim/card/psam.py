"""The terminal's security module: keys held at one level, computing for the cards below it (LD/T 32.9)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from cardd.crypto.block import Algorithm, block_size, encrypt
from cardd.crypto.derive import diversify_all, factors, session_key
from cardd.rules.keys import KEYS, Level, Usage
from cardd.rules.names import PSAM_APPLICATION, PSAM_NAMES
from cardsim.card import authentication, binary, selection
from cardsim.card.build import ALGORITHMS, answers, challenges, named_keys, unhex
from cardsim.card.chip import Chip
from cardsim.card.command import Command, Direction
from cardsim.card.filesystem import FREE, NEVER, Application, TransparentFile
from cardsim.card.machine import Machine, Reply, SessionCipher
from cardsim.card.status import Refusal, Status
from cardsim.card.system import ANY_LENGTH, OperatingSystem, Row, exactly
from cardsim.persona import Persona, PsamPersona

_CLASSES: Final = (0x00, 0x80, 0x84, 0xBF)
_MF: Final = 0x3F00
_DF01: Final = 0xDF01
_FIDS: Final = MappingProxyType({Algorithm.DES: 0x3F00, Algorithm.SM4: 0xDDF2})
_DIRECTORY: Final = bytes.fromhex("A503880101")
_HISTORICAL: Final = bytes.fromhex("0081544C968684") + b"PSAM" + b"\x00\x01"
_LEVELS: Final = MappingProxyType({"national": Level.NATIONAL, "provincial": Level.PROVINCIAL, "city": Level.CITY})
_FACTOR: Final = 8
_LEVEL_SHIFT: Final = 5
_TYPE: Final = 0x1F
_MAC: Final = 4
_MAINTENANCE: Final = frozenset({Usage.MAC, Usage.ENCRYPT, Usage.MAC_AND_ENCRYPT})
_AUTHENTICATION: Final = frozenset({Usage.ENCRYPT, Usage.MAC_AND_ENCRYPT})


@dataclass(frozen=True, slots=True)
class Held:
    """A key in the module: its value at the module's level, and the usage types under which it serves."""

    value: bytes = field(repr=False)
    level: Level
    types: frozenset[Usage]


class Environment:
    """What the module computes with in one algorithm."""

    def __init__(self, algorithm: Algorithm, keys: Mapping[int, Held], province: int | None) -> None:
        self.algorithm = algorithm
        self.keys = keys
        self.province = province

    def initialise(self, command: Command) -> None:
        """Take the province of the card to come: any in a national module, its own in the others."""
        (province,) = command.data
        known = all(digit.isdecimal() for digit in f"{province:02x}")
        if not known or (self.province is not None and province != self.province):
            raise Refusal(Status.WRONG_DATA, "LD/T 32.9 BF EC: this module does not serve that province")

    def deliver(self, command: Command) -> SessionCipher:
        """Diversify a key for one card (factors: card, city, province) and make a session key of the process factor."""
        block = block_size(self.algorithm)
        count, rest = divmod(len(command.data) - block, _FACTOR)
        if rest or count < 0:
            raise Refusal(Status.WRONG_LENGTH, "LD/T 32.9 BF DE: Lc is not that of factors and process factor")
        usage = command.p1 & _TYPE
        held = self.keys.get(command.p2)
        if held is None or usage not in held.types:
            raise Refusal(Status.KEY_ABSENT, f"LD/T 32.9 BF DE: no key {command.p2:02X} of type {usage}")
        if command.p1 >> _LEVEL_SHIFT != held.level or count != held.level:
            raise Refusal(Status.WRONG_DATA, f"LD/T 32.9 BF DE: the key is to be diversified {held.level} times")
        factor, process = command.data[:-block], command.data[-block:]
        # the card's factor comes first, the outermost level last
        chain = [factor[at : at + _FACTOR] for at in range(0, len(factor), _FACTOR)][::-1]
        session = session_key(self.algorithm, diversify_all(self.algorithm, held.value, chain), process)
        return SessionCipher(session, _abilities(Usage(usage)))

    def cipher(self, session: SessionCipher, command: Command) -> bytes:
        """Encrypt blocks, or go on with a MAC (answer: none until its last part, then 4 bytes)."""
        block = block_size(self.algorithm)
        data = command.data
        if not data or len(data) % block or len(data) > 8 * block:
            raise Refusal(Status.WRONG_LENGTH, "LD/T 32.9 80 FA: Lc is one to eight blocks")
        step = _STEPS[command.p1]
        if step.ability not in session.usages:
            raise Refusal(Status.CONDITIONS, f"LD/T 32.9 80 FA: the key is not for {step.ability}")
        return step.work(self.algorithm, session, data)


def _abilities(usage: Usage) -> frozenset[str]:
    return frozenset(
        name
        for name, usages in (
            ("encryption", {Usage.ENCRYPT, Usage.MAC_AND_ENCRYPT}),
            ("MACs", {Usage.MAC, Usage.MAC_AND_ENCRYPT}),
        )
        if usage in usages
    )


@dataclass(frozen=True, slots=True)
class Step:
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
    if algorithm is Algorithm.DES:
        return last[:_MAC]
    words = (int.from_bytes(last[at : at + _MAC], "big") for at in range(0, len(last), _MAC))
    folded = 0
    for word in words:
        folded ^= word
    return folded.to_bytes(_MAC, "big")


def _single(algorithm: Algorithm, session: SessionCipher, data: bytes) -> bytes:
    _begin(algorithm, session, data[: block_size(algorithm)])
    return _end(algorithm, session, data[block_size(algorithm) :])


_STEPS: Final = MappingProxyType(
    {
        0x00: Step("encryption", _encrypt),
        0x02: Step("encryption", _encrypt),
        0x05: Step("MACs", _single),
        0x07: Step("MACs", _begin),
        0x03: Step("MACs", _go_on),
        0x01: Step("MACs", _end),
    }
)


class Module:
    """The commands of the module; each environment's keys are used in its DF01."""

    def __init__(self, environments: Mapping[Application, Environment]) -> None:
        self._environments = environments

    def rows(self) -> tuple[Row, ...]:
        """Return the commands that only a security module has."""
        return (
            Row("BF EC", 0xBF, 0xEC, Direction.IN, exactly(0, 0), frozenset({1}), self._initialise),
            Row("BF DE", 0xBF, 0xDE, Direction.IN, lambda _p1, _p2: True, ANY_LENGTH, self._deliver),
            Row("80 FA", 0x80, 0xFA, Direction.IN, lambda p1, p2: p1 in _STEPS and p2 == 0, ANY_LENGTH, self._cipher),
        )

    def _here(self, machine: Machine) -> Environment | None:
        return self._environments.get(machine.session.application)

    def _initialise(self, machine: Machine, command: Command) -> Reply:
        # the rule does not say whether DF01 is to be selected before or after this
        here = machine.session.application
        environment = next((found for df01, found in self._environments.items() if here in {df01, df01.parent}), None)
        if environment is None:
            raise Refusal(Status.CONDITIONS, "LD/T 32.9: select an environment first")
        environment.initialise(command)
        return Reply()

    def _deliver(self, machine: Machine, command: Command) -> Reply:
        environment = self._here(machine)
        if environment is None:
            raise Refusal(Status.KEY_ABSENT, "LD/T 32.9: keys are used in DF01 of an environment")
        machine.session.cipher = None
        machine.session.cipher = environment.deliver(command)
        return Reply()

    def _cipher(self, machine: Machine, command: Command) -> Reply:
        environment, session = self._here(machine), machine.session.cipher
        if environment is None or session is None:
            raise Refusal(Status.WRONG_STATE, "LD/T 32.9 80 FA: no session key was delivered")
        return Reply(environment.cipher(session, command))


def make_psam(persona: Persona, card: PsamPersona, seed: int | None) -> Chip:
    """Make the module: an environment for each algorithm, in each the application DF01. Raises DocumentError."""
    level = _LEVELS[card.level]
    algorithms = [ALGORITHMS[name] for name in dict.fromkeys(card.algorithms)]
    root = Application("MF", _MF, b"")
    environments = {}
    for algorithm in algorithms:
        place = _environment(root, card, algorithm)
        keys = _held(persona, card, algorithm, level)
        province = None if level is Level.NATIONAL else int(card.region[:2], 16)
        environments[place] = Environment(algorithm, keys, province)
    machine = Machine(root, algorithms[0], challenges(persona, seed))
    rows = (*selection.ROWS, *binary.ROWS, authentication.ROWS[0], *Module(environments).rows())
    return Chip(OperatingSystem(machine, _CLASSES, rows), answers(persona, _HISTORICAL, "contact"))


def _environment(root: Application, card: PsamPersona, algorithm: Algorithm) -> Application:
    """Hang an environment into the tree (the DES one is the MF itself) and return its DF01."""
    place = root
    if _FIDS[algorithm] != _MF:
        place = Application(f"SX{int(algorithm)}", _FIDS[algorithm], b"")
        root.add(place)
    place.name, place.directory = PSAM_NAMES[algorithm], _DIRECTORY
    serial = bytes.fromhex(card.terminal_number.rjust(20, "0"))
    _transparent(place, 0x0015, b"\x01" + serial + b"\x01\x01\x00\x00")
    _transparent(place, 0x0016, bytes.fromhex(card.terminal_number))
    application = Application(f"DF01 of sx{int(algorithm)}", _DF01, PSAM_APPLICATION)
    _transparent(application, 0x0019, card.terminal_sequence.to_bytes(4, "big"))
    for fid in (0x001A, 0x001B, 0x001C):
        _transparent(application, fid, bytes.fromhex("0101 20240101 20991231"))
    place.add(application)
    return application


def _transparent(application: Application, fid: int, content: bytes) -> None:
    application.files[fid] = TransparentFile(fid, FREE, NEVER, bytearray(content))


def _held(persona: Persona, card: PsamPersona, algorithm: Algorithm, level: Level) -> Mapping[int, Held]:
    given = named_keys(persona, card.keys)
    keys = {}
    for name, rule in KEYS.items():
        length = rule.des_length if algorithm is Algorithm.DES else rule.length
        short = length != rule.length
        source = name if name in given else "stk_root" if short else "root"
        if source not in given:
            continue
        value = unhex(given[source])
        if len(value) != length:
            raise persona.fault(f"$.keys.{source}", f"has {length} bytes")
        types = _MAINTENANCE if rule.des_length != rule.length else _AUTHENTICATION
        keys[rule.psam_id] = Held(_at_level(algorithm, value, card.region, level), level, types)
    return keys


def _at_level(algorithm: Algorithm, root: bytes, region: str, level: Level) -> bytes:
    """Return the root as the owner of a level holds it: diversified as often as is not left to do."""
    chain = factors(region, bytes(13)).chain
    return diversify_all(algorithm, root, chain[: Level.NATIONAL - level])
