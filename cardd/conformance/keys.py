"""Cases of keys and what they compute: K-VER, K-INT, K-EXT, K-LOCK, K-STK."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from cardd.conformance.card import (
    APPLICATION_BLOCKED,
    CARD_BLOCKED,
    DONE,
    KEY_ABSENT,
    NO_CHALLENGE,
    NO_RIGHT,
    ORIGINAL,
    Card,
    place,
    set_pin,
)
from cardd.conformance.case import Case, Cost
from cardd.conformance.checks import LOCKED, NotApplicableError, RefusedError, same, tries
from cardd.crypto.authentication import authentication_data
from cardd.rules.keys import KEYS, KeyName

_FACTOR: Final = bytes(range(0x10, 0x18))
_NO_VERSION: Final = 4
_WRONG_PIN: Final = "987654"
_NEW_PIN: Final = "246813"
_WRONG_MAC: Final = 0x6988
_UNCOUNTED: Final = ("BK", "LK")
_LEAST_TRIES: Final = 2
_UNBLOCK: Final = (0x84, 0x24, 0x00, 0x00)
_RELOAD: Final = (0x84, 0x24, 0x00, 0x01)
_BLOCK_APPLICATION: Final = (0x84, 0x1E, 0x00, 0x01)
_BLOCK_CARD: Final = (0x84, 0x16, 0x00, 0x00)


def internal(card: Card, version: int | None = None) -> None:
    """Hold INTERNAL AUTHENTICATION to what the issuer computes with the IRK."""
    card.go("SSSE")
    key = card.key(KeyName.IRK, version or 1)
    data = _FACTOR + ORIGINAL + (b"" if version is None else bytes((version,)))
    answer = card.data("INTERNAL AUTHENTICATION", card.send(0x00, 0x88, 0x00, 0x00, data, 8))
    wanted = authentication_data(card.subject.algorithm, key, _FACTOR, ORIGINAL)
    if answer != wanted:
        raise RefusedError("INTERNAL AUTHENTICATION: the answer is not that of the issuer's IRK")


def versions(number: int, card: Card) -> None:
    """Every key of several versions works in this one; the fourth does not exist."""
    internal(card, number)
    for name in _proving(card):
        if KEYS[name].versions > 1:
            same(f"{name} version {number}", card.prove(name, number), DONE)
            proof = card.proof(name)
            status = card.authenticate(name, proof + bytes((_NO_VERSION,)))
            same(f"{name} version {_NO_VERSION}", status, KEY_ABSENT)


def external(card: Card) -> None:
    """Every key proves the terminal; wrong data cost a try and the right ones give it back; a challenge serves once."""
    if card.subject.key_limit < _LEAST_TRIES:
        raise NotApplicableError("one try only")
    for name in _every(card):
        same(name, card.prove(name), DONE)
        tries(f"{name}, wrong", card.prove(name, right=False), range(card.subject.key_limit + 1))
        proof = card.proof(name)
        same(f"{name} after a wrong one", card.authenticate(name, proof), DONE)
        same(f"{name}, the same challenge", card.authenticate(name, proof), NO_CHALLENGE)


def lock(card: Card) -> None:
    """So many wrong tries lock a key: 63C0, then 6983 for good. The lock keys' own tries are not counted."""
    limit = card.subject.key_limit
    for name in _every(card):
        same(name, card.prove(name), DONE)
        if name.startswith(_UNCOUNTED):
            for _ in range(limit + 1):
                tries(f"{name}, wrong", card.prove(name, right=False), range(limit + 1))
            same(f"{name} after wrong ones", card.prove(name), DONE)
            continue
        for left in reversed(range(limit)):
            same(f"{name}, wrong", card.prove(name, right=False), 0x63C0 | left)
        for _ in range(2):
            proof = card.proof(name)
            same(f"{name} after the last try", card.authenticate(name, proof), LOCKED)


