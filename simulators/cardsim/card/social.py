"""The social security card made from its persona: applications, files, keys, PIN (LD/T 32.3, 32.4, 32.6)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import HISTORICAL, diversify_all, factors
from cardd.rules.files import BASIC_FILES as FILES
from cardd.rules.files import Access as RuleAccess
from cardd.rules.files import FileRule, Generation
from cardd.rules.identity import APPLICATION_ID
from cardd.rules.keys import ENVIRONMENT_KEYS as KEYS
from cardd.rules.keys import KeyName, KeyRule
from cardd.rules.names import PBOC_CONTACT, SSSE_NAME
from cardsim.card import authentication, binary, blocking, pins, records, selection
from cardsim.card.build import ALGORITHMS, answers, challenges, named_keys, unhex
from cardsim.card.chip import Chip
from cardsim.card.filesystem import FREE, NEVER, Access, Application, RecordFile, Structure, TransparentFile, needs
from cardsim.card.holder import record_values
from cardsim.card.keyring import Key, Pin
from cardsim.card.machine import Machine
from cardsim.card.system import OperatingSystem
from cardsim.persona import KeyValue, Persona, SocialSecurityPersona

CLASSES: Final = (0x00, 0x04, 0x80, 0x84, 0xB0)
ROWS: Final = (
    *selection.ROWS,
    *records.ROWS,
    *binary.ROWS,
    *authentication.ROWS,
    *pins.ROWS,
    *blocking.ROWS,
)

_MF: Final = 0x3F00
_SSSE: Final = 0xDDF1
_BANK: Final = 0xDDF2
_DIRECTORY: Final = bytes.fromhex("88011E")
_BANK_DIRECTORY: Final = bytes.fromhex("A503880101")
_A5: Final = 0xA5
_ALGORITHM: Final = bytes.fromhex("9F0C038601")
_HISTORICAL_HEAD: Final = bytes.fromhex("0081544C968684")
_DEFAULT_SERIAL: Final = bytes.fromhex("C0FFEE01")
_DEFAULT_REGION: Final = bytes.fromhex("5101")
_CODE_BYTES: Final = 16
_PIN_TRIES: Final = 6
_KEY_TRIES: Final = 3
_NO_TERMINAL_KEY: Final = frozenset({KeyName.IRK, KeyName.STKSSSE})
_UNCOUNTED: Final = frozenset({KeyName.BK})
_ROOT_VERSIONS: Final = range(1, 4)
_SPARE: Final = 0x80
"""What a record file has room for beyond the records of the rule, so that UPDATE RECORD can append."""
_ROOT_BYTES: Final = 16
_DES_STK_BYTES: Final = 8

_IMAGES: Final[Mapping[str, tuple[int, int, frozenset[Generation]]]] = MappingProxyType(
    {
        "SSSEEF07": (0xEF07, 0x300, frozenset({Generation.V1})),
        "SSSEEF08": (0xEF08, 0x1000, frozenset()),
    }
)
"""Fingerprint and photo: identifier, size, generations that let anybody read (the others ask for RKSSSE)."""


def make_social(persona: Persona, card: SocialSecurityPersona, seed: int | None) -> Chip:
    """Make the card. Raises DocumentError for values that the rule has no place for."""
    generation = Generation(card.profile)
    algorithm = ALGORITHMS[card.algorithm or ("sm4" if generation is Generation.V3 else "des")]
    given = answers(persona, _historical(card), "dual" if generation is Generation.V3 else "contact")
    code = _identification_code(persona, card, given.historical)
    environment = _environment(persona, card, generation, algorithm, code)
    for key in _keys(persona, card, algorithm, code, given.historical):
        environment.keys[key.kid] = key
    root = Application("MF", _MF, b"")
    root.add(environment)
    if generation is not Generation.V1:
        root.add(Application("PBOC", _BANK, PBOC_CONTACT, _BANK_DIRECTORY, is_environment=True))
    machine = Machine(root, algorithm, challenges(persona, seed))
    _block(persona, card, machine)
    return Chip(OperatingSystem(machine, CLASSES, ROWS), given)


def _historical(card: SocialSecurityPersona) -> bytes:
    code = unhex(card.identification_code) if card.identification_code else b""
    region, serial = (code[:2], code[8:12]) if len(code) == _CODE_BYTES else (_DEFAULT_REGION, _DEFAULT_SERIAL)
    return _HISTORICAL_HEAD + region + serial


def _identification_code(persona: Persona, card: SocialSecurityPersona, historical: bytes) -> bytes:
    if card.identification_code is None:
        whole = len(historical) == HISTORICAL
        region, serial = (historical[7:9], historical[9:13]) if whole else (_DEFAULT_REGION, _DEFAULT_SERIAL)
        return region + b"\x00" + APPLICATION_ID + serial + b"\xff" * 4
    code = unhex(card.identification_code)
    if len(code) != _CODE_BYTES:
        raise persona.fault("$.identification_code", f"has 16 bytes, these are {len(code)}")
    return code


def _environment(
    persona: Persona, card: SocialSecurityPersona, generation: Generation, algorithm: Algorithm, code: bytes
) -> Application:
    # only DES may be left to be guessed from the generation
    old_form = generation is Generation.V1 and algorithm is Algorithm.DES
    directory = _DIRECTORY + (b"" if old_form else _ALGORITHM + bytes((algorithm,)))
    environment = Application(
        label="SSSE",
        fid=_SSSE,
        name=SSSE_NAME,
        directory=bytes((_A5, len(directory))) + directory,
        pin=_pin(persona, card),
        is_environment=True,
    )
    for rule in FILES.values():
        environment.files[rule.fid] = _record_file(persona, card, rule, generation, code)
    for address, content in card.files.items():
        if address in _IMAGES:
            file = _image_file(persona, address, content, generation)
            environment.files[file.fid] = file
        elif address not in FILES:
            raise persona.fault(f"$.files.{address}", f"no such file; known are {', '.join((*FILES, *_IMAGES))}")
    return environment


def _record_file(
    persona: Persona, card: SocialSecurityPersona, rule: FileRule, generation: Generation, code: bytes
) -> RecordFile:
    values = record_values(persona, card, rule, generation, code)
    contents = [bytes((tag, len(value))) + value for tag, value in values]
    return RecordFile(
        fid=rule.fid,
        structure=Structure.VARIABLE,
        size=sum(map(len, contents)) + _SPARE,
        read=_access(rule.read[generation]),
        write=needs(rule.write) if rule.write else NEVER,
        records=contents,
    )


def _access(access: RuleAccess) -> Access:
    return FREE if access.key is None else needs(access.key)


def _image_file(persona: Persona, address: str, content: object, generation: Generation) -> TransparentFile:
    fid, size, free = _IMAGES[address]
    try:
        given = unhex(content) if isinstance(content, str) else b""
    except ValueError:
        given = b""
    if not given or len(given) > size:
        raise persona.fault(f"$.files.{address}", f"is 1 to {size} bytes in hexadecimal")
    access = FREE if generation in free else needs(KeyName.RKSSSE)
    return TransparentFile(fid, access, needs(KeyName.UKSSSE), bytearray(given.ljust(size, b"\x00")))


def _pin(persona: Persona, card: SocialSecurityPersona) -> Pin:
    digits = card.pin or ""
    value = bytes.fromhex(digits + "F" * (len(digits) % 2)) if digits.isdecimal() and digits.isascii() else b""
    if digits and not (value and pins.is_pin(value)):
        raise persona.fault("$.pin", "is 4 to 16 digits")
    return Pin(value, limit=card.pin_tries or _PIN_TRIES, tries=card.pin_tries)


def _keys(
    persona: Persona, card: SocialSecurityPersona, algorithm: Algorithm, code: bytes, historical: bytes
) -> list[Key]:
    given = named_keys(persona, card.keys)
    made = []
    for name, rule in KEYS.items():
        versions = _versions(persona, given, name, rule, algorithm, code, historical)
        if versions:
            made.append(_key(card, name, rule, versions))
    return made


def _key(card: SocialSecurityPersona, name: KeyName, rule: KeyRule, versions: Mapping[int, bytes]) -> Key:
    return Key(
        name=name,
        kid=rule.kid,
        versions=versions,
        limit=card.key_tries or _KEY_TRIES,
        tries=card.key_tries,
        counted=name not in _UNCOUNTED,
        authenticates=name not in _NO_TERMINAL_KEY,
    )


def _versions(
    persona: Persona,
    keys: Mapping[str, KeyValue],
    name: KeyName,
    rule: KeyRule,
    algorithm: Algorithm,
    code: bytes,
    historical: bytes,
) -> Mapping[int, bytes]:
    """Return a key's values: its own if the persona names it, else that of the root for this card, in every version."""
    short = name is KeyName.STKSSSE and algorithm is Algorithm.DES
    length = _DES_STK_BYTES if short else _ROOT_BYTES
    numbers = range(1, rule.versions + 1)
    own = keys.get(name)
    if own is not None:
        return _own(persona, name, own, numbers, length)
    source = "stk_root" if short else "root"
    root = keys.get(source)
    if root is None:
        return {}
    given = _own(persona, source, root, _ROOT_VERSIONS, length)
    try:
        chain = factors(code[:3].hex(), historical).chain
    except CarddError as error:
        raise persona.fault(f"$.keys.{source}", f"cannot be diversified: {error.detail}") from None
    return {number: diversify_all(algorithm, given[number], chain) for number in numbers if number in given}


def _own(persona: Persona, name: str, value: KeyValue, numbers: range, length: int) -> Mapping[int, bytes]:
    texts = dict.fromkeys(numbers, value) if isinstance(value, str) else value
    versions = {number: unhex(text) for number, text in texts.items()}
    wrong = sorted(set(versions) - set(numbers))
    if wrong:
        raise persona.fault(f"$.keys.{name}", f"has no version {wrong[0]}")
    if any(len(key) != length for key in versions.values()):
        raise persona.fault(f"$.keys.{name}", f"has {length} bytes")
    return versions


def _block(persona: Persona, card: SocialSecurityPersona, machine: Machine) -> None:
    if isinstance(card.blocked, str):
        machine.blocked = True
        return
    by_label = {application.label: application for application in machine.root.walk()}
    for index, label in enumerate(card.blocked):
        if label not in by_label:
            raise persona.fault(f"$.blocked[{index}]", f"no such application; known are {', '.join(sorted(by_label))}")
        by_label[label].blocked = True
