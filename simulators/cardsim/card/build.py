"""What every card's construction shares: reading a persona's bytes, its answers to reset, its random numbers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from cardd.crypto.block import Algorithm
from cardd.rules.keys import KeyName
from cardsim.card.answers import Answers, atr_historical, ats_historical, contact_atr, contactless_atr
from cardsim.card.challenges import Challenges
from cardsim.persona import Persona

ALGORITHMS: Final = {"des": Algorithm.DES, "sm4": Algorithm.SM4}
FREE_CHALLENGE: Final = 16

T = TypeVar("T")

_OTHER_NAMES: Final[Mapping[str, KeyName]] = MappingProxyType({"STK": KeyName.STKSSSE, "UKMF": KeyName.UKSSSE})
"""What the rule calls keys of the environment elsewhere."""


def unhex(text: str) -> bytes:
    """Read a persona's hex digits."""
    return bytes.fromhex(text)


def named_keys(persona: Persona, keys: Mapping[str, T]) -> Mapping[str, T]:
    """Return a persona's keys and roots by the names of the tables. Raises DocumentError for a name that is none.

    Keys of applications that the card does not have are no mistake.
    """
    known = {"root", "stk_root", *KeyName}
    for name in keys:
        if name not in known | _OTHER_NAMES.keys():
            raise persona.fault(f"$.keys.{name}", f"no such key; known are {', '.join(sorted(known))}")
    return {_OTHER_NAMES.get(name, name): value for name, value in keys.items()}


def challenges(persona: Persona, seed: int | None) -> Challenges:
    """Lay out a persona's random numbers."""
    card = persona.card
    return Challenges([unhex(text) for text in card.challenges], card.seed if seed is None else seed)


def answers(persona: Persona, default: bytes, interface: str) -> Answers:
    """Build the answers to reset: those of the persona, else the basic forms around the same historical bytes.

    `default` are the historical bytes of a persona that gives none, `interface` its interface if it gives none. Raises
    DocumentError for an ATS that is none.
    """
    card = persona.card
    # an ATS is written down for a card that answers an antenna
    chosen = card.interface or ("dual" if card.ats else interface)
    historical = _historical(persona, default)
    contact = unhex(card.atr) if card.atr else contact_atr(historical)
    contactless = contactless_atr(_ats(persona, card.ats) if card.ats else historical)
    return Answers(
        contact=contact if chosen != "contactless" else None,
        contactless=contactless if chosen != "contact" else None,
        historical=historical,
    )


def _historical(persona: Persona, default: bytes) -> bytes:
    card = persona.card
    if card.atr:
        return atr_historical(unhex(card.atr))
    return _ats(persona, card.ats) if card.ats else default


def _ats(persona: Persona, text: str) -> bytes:
    try:
        return ats_historical(unhex(text))
    except ValueError as error:
        raise persona.fault("$.ats", f"{error}: 1278 80A002 and 13 historical bytes are usual") from None
