"""How a card's keys may be made: found by internal authentication, and used for everything afterwards."""

from pathlib import Path

import pytest
from support.cards import DEADLINE, OpenCard, altered, insert, software_keys
from support.contents import content, social

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import Factors
from cardd.desk.identify import identify
from cardd.desk.read import read_card
from cardd.desk.reading import Identity
from cardd.desk.stopped import StoppedKeys
from cardd.desk.updates import Updates
from cardd.desk.write import write_records
from cardd.keys.software import SoftwareKeys
from cardd.rules.files import FILES, Generation
from cardd.rules.keys import KeyName

EXTERNAL_AUTHENTICATION = 0x82


class WithoutSm4(SoftwareKeys):
    """A key service for DES only."""

    def authentication_data(
        self,
        key: KeyName,
        algorithm: Algorithm,
        factors: Factors,
        process_factor: bytes,
        original: bytes,
        *,
        version: int | None = None,
        deadline: float,
    ) -> bytes:
        if algorithm is Algorithm.SM4:
            raise CarddError(Reason.PSAM_ALGORITHM)
        return super().authentication_data(
            key, algorithm, factors, process_factor, original, version=version, deadline=deadline
        )


def other(directory: Path, base: str = "social-jia-3.0", **toggles: str) -> OpenCard:
    return insert(altered(directory, base, toggles=toggles), "contact")


def found(card: OpenCard, keys: SoftwareKeys | None = None) -> Identity:
    return identify(card.channel, card.insertion, keys or software_keys(), DEADLINE)


@pytest.mark.parametrize("toggles", [{"fci_algorithm": "absent"}, {"card_factor": "padded"}])
def test_a_card_whose_keys_are_made_otherwise_proves_itself_and_gives_its_holder(
    tmp_path: Path, toggles: dict[str, str]
) -> None:
    card = other(tmp_path, **toggles)
    reading = read_card(card.channel, card.insertion, software_keys(), None, DEADLINE, stopped=StoppedKeys())
    assert (reading.identity.authentic, reading.identity.algorithm) == (True, Algorithm.SM4)
    assert reading.holder is not None
    assert card.record.instructions.count(EXTERNAL_AUTHENTICATION) == 1


READS_FIRST = {
    KeyName.RK2DF07: 0x84,
    KeyName.RK3DF07: 0x85,
    KeyName.UK1DF07: 0x86,
    KeyName.UK2DF07: 0x87,
    KeyName.UK3DF07: 0x88,
}


@pytest.mark.parametrize(
    ("toggles", "name", "kids"),
    [
        ({"df05_keys": "84"}, "DF05EF05", {KeyName.UK1DF05: 0x84}),
        *(({"df07_keys": "reads_first"}, f"DF07EF0{number}", READS_FIRST) for number in (5, 6, 7)),
    ],
)
def test_keys_whose_identifiers_are_guesses_are_used_under_those_that_were_said(
    tmp_path: Path, toggles: dict[str, str], name: str, kids: dict[KeyName, int]
) -> None:
    before, _ = content(FILES[name], Generation.V3)
    after, expected = content(FILES[name], Generation.V3, 4)
    written: Updates = {name: {"whole": after} if isinstance(after, str) else after}
    path = social(tmp_path, Generation.V3, files={name: before}, toggles=toggles)
    keys = software_keys()
    card, stopped = insert(path), StoppedKeys()
    identity = found(card, keys)
    with pytest.raises(CarddError):
        write_records(card.channel, card.insertion, keys, identity, written, DEADLINE, stopped=stopped)
    keys.versions.number(kids)
    card, stopped = insert(path), StoppedKeys()
    identity = found(card, keys)
    write_records(card.channel, card.insertion, keys, identity, written, DEADLINE, stopped=stopped)
    card = card.again()
    reading = read_card(card.channel, card.insertion, keys, None, DEADLINE, f"{name}|$", stopped=stopped)
    values = {item: reading.records[name][item] for item in expected}
    assert {
        item: value.disclose() if isinstance(value, Personal) else value for item, value in values.items()
    } == expected
    assert stopped.of(card.insertion.station) == ()


def test_both_at_once_are_found(tmp_path: Path) -> None:
    identity = found(other(tmp_path, fci_algorithm="absent", card_factor="padded"))
    assert (identity.authentic, identity.algorithm) == (True, Algorithm.SM4)


def test_a_forged_card_is_forged_in_every_way(tmp_path: Path) -> None:
    assert found(other(tmp_path, "social-fake-3.0", fci_algorithm="absent")).authentic is False


def test_where_one_way_cannot_be_judged_the_card_is_not_blamed(tmp_path: Path) -> None:
    identity = found(other(tmp_path, fci_algorithm="absent"), without_sm4())
    assert (identity.authentic, identity.unproven) == (None, Reason.PSAM_ALGORITHM)


def test_a_first_generation_card_without_an_algorithm_is_des_and_no_other_is_asked_for(tmp_path: Path) -> None:
    path = altered(tmp_path, "social-ding-1.0", keys={"IRK": "FF" * 16})
    identity = found(insert(path), without_sm4())
    assert (identity.generation, identity.authentic) == (Generation.V1, False)


def without_sm4() -> SoftwareKeys:
    return WithoutSm4(Secret(bytes.fromhex("00112233445566778899AABBCCDDEEFF")), tests_only=True)
