"""The keys of one card: those that its persona names, and the issuer's roots diversified for it (LD/T 32.4, 32.9)."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import diversify_all, factors
from cardd.rules.keys import KEYS, KeyName, KeyRule
from cardsim.card.build import named_keys, unhex
from cardsim.card.keyring import Key
from cardsim.persona import KeyValue, Persona, SocialSecurityPersona
from cardsim.toggles import Toggles

_KEY_BYTES: Final = 16
_DES_STK_BYTES: Final = 8
_ROOT_VERSIONS: Final = range(1, 4)
_LOCKS: Final = ("BK", "LK")
_NO_TERMINAL_KEY: Final = ("IRK", "STK")

_READS_FIRST: Final[Mapping[str, int]] = MappingProxyType(
    {"RK1DF07": 0x83, "RK2DF07": 0x84, "RK3DF07": 0x85, "UK1DF07": 0x86, "UK2DF07": 0x87, "UK3DF07": 0x88}
)
_RESERVED: Final = frozenset(f"UK{number}DF01" for number in "789AB")
_CONTINUED: Final[Mapping[KeyName, tuple[str, int]]] = MappingProxyType(
    {
        KeyName.RK3DF03: ("DF03", 0x8E),
        KeyName.RK4DF03: ("DF03", 0x8F),
        KeyName.RK5DF03: ("DF03", 0x90),
        # 87 is taken by the key of the starting day
        KeyName.UK3DF04: ("DF04", 0x88),
        KeyName.RK1DF06: ("DF06", 0x83),
        KeyName.UK1DF06: ("DF06", 0x84),
        KeyName.UK2DF06: ("DF06", 0x85),
    }
)
"""Keys of which no source prints an identifier: the numbers behind those that are printed."""


class KeySet:
    """What a persona's keys come to on this card. Raises DocumentError for keys that no card has."""

    def __init__(
        self, persona: Persona, card: SocialSecurityPersona, algorithm: Algorithm, code: bytes, historical: bytes
    ) -> None:
        self._persona = persona
        self._card = card
        self._algorithm = algorithm
        self._code = code
        self._historical = historical
        self._given = named_keys(persona, card.keys)
        self._diversified: dict[tuple[str, int], bytes] = {}

    def of(self, application: str) -> Iterable[Key]:
        """Yield the keys with an identifier that lie in an application."""
        toggles = self._card.toggles
        for name, rule in KEYS.items():
            if rule.application == application and not (name in _RESERVED and toggles.reserved_keys == "absent"):
                yield from self._made(name, _kid(name, rule, toggles), rule.versions, rule.des_length)
        for name, (place, kid) in _CONTINUED.items():
            if place == application and (name in self._given or toggles.unpublished_keys == "continued"):
                yield from self._made(name, kid, len(_ROOT_VERSIONS), _KEY_BYTES)

    def under(self, name: KeyName, kid: int) -> Iterable[Key]:
        """Yield a key whose identifier the rule does not print, under the one it is given here."""
        return self._made(name, kid, len(_ROOT_VERSIONS), _KEY_BYTES)

    def versions(self, name: KeyName, count: int, des_length: int = _KEY_BYTES) -> Mapping[int, bytes]:
        """Return a key's values by version, 1 to `count`: its own if the persona names it, else the root's for it.

        A key of which the persona gives neither has none.
        """
        length = des_length if self._algorithm is Algorithm.DES else _KEY_BYTES
        numbers = range(1, count + 1)
        own = self._given.get(name)
        if own is not None:
            return self._read(name, own, numbers, length)
        source = "stk_root" if length == _DES_STK_BYTES else "root"
        root = self._given.get(source)
        if root is None:
            return {}
        given = self._read(source, root, _ROOT_VERSIONS, length)
        return {number: self._for_card(source, number, given[number]) for number in numbers if number in given}

    def _made(self, name: KeyName, kid: int, count: int, des_length: int) -> Iterable[Key]:
        versions = self.versions(name, count, des_length)
        if not versions:
            return
        usual = int(self._card.toggles.key_limit)
        tries = usual if self._card.key_tries is None else self._card.key_tries
        yield Key(
            name=name,
            kid=kid,
            versions=versions,
            limit=tries or usual,
            tries=tries,
            counted=_counted(name, self._card.toggles),
            authenticates=not name.startswith(_NO_TERMINAL_KEY),
        )

    def _for_card(self, source: str, number: int, root: bytes) -> bytes:
        value = self._diversified.get((source, number))
        if value is None:
            value = diversify_all(self._algorithm, root, self._chain(source))
            self._diversified[source, number] = value
        return value

    def _chain(self, source: str) -> tuple[bytes, ...]:
        try:
            province, city, card = factors(self._code[:3].hex(), self._historical).chain
        except CarddError as error:
            raise self._persona.fault(f"$.keys.{source}", f"cannot be diversified: {error.detail}") from None
        if self._card.toggles.card_factor == "padded":
            card = self._historical[7:13] + b"\x00\x00"
        return province, city, card

    def _read(self, name: str, value: KeyValue, numbers: range, length: int) -> Mapping[int, bytes]:
        texts = dict.fromkeys(numbers, value) if isinstance(value, str) else value
        versions = {number: unhex(text) for number, text in texts.items()}
        wrong = sorted(set(versions) - set(numbers))
        if wrong:
            raise self._persona.fault(f"$.keys.{name}", f"has no version {wrong[0]}")
        if any(len(key) != length for key in versions.values()):
            raise self._persona.fault(f"$.keys.{name}", f"has {length} bytes")
        return versions


def _kid(name: KeyName, rule: KeyRule, toggles: Toggles) -> int:
    if name is KeyName.UK1DF05:
        return int(toggles.df05_keys, 16)
    return _READS_FIRST.get(name, rule.kid) if toggles.df07_keys == "reads_first" else rule.kid


def _counted(name: KeyName, toggles: Toggles) -> bool:
    if name is KeyName.PUK:
        return toggles.puk_tries == "counted"
    return toggles.lock_key_tries == "counted" or not name.startswith(_LOCKS)
