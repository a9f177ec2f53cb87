"""What survives power loss, as plain data: to be written to a file and put back into a card made from its persona."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from cardd.rules.keys import Level, Usage
from cardsim.card.filesystem import Application, ElementaryFile, RecordFile
from cardsim.card.keyring import HeldKey
from cardsim.card.machine import Machine


class ApplicationImage(TypedDict):
    """The changeable part of one application; keys and files by their identifier in hexadecimal.

    A key in the vault is its level, its usage types and its value.
    """

    blocked: bool
    files: dict[str, list[str]]
    key_tries: dict[str, int]
    pin: str
    pin_tries: int
    money: NotRequired[str]
    vault: NotRequired[dict[str, tuple[int, list[int], str]]]


class CardImage(TypedDict):
    """The changeable part of a card."""

    blocked: bool
    challenges: int
    applications: dict[str, ApplicationImage]


def take_image(machine: Machine) -> CardImage:
    """Return what the card remembers now. It holds the PIN: keep it where test data is kept."""
    return {
        "blocked": machine.blocked,
        "challenges": machine.challenges.place,
        "applications": {application.label: _take(application) for application in machine.root.walk()},
    }


def put_image(machine: Machine, image: CardImage) -> None:
    """Make the card remember an image that was taken from the same persona. Raises KeyError, ValueError for others."""
    machine.blocked = image["blocked"]
    machine.challenges.place = image["challenges"]
    for application in machine.root.walk():
        _put(application, image["applications"][application.label])


def _take(application: Application) -> ApplicationImage:
    return {
        "blocked": application.blocked,
        "files": {f"{fid:04X}": [part.hex() for part in _parts(file)] for fid, file in application.files.items()},
        "key_tries": {f"{kid:02X}": key.tries for kid, key in application.keys.items()},
        "pin": application.pin.value.hex() if application.pin else "",
        "pin_tries": application.pin.tries if application.pin else 0,
        "money": application.money.cells.hex() if application.money else "",
        "vault": {
            f"{identifier:02X}": (key.level, sorted(key.types), key.value.hex())
            for identifier, key in application.vault.items()
        },
    }


def _parts(file: ElementaryFile) -> Sequence[bytes]:
    return file.records if isinstance(file, RecordFile) else [bytes(file.content)]


def _put(application: Application, image: ApplicationImage) -> None:
    application.blocked = image["blocked"]
    for fid, file in application.files.items():
        parts = [bytes.fromhex(part) for part in image["files"][f"{fid:04X}"]]
        if isinstance(file, RecordFile):
            file.records[:] = parts
        else:
            file.content[:] = b"".join(parts)
    for kid, key in application.keys.items():
        key.tries = image["key_tries"][f"{kid:02X}"]
    if application.pin:
        application.pin.value = bytes.fromhex(image["pin"])
        application.pin.tries = image["pin_tries"]
    if application.money:
        application.money.cells[:] = bytes.fromhex(image["money"])
    for identifier, (level, types, value) in image.get("vault", {}).items():
        held = HeldKey(bytes.fromhex(value), Level(level), frozenset(map(Usage, types)))
        application.vault[int(identifier, 16)] = held
