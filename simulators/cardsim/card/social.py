"""The social security card made from its persona: applications, files, keys, PIN (LD/T 32.3, 32.4, 32.6)."""

import random
from collections.abc import Iterator
from typing import Final

from cardd.crypto.block import Algorithm
from cardd.crypto.derive import HISTORICAL
from cardd.rules.directory import Entry
from cardd.rules.files import APPLICATIONS, FILES, Generation
from cardd.rules.files import Application as ApplicationRule
from cardd.rules.identity import APPLICATION_ID
from cardsim.card import authentication, binary, blocking, money, pins, records, selection
from cardsim.card.bank import bank_environments
from cardsim.card.build import ALGORITHMS, answers, challenges, unhex
from cardsim.card.chip import Chip
from cardsim.card.contents import Contents
from cardsim.card.directory import directory_file, directory_sfi
from cardsim.card.filesystem import Application
from cardsim.card.holder import basic_texts
from cardsim.card.keyring import Pin
from cardsim.card.keyset import KeySet
from cardsim.card.layout import exists, rules_of
from cardsim.card.locals import local_applications, local_files
from cardsim.card.machine import Machine
from cardsim.card.money_persona import ACCOUNT, open_account
from cardsim.card.system import OperatingSystem
from cardsim.persona import Persona, SocialSecurityPersona

CLASSES: Final = (0x00, 0x04, 0x80, 0x84, 0xB0)
ROWS: Final = (
    *selection.ROWS,
    *records.ROWS,
    *binary.ROWS,
    *authentication.ROWS,
    *pins.ROWS,
    *blocking.ROWS,
    *money.ROWS,
)

_MF: Final = 0x3F00
_ENVIRONMENT: Final = "SSSE"
_A5: Final = 0xA5
_ALGORITHM: Final = bytes.fromhex("9F0C038601")
_HISTORICAL_HEAD: Final = bytes.fromhex("0081544C968684")
_DEFAULT_SERIAL: Final = bytes.fromhex("C0FFEE01")
_DEFAULT_REGION: Final = bytes.fromhex("5101")
_CODE_BYTES: Final = 16
_SEAL: Final = 4


def make_social(persona: Persona, card: SocialSecurityPersona, seed: int | None) -> Chip:
    """Make the card. Raises DocumentError for values that the rule has no place for."""
    generation = Generation(card.profile)
    algorithm = ALGORITHMS[card.algorithm or ("sm4" if generation is Generation.V3 else "des")]
    given = answers(persona, _historical(card), "dual" if generation is Generation.V3 else "contact")
    code = _identification_code(persona, card, given.historical)
    _check_names(persona, card)
    keys = KeySet(persona, card, algorithm, code, given.historical)
    contents = Contents(persona, card, basic_texts(card, generation, code))
    environment = _environment(persona, card, algorithm, keys, contents)
    machine = Machine(_root(card, environment), algorithm, challenges(persona, seed), card.toggles)
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
        drawn = card.toggles.identification_seal == "random"
        seal = random.Random(serial).randbytes(_SEAL) if drawn else b"\xff" * _SEAL
        return region + b"\x00" + APPLICATION_ID + serial + seal
    code = unhex(card.identification_code)
    if len(code) != _CODE_BYTES:
        raise persona.fault("$.identification_code", f"has 16 bytes, these are {len(code)}")
    return code


def _check_names(persona: Persona, card: SocialSecurityPersona) -> None:
    for address in card.files:
        if address not in FILES or address == "SSSEEF1E":
            raise persona.fault(f"$.files.{address}", f"no such file; known are {', '.join(FILES)}")
    for field, names in (("applications", card.applications), ("absent", card.absent)):
        for index, name in enumerate(names):
            if name not in APPLICATIONS and (field == "applications" or name not in FILES):
                raise persona.fault(f"$.{field}[{index}]", f"no such application; known are {', '.join(APPLICATIONS)}")


