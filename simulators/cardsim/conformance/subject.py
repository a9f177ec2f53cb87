"""What a case has to know of a card beforehand, as an issuer would: its keys, its PIN, its limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardd.crypto.block import Algorithm
from cardd.crypto.derive import diversify_all, factors
from cardd.rules.generations import Generation
from cardd.rules.keys import KEYS, KeyName
from cardsim.persona import KeyValue, Persona, SocialSecurityPersona

_PIN_TRIES = 6
_KEY_TRIES = 3
_DES_STK = 8


@dataclass(frozen=True, slots=True)
class Subject:
    """One card. `pin` are its digits, empty where none is set; the limits are full counters, whatever is left now."""

    name: str
    generation: Generation
    algorithm: Algorithm
    pin: str = field(repr=False)
    pin_limit: int
    pin_locked: bool
    key_limit: int
    keys: Mapping[str, KeyValue] = field(repr=False)

    def key(self, name: KeyName, version: int, region: str, historical: bytes) -> bytes | None:
        """Return a key of the card with this region and these historical bytes, None where the issuer has none.

        It is the card's own if it has one, else the issuer's root, diversified for the card. Of the IRK it is always
        the root's, if there is one: a card proves by it who issued it. Raises CarddError for data from which no factors
        can be made.
        """
        if name in self.keys and not (name is KeyName.IRK and "root" in self.keys):
            return _version(self.keys[name], version)
        rule = KEYS.get(name)
        short = self.algorithm is Algorithm.DES and rule is not None and rule.des_length == _DES_STK
        root = _version(self.keys.get("stk_root" if short else "root"), version)
        return None if root is None else diversify_all(self.algorithm, root, factors(region, historical).chain)


def subject_of(persona: Persona) -> Subject | None:
    """Return what a persona says of its card, None where it is no social security card."""
    card = persona.card
    if not isinstance(card, SocialSecurityPersona):
        return None
    generation = Generation(card.profile)
    chosen = card.algorithm or ("sm4" if generation is Generation.V3 else "des")
    return Subject(
        name=persona.name,
        generation=generation,
        algorithm=Algorithm.SM4 if chosen == "sm4" else Algorithm.DES,
        pin=card.pin or "",
        pin_limit=card.pin_tries or _PIN_TRIES,
        pin_locked=card.pin_tries == 0,
        key_limit=card.key_tries or _KEY_TRIES,
        keys=card.keys,
    )


def _version(value: KeyValue | None, version: int) -> bytes | None:
    text = value.get(version) if isinstance(value, dict) else value
    return None if text is None else bytes.fromhex(text)
