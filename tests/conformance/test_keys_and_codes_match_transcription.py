"""Keys, codes and status words against the specification as somebody wrote it down who had not seen them."""

import re

import pytest
from support.transcription import Row, rows

from cardd.iso7816.status import SW, describe, more_data, right_le, tries_left
from cardd.rules.driver_errors import DRIVER_ERRORS, driver_error
from cardd.rules.files import FILES
from cardd.rules.hsm import hsm_address, key_at
from cardd.rules.items import Codes
from cardd.rules.keys import ISSUER_KIDS, KEYS, MONEY_KEYS, KeyName, Level

# --- keys ---

ENVIRONMENT_MESSAGING = "STK"
"""How the specification calls STKSSSE in the list of the PSAM's keys."""


def psam_keys() -> list[tuple[KeyName, Row]]:
    alias = {ENVIRONMENT_MESSAGING: KeyName.STKSSSE}
    return [(alias.get(row["key"]) or KeyName(row["key"]), row) for row in rows("psam_keys")]


@pytest.mark.parametrize("row", rows("card_keys"), ids=lambda row: row["key"] or row["kid_hex"])
def test_a_key_is_as_transcribed(row: Row) -> None:
    if not row["key"]:
        assert int(row["kid_hex"], 16) in ISSUER_KIDS
        return
    key = KeyName(row["key"])
    if key in MONEY_KEYS:
        money = MONEY_KEYS[key]
        assert ["", str(money.versions), *[str(money.length)] * 2] == [
            row[column] for column in ("kid_hex", "versions", "bytes_des", "bytes_sm4")
        ]
        return
    rule = KEYS[key]
    assert (rule.application, f"{rule.kid:02X}") == (row["application"], row["kid_hex"])
    assert rule.inferred == (row["confidence"] == "I")
    given = {"versions": rule.versions, "bytes_des": rule.des_length, "bytes_sm4": rule.length}
    for column, value in given.items():
        # of other applications than the environment the lengths are not given, of some neither the versions
        assert row[column] in {str(value), ""}


def test_every_key_on_the_card_is_transcribed_and_no_other() -> None:
    assert {row["key"] for row in rows("card_keys")} - {""} == {*KEYS, *MONEY_KEYS}
    assert {int(row["kid_hex"], 16) for row in rows("card_keys") if not row["key"]} == set(ISSUER_KIDS)


