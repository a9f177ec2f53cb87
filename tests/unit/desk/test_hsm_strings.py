import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.block import Algorithm
from cardd.crypto.money import Amounts
from cardd.desk import hsm
from cardd.desk.hsm import Challenge
from cardd.rules.keys import KeyName

HISTORICAL = bytes.fromhex("0081544C9686845101C0FFEE01")
CODE = bytes.fromhex("510100D156000005C0FFEE01FFFFFFFF")
INTERNAL = Challenge(bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708"))
EXTERNAL = Challenge(bytes.fromhex("A1A2A3A4A5A6A7A8"), bytes.fromhex("B1B2B3B4B5B6B7B8"))
HEAD = "510100|0081544C9686845101C0FFEE01|03|510100D156000005C0FFEE01FFFFFFFF|1122334455667788|0102030405060708|"
PIN = Secret(b"123456")
RELOAD_DES, RELOAD_SM4, UNBLOCK = (bytes.fromhex(f"842400{tail}") for tail in ("010C", "0114", "0004"))


def refused(text: str, header: bytes) -> CarddError:
    with pytest.raises(CarddError) as caught:
        hsm.parse_maintenance_answer(text, header)
    return caught.value


def test_the_first_step_of_the_basic_data_has_eight_items() -> None:
    text = hsm.basic_step1("510100", HISTORICAL, Algorithm.SM4, CODE, INTERNAL, EXTERNAL)
    assert text == HEAD + "A1A2A3A4A5A6A7A8|B1B2B3B4B5B6B7B8|"


def test_a_card_before_3_0_leaves_the_last_two_items_empty() -> None:
    assert hsm.basic_step1("510100", HISTORICAL, Algorithm.SM4, CODE, INTERNAL, None) == HEAD + "||"
    assert hsm.basic_step1("510100", HISTORICAL, Algorithm.SM4, CODE, None, None).endswith("FFFFFFFF|||||")


def test_newer_services_are_told_the_terminals_device_number() -> None:
    text = hsm.basic_step1("510100", HISTORICAL, Algorithm.SM4, CODE, INTERNAL, None, device="D" * 32)
    assert text == HEAD + "||" + "D" * 32 + "|"


def test_both_halves_of_the_basic_answer_come_back() -> None:
    internal, external = hsm.parse_basic_answer("8135B4D81B42EA5F0102030405060708|00112233445566778899AABBCCDDEEFF|")
    assert (internal.authentication.hex(), internal.original.hex()) == ("8135b4d81b42ea5f", "0102030405060708")
    assert external is not None
    assert (external.authentication.hex(), external.original.hex()) == ("0011223344556677", "8899aabbccddeeff")


@pytest.mark.parametrize("tail", ["", "|", "||"])
def test_the_external_half_may_be_missing(tail: str) -> None:
    assert hsm.parse_basic_answer("8135B4D81B42EA5F0102030405060708" + tail)[1] is None


@pytest.mark.parametrize("text", ["", "|", "81" * 15, "81" * 17, "8x" * 16, "81" * 16 + "|" + "82" * 15, "81|82|83|"])
def test_an_answer_of_another_shape_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(CarddError) as caught:
        hsm.parse_basic_answer(text)
    assert caught.value.reason is Reason.INVALID
    assert "8181" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "version", "address"),
    [(KeyName.RKSSSE, 1, "004C"), (KeyName.RKSSSE, 3, "004E"), (KeyName.PUK, 1, "0090"), (KeyName.RK1DF04, 2, "0183")],
)
def test_a_key_is_named_by_its_logical_address(key: KeyName, version: int, address: str) -> None:
    text = hsm.key_step1(Algorithm.DES, key, INTERNAL, version)
    assert text == f"01|{address}|1122334455667788|0102030405060708|"


def test_a_key_without_an_address_is_not_asked_for() -> None:
    with pytest.raises(CarddError) as caught:
        hsm.key_step1(Algorithm.DES, KeyName.PUK, INTERNAL, 2)
    assert caught.value.reason is Reason.PSAM_KEY_MISSING


@pytest.mark.parametrize("text", ["98B77B8088D60DA00102030405060708", "98B77B8088D60DA00102030405060708|"])
def test_a_keys_answer_is_authentication_data_and_original_data(text: str) -> None:
    answer = hsm.parse_key_answer(text)
    assert (answer.authentication.hex(), answer.original.hex()) == ("98b77b8088d60da0", "0102030405060708")
    assert "98b7" not in repr(answer).lower()


def test_what_a_new_pin_asks_for_has_the_header_the_card_will_see_and_the_digits_in_clear() -> None:
    challenge = INTERNAL.process_factor
    assert hsm.reload_step2(Algorithm.SM4, challenge, PIN) == "03|0173|1122334455667788|8424000114|123456|"
    assert hsm.reload_step2(Algorithm.DES, challenge, PIN) == "01|0173|1122334455667788|842400010C|123456|"
    assert hsm.unblock_step2(Algorithm.DES, challenge) == "01|0173|1122334455667788|8424000004||"


def test_a_pin_of_over_fourteen_digits_takes_two_blocks_in_des() -> None:
    assert hsm.reload_header(Algorithm.DES, Secret(b"1" * 14)) == RELOAD_DES
    assert hsm.reload_header(Algorithm.DES, Secret(b"1" * 15)) == RELOAD_SM4
    assert hsm.reload_header(Algorithm.SM4, Secret(b"1" * 15)) == RELOAD_SM4


@pytest.mark.parametrize(
    ("header", "data", "characters"),
    [
        (RELOAD_DES, "03CF044A21BAF43F03FB91DE", 34),
        (RELOAD_SM4, "863593C25B5241CEAD20DAA4961FFF60B7079258", 50),
        (UNBLOCK, "C47024C0", 18),
    ],
)
def test_maintenance_data_come_with_the_header_or_without(header: bytes, data: str, characters: int) -> None:
    whole = header.hex().upper() + data
    assert len(whole) == characters
    for text in (whole, whole + "|", data, data + "|", whole.lower()):
        assert hsm.parse_maintenance_answer(text, header) == bytes.fromhex(data)


def test_maintenance_data_for_another_command_are_refused() -> None:
    assert refused("842400010C" + "00" * 4, UNBLOCK).reason is Reason.INVALID
    assert refused("00" * 12, UNBLOCK).reason is Reason.INVALID
    assert refused("C47024C", UNBLOCK).reason is Reason.INVALID
    assert refused("C47024C0", b"\x00\xa4\x04\x00\x04").reason is Reason.INVALID


def test_a_purchase_asks_with_the_last_two_amounts() -> None:
    text = hsm.debit_step1(
        Algorithm.SM4,
        2,
        bytes.fromhex("A1A2A3A4"),
        0x0123,
        Amounts(0, 1250, 2000),
        bytes.fromhex("510100000001"),
        bytes.fromhex("20240506101112"),
    )
    assert text == "03|0199|A1A2A3A4|0123|000004E2000007D0|2|510100000001|20240506101112|"


def test_a_purchase_is_answered_with_sequence_time_and_mac() -> None:
    answer = hsm.parse_debit_answer("0000002A|20240506101112|C47024C0|")
    assert (answer.terminal_sequence, answer.time.hex(), answer.mac1.hex()) == (42, "20240506101112", "c47024c0")
    for text in ("0000002A|20240506101112|", "0000002A|20240506101112|C47024|", "2A|20240506101112|C47024C0|"):
        with pytest.raises(CarddError):
            hsm.parse_debit_answer(text)
