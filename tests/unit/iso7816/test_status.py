import pytest

from cardd.iso7816.apdu import Command
from cardd.iso7816.status import SW, StatusError, describe, more_data, right_le, tries_left


@pytest.mark.parametrize(
    ("sw", "text"),
    [
        (0x9000, "9000 done"),
        (0x6982, "6982 security status not satisfied"),
        (0x611E, "611E done, 30 bytes waiting"),
        (0x6C00, "6C00 wrong Le, 256 is right"),
        (0x63C2, "63C2 authentication failed, 2 tries left"),
        (0x1234, "1234 unknown status word"),
        (0x6300, "6300 unknown status word"),
    ],
)
def test_every_status_word_has_a_description(sw: int, text: str) -> None:
    assert describe(sw) == text


def test_every_named_status_word_is_described() -> None:
    assert not [word for word in SW if describe(word).endswith("unknown status word")]


@pytest.mark.parametrize(
    ("sw", "tries"), [(0x63C0, 0), (0x63C6, 6), (0x63CF, 15), (0x6300, None), (0x63D1, None), (0x9000, None)]
)
def test_only_63cx_tells_the_tries_left(sw: int, tries: int | None) -> None:
    assert tries_left(sw) == tries


def test_the_number_inside_61xx_and_6cxx_is_read_with_00_as_256() -> None:
    assert (more_data(0x6110), more_data(0x6100), more_data(0x6210)) == (16, 256, None)
    assert (right_le(0x6C12), right_le(0x6C00), right_le(0x6D00)) == (18, 256, None)


def test_a_refusal_names_word_and_header_but_no_data() -> None:
    error = StatusError(0x63C2, Command(0x00, 0x20, 0x00, 0x00, b"\x12\x34\x56"))
    for shown in (str(error), repr(error)):
        assert "63C2" in shown
        assert "00 20 00 00" in shown
        assert "34 56" not in shown
        assert "3456" not in shown
