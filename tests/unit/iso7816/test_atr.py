import pytest

from cardd.iso7816.atr import parse_atr

HISTORICAL = bytes.fromhex("0081544C9686845101C0FFEE01")
CONTACT = bytes.fromhex("3B6D0000") + HISTORICAL


def with_check(raw: bytes) -> bytes:
    parity = 0
    for byte in raw[1:]:
        parity ^= byte
    return raw + bytes((parity,))


def test_the_usual_contact_answer_is_sound() -> None:
    atr = parse_atr(CONTACT)
    assert atr.problems == ()
    assert (atr.convention, atr.protocols, atr.historical) == ("direct", (0,), HISTORICAL)
    assert dict(atr.interface) == {"TB1": 0, "TC1": 0}
    assert (atr.tck, atr.tck_ok) == (None, True)


def test_the_contactless_answer_of_a_reader_has_the_same_historical_bytes() -> None:
    atr = parse_atr(with_check(bytes.fromhex("3B8D8001") + HISTORICAL))
    assert atr.problems == ()
    assert (atr.protocols, atr.historical, atr.tck_ok) == ((0, 1), HISTORICAL, True)


def test_a_card_with_clock_stop_offers_t_0_and_has_a_check_byte() -> None:
    atr = parse_atr(with_check(bytes.fromhex("3B9D94801F03") + HISTORICAL))
    assert atr.problems == ()
    assert dict(atr.interface) == {"TA1": 0x94, "TD1": 0x80, "TD2": 0x1F, "TA3": 0x03}
    assert (atr.protocols, atr.historical) == ((0,), HISTORICAL)


def test_all_interface_characters_of_a_group_are_read_in_order() -> None:
    atr = parse_atr(bytes.fromhex("3FF2 11223300 4142"))
    assert dict(atr.interface) == {"TA1": 0x11, "TB1": 0x22, "TC1": 0x33, "TD1": 0x00}
    assert (atr.convention, atr.historical, atr.problems) == ("inverse", b"AB", ())


def test_a_wrong_check_byte_is_told() -> None:
    raw = with_check(bytes.fromhex("3B8D8001") + HISTORICAL)
    atr = parse_atr(raw[:-1] + bytes((raw[-1] ^ 1,)))
    assert (atr.tck_ok, atr.problems) == (False, ("TCK is wrong",))
    assert atr.historical == HISTORICAL


def test_a_missing_check_byte_is_told() -> None:
    atr = parse_atr(bytes.fromhex("3B8D8001") + HISTORICAL)
    assert (atr.tck, atr.tck_ok, atr.problems) == (None, False, ("TCK is missing",))


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("", "no answer to reset"),
        ("3B", "T0 is missing"),
        ("3B10", "TA1 is missing"),
        ("3B8081", "TD2 is missing"),
        ("3B0341", "3 historical bytes announced, 1 are there"),
        ("3A00", "TS 3A is neither 3B nor 3F"),
        ("3B0041", "1 bytes too many"),
    ],
)
def test_what_is_wrong_is_told(raw: str, problem: str) -> None:
    assert problem in parse_atr(bytes.fromhex(raw)).problems


def test_an_answer_longer_than_33_bytes_is_told() -> None:
    assert "34 bytes, longer than 33" in parse_atr(CONTACT + bytes(17)).problems
    assert parse_atr(CONTACT + bytes(17)).historical == HISTORICAL


def test_an_answer_cut_anywhere_still_has_the_historical_bytes_that_came() -> None:
    for length in range(len(CONTACT)):
        assert parse_atr(CONTACT[:length]).historical == CONTACT[4:length]


def test_bytes_behind_a_right_check_byte_do_not_make_it_wrong() -> None:
    atr = parse_atr(with_check(bytes.fromhex("3B8D8001") + HISTORICAL) + b"\x42")
    assert (atr.tck_ok, atr.problems) == (True, ("1 bytes too many",))
