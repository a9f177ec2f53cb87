import pytest
from support.cards import insert
from support.foreign import OK, holding

from cardd.cards import medical, psam
from cardd.rules.names import PSAM_APPLICATION, SSSE_NAME, SX3_NAME


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"1900000001          ", "1900000001"),
        (b"12345678 tail", "12345678"),
        (b"12345678\x00\x00", "12345678"),
        (b"12345678\xff\xff", "12345678"),
        (b"12345678901234567890", "12345678901234567890"),
        (b"                    ", None),
        (b"", None),
        (b"12A45678            ", None),
        ("１２３".encode("gb18030"), None),
    ],
)
def test_an_old_cards_number_is_its_digits_before_the_first_blank(raw: bytes, number: str | None) -> None:
    assert medical.card_number(raw) == number


def test_a_module_is_its_application_in_one_of_its_environments() -> None:
    assert psam.recognise(insert("psam").channel)
    assert psam.recognise(holding({SX3_NAME: OK, PSAM_APPLICATION: OK}))
    assert not psam.recognise(holding({SSSE_NAME: OK}))
    assert not psam.recognise(insert("social-jia-3.0").channel)
