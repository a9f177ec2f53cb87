from pathlib import Path

import pytest
from support.cards import DEADLINE, ROOT, OpenCard, altered, insert, software_keys

from cardd.base.secret import Secret
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import diversify_all, factors
from cardd.desk.identify import identify
from cardd.desk.read import read_card
from cardd.desk.reading import CardReading, Identity
from cardd.desk.stopped import StoppedKeys
from cardd.keys.service import KeyService
from cardd.keys.software import SoftwareKeys

INTERNAL, EXTERNAL = 0x88, 0x82
RIGHT = diversify_all(Algorithm.SM4, ROOT, factors("510100", bytes.fromhex("0081544C9686845101C0FFEE01")).chain).hex()
WRONG = "00" * 16
KIN = ("3.0", "915600000251010051010001")


def card_of(directory: Path, right: int) -> OpenCard:
    """Return a card whose keys are right in one version only."""
    versions = {version: RIGHT if version == right else WRONG for version in (1, 2, 3)}
    return insert(altered(directory, "social-jia-3.0", keys={"IRK": versions, "RKSSSE": versions}))


def asked(card: OpenCard, instruction: int) -> list[int | None]:
    """Return the version byte of each command, None where it has none."""
    commands = [command for command in card.record.commands if command.ins == instruction]
    return [command.data[16] if len(command.data) == 17 else None for command in commands]


def who(card: OpenCard, keys: KeyService) -> Identity:
    return identify(card.channel, card.insertion, keys, DEADLINE)


def read(card: OpenCard, keys: KeyService) -> CardReading:
    return read_card(card.channel, card.insertion, keys, None, DEADLINE, stopped=StoppedKeys())


def test_a_card_that_chooses_rightly_by_itself_is_sent_no_version() -> None:
    card, keys = insert("social-jia-3.0"), software_keys()
    assert read(card, keys).holder is not None
    assert (asked(card, INTERNAL), asked(card, EXTERNAL)) == ([None], [None])
    assert keys.versions.of(KIN) is None


@pytest.mark.parametrize(("right", "tried"), [(2, [None, 1, 2]), (3, [None, 1, 2, 3])])
def test_the_version_is_found_by_internal_authentication_and_shown_to_external(
    tmp_path: Path, right: int, tried: list[int | None]
) -> None:
    card, keys = card_of(tmp_path, right), software_keys()
    reading = read(card, keys)
    assert reading.identity.authentic
    assert reading.holder is not None
    assert reading.proof is not None
    assert reading.proof.version == right
    assert (asked(card, INTERNAL), asked(card, EXTERNAL)) == (tried, [right])
    assert 0x63 not in {word >> 8 for word in card.record.words}


def test_what_was_found_is_asked_first_of_the_next_card_that_was_made_alike(tmp_path: Path) -> None:
    keys = software_keys()
    who(card_of(tmp_path, 2), keys)
    assert keys.versions.of(KIN) == 2
    card = card_of(tmp_path, 2)
    assert who(card, keys).authentic
    assert asked(card, INTERNAL) == [2]
    another = insert("social-bing-2.0")
    assert who(another, keys).authentic
    assert asked(another, INTERNAL) == [None]


def test_a_card_with_older_keys_among_newer_ones_is_believed_too(tmp_path: Path) -> None:
    keys = software_keys()
    who(card_of(tmp_path, 3), keys)
    card = card_of(tmp_path, 1)
    assert read(card, keys).holder is not None
    assert (asked(card, INTERNAL), asked(card, EXTERNAL)) == ([3, None], [None])
    assert keys.versions.of(KIN) is None


def test_a_forged_card_fails_in_every_version_and_is_shown_no_key() -> None:
    card, keys = insert("social-fake-3.0"), software_keys()
    assert who(card, keys).authentic is False
    assert (asked(card, INTERNAL), asked(card, EXTERNAL)) == ([None, 1, 2, 3], [])
    assert keys.versions.of(KIN) is None


def test_each_key_service_keeps_what_was_found_with_its_own_keys(tmp_path: Path) -> None:
    keys = software_keys()
    who(card_of(tmp_path, 2), keys)
    assert SoftwareKeys(Secret(ROOT), tests_only=True).versions.of(KIN) is None
