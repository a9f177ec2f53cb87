"""Which number a key has on a card, for keys of which no source prints it (LD/T 32.9 annex B)."""

from typing import Final

from cardd.cards.ssse import BLOCK, Environment
from cardd.desk.stopped import is_refusal
from cardd.iso7816.status import SW, StatusError
from cardd.keys.versions import KeyVersions
from cardd.rules.keys import KEYS, KeyName

_LAST_KID: Final = 0x8E
"""The greatest number of a key in an application, by the rule's tables."""

_NOTHING: Final = bytes(2 * BLOCK)


def number_of(environment: Environment, versions: KeyVersions, key: KeyName) -> int:
    """Return the number to prove a key under: the one that was said, the rule's, or the only one that can be meant.

    The last is for a key that has its application to itself, as UK1DF05 has: if it is not where it is thought to be,
    and one number above is taken and one only, that is it. Asked is by proving nothing, for which there is no challenge
    either: the card tells that the challenge is missing only of a key that is there, and counts no try. Where keys
    may be mistaken for each other, as in DF07, nothing is asked: no command tells which of them a number is.

    Raises StatusError for a key that is locked, and for a card that counts a try all the same.
    """
    kid = versions.kid(key)
    if versions.is_said(key) or not _is_alone(key) or _is_there(environment, kid):
        return kid
    others = [other for other in range(kid + 1, _LAST_KID + 1) if _is_there(environment, other)]
    return others[0] if len(others) == 1 else kid


def _is_alone(key: KeyName) -> bool:
    """Tell whether a key of a guessed number is the only one of its application that terminals prove."""
    rule = KEYS[key]
    beside = (name for name, other in KEYS.items() if other.application == rule.application and name != key)
    return rule.inferred and all(name.startswith("STK") for name in beside)


def _is_there(environment: Environment, kid: int) -> bool:
    try:
        environment.external_authentication(kid, _NOTHING[:BLOCK], _NOTHING[BLOCK:])
    except StatusError as error:
        if error.sw == SW.REFERENCED_DATA_NOT_FOUND:
            return False
        if is_refusal(error.sw):
            # this card counts a try without a challenge too: it is not asked any more
            raise
    return True
