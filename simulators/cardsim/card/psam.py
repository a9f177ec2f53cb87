"""The terminal's security module: keys held at one level, computing for the cards below it (LD/T 32.9)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.crypto.block import Algorithm
from cardd.crypto.derive import diversify_all, factors
from cardd.rules.keys import KEYS, MONEY_KEYS, KeyName, Level, Usage
from cardd.rules.names import PSAM_APPLICATION, PSAM_NAMES
from cardsim.card import authentication, binary, psam_debit, psam_keys, selection
from cardsim.card.build import ALGORITHMS, answers, challenges, named_keys, unhex
from cardsim.card.chip import Chip
from cardsim.card.command import Command, Direction
from cardsim.card.filesystem import FREE, NEVER, Application, TransparentFile
from cardsim.card.keyring import HeldKey
from cardsim.card.machine import Machine, Reply
from cardsim.card.psam_environment import STEPS, Environment
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
_MAINTENANCE: Final = frozenset({Usage.MAC, Usage.ENCRYPT, Usage.MAC_AND_ENCRYPT})
_AUTHENTICATION: Final = frozenset({Usage.ENCRYPT, Usage.MAC_AND_ENCRYPT})
_MONEY: Final[Mapping[KeyName, frozenset[Usage]]] = MappingProxyType(
    {
        KeyName.DPK: frozenset({Usage.DEBIT}),
        KeyName.DLK: frozenset({Usage.LOAD}),
        KeyName.DTK: frozenset({Usage.TAC}),
        KeyName.DSK: _AUTHENTICATION,
    }
)
_KEY_BYTES: Final = 16


class Module:
    """The commands of the module; each environment's keys are used in its DF01."""

    def __init__(self, environments: Mapping[Application, Environment]) -> None:
        self._environments = environments

    def rows(self) -> tuple[Row, ...]:
        """Return the commands that only a security module has."""
        return (
            Row("BF EC", 0xBF, 0xEC, Direction.IN, exactly(0, 0), frozenset({1}), self._initialise),
            Row("BF DE", 0xBF, 0xDE, Direction.IN, lambda _p1, _p2: True, ANY_LENGTH, self._deliver),
            Row("80 FA", 0x80, 0xFA, Direction.IN, lambda p1, p2: p1 in STEPS and p2 == 0, ANY_LENGTH, self._cipher),
            Row("80 70", 0x80, 0x70, Direction.IN, exactly(1, 0), psam_debit.LENGTHS, self._debit),
            Row("80 72", 0x80, 0x72, Direction.IN, exactly(0, 0), frozenset({psam_debit.MAC2}), self._check_debit),
            Row("84 D4", 0x84, 0xD4, Direction.IN, psam_keys.key_parameters, psam_keys.LENGTHS, self._put_key),
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

    def _where_keys_are(self, machine: Machine) -> Environment:
        environment = self._here(machine)
        if environment is None:
            raise Refusal(Status.KEY_ABSENT, "LD/T 32.9: keys are used in DF01 of an environment")
        return environment

    def _deliver(self, machine: Machine, command: Command) -> Reply:
        environment = self._where_keys_are(machine)
        machine.session.cipher = None
        machine.session.cipher = environment.deliver(command)
        return Reply()

    def _cipher(self, machine: Machine, command: Command) -> Reply:
        environment, session = self._here(machine), machine.session.cipher
        if environment is None or session is None:
            raise Refusal(Status.WRONG_STATE, "LD/T 32.9 80 FA: no session key was delivered")
        return Reply(environment.cipher(session, command))

    def _debit(self, machine: Machine, command: Command) -> Reply:
        return psam_debit.make_mac1(self._where_keys_are(machine), machine, command)

    def _check_debit(self, machine: Machine, command: Command) -> Reply:
        return psam_debit.check_mac2(self._where_keys_are(machine), machine, command)

    def _put_key(self, machine: Machine, command: Command) -> Reply:
        return psam_keys.put_key(self._where_keys_are(machine), machine, command)


def make_psam(persona: Persona, card: PsamPersona, seed: int | None) -> Chip:
    """Make the module: an environment for each algorithm, in each the application DF01. Raises DocumentError."""
    level = _LEVELS[card.level]
    algorithms = [ALGORITHMS[name] for name in dict.fromkeys(card.algorithms)]
    if _has_first_name(card, Algorithm.SM4) and Algorithm.SM4 in algorithms:
        # one name, one environment
        algorithms = [Algorithm.SM4]
    root = Application("MF", _MF, b"")
    environments = {}
    master = _master_key(persona, card)
    for algorithm in algorithms:
        place = _environment(root, card, algorithm)
        place.vault = _held(persona, card, algorithm, level)
        province = None if level is Level.NATIONAL else int(card.region[:2], 16)
        environments[place] = Environment(algorithm, place.vault, province, master)
    machine = Machine(root, algorithms[0], challenges(persona, seed), card.toggles)
    rows = (*selection.ROWS, *binary.ROWS, authentication.ROWS[0], *Module(environments).rows())
    return Chip(OperatingSystem(machine, _CLASSES, rows), answers(persona, _HISTORICAL, "contact"))


def _environment(root: Application, card: PsamPersona, algorithm: Algorithm) -> Application:
    """Hang an environment into the tree (the DES one is the MF itself) and return its DF01."""
    place = root
    if _FIDS[algorithm] != _MF:
        place = Application(f"SX{int(algorithm)}", _FIDS[algorithm], b"")
        root.add(place)
    shown = Algorithm.DES if _has_first_name(card, algorithm) else algorithm
    place.name, place.directory = PSAM_NAMES[shown], _DIRECTORY
    serial = bytes.fromhex(card.terminal_number.rjust(20, "0"))
    _transparent(place, 0x0015, b"\x01" + serial + b"\x01\x01\x00\x00")
    _transparent(place, 0x0016, bytes.fromhex(card.terminal_number))
    application = Application(f"DF01 of sx{int(algorithm)}", _DF01, PSAM_APPLICATION)
    _transparent(application, 0x0019, card.terminal_sequence.to_bytes(4, "big"))
    for fid in (0x001A, 0x001B, 0x001C):
        _transparent(application, fid, bytes.fromhex("0101 20240101 20991231"))
    place.add(application)
    return application


def _has_first_name(card: PsamPersona, algorithm: Algorithm) -> bool:
    return algorithm is Algorithm.SM4 and card.toggles.sm4_environment_name == "sx1"


def _transparent(application: Application, fid: int, content: bytes) -> None:
    application.files[fid] = TransparentFile(fid, FREE, NEVER, bytearray(content))


def _master_key(persona: Persona, card: PsamPersona) -> bytes | None:
    key = unhex(card.master_key) if card.master_key else None
    if key is not None and len(key) != _KEY_BYTES:
        raise persona.fault("$.master_key", f"has {_KEY_BYTES} bytes")
    return key


def _held(persona: Persona, card: PsamPersona, algorithm: Algorithm, level: Level) -> dict[int, HeldKey]:
    given = named_keys(persona, card.keys)
    keys = {}
    for name, rule in KEYS.items():
        length = rule.des_length if algorithm is Algorithm.DES else rule.length
        short = length != rule.length
        source = name if name in given else "stk_root" if short else "root"
        if source in given:
            value = _value(persona, source, given[source], length)
            types = _MAINTENANCE if rule.des_length != rule.length else _AUTHENTICATION
            keys[rule.psam_id] = HeldKey(_at_level(algorithm, value, card.region, level), level, types)
    for name, types in _MONEY.items():
        source = name if name in given else "root"
        if source in given:
            for psam_id in MONEY_KEYS[name].psam_ids:
                value = _value(persona, source, given[source], _KEY_BYTES)
                keys[psam_id] = HeldKey(_at_level(algorithm, value, card.region, level), level, types)
    return keys


def _value(persona: Persona, source: str, text: str, length: int) -> bytes:
    value = unhex(text)
    if len(value) != length:
        raise persona.fault(f"$.keys.{source}", f"has {length} bytes")
    return value


def _at_level(algorithm: Algorithm, root: bytes, region: str, level: Level) -> bytes:
    """Return the root as the owner of a level holds it: diversified as often as is not left to do."""
    chain = factors(region, bytes(13)).chain
    return diversify_all(algorithm, root, chain[: Level.NATIONAL - level])
