"""Which files a card has, how each is built and what opens it, by generation and toggles (LD/T 32.6, LB002-2000)."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from cardd.rules.access import PIN
from cardd.rules.compatibility import old_item
from cardd.rules.files import EF1E, Application, FileRule, Generation, Structure
from cardd.rules.items import Item, ItemType
from cardd.rules.keys import KeyName
from cardsim.card.filesystem import NEVER, Access, needs
from cardsim.card.filesystem import Structure as Records
from cardsim.persona import SocialSecurityPersona
from cardsim.toggles import Toggles

_DRAFTS: Final = frozenset({"DF03EF08", "DF03EF09", "DF03EF0A"})
_UNEMPLOYMENT: Final = 0x60
_UNEMPLOYMENT_FILES: Final = frozenset({"DF02EF06", "DF03EF05"})
_OBSERVED: Final = frozenset({"DF03EF05", "DF03EF07"})

_SHORT_NUMBER: Final = Item(0x55, "certificate_number", ItemType.CN, 0x08, "certificate number", "就业失业登记证编号")

STRUCTURES: Final[Mapping[Structure, Records]] = MappingProxyType(
    {
        Structure.LINEAR_VARIABLE: Records.VARIABLE,
        Structure.LINEAR_FIXED: Records.FIXED,
        Structure.CYCLIC: Records.CYCLIC,
    }
)


def rules_of(card: SocialSecurityPersona, application: Application) -> Iterator[FileRule]:
    """Yield the files that a card has in an application: those of its generation, and those that its persona fills."""
    generation = Generation(card.profile)
    for rule in application.files:
        drafted = rule.address in _DRAFTS and card.toggles.first_generation_drafts == "absent"
        named = rule.address in card.files or rule.address in card.raw
        given = rule is not EF1E and (named or (rule.exists_in(generation) and not drafted))
        if given and rule.address not in card.absent:
            yield rule


def exists(card: SocialSecurityPersona, application: Application) -> bool:
    """Say whether a card has an application: one of the rule with files, an optional one that the persona names."""
    name = application.name
    if name in card.absent:
        return False
    named = name in card.applications or any(address.startswith(name) for address in (*card.files, *card.raw))
    generation = Generation(card.profile)
    return named or (not application.optional and any(rule.exists_in(generation) for rule in application.files))


def reading(card: SocialSecurityPersona, rule: FileRule) -> Access:
    """Return who may read; a file that its generation does not have opens as in the next that has it."""
    generation = Generation(card.profile)
    access: Access = (rule.read.get(generation) or next(iter(rule.read.values()))).ways
    toggles = card.toggles
    if generation is Generation.V1 and rule.address in _OBSERVED and toggles.first_generation_insurance == "observed":
        return needs(PIN, KeyName.RK1DF03)
    if generation is Generation.V3 and toggles.third_generation_conditions == "keys_only" and len(access) > 1:
        return tuple(way for way in access if way != {PIN})
    return access


def writing(rule: FileRule) -> Access:
    """Return who may write."""
    return needs(rule.write) if rule.write else NEVER


def items_of(card: SocialSecurityPersona, rule: FileRule) -> tuple[Item, ...]:
    """Return the items of a file in the order of its records."""
    items = rule.items_of(Generation(card.profile))
    if rule.address == "DF02EF09" and card.toggles.certificate_number == "cn08":
        return tuple(_SHORT_NUMBER if item.tag == _SHORT_NUMBER.tag else item for item in items)
    if rule.address in _UNEMPLOYMENT_FILES and not _has_unemployment(card, rule.address):
        return tuple(item for item in items if item.tag != _UNEMPLOYMENT)
    return items


def _has_unemployment(card: SocialSecurityPersona, address: str) -> bool:
    given = {file for file in _UNEMPLOYMENT_FILES if f"{_UNEMPLOYMENT:02X}" in card.files.get(file, ())}
    return address in (given or {card.toggles.unemployment_registration})


def former(card: SocialSecurityPersona, rule: FileRule, item: Item) -> Item | None:
    """Return what an item's tag meant on a card of the first generation, None where it means what it means now."""
    return old_item(rule.address, item.tag) if Generation(card.profile) is Generation.V1 else None


def keeps_old_meaning(toggles: Toggles) -> bool:
    """Say whether items of the first generation are there as they were then."""
    return toggles.first_generation_items == "old"
