"""What a case has to know of a card beforehand, as an issuer would: its keys, its PIN, its limits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec.structs import replace

from cardd.base.document import load_as_written
from cardd.base.structs import Hidden, Struct
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import diversify_all, factors
from cardd.rules.generations import Generation
from cardd.rules.keys import KEYS, KeyName

_PIN_TRIES: Final = 6
_KEY_TRIES: Final = 3
_MOST_TRIES: Final = 15
_DES_STK: Final = 8

_Hex = Annotated[str, msgspec.Meta(pattern="^[0-9A-Fa-f]{2}( ?[0-9A-Fa-f]{2})*$")]
_Tries = Annotated[int, msgspec.Meta(ge=0, le=_MOST_TRIES)]
_KeyVersion = Annotated[int, msgspec.Meta(ge=1, le=3)]
KeyValue = _Hex | dict[_KeyVersion, _Hex]
"""A key in hexadecimal, or one for each of its versions."""


class Subject(Struct, frozen=True):
    """One card. `pin` are its digits, empty where none is set and None where it is not known.

    The limits are full counters, whatever is left now.
    """

    name: str
    generation: Generation
    algorithm: Algorithm
    pin: Hidden[str | None]
    pin_limit: int
    pin_locked: bool
    key_limit: int
    keys: Hidden[Mapping[str, KeyValue]]
    shown: bool = True
    """Whether the card is to be shown its PIN and keys."""

    def kept_from_the_card(self) -> "Subject":
        """Return the same card to which neither PIN nor keys are shown: its own proof is computed, and no other."""
        return replace(self, shown=False, pin=None)

    def key(self, name: KeyName, version: int, region: str, historical: bytes) -> bytes | None:
        """Return a key of the card with this region and these historical bytes, None where the issuer has none.

        It is the card's own if it has one, else the issuer's root, diversified for the card. Of the IRK it is always
        the root's, if there is one: a card proves by it who issued it. None but the IRK are to be had where they are
        not to be shown. Raises CarddError for data from which no factors can be made.
        """
        if not self.shown and name is not KeyName.IRK:
            return None
        if name in self.keys and not (name is KeyName.IRK and "root" in self.keys):
            return _version(self.keys[name], version)
        rule = KEYS.get(name)
        short = self.algorithm is Algorithm.DES and rule is not None and rule.des_length == _DES_STK
        root = _version(self.keys.get("stk_root" if short else "root"), version)
        return None if root is None else diversify_all(self.algorithm, root, factors(region, historical).chain)


def described(
    name: str,
    profile: str,
    algorithm: str | None,
    *,
    pin: str | None,
    pin_tries: int | None,
    key_tries: int | None,
    keys: Mapping[str, KeyValue],
) -> Subject:
    """Return a card as a persona describes it; an algorithm that is not said is the usual one of the generation."""
    generation = Generation(profile)
    chosen = algorithm or ("sm4" if generation is Generation.V3 else "des")
    return Subject(
        name=name,
        generation=generation,
        algorithm=Algorithm.SM4 if chosen == "sm4" else Algorithm.DES,
        pin=pin or "",
        pin_limit=pin_tries or _PIN_TRIES,
        pin_locked=pin_tries == 0,
        key_limit=key_tries or _KEY_TRIES,
        keys=keys,
    )


def stranger(name: str, generation: Generation, algorithm: Algorithm) -> Subject:
    """Return a card of which nothing is known but what it shows to everybody."""
    return Subject(name, generation, algorithm, None, _MOST_TRIES, pin_locked=False, key_limit=_MOST_TRIES, keys={})


def read_subject(path: Path, name: str) -> Subject:
    """Read what is known of a card from a persona's file: `profile`, `algorithm`, `pin`, `keys`, and the limits.

    Raises DocumentError.
    """
    told = load_as_written(path, _Told)
    return described(
        name,
        told.profile,
        told.algorithm,
        pin=told.pin,
        pin_tries=told.pin_tries,
        key_tries=told.key_tries,
        keys=told.keys,
    )


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a persona that its issuer would tell; what else stands there makes virtual cards."""

    card: Literal["social-security"]
    profile: Literal["1.0", "2.0", "3.0"]
    algorithm: Literal["des", "sm4"] | None = None
    pin: Annotated[str, msgspec.Meta(pattern="^([0-9]{4,16})?$")] | None = None
    pin_tries: _Tries | None = None
    key_tries: _Tries | None = None
    keys: dict[str, KeyValue] = {}


def _version(value: KeyValue | None, version: int) -> bytes | None:
    text = value.get(version) if isinstance(value, dict) else value
    return None if text is None else bytes.fromhex(text)
