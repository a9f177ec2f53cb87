"""Keyed tokens: names for persons and cards that say nothing without this machine's key."""

from typing import Final

from cardd.base.secret import Secret
from cardd.crypto.digest import hmac_sm3

_DIGITS: Final = 32
_HOLDER: Final = b"cardd holder token\x00"
_CARD: Final = b"cardd card token\x00"


class KeyedTokens:
    """Makes tokens with HMAC-SM3, cut to 16 bytes. A person's and a card's differ also for the same text."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def holder(self, social_security_number: str) -> str:
        """Return a person's token, 32 hexadecimal digits."""
        return self._token(_HOLDER, social_security_number)

    def card(self, number: str) -> str:
        """Return the token of a card by its number or its identification code, 32 hexadecimal digits."""
        return self._token(_CARD, number)

    def _token(self, purpose: bytes, value: str) -> str:
        return hmac_sm3(self._key.reveal(), purpose + value.encode()).hex()[:_DIGITS]
