"""What a persona says of issuer and holder: the texts of the environment's files by field name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.rules.files import Generation
from cardsim.persona import SocialSecurityPersona

_VERSIONS: Final = MappingProxyType({Generation.V1: "1.00", Generation.V2: "2.00", Generation.V3: "3.00"})
_ORGANISATION: Final = "9156000002{region}{region}01"

Texts = Mapping[str, tuple[str, str]]
"""Field name → (text, where it stands in the persona)."""


def basic_texts(card: SocialSecurityPersona, generation: Generation, code: bytes) -> Texts:
    """Return the texts of EF05 and EF06; what the persona leaves out of the issuer's follows from the code."""
    organisation = card.initialising_organisation or _ORGANISATION.format(region=code[:3].hex())
    version = _VERSIONS[generation] if card.specification_version is None else card.specification_version
    issuer = {
        "identification_code": (code.hex(), "$.identification_code"),
        "card_class": (card.card_class, "$.card_class"),
        "specification_version": (version, "$.specification_version"),
        "initialising_organisation": (organisation.replace(" ", ""), "$.initialising_organisation"),
        "issue_date": (card.issue_date, "$.issue_date"),
        "valid_until": (card.valid_until, "$.valid_until"),
        "card_number": (card.card_number, "$.card_number"),
    }
    holder = card.holder
    return issuer | {name: (getattr(holder, name), f"$.holder.{name}") for name in holder.__struct_fields__}
