import pytest
from support.cards import ROOT, software_keys

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import factors
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
