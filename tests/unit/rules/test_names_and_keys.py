import pytest

from cardd.rules.keys import (
    ENVIRONMENT_KEYS,
    KEYS,
    MONEY_KEYS,
    UNPUBLISHED,
    KeyName,
    Level,
    Usage,
    usage_byte,
)
from cardd.rules.names import AIDS, LABELS, PBOC_CONTACT, PBOC_DEBIT, PSAM_APPLICATION, PSAM_NAMES, SSSE_NAME


def test_environments_are_named_in_gbk() -> None:
    assert "sx1.sh.社会保障".encode("gbk") == SSSE_NAME
    assert {number: name.decode("gbk") for number, name in PSAM_NAMES.items()} == {
        1: "sx1.sh.社会保障",
        2: "sx2.sh.社会保障",
        3: "sx3.sh.社会保障",
    }
    assert PBOC_CONTACT.decode() == "1PAY.SYS.DDF01"


def test_application_identifiers_are_those_of_the_rule() -> None:
    assert {name: aid.hex().upper() for name, aid in AIDS.items() if name != "SSSE"} == {
        "DF01": "D15600000500",
        "DF02": "D15600000501",
        "DF03": "D15600000502",
        "DF04": "D15600000503",
        "DF07": "D15600000504",
    }
    assert PSAM_APPLICATION.hex().upper() == "D15600000590"
    assert PBOC_DEBIT.hex().upper() == "A000000333010101"


def test_every_label_fits_a_directory_record() -> None:
    assert all(len(label.encode("gbk")) <= 16 for label in LABELS.values())


def test_keys_of_the_environment_have_the_identifiers_of_card_and_psam() -> None:
    assert {name: (rule.kid, rule.psam_id, rule.level) for name, rule in ENVIRONMENT_KEYS.items()} == {
        KeyName.IRK: (0x00, 0x08, Level.NATIONAL),
        KeyName.STKSSSE: (0x02, 0x09, Level.NATIONAL),
        KeyName.UKSSSE: (0x04, 0x12, Level.PROVINCIAL),
        KeyName.BK: (0x05, 0x11, Level.PROVINCIAL),
        KeyName.PUK: (0x06, 0x10, Level.PROVINCIAL),
        KeyName.RKSSSE: (0x0A, 0x0A, Level.NATIONAL),
    }


def test_keys_of_one_version_are_the_maintenance_and_lock_keys() -> None:
    single = {name for name, rule in KEYS.items() if rule.versions == 1}
    assert single == {name for name in KEYS if name[:3] == "STK" or name[:2] in {"LK", "BK"} or name == "PUK"}
    assert {rule.versions for rule in KEYS.values()} == {1, 3}


def test_only_messaging_keys_are_short_on_des_cards() -> None:
    assert {name for name, rule in KEYS.items() if rule.des_length == 8} == {name for name in KEYS if "STK" in name}
    assert {rule.length for rule in KEYS.values()} == {16}


def test_identifiers_of_applications_are_local_and_used_once() -> None:
    for application in {rule.application for rule in KEYS.values()}:
        kids = [rule.kid for rule in KEYS.values() if rule.application == application]
        assert len(kids) == len(set(kids))
    assert all(rule.local == (rule.application != "SSSE") for rule in KEYS.values())
    assert all(name.endswith(rule.application) for name, rule in KEYS.items() if rule.local)


def test_identifiers_in_a_psam_are_used_once_and_tell_the_level() -> None:
    ids = [rule.psam_id for rule in KEYS.values()] + [id_ for rule in MONEY_KEYS.values() for id_ in rule.psam_ids]
    assert len(ids) == len(set(ids))
    provincial = {name for name, rule in KEYS.items() if rule.level is Level.PROVINCIAL}
    assert provincial == {name for name, rule in KEYS.items() if rule.psam_id >> 4 in {1, 4}}


def test_every_key_has_a_rule_or_is_known_to_have_none_published() -> None:
    assert set(KEYS) | set(MONEY_KEYS) | UNPUBLISHED == set(KeyName)
    assert {
        *(KeyName(f"RK{number}DF03") for number in (3, 4, 5)),
        *(KeyName.UK3DF04, KeyName.RK1DF06, KeyName.UK1DF06, KeyName.UK2DF06),
    } == UNPUBLISHED


@pytest.mark.parametrize(
    ("usage", "psam_id", "kid"), [(0x67, 0x2E, 0x88), (0x48, 0x12, 0x04), (0x47, 0x24, 0x85), (0x67, 0x08, 0x00)]
)
def test_the_triples_of_drivers_in_the_field_are_among_what_a_psam_is_asked(usage: int, psam_id: int, kid: int) -> None:
    (rule,) = (rule for rule in KEYS.values() if (rule.psam_id, rule.kid) == (psam_id, kid))
    assert usage in {usage_byte(level, type_) for level in Level for type_ in rule.usages}


def test_guessed_identifiers_are_marked() -> None:
    guessed = {name for name, rule in KEYS.items() if rule.inferred}
    assert guessed == {
        name for name in KEYS if name.endswith(("DF05", "DF07")) or name in {f"UK{number}DF01" for number in "789AB"}
    }


def test_a_usage_byte_holds_levels_and_type() -> None:
    assert [usage_byte(level, Usage.ENCRYPT) for level in (Level.NATIONAL, Level.PROVINCIAL, Level.CITY)] == [
        0x67,
        0x47,
        0x27,
    ]
    assert usage_byte(KEYS[KeyName.UKSSSE].level, KEYS[KeyName.UKSSSE].usages[0]) == 0x48
    assert usage_byte(KEYS[KeyName.IRK].level, KEYS[KeyName.IRK].usages[0]) == 0x67


def test_every_usage_of_a_key_may_encrypt() -> None:
    for rule in KEYS.values():
        assert set(rule.usages) == {Usage.ENCRYPT, Usage.MAC_AND_ENCRYPT}
