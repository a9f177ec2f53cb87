from cardd.base.masks import mask_citizen_number
from cardd.base.secret import Personal, Secret
from cardd.crypto.digest import hmac_sm3
from cardd.crypto.tokens import KeyedTokens
from cardd.desk.view import holder_token

KEY = Secret(b"0123456789abcdef")
NUMBER = "510101190001010012"


def test_a_persons_token_is_the_one_that_a_reading_shows() -> None:
    assert KeyedTokens(KEY).holder(NUMBER) == holder_token(Personal(NUMBER, mask_citizen_number), KEY)


def test_a_token_is_the_keyed_digest_cut_to_sixteen_bytes() -> None:
    tokens = KeyedTokens(KEY)
    expected = hmac_sm3(KEY.reveal(), b"cardd card token\x00T00000036").hex()[:32]
    assert [tokens.card("T00000036"), tokens.card("T00000036")] == [expected, expected]


def test_persons_cards_and_machines_have_tokens_of_their_own() -> None:
    tokens, other = KeyedTokens(KEY), KeyedTokens(Secret(b"fedcba9876543210"))
    assert len({tokens.holder(NUMBER), tokens.card(NUMBER), other.holder(NUMBER), tokens.holder(NUMBER[:-1])}) == 4