def unblock(card: Card) -> None:
    """PIN UNBLOCK and reload need the PUK's right, a challenge and the MAC; a locked PIN then serves again."""
    card.go("SSSE")
    pin, limit = set_pin(card), card.subject.pin_limit
    # what is to open the PIN again has to serve before it is locked
    card.gain_pin()
    same("EXTERNAL AUTHENTICATION PUK", card.prove(KeyName.PUK), DONE)
    same("unblock of a PIN that is not locked", card.maintenance(KeyName.STKSSSE, _UNBLOCK), DONE)
    card.restart()
    card.go("SSSE")
    for _ in range(limit):
        card.verify(_WRONG_PIN)
    same("VERIFY of a locked PIN", card.verify(pin), LOCKED)
    same("unblock without right", card.maintenance(KeyName.STKSSSE, _UNBLOCK), NO_RIGHT)
    same("EXTERNAL AUTHENTICATION PUK", card.prove(KeyName.PUK), DONE)
    same("unblock without challenge", card.send(*_UNBLOCK, bytes(4)).sw, NO_CHALLENGE)
    same("unblock with a wrong MAC", card.maintenance(KeyName.STKSSSE, _UNBLOCK, right=False), _WRONG_MAC)
    same("unblock after a wrong MAC, without challenge", card.send(*_UNBLOCK, bytes(4)).sw, NO_CHALLENGE)
    same("VERIFY of a PIN that is still locked", card.verify(pin), LOCKED)
    same("unblock", card.maintenance(KeyName.STKSSSE, _UNBLOCK), DONE)
    same("tries after unblock", card.verify(""), 0x63C0 | limit)
    same("VERIFY after unblock", card.verify(pin), DONE)
    for new in (_NEW_PIN, pin):
        wrong = card.maintenance(KeyName.STKSSSE, _RELOAD, card.pin(new), right=False)
        same("reload with a wrong MAC", wrong, _WRONG_MAC)
        same("reload", card.maintenance(KeyName.STKSSSE, _RELOAD, card.pin(new)), DONE)
        same("VERIFY of the reloaded PIN", card.verify(new), DONE)
    same("unblock after a right MAC, without challenge", card.send(*_UNBLOCK, bytes(4)).sw, NO_CHALLENGE)


def block(card: Card) -> None:
    """APPLICATION BLOCK and CARD BLOCK need the lock key's right, a challenge and the MAC, and are for good."""
    for application in ("DF03", "DF04"):
        stk, lock_key = KeyName(f"STK{application}"), KeyName(f"LK{application}")
        card.go(application)
        _needs_all(card, stk, lock_key, _BLOCK_APPLICATION)
        same("GET CHALLENGE in a blocked application", card.send(0x00, 0x84, 0, 0, le=8).sw, APPLICATION_BLOCKED)
        card.restart()
        card.go("SSSE")
        same(f"SELECT of the blocked {application}", card.select(application), APPLICATION_BLOCKED)
    card.go("SSSE")
    _needs_all(card, KeyName.STKSSSE, KeyName.BK, _BLOCK_CARD)
    same("SELECT on a blocked card", card.select("SSSE"), CARD_BLOCKED)
    card.restart()
    same("SELECT on a blocked card after power was away", card.select("SSSE"), CARD_BLOCKED)


def _needs_all(card: Card, stk: KeyName, lock_key: KeyName, header: tuple[int, int, int, int]) -> None:
    same("block without right", card.maintenance(stk, header), NO_RIGHT)
    same(f"EXTERNAL AUTHENTICATION {lock_key}", card.prove(lock_key), DONE)
    same("block without challenge", card.send(*header, bytes(4)).sw, NO_CHALLENGE)
    same("block with a wrong MAC", card.maintenance(stk, header, right=False), _WRONG_MAC)
    same("block", card.maintenance(stk, header), DONE)


def _proving(card: Card) -> Iterator[KeyName]:
    """Yield the keys with which a terminal proves itself; the application of each is the current one."""
    for application in list(card.applications()):
        card.go(application)
        for name, rule in KEYS.items():
            if rule.application == application and not name.startswith(("IRK", "STK")):
                yield name


def _every(card: Card) -> Iterator[KeyName]:
    """Yield these and DSK, which only cards with an account have, and whose number no source prints."""
    yield from _proving(card)
    if place(KeyName.DSK) in card.applications():
        card.go(place(KeyName.DSK))
        if card.prove(KeyName.DSK) != KEY_ABSENT:
            yield KeyName.DSK


CASES: Final = (
    *(
        Case(f"K-VER{number}", f"keys of version {number}", Cost.PROOFS, partial(versions, number))
        for number in (1, 2, 3)
    ),
    Case("K-INT", "internal authentication", Cost.NOTHING, internal),
    Case("K-EXT", "external authentication with every key", Cost.TRIES, external),
    Case("K-LOCK", "keys lock", Cost.LIFE, lock),
    Case("K-STK", "unblock and reload with MAC", Cost.TRIES, unblock),
    Case("K-STK-BLOCK", "application and card block with MAC", Cost.LIFE, block),
)
