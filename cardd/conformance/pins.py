"""Cases of the PIN: C-PIN."""

from typing import Final

from cardd.conformance.card import DONE, Card, set_pin
from cardd.conformance.case import Case, Cost
from cardd.conformance.checks import LOCKED, NotApplicableError, holds, same, tries

_OTHER: Final = ("246813", "135724")
_WRONG: Final = "987654"


def query(card: Card) -> None:
    """VERIFY without data tells whether a PIN is set and how many tries are left, and spends none."""
    card.go("SSSE")
    first = card.verify("")
    if not card.has_pin():
        same("VERIFY without data, no PIN set", first, DONE)
        return
    # a PIN that nobody knows may be locked as well as not
    least = 0 if card.subject.pin is None or card.subject.pin_locked else 1
    tries("VERIFY without data", first, range(least, card.subject.pin_limit + 1))
    same("VERIFY without data, again", card.verify(""), first)


def change(card: Card) -> None:
    """CHANGE PIN to another one and back, both verified; each success gives all tries back."""
    card.go("SSSE")
    pin = set_pin(card)
    card.gain_pin()
    new = next(other for other in _OTHER if other != pin)
    full = 0x63C0 | card.subject.pin_limit
    for old, now in ((pin, new), (new, pin)):
        if card.subject.pin_limit > 1:
            tries("VERIFY wrong", card.verify(_WRONG), range(card.subject.pin_limit))
        same("CHANGE PIN", _change(card, old, now), DONE)
        same("tries after CHANGE PIN", card.verify(""), full)
        same("VERIFY of the new PIN", card.verify(now), DONE)


def change_with_wrong_pin(card: Card) -> None:
    """CHANGE PIN with a wrong old PIN spends a try each time; VERIFY of the right one gives them back."""
    card.go("SSSE")
    pin, limit = set_pin(card), card.subject.pin_limit
    if limit < 3:  # noqa: PLR2004 # two wrong ones and one left
        raise NotApplicableError("fewer than three tries")
    card.gain_pin()
    for left in (limit - 1, limit - 2):
        same("CHANGE PIN with a wrong old PIN", _change(card, _WRONG, pin), 0x63C0 | left)
    same("VERIFY", card.verify(pin), DONE)
    same("tries after VERIFY", card.verify(""), 0x63C0 | limit)


def lock(card: Card) -> None:
    """So many wrong tries lock the PIN: 63C0, then 6983, of CHANGE PIN too and of the right PIN."""
    card.go("SSSE")
    pin, limit = set_pin(card), card.subject.pin_limit
    card.gain_pin()
    for left in reversed(range(limit)):
        same("VERIFY wrong", card.verify(_WRONG), 0x63C0 | left)
    same("VERIFY after the last try", card.verify(_WRONG), LOCKED)
    same("VERIFY of the right PIN after the last try", card.verify(pin), LOCKED)
    same("CHANGE PIN after the last try", _change(card, pin, _OTHER[0]), LOCKED)
    card.restart()
    card.go("SSSE")
    same("VERIFY of a locked PIN after power was away", card.verify(pin), LOCKED)
    holds(card.verify("") == 0x63C0, "VERIFY without data does not tell 63C0 of a locked PIN")  # noqa: PLR2004 # as it reads


def _change(card: Card, old: str, new: str) -> int:
    return card.send(0x80, 0x5E, 0x01, 0x00, card.pin(old) + b"\xff" + card.pin(new)).sw


CASES: Final = (
    Case("C-PIN-1", "VERIFY without data", Cost.NOTHING, query),
    Case("C-PIN-2", "CHANGE PIN and back", Cost.TRIES, change),
    Case("C-PIN-3", "CHANGE PIN with a wrong old PIN", Cost.TRIES, change_with_wrong_pin),
    Case("C-PIN-4", "the PIN locks", Cost.LIFE, lock),
)
