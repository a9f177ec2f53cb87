"""Whether something is as a scenario wants it: values by their paths, and what a card says of itself."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from cardd.base.masks import mask_citizen_number, mask_name, mask_number
from cardd.iso7816.tlv import TlvError, parse_records
from cardd.rules.content import read_fields, read_records
from cardd.rules.files import FILES, Generation, Structure
from cardsim.card.image import ApplicationImage, CardImage
from cardsim.card.money_file import Cell
from cardsim.persona import AnyPersona, SocialSecurityPersona
from cardsim.scenario.expected import Wanted, Where

_ABSENT: Final = "nothing"
_SECRET: Final = frozenset({"pin", "password", "new_pin", "old_card_password"})
_NUMBERS: Final = re.compile(r"[0-9A-Za-z]{7,}")
_CITIZEN: Final = re.compile(r"[0-9]{17}[0-9Xx]")
_CHINESE: Final = re.compile("[\u4e00-\u9fff]{2,}")


def differences(value: object, where: Where) -> Iterator[str]:
    """Yield what is not as it is wanted, masked: `data.outcome is refused, not activated`."""
    for path, wanted in where.items():
        found = list(at(value, path))
        if not any(fits(one, wanted) for one in found):
            came = ", ".join(masked(path, one) for one in found) if found else _ABSENT
            yield f"{path} is {came}, not {wish(path, wanted)}"


def at(value: object, path: str) -> Iterator[object]:
    """Yield what stands at a path: members by name, list entries by number, `*` for each of them."""
    head, _, rest = path.partition(".")
    if isinstance(value, Mapping) and path in value:
        yield value[path]
        return
    for one in _members(value, head):
        if rest:
            yield from at(one, rest)
        else:
            yield one


def _members(value: object, name: str) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from value.values() if name == "*" else [value[name]] if name in value else []
    elif isinstance(value, list | tuple):
        if name == "*":
            yield from value
        elif name.isdecimal() and int(name) < len(value):
            yield value[int(name)]


def fits(value: object, wanted: Wanted) -> bool:
    """Say whether a value is what is wanted; `*` stands for anything."""
    if wanted is None:
        return value is None
    if isinstance(wanted, tuple):
        return any(fits(value, one) for one in wanted)
    return value is not None and fnmatchcase(text(value), wanted.replace("[", "[[]"))


def text(value: object) -> str:
    """Return a value as YAML would have it."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def wish(path: str, wanted: Wanted) -> str:
    """Return what was wanted, masked."""
    if isinstance(wanted, tuple):
        return " or ".join(masked(path, one) for one in wanted)
    return masked(path, wanted)


def wishes(where: Where) -> str:
    """Return all that was wanted of an event, masked, as it stands behind the event's type: empty where nothing was."""
    wanted = ", ".join(f"{path}: {wish(path, one)}" for path, one in where.items())
    return f" ({wanted})" if wanted else ""


def masked(path: str, value: object) -> str:
    """Return a value as a report may show it: no PIN, no whole number or name of a person."""
    if value is None:
        return _ABSENT
    if path.rpartition(".")[2] in _SECRET:
        return "••••••"
    return mask(text(value))


def mask(said: str) -> str:
    """Mask what looks like a person's number or name."""
    said = _CITIZEN.sub(lambda found: mask_citizen_number(found[0]), said)
    said = _NUMBERS.sub(lambda found: mask_number(found[0]) if _is_number(found[0]) else found[0], said)
    return _CHINESE.sub(lambda found: mask_name(found[0]), said)


def _is_number(word: str) -> bool:
    return sum(character.isdecimal() for character in word) > len(word) // 2


# -- cards


def card_view(image: CardImage, persona: AnyPersona) -> dict[str, object]:
    """Return what a card remembers, by the paths of expectations.

    `blocked`, `pin`, `pin_tries`; `balance`, `online`, `offline` of the account; `applications.DF04.blocked`,
    `applications.SSSE.key_tries.0D`; `files.DF04EF05.81` as text (the first of a tag; `81:2` the second), a
    transparent file as hexadecimal, records of a cyclic file by number from 1, newest first.
    """
    applications = image["applications"]
    with_pin = next((one for one in applications.values() if one["pin"]), None)
    view: dict[str, object] = {
        "blocked": image["blocked"],
        "applications": applications,
        "files": dict(_files(applications, persona)),
        "pin": with_pin["pin"].rstrip("f") if with_pin else None,
        "pin_tries": with_pin["pin_tries"] if with_pin else None,
    }
    money = next((one["money"] for one in applications.values() if one.get("money")), "")
    for name, cell in (("balance", Cell.BALANCE), ("online", Cell.ONLINE), ("offline", Cell.OFFLINE)):
        offset, length = cell.value
        view[name] = int.from_bytes(bytes.fromhex(money)[offset : offset + length]) if money else None
    return view


def _files(applications: Mapping[str, ApplicationImage], persona: AnyPersona) -> Iterator[tuple[str, object]]:
    for label, application in applications.items():
        for fid, parts in application["files"].items():
            address = f"{label}{fid}"
            if isinstance(persona, SocialSecurityPersona) and address in FILES:
                yield address, _content(address, [bytes.fromhex(part) for part in parts], persona)
            else:
                yield address, parts


def _content(address: str, parts: list[bytes], persona: SocialSecurityPersona) -> object:
    rule, generation = FILES[address], Generation(persona.profile)
    structure = rule.structure_of(generation)
    if structure is Structure.TRANSPARENT:
        return b"".join(parts).hex().upper()
    if structure is Structure.CYCLIC:
        return {str(number): read_fields(rule, part).text for number, part in enumerate(parts, 1)}
    try:
        records = [record for part in parts for record in parse_records(part)]
    except TlvError:
        return [part.hex().upper() for part in parts]
    shown: dict[str, object] = {}
    for value in read_records(rule, generation, records):
        tag = f"{value.tag:02X}"
        again = sum(key.partition(":")[0] == tag for key in shown)
        shown[f"{tag}:{again + 1}" if again else tag] = value.text
    return shown
