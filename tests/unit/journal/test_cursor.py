import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal.cursor import decode, encode

STREAM = "0123456789abcdef"


@pytest.mark.parametrize("sequence", [0, 1, 10**18])
def test_a_cursor_leads_back_to_its_place(sequence: int) -> None:
    assert decode(encode(STREAM, sequence), STREAM) == sequence


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "7",
        "now",
        ".1",
        STREAM,
        f"{STREAM}.",
        f"{STREAM}.-1",
        f"{STREAM}.01",
        f"{STREAM}.1\n",
        f"{STREAM}.１",
        f"{STREAM}.1.1",
        f"{STREAM}." + "9" * 400,
        encode("fedcba9876543210", 1),
    ],
)
def test_any_other_text_is_gone_and_names_the_earliest(cursor: str) -> None:
    with pytest.raises(CarddError) as caught:
        decode(cursor, STREAM)
    assert caught.value.reason is Reason.CURSOR_GONE
    assert caught.value.facts == {"earliest": encode(STREAM, 0)}