def _environment(
    persona: Persona, card: SocialSecurityPersona, algorithm: Algorithm, keys: KeySet, contents: Contents
) -> Application:
    """Make the environment with all applications below it."""
    environment = _application(persona, card, APPLICATIONS[_ENVIRONMENT], keys, contents)
    environment.is_environment = True
    environment.pin = _pin(persona, card)
    environment.directory = _proprietary(card, algorithm)
    if card.toggles.environment_place == "is_mf":
        environment.fid = _MF
    entries = [Entry(environment.name)] if card.toggles.directory_environments == "listed" else []
    for rule in APPLICATIONS.values():
        if rule.name != _ENVIRONMENT and exists(card, rule):
            environment.add(_application(persona, card, rule, keys, contents))
            entries.append(Entry(rule.aid or b"", rule.label))
    for application in local_applications(persona, card, contents):
        environment.add(application)
        entries.append(Entry(application.name, None))
    if card.toggles.directory == "present" and "SSSEEF1E" not in card.absent:
        directory = directory_file(entries, card.toggles)
        environment.files[directory.fid] = directory
    return environment


def _application(
    persona: Persona, card: SocialSecurityPersona, rule: ApplicationRule, keys: KeySet, contents: Contents
) -> Application:
    # those without an identifier are known by their label
    name = rule.aid or (rule.label or "").encode("gbk")
    application = Application(rule.name, rule.fid, name)
    for file in rules_of(card, rule):
        application.files[file.fid] = contents.file(file)
    for fid, address in local_files(persona, card, rule.name):
        application.files[fid] = contents.local_file(address, fid)
    for key in keys.of(rule.name):
        application.keys[key.kid] = key
    if rule.name == ACCOUNT:
        open_account(card, keys, application)
    return application


def _proprietary(card: SocialSecurityPersona, algorithm: Algorithm) -> bytes:
    """Return the A5 part of the environment's FCI."""
    shown = card.toggles.fci_algorithm
    # only DES may be left to be guessed from the generation
    old_form = Generation(card.profile) is Generation.V1 and algorithm is Algorithm.DES
    told = shown in {"present", "ssf33"} or (shown == "by_generation" and not old_form)
    number = Algorithm.SSF33 if shown == "ssf33" else algorithm
    body = bytes((0x88, 0x01, directory_sfi(card.toggles))) + (_ALGORITHM + bytes((number,)) if told else b"")
    return bytes((_A5, len(body))) + body


def _pin(persona: Persona, card: SocialSecurityPersona) -> Pin:
    digits = card.pin or ""
    value = bytes.fromhex(digits + "F" * (len(digits) % 2)) if digits.isdecimal() and digits.isascii() else b""
    if digits and not (value and pins.is_pin(value)):
        raise persona.fault("$.pin", "is 4 to 16 digits")
    usual = int(card.toggles.pin_limit)
    tries = usual if card.pin_tries is None else card.pin_tries
    return Pin(value, limit=tries or usual, tries=tries)


def _root(card: SocialSecurityPersona, environment: Application) -> Application:
    root = environment
    if card.toggles.environment_place == "below_mf":
        root = Application("MF", _MF, b"")
        root.add(environment)
    for bank in _banks(card):
        root.add(bank)
    return root


def _banks(card: SocialSecurityPersona) -> Iterator[Application]:
    if Generation(card.profile) is not Generation.V1 or card.bank_number is not None:
        yield from bank_environments(card.bank_number)


def _block(persona: Persona, card: SocialSecurityPersona, machine: Machine) -> None:
    if isinstance(card.blocked, str):
        machine.blocked = True
        return
    by_label = {application.label: application for application in machine.root.walk()}
    for index, label in enumerate(card.blocked):
        if label not in by_label:
            raise persona.fault(f"$.blocked[{index}]", f"no such application; known are {', '.join(sorted(by_label))}")
        by_label[label].blocked = True
