"""Keyed tokens: names for persons and cards that say nothing without this machine's key."""

from typing import Final

from cryptography.hazmat.primitives import hashes, hmac

from cardd.base.secret import Secret

_DIGITS: Final = 32
_HOLDER: Final = b"cardd holder token\x00"
_CARD: Final = b"cardd card token\x00"
_BILL: Final = b"cardd bill token\x00"


class KeyedTokens:
    """Makes tokens with HMAC-SM3, cut to 16 bytes. A person's, a card's and a bill's differ also for the same text."""

    def __init__(self, key: Secret) -> None:
        # begun once: the key's own blocks are hashed here and not for every token
        self._holder = _begun(key, _HOLDER)
        self._card = _begun(key, _CARD)
        self._bill = _begun(key, _BILL)

    def holder(self, social_security_number: str) -> str:
        """Return a person's token, 32 hexadecimal digits."""
        # on a document it may have been typed with a small x
        return _token(self._holder, social_security_number.strip().upper())

    def card(self, number: str) -> str:
        """Return the token of a card by its number or its identification code, 32 hexadecimal digits."""
        return _token(self._card, number)

    def bill(self, text: str) -> str:
        """Return the token of what makes a bill one: whose card, which amounts, when. 32 hexadecimal digits."""
        return _token(self._bill, text)


def _begun(key: Secret, purpose: bytes) -> hmac.HMAC:
    code = hmac.HMAC(key.reveal(), hashes.SM3())
    code.update(purpose)
    return code


def _token(begun: hmac.HMAC, value: str) -> str:
    code = begun.copy()
    code.update(value.encode())
    return code.finalize().hex()[:_DIGITS]
