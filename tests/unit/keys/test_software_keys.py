import pytest
from support.cards import ROOT, STK_ROOT, software_keys

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import diversify_all, factors, session_key
from cardd.crypto.messaging import decipher, mac
from cardd.keys.software import SoftwareKeys
from cardd.rules.keys import KeyName

FACTORS = factors("510100", bytes.fromhex("0081544C9686845101C0FFEE01"))
PROCESS_FACTOR, ORIGINAL = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")


@pytest.mark.parametrize(
    ("algorithm", "answer"), [(Algorithm.DES, "98B77B8088D60DA0"), (Algorithm.SM4, "8135B4D81B42EA5F")]
)
def test_the_root_gives_the_vectors_of_the_rule(algorithm: Algorithm, answer: str) -> None:
    computed = software_keys().authentication_data(
        KeyName.IRK, algorithm, FACTORS, PROCESS_FACTOR, ORIGINAL, deadline=0.0
    )
    assert computed.hex().upper() == answer


def test_an_algorithm_that_is_not_public_cannot_be_computed() -> None:
    with pytest.raises(CarddError) as caught:
        software_keys().authentication_data(
            KeyName.IRK, Algorithm.SSF33, FACTORS, PROCESS_FACTOR, ORIGINAL, deadline=0.0
        )
    assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED


def test_a_root_in_memory_is_refused_unless_it_is_for_tests() -> None:
    with pytest.raises(CarddError) as caught:
        SoftwareKeys(Secret(ROOT), tests_only=False)
    assert caught.value.reason is Reason.INVALID


def test_a_root_of_another_length_is_refused() -> None:
    with pytest.raises(CarddError):
        SoftwareKeys(Secret(ROOT[:8]), tests_only=True)


def test_its_status_says_that_it_is_for_tests() -> None:
    assert software_keys().status() == {"provider": "software", "available": True, "tests_only": True}


@pytest.mark.parametrize(("algorithm", "root"), [(Algorithm.DES, STK_ROOT), (Algorithm.SM4, ROOT)])
@pytest.mark.parametrize("pin", [b"", bytes.fromhex("123456"), bytes.fromhex("1234567890123456")])
def test_a_maintenance_command_is_enciphered_and_signed_under_the_cards_key(
    algorithm: Algorithm, root: bytes, pin: bytes
) -> None:
    header = bytes.fromhex("84240001")
    data = software_keys().maintenance(
        KeyName.STKSSSE, algorithm, FACTORS, PROCESS_FACTOR, header, Secret(pin), deadline=0.0
    )
    session = session_key(algorithm, diversify_all(algorithm, root, FACTORS.chain), PROCESS_FACTOR)
    assert decipher(algorithm, session, data[:-4]) == pin
    assert mac(algorithm, session, header + bytes((len(data),)) + data[:-4]) == data[-4:]


@pytest.mark.parametrize(("algorithm", "root"), [(Algorithm.DES, STK_ROOT), (Algorithm.SM4, ROOT)])
def test_the_mac_of_an_update_covers_its_header_its_length_and_its_plain_data(
    algorithm: Algorithm, root: bytes
) -> None:
    header, data = bytes.fromhex("04DC022C"), bytes.fromhex("0C03510700")
    made = software_keys().update_mac(KeyName.STKSSSE, algorithm, FACTORS, PROCESS_FACTOR, header, data, deadline=0.0)
    session = session_key(algorithm, diversify_all(algorithm, root, FACTORS.chain), PROCESS_FACTOR)
    assert made == mac(algorithm, session, header + b"\x09" + data)


def test_short_keys_without_their_root_cannot_be_computed_with() -> None:
    keys = SoftwareKeys(Secret(ROOT), tests_only=True)
    with pytest.raises(CarddError) as caught:
        keys.maintenance(
            KeyName.STKSSSE, Algorithm.DES, FACTORS, PROCESS_FACTOR, bytes.fromhex("84240000"), None, deadline=0.0
        )
    assert caught.value.reason is Reason.PSAM_KEY_MISSING
