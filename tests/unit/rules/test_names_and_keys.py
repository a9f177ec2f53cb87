from cardd.rules.keys import KEYS, KeyName, Level, Usage, usage_byte
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


def test_keys_have_the_identifiers_of_card_and_psam() -> None:
    assert {name: (rule.kid, rule.psam_id, rule.level) for name, rule in KEYS.items()} == {
        KeyName.IRK: (0x00, 0x08, Level.NATIONAL),
        KeyName.STKSSSE: (0x02, 0x09, Level.NATIONAL),
        KeyName.UKSSSE: (0x04, 0x12, Level.PROVINCIAL),
        KeyName.BK: (0x05, 0x11, Level.PROVINCIAL),
        KeyName.PUK: (0x06, 0x10, Level.PROVINCIAL),
        KeyName.RKSSSE: (0x0A, 0x0A, Level.NATIONAL),
    }
    assert set(KEYS) == set(KeyName)


def test_keys_of_one_version_are_the_maintenance_and_lock_keys() -> None:
    single = {name for name, rule in KEYS.items() if rule.versions == 1}
    assert single == {KeyName.STKSSSE, KeyName.BK, KeyName.PUK}


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
