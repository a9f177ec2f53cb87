"""Reading files by address: every file of the rule, on cards of every generation, with the least right."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.cards import (
    DEADLINE,
    OpenCard,
    RefusingKeys,
    altered,
    answered_instead,
    insert,
    software_keys,
)
from support.contents import content, sample, shown, social

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.desk.read import read_card
from cardd.desk.reading import CardReading, CardValue, Unreadable
from cardd.desk.stopped import StoppedKeys
from cardd.keys.service import KeyService
from cardd.rules.access import PIN as PIN_RIGHT
from cardd.rules.compatibility import OLD_MEANINGS
from cardd.rules.files import FILES, Generation
from cardd.rules.keys import KEYS

VERIFY, EXTERNAL_AUTHENTICATION, READ_BINARY, READ_RECORD, SELECT = 0x20, 0x82, 0xB0, 0xB2, 0xA4
PIN = Secret(b"123456")
BASIC = {"SSSEEF05", "SSSEEF06", "SSSEEF1E"}


def read(
    card: OpenCard,
    files: str,
    *,
    pin: Secret | None = None,
    keys: KeyService | None = None,
    stopped: StoppedKeys | None = None,
) -> CardReading:
    return read_card(
        card.channel,
        card.insertion,
        keys or software_keys(),
        None,
        DEADLINE,
        files,
        stopped=stopped or StoppedKeys(),
        pin=pin,
    )


def refusal(card: OpenCard, files: str, **how: Any) -> CarddError:
    with pytest.raises(CarddError) as caught:
        read(card, files, **how)
    return caught.value


def whole(value: CardValue) -> str | None:
    assert not isinstance(value, Unreadable), value.error
    return value.disclose() if isinstance(value, Personal) else value


def texts(values: Mapping[str, CardValue]) -> dict[str, str | None]:
    return {name: whole(value) for name, value in values.items()}


def every_file() -> Iterator[Any]:
    for generation in Generation:
        for name, rule in FILES.items():
            if name not in BASIC and rule.exists_in(generation):
                yield pytest.param(generation, name, id=f"{generation}-{name}")


@pytest.mark.parametrize(("generation", "name"), list(every_file()))
def test_every_file_of_every_generation_reads_as_it_was_filled(
    tmp_path: Path, generation: Generation, name: str
) -> None:
    rule = FILES[name]
    given, expected = content(rule, generation)
    card = insert(social(tmp_path, generation, files={name: given}))
    ways = rule.read[generation].ways
    if not any(all(right in KEYS or right == PIN_RIGHT for right in way) for way in ways):
        # no source prints the number of its key
        assert refusal(card, f"{name}|$", pin=PIN).reason is Reason.ACCESS_DENIED
        return
    found = texts(read(card, f"{name}|$", pin=PIN).records[name])
    assert {name: found.get(name) for name in expected} == expected
    assert {text for item, text in found.items() if item not in expected} <= {None, ""}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("DF01EF15|2A|40:2|$", {"2A": "21", "40:2": "401^010203^乙^"}),
        ("DF01EF15|40|$", {"40:1": None, "40:2": "401^010203^乙^", "40:3": None}),
        ("DF01EF15|40:2|$DF01EF15|2A|$", {"40:2": "401^010203^乙^", "2A": "21"}),
        ("df01ef15|40:02|$", {"40:2": "401^010203^乙^"}),
    ],
)
def test_items_are_read_as_the_address_names_them(tmp_path: Path, files: str, expected: dict[str, str]) -> None:
    filled = {"DF01EF15": {"2A": "21", "40:2": "401^010203^乙^"}}
    card = insert(social(tmp_path, Generation.V3, files=filled))
    assert texts(read(card, files).records["DF01EF15"]) == expected


def test_a_single_item_costs_a_single_command(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF05": {"84": "510100"}}), "contactless")
    assert texts(read(card, "DF04EF05|84|$").records["DF04EF05"]) == {"84": "510100"}
    assert card.record.instructions[-5:] == [SELECT, SELECT, 0x84, EXTERNAL_AUTHENTICATION, READ_RECORD]


@pytest.mark.parametrize("interface", ["contact", "contactless"])
def test_a_photo_is_read_in_pieces(tmp_path: Path, interface: str) -> None:
    photo = bytes(at % 249 for at in range(4096)).hex().upper()
    card = insert(social(tmp_path, Generation.V3, files={"SSSEEF08": photo}), interface)
    assert texts(read(card, "SSSEEF08|$").records["SSSEEF08"]) == {"whole": photo}
    assert card.record.instructions.count(READ_BINARY) == 17


RECORDS = ["0003^1^510100000001^20240103101010^3.00^0.00^0.00^", "0002^1^510100000001^20240102101010^2.00^0.00^0.00^"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("DF04EF08|$", {"1": RECORDS[0], "2": RECORDS[1]}),
        ("DF04EF08:2|$", {"2": RECORDS[1]}),
        ("DF04EF08:3|$", {"3": None}),
        ("DF04EF08:2|$DF04EF08:1$", {"2": RECORDS[1], "1": RECORDS[0]}),
    ],
)
def test_cyclic_records_are_read_all_or_one(tmp_path: Path, files: str, expected: dict[str, str]) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF08": RECORDS}))
    assert texts(read(card, files, pin=PIN).records["DF04EF08"]) == expected


def test_records_of_an_account_without_the_other_amounts_are_read(tmp_path: Path) -> None:
    record = "0001^1^510100000001^20240102101010^2.00^"
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF08": [record]}))
    assert texts(read(card, "DF04EF08|$", pin=PIN).records["DF04EF08"]) == {"1": record}


# -- rights


def test_a_file_that_either_right_opens_is_opened_with_the_pin_that_was_given(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V2))
    read(card, "DF01EF05|20|$DF04EF05|81|$DF04EF08|$", pin=PIN)
    assert card.record.instructions.count(VERIFY) == 1
    assert EXTERNAL_AUTHENTICATION not in card.record.instructions
    assert card.channel.rights_gained


def test_without_a_pin_the_issuers_key_is_proved_anew_for_each_file(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V2))
    read(card, "DF01EF05|20|$DF01EF06|23|$DF04EF05|81|$")
    assert card.record.instructions.count(EXTERNAL_AUTHENTICATION) == 3
    assert VERIFY not in card.record.instructions
    kids = [command.p2 for command in card.record.commands if command.ins == EXTERNAL_AUTHENTICATION]
    assert kids == [0x88, 0x88, 0x84]


def test_a_free_file_needs_no_right(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V2, files={"DF01EF16": "AB"}))
    (text,) = texts(read(card, "DF01EF16|$", pin=PIN).records["DF01EF16"]).values()
    assert text == "AB" + "00" * 0x127
    assert not card.channel.rights_gained


def test_a_file_that_needs_both_is_shown_both_the_key_last(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF06": {"90": "1"}}), "contactless")
    assert texts(read(card, "DF04EF06|90|$", pin=PIN).records["DF04EF06"]) == {"90": "1"}
    assert card.record.instructions[-4:] == [VERIFY, 0x84, EXTERNAL_AUTHENTICATION, READ_RECORD]


@pytest.mark.parametrize(("name", "needs"), [("DF04EF06", "PIN & RK1DF04"), ("DF04EF08", "PIN")])
def test_without_its_pin_a_file_stays_closed_and_the_error_says_what_it_needs(
    tmp_path: Path, name: str, needs: str
) -> None:
    card = insert(social(tmp_path, Generation.V2, files={"DF04EF08": RECORDS}))
    error = refusal(card, f"{name}|$")
    assert error.reason is Reason.ACCESS_DENIED
    assert error.facts == {"file": name, "item": "record 1", "status_word": "6982", "needs": needs}
    assert EXTERNAL_AUTHENTICATION not in card.record.instructions


def test_files_that_the_pin_opens_need_no_module(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF05": {"84": "510100"}}))
    reading = read(card, "DF04EF05|84|$", pin=PIN, keys=RefusingKeys(Reason.PSAM_ABSENT))
    assert texts(reading.records["DF04EF05"]) == {"84": "510100"}


def test_where_the_module_lacks_the_key_its_reason_names_the_file(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3))
    error = refusal(card, "DF04EF05|84|$", keys=RefusingKeys(Reason.PSAM_KEY_MISSING))
    assert (error.reason, error.facts["file"]) == (Reason.PSAM_KEY_MISSING, "DF04EF05")


def test_a_card_that_wants_the_key_where_the_rule_takes_the_pin_gets_it(tmp_path: Path) -> None:
    toggles = {"third_generation_conditions": "keys_only"}
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF05": {"84": "510100"}}, toggles=toggles))
    assert texts(read(card, "DF04EF05|84|$", pin=PIN).records["DF04EF05"]) == {"84": "510100"}


def test_a_first_generation_card_as_observed_is_read(tmp_path: Path) -> None:
    toggles = {"first_generation_insurance": "observed"}
    card = insert(social(tmp_path, Generation.V1, files={"DF03EF05": {"63": "012"}}, toggles=toggles))
    assert texts(read(card, "DF03EF05|63|$", pin=PIN).records["DF03EF05"]) == {"63": "012"}


def test_a_wrong_pin_ends_the_reading_after_one_try(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V2))
    error = refusal(card, "DF04EF05|84|$DF04EF08|$", pin=Secret(b"654321"))
    assert (error.reason, error.facts["tries_left"], error.facts["file"]) == (Reason.PIN_WRONG, 5, "DF04EF05")
    assert card.record.instructions.count(VERIFY) == 1
    assert EXTERNAL_AUTHENTICATION not in card.record.instructions


def test_a_refused_key_is_stopped_and_no_other_is_tried(tmp_path: Path) -> None:
    stopped = StoppedKeys()
    path = altered(tmp_path, "social-jia-3.0", keys={"RK1DF04": "FF" * 16})
    error = refusal(insert(path), "DF04EF05|84|$", stopped=stopped)
    assert (error.reason, error.facts["file"], error.facts["status_word"]) == (Reason.KEY_STOPPED, "DF04EF05", "63C2")
    assert [str(key) for key in stopped.of("desk")] == ["RK1DF04"]


def test_a_forged_card_is_shown_neither_pin_nor_key() -> None:
    card = insert("social-fake-3.0")
    assert refusal(card, "DF04EF05|84|$", pin=PIN).reason is Reason.CARD_NOT_GENUINE
    assert not {VERIFY, EXTERNAL_AUTHENTICATION} & set(card.record.instructions)
    assert "whole" in read(card, "DF01EF16|$").records["DF01EF16"]


# -- what is not there, and what is broken


@pytest.mark.parametrize(
    ("files", "absent", "expected"),
    [
        ("DF04EF05|81|84|$", "DF04EF05", {"81": None, "84": None}),
        ("DF04EF05|81|$", "DF04", {"81": None}),
        ("DF04EF15|$", "DF04EF15", {}),
        ("DF04EF15:2|$", "DF04EF15", {"2": None}),
        ("SSSEEF08|$", "SSSEEF08", {"whole": None}),
        ("DF01EF15|40|$", "DF01EF15", {"40:1": None, "40:2": None, "40:3": None}),
        ("DF05EF05|A0|$", "DF05", {"A0": None}),
    ],
)
def test_what_the_card_has_not_is_none_and_costs_no_right(
    tmp_path: Path, files: str, absent: str, expected: dict[str, None]
) -> None:
    card = insert(social(tmp_path, Generation.V2, absent=[absent]))
    reading = read(card, files, pin=PIN)
    assert reading.records[files[:8]] == expected
    assert not {VERIFY, EXTERNAL_AUTHENTICATION} & set(card.record.instructions)


def test_a_record_that_the_card_has_not_is_none(tmp_path: Path) -> None:
    raw = {"DF04EF05": ["8403510100"]}
    card = insert(social(tmp_path, Generation.V3, raw=raw))
    assert texts(read(card, "DF04EF05|81|84|$").records["DF04EF05"]) == {"81": None, "84": "510100"}


def test_what_does_not_parse_keeps_its_bytes_and_the_rest_is_read(tmp_path: Path) -> None:
    raw = {"DF04EF05": ["8403AB0100", "800420241301", "8F0131", "F80212AB"]}
    card = insert(social(tmp_path, Generation.V3, raw=raw))
    values = dict(read(card, "DF04EF05|$").records["DF04EF05"])
    region, opened = values.pop("84"), values.pop("80")
    assert isinstance(region, Unreadable)
    assert isinstance(opened, Unreadable)
    assert (region.raw.hex(), opened.raw.hex()) == ("ab0100", "20241301")
    assert (whole(values["8F"]), whole(values["F8"])) == ("1", "12AB")


@pytest.mark.parametrize("name", ["DF05", "DF06"])
def test_an_application_without_identifier_is_found_by_its_label(tmp_path: Path, name: str) -> None:
    card = insert(social(tmp_path, Generation.V3, applications=[name], files={"DF05EF05": {"A0": "1"}}))
    if name == "DF05":
        assert texts(read(card, "DF05EF05|A0|$").records["DF05EF05"]) == {"A0": "1"}
    else:
        # no source prints the number of its read key
        assert refusal(card, "DF06EF05|C0|$").facts["needs"] == "RK1DF06"


@pytest.mark.parametrize(
    "toggles",
    [
        {"directory": "absent"},
        {"directory_sfi": "0F"},
        {"directory_entries": "plain"},
        {"directory_environments": "listed"},
        {"file_by_p1_00": "refused"},
        {"environment_place": "is_mf"},
    ],
    ids=str,
)
def test_an_application_is_found_whatever_the_directory_looks_like(tmp_path: Path, toggles: dict[str, str]) -> None:
    files = {"DF05EF05": {"A0": "1"}, "DF04EF05": {"84": "510100"}}
    card = insert(social(tmp_path, Generation.V3, files=files, toggles=toggles))
    reading = read(card, "DF04EF05|84|$DF05EF05|A0|$SSSEEF07|$DF04EF05|84|$")
    assert texts(reading.records["DF05EF05"]) == {"A0": "1"}
    assert texts(reading.records["DF04EF05"]) == {"84": "510100"}


def test_values_of_a_first_generation_card_say_when_they_mean_what_they_meant_then(tmp_path: Path) -> None:
    files = {"DF04EF05": {"81": "一医院", "8C": "11"}}
    card = insert(social(tmp_path, Generation.V1, files=files))
    reading = read(card, "DF04EF05|81|8C|$", pin=PIN)
    assert texts(reading.records["DF04EF05"]) == {"81": "一医院", "8C": "11"}
    assert reading.old_meanings == {"DF04EF05": {"81": "hospital_1"}}
    rewritten = {"first_generation_items": "rewritten"}
    card = insert(social(tmp_path, Generation.V1, files={"DF04EF05": {"81": "31000000"}}, toggles=rewritten))
    reading = read(card, "DF04EF05|81|$", pin=PIN)
    assert texts(reading.records["DF04EF05"]) == {"81": "31000000"}
    assert reading.old_meanings == {}


@pytest.mark.parametrize("name", sorted(OLD_MEANINGS))
def test_every_old_meaning_is_read_as_what_it_was(tmp_path: Path, name: str) -> None:
    given = {f"{item.tag:02X}": sample(item, 1) for item in OLD_MEANINGS[name]}
    card = insert(social(tmp_path, Generation.V1, files={name: given}))
    found = read(card, f"{name}|$", pin=PIN)
    values = texts(found.records[name])
    assert {tag: values[tag] for tag in given} == {
        f"{item.tag:02X}": shown(item, sample(item, 1)) for item in OLD_MEANINGS[name]
    }
    assert found.old_meanings[name] == {f"{item.tag:02X}": item.key for item in OLD_MEANINGS[name]}


@pytest.mark.parametrize(
    ("answers", "files", "reason", "facts"),
    [
        ({READ_RECORD: "6F00"}, "DF04EF05|84|$", "STATUS_WORD", {"item": "84", "status_word": "6F00"}),
        ({READ_RECORD: "6981"}, "DF04EF08|$", "STATUS_WORD", {"item": "record 1", "status_word": "6981"}),
        ({READ_BINARY: "6581"}, "DF01EF16|$", "STATUS_WORD", {"status_word": "6581"}),
        ({0x84: "6D00"}, "DF04EF05|84|$", "STATUS_WORD", {"status_word": "6D00"}),
    ],
)
def test_every_error_names_file_item_and_status_word(
    tmp_path: Path, answers: dict[int, str], files: str, reason: str, facts: dict[str, str]
) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF08": RECORDS}))
    inner, here = card.card.transmit, {ins: bytes.fromhex(word) for ins, word in answers.items()}

    def transmit(command: bytes) -> bytes:
        # everything as usual until an application is selected
        if command[:9] == bytes.fromhex("00A4040006D1560000"):
            answered_instead(card, here)
        return inner(command)

    card.channel._transmit = transmit
    error = refusal(card, files, pin=PIN if files == "DF04EF08|$" else None)
    assert error.reason == reason
    assert error.facts == {"file": files[:8], **facts}


@pytest.mark.parametrize("reason", [Reason.READER_IN_USE, Reason.TIMEOUT])
def test_a_pin_whose_sending_failed_is_not_sent_again_by_the_next_way(tmp_path: Path, reason: Reason) -> None:
    card = insert(social(tmp_path, Generation.V1))
    inner, shown_pins = card.card.transmit, list[bytes]()

    def transmit(command: bytes) -> bytes:
        if command[1] == VERIFY and len(command) > 5:
            shown_pins.append(command)
            raise CarddError(reason)
        return inner(command)

    card.channel._transmit = transmit
    assert refusal(card, "DF03EF05|$", pin=PIN).reason in {reason, Reason.ACCESS_DENIED}
    assert len(shown_pins) == 1


def test_a_blocked_application_is_told_by_its_file(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3, blocked=["DF04"]))
    error = refusal(card, "DF01EF16|$DF04EF05|84|$")
    assert (error.reason, error.facts["file"]) == (Reason.CARD_BLOCKED, "DF04EF05")


def test_what_stands_in_the_applications_is_personal(tmp_path: Path) -> None:
    files = {"DF04EF05": {"8B": "123456789"}, "DF01EF06": {"2C": "测试乙", "28": "13800000000"}}
    card = insert(social(tmp_path, Generation.V3, files=files))
    reading = read(card, "DF04EF05|8B|$DF01EF06|2C|28|$")
    masked = [
        value.masked()
        for values in reading.records.values()
        for value in values.values()
        if isinstance(value, Personal)
    ]
    assert masked == ["*****6789", "测*乙", "*"]
