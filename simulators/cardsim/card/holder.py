"""The records of the environment's files as a persona gives them: issuer's and holder's data, overrides by tag."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.rules.files import FileRule, Generation
from cardd.rules.items import Form, Item
from cardd.rules.values import ValueFault, encode, split_name
from cardsim.persona import Persona, SocialSecurityPersona

_VERSIONS: Final = MappingProxyType({Generation.V1: "1.00", Generation.V2: "2.00", Generation.V3: "3.00"})
_NAME: Final = 0x09
_EXTENSION: Final = 0x4E
_ORGANISATION: Final = "9156000002{region}{region}01"


def record_values(
    persona: Persona, card: SocialSecurityPersona, rule: FileRule, generation: Generation, code: bytes
) -> list[tuple[int, bytes]]:
    """Return (tag, value) in the order of the file's records. Raises DocumentError where a field cannot be stored."""
    overrides = _overrides(persona, card, rule)
    known = {f"{item.tag:02X}" for item in rule.items_of(generation)}
    for tag in overrides:
        if tag not in known:
            raise persona.fault(f"$.files.{rule.address}.{tag}", "no such item in this file")
    texts = _issuer(card, generation, code) | _holder(card)
    values = []
    for item in rule.items_of(generation):
        tag = f"{item.tag:02X}"
        if tag in overrides:
            values.append((item.tag, _encoded(persona, item, overrides[tag], f"$.files.{rule.address}.{tag}")))
        else:
            values.append((item.tag, _value(persona, item, texts, generation)))
    return values


def _overrides(persona: Persona, card: SocialSecurityPersona, rule: FileRule) -> Mapping[str, str]:
    content = card.files.get(rule.address, {})
    if isinstance(content, dict):
        return content
    raise persona.fault(f"$.files.{rule.address}", 'has items: {"08": text, …}')


def _issuer(card: SocialSecurityPersona, generation: Generation, code: bytes) -> dict[str, tuple[str, str]]:
    """Return field name → (text, where it stands in the persona)."""
    organisation = card.initialising_organisation or _ORGANISATION.format(region=code[:3].hex())
    version = _VERSIONS[generation] if card.specification_version is None else card.specification_version
    return {
        "identification_code": (code.hex(), "$.identification_code"),
        "card_class": (card.card_class, "$.card_class"),
        "specification_version": (version, "$.specification_version"),
        "initialising_organisation": (organisation.replace(" ", ""), "$.initialising_organisation"),
        "issue_date": (card.issue_date, "$.issue_date"),
        "valid_until": (card.valid_until, "$.valid_until"),
        "card_number": (card.card_number, "$.card_number"),
    }


def _holder(card: SocialSecurityPersona) -> dict[str, tuple[str, str]]:
    holder = card.holder
    return {name: (getattr(holder, name), f"$.holder.{name}") for name in holder.__struct_fields__}


def _value(persona: Persona, item: Item, texts: Mapping[str, tuple[str, str]], generation: Generation) -> bytes:
    if item.tag in {_NAME, _EXTENSION} and generation is not Generation.V1:
        head, tail = _name(persona, *texts["name"])
        return head if item.tag == _NAME else tail
    return _encoded(persona, item, *texts[item.key])


def _name(persona: Persona, text: str, where: str) -> tuple[bytes, bytes]:
    try:
        return split_name(text)
    except ValueFault as fault:
        raise persona.fault(where, str(fault)) from None


def _encoded(persona: Persona, item: Item, text: str, where: str) -> bytes:
    try:
        return encode(item, text.replace("-", "") if item.form is Form.DATE else text)
    except ValueFault as fault:
        raise persona.fault(where, str(fault)) from None