@pytest.mark.parametrize(("key", "row"), psam_keys(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_key_in_the_psam_is_as_transcribed(key: KeyName, row: Row) -> None:
    level = Level[row["level"].upper()]
    if key in KEYS:
        assert (f"{KEYS[key].psam_id:02X}", KEYS[key].level) == (row["psam_id_hex"], level)
        return
    ids = [row["psam_id_hex"]] if row["psam_id_hex"] else ["01", "02", "03"]
    assert ([f"{id_:02X}" for id_ in MONEY_KEYS[key].psam_ids], MONEY_KEYS[key].level) == (ids, level)


def test_every_key_in_the_psam_is_transcribed_and_no_other() -> None:
    assert {key for key, _ in psam_keys()} == {*KEYS, *MONEY_KEYS}


@pytest.mark.parametrize("row", rows("hsm_addresses"), ids=lambda row: row["address_hex"])
def test_an_address_in_the_security_machine_is_as_transcribed(row: Row) -> None:
    key, version, address_ = KeyName(row["key"]), int(row["version"]), int(row["address_hex"], 16)
    assert hsm_address(key, version) == address_
    assert key_at(address_) == (key, version)


def test_every_address_in_the_security_machine_is_transcribed_and_no_other() -> None:
    transcribed = {(row["key"], int(row["version"])) for row in rows("hsm_addresses")}
    ours = {(key, version) for key in KeyName for version in (1, 2, 3) if hsm_address(key, version) is not None}
    assert ours == transcribed


# --- value tables ---

# file and tag; then the tag of an inner item, the position of an untagged field, or #n for the n-th part of a code
TABLES: dict[str, tuple[str, ...]] = {
    "card_class": ("SSSEEF05", "02"),
    "sex": ("SSSEEF06", "0A"),
    "work_status": ("DF01EF07", "29"),
    "marital_status": ("DF01EF08", "2B"),
    "education": ("DF01EF15", "2A"),
    "title_level": ("DF02EF05", "41"),
    "employment_registration_type": ("DF02EF06", "4B", "#0"),
    "employment_registration_form": ("DF02EF06", "4B", "#1"),
    "disability_grade": ("DF03EF06", "47"),
    "self_care_grade": ("DF03EF06", "48"),
    "loss_of_work_capacity": ("DF03EF06", "49"),
    "confirmation_result": ("DF03EF06", "4A", "14"),
    "pension_type": ("DF03EF07", "70"),
    "spouse_without_job": ("DF03EF16", "5F"),
    "injury_decision_result": ("DF03EF17", "3D"),
    "dependant_insurance_type": ("DF03EF18", "74"),
    "dependant_relation": ("DF03EF18", "76"),
    "medical_insurance_type": ("DF04EF05", "81", "#0"),
    "insured_category": ("DF04EF05", "8C"),
    "card_usage_mode": ("DF04EF05", "8F"),
    "offline_settlement_allowed": ("DF04EF06", "90"),
    "medical_transaction_type": ("DF04EF08", "", "2"),
    "special_settlement_category": ("DF04EF15", "", "2"),
    "placement": ("DF07EF07", "F9"),
    "health": ("DF05EF05", "A0"),
    "rh": ("DF05EF05", "A9"),
    "health_flag": ("DF05EF05", "AC"),
    "household_type": ("DF01EF05", "20"),
    "personal_category": ("DF01EF09", "32"),
    "political_status": ("DF01EF0A", "38"),
    "insurance_type": ("DF03EF19", "79", "18"),
    "work_capacity_matter": ("DF03EF06", "46"),
}

MEANINGS_IN_OTHER_WORDS = {
    "education-71": "junior school",
    "education-81": "primary school",
    "injury_decision_result-2": "deemed injury",
    "injury_decision_result-3": "not injury",
    "injury_decision_result-4": "not deemed injury",
    "card_usage_mode-1": "online",
    "card_usage_mode-2": "offline",
    "placement-2": "self-chosen",
    "rh-01": "negative",
    "rh-02": "positive",
    "household_type-30": "Hong Kong, Macao, Taiwan, overseas",
    "household_type-41": "foreigner without permanent residence",
    "household_type-42": "foreigner with permanent residence",
    "household_type-50": "resident, undivided",
    "household_type-51": "local resident",
    "household_type-52": "outside resident",
    "political_status-02": "probationary member",
    **{f"political_status-{party:02d}": "a democratic party" for party in range(4, 12)},
    "political_status-12": "non-party personage",
    "insurance_type-170": "urban and rural residents' pension",
    "insurance_type-310": "medical, employees",
    "insurance_type-380": "medical, rural cooperative",
    "insurance_type-390": "medical, urban and rural residents",
    "insurance_type-391": "medical, urban residents",
}
ONLY_RANGES = {
    "unemployment_reason": ("DF02EF06", "4F", "#1"),
    "unemployment_cancel_reason": ("DF02EF06", "4F", "#2"),
    "assistance_target": ("DF02EF15", "99", "10"),
    "employment_policy": ("DF02EF16", "", "1"),
    "expert_category": ("DF07EF06", "F5"),
    "honour": ("DF07EF05", "F0"),
}
FLAG_POSITIONS = "medical_insurance_flag_position"


def codes_at(place: tuple[str, ...]) -> Codes:
    file, tag, *inner = place
    if not tag:
        return FILES[file].fields[int(inner[0]) - 1].codes or {}
    item = FILES[file].item(int(tag, 16))
    assert item is not None
    if inner and inner[0].startswith("#"):
        return item.parts[int(inner[0][1:])].codes or {}
    found = item.inner_item(int(inner[0], 16)) if inner else item
    assert found is not None
    return found.codes or {}


CODES = [row for row in rows("value_tables") if row["table"] not in {*ONLY_RANGES, FLAG_POSITIONS}]


@pytest.mark.parametrize("row", CODES, ids=lambda row: f"{row['table']}-{row['code']}")
def test_a_code_means_what_is_transcribed(row: Row) -> None:
    meaning = codes_at(TABLES[row["table"]])[row["code"]]
    transcribed = row["meaning"].replace("+", " and ").replace("/", " or ")
    expected = MEANINGS_IN_OTHER_WORDS.get(f"{row['table']}-{row['code']}", transcribed)
    assert not transcribed or meaning == expected


def test_every_code_is_transcribed_and_no_other() -> None:
    transcribed: dict[str, set[str]] = {}
    for row in CODES:
        transcribed.setdefault(row["table"], set()).add(row["code"])
    assert {table: set(codes_at(place)) for table, place in TABLES.items()} == transcribed


def test_no_codes_are_invented_where_only_a_range_is_transcribed() -> None:
    assert {row["table"] for row in rows("value_tables")} == {*TABLES, *ONLY_RANGES, FLAG_POSITIONS}
    assert not any(codes_at(place) for place in ONLY_RANGES.values())


def test_flags_stand_at_the_characters_of_the_transcription() -> None:
    item = FILES["DF04EF05"].item(0x81)
    assert item is not None
    starts = [sum(part.length for part in item.parts[:index]) + 1 for index in range(len(item.parts))]
    flags = [(str(start), part.en) for start, part in zip(starts, item.parts, strict=True)][1:]
    assert flags == [(row["code"], row["meaning"]) for row in rows("value_tables") if row["table"] == FLAG_POSITIONS]


def test_ethnic_groups_are_those_of_the_transcription() -> None:
    assert dict(codes_at(("SSSEEF06", "0B"))) == {row["code"]: row["name"] for row in rows("ethnic_groups")}


# --- status words and the driver's results ---

STATUS_FAMILIES = {"61xx": (more_data, 0x6107, 7), "63Cx": (tries_left, 0x63C2, 2), "6Cxx": (right_le, 0x6C12, 0x12)}


@pytest.mark.parametrize("row", rows("status_words"), ids=lambda row: row["sw_hex"])
def test_a_status_word_is_known(row: Row) -> None:
    if row["sw_hex"] in STATUS_FAMILIES:
        number, sw, expected = STATUS_FAMILIES[row["sw_hex"]]
        assert number(sw) == expected
    else:
        assert "unknown status word" not in describe(SW(int(row["sw_hex"], 16)))


def test_every_status_word_is_transcribed_and_no_other() -> None:
    transcribed = {int(row["sw_hex"], 16) for row in rows("status_words") if row["sw_hex"] not in STATUS_FAMILIES}
    assert transcribed == set(SW)


RESULTS = [row for row in rows("driver_errors") if int(row["code"]) > -2300]
REFUSALS = [row for row in rows("driver_errors") if int(row["code"]) < -2300]
RESULTS_IN_OTHER_WORDS = {
    "-1": "wrong card type, or inserted wrongly",
    "-13": "command not supported by the library",
    "-20": "card identification code malformed",
    "-21": "internal authentication failed: card not genuine",
    "-22": "given data differ from the card's",
    "-35": "initial PIN may not trade (reserved)",
    "-36": "may not change to the initial PIN (reserved)",
    "-51": "PIN wrong, tries left",
    "-2203": "PSAM lacks RKSSSE",
    "-2204": "HSM not needed: the file is free or wants the PIN only",
}


@pytest.mark.parametrize("row", RESULTS, ids=lambda row: row["code"])
def test_a_result_of_the_driver_is_as_transcribed(row: Row) -> None:
    assert DRIVER_ERRORS[int(row["code"])] == RESULTS_IN_OTHER_WORDS.get(row["code"], row["meaning"])


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row["code"])
def test_a_refusal_of_the_card_is_its_negated_status_word(row: Row) -> None:
    words = re.findall(r"\b[69][0-9A-F]{3}\b", row["meaning"])
    assert [driver_error(int(word, 16)) for word in words] == [int(row["code"])]


def test_every_result_of_the_driver_is_transcribed_and_no_other() -> None:
    assert {int(row["code"]) for row in RESULTS} == set(DRIVER_ERRORS)
