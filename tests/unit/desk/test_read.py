from pathlib import Path

import pytest
from support.cards import (
    DEADLINE,
    OpenCard,
    RefusingKeys,
    altered,
    answered_instead,
    insert,
    pulled_after,
    software_keys,
)

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal
from cardd.desk.identify import identify
from cardd.desk.read import read_card
from cardd.desk.reading import CardReading, CardValue, HolderData, Identity, Unreadable
from cardd.desk.stopped import StoppedKeys
from cardd.keys.service import KeyService
from cardd.rules.keys import KeyName
from cardd.wire.cards import Kind

EXTERNAL_AUTHENTICATION, GET_CHALLENGE, READ_RECORD, SELECT = 0x82, 0x84, 0xB2, 0xA4


def read(
    card: OpenCard,
    files: str | None = None,
    *,
    keys: KeyService | None = None,
    expected: Identity | None = None,
    stopped: StoppedKeys | None = None,
) -> CardReading:
    return read_card(
        card.channel,
        card.insertion,
        keys or software_keys(),
        expected,
        DEADLINE,
        files,
        stopped=stopped or StoppedKeys(),
    )


def refusal(card: OpenCard, files: str | None = None, **how: object) -> CarddError:
    with pytest.raises(CarddError) as caught:
        read(card, files, **how)  # type: ignore[arg-type]
    return caught.value


def whole(value: CardValue) -> str | None:
    assert not isinstance(value, Unreadable)
    return value.disclose() if isinstance(value, Personal) else value


def holder(reading: CardReading) -> HolderData:
    assert reading.holder is not None
    return reading.holder


CARDS = [
    ("social-ding-1.0", "contact", "测试丁", "510101190004040045", "1900-04-04"),
    ("social-bing-2.0", "contact", "测试丙", "51010119000303003X", "1900-03-03"),
    ("social-jia-3.0", "contact", "测试甲", "510101190001010012", "1900-01-01"),
    ("social-jia-3.0", "contactless", "测试甲", "510101190001010012", "1900-01-01"),
]


@pytest.mark.parametrize(("persona", "interface", "name", "number", "born"), CARDS)
def test_a_card_gives_its_holder(persona: str, interface: str, name: str, number: str, born: str) -> None:
    reading = read(insert(persona, interface))
    found = holder(reading)
    assert reading.identity.authentic is True
    assert [whole(found.name), whole(found.social_security_number), whole(found.birth_date)] == [name, number, born]
    assert [whole(found.ethnic_group), whole(found.birthplace)] == ["01", "510100"]


@pytest.mark.parametrize(("persona", "interface", "tries"), [(row[0], row[1], int("3.0" in row[0])) for row in CARDS])
def test_a_key_is_proved_once_and_only_where_the_generation_asks_for_it(
    persona: str, interface: str, tries: int
) -> None:
    card = insert(persona, interface)
    read(card)
    assert card.record.instructions.count(EXTERNAL_AUTHENTICATION) == tries
    assert card.record.instructions.count(GET_CHALLENGE) == tries
    assert card.channel.rights_gained is bool(tries)


def test_the_key_is_proved_just_before_the_file_is_read() -> None:
    card = insert("social-jia-3.0", "contactless")
    read(card)
    place = card.record.instructions.index(EXTERNAL_AUTHENTICATION)
    assert card.record.instructions[place - 1] == GET_CHALLENGE
    # and the bank application, which ends that right, is read after everything else; its record's length is asked for
    assert card.record.instructions[place + 1 :] == [READ_RECORD] * 7 + [SELECT] + [READ_RECORD] * 2


def test_a_card_of_an_older_generation_that_guards_its_holder_gets_its_proof() -> None:
    card = insert("social-bing-2.0")
    guarded = [b"\x69\x82"]
    inner = card.card.transmit

    def transmit(command: bytes) -> bytes:
        holders = command[1] == READ_RECORD and command[3] >> 3 == 6
        return guarded.pop() if holders and guarded else inner(command)

    card.channel._transmit = transmit
    assert whole(holder(read(card)).name) == "测试丙"
    assert card.record.instructions.count(EXTERNAL_AUTHENTICATION) == 1


def test_a_name_in_two_records_is_one_name(tmp_path: Path) -> None:
    name = "阿卜杜热西提阿卜杜热合曼买买提依明"
    card = insert(altered(tmp_path, "social-jia-3.0", holder={"name": name}))
    assert whole(holder(read(card)).name) == name


def test_an_item_that_is_not_set_is_none(tmp_path: Path) -> None:
    card = insert(altered(tmp_path, "social-jia-3.0", holder={"birthplace": ""}))
    assert holder(read(card)).birthplace is None


def test_a_record_that_is_not_there_is_none() -> None:
    card = insert("social-bing-2.0")
    inner = card.card.transmit

    def transmit(command: bytes) -> bytes:
        return b"\x6a\x83" if command[1:3] == bytes((READ_RECORD, 0x0C)) else inner(command)

    card.channel._transmit = transmit
    found = holder(read(card))
    assert found.birthplace is None
    assert whole(found.name) == "测试丙"


def test_an_item_that_does_not_parse_keeps_its_bytes_and_the_rest_is_read() -> None:
    card = insert("social-bing-2.0")
    inner = card.card.transmit

    def transmit(command: bytes) -> bytes:
        if command[1:3] == bytes((READ_RECORD, 0x0D)):
            return bytes.fromhex("0D04 19001340 9000")
        return inner(command)

    card.channel._transmit = transmit
    found = holder(read(card))
    assert isinstance(found.birth_date, Unreadable)
    assert (found.birth_date.raw.hex(), found.birth_date.personal) == ("19001340", True)
    assert whole(found.name) == "测试丙"
    assert "1900" not in repr(found)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [("0C03 510100", "0C"), ("0D", "1 bytes"), ("0D05 19000303", "says 5 bytes and has 4")],
)
def test_an_answer_that_is_no_record_keeps_its_bytes(answer: str, fault: str) -> None:
    card = insert("social-bing-2.0")
    inner = card.card.transmit

    def transmit(command: bytes) -> bytes:
        if command[1:3] == bytes((READ_RECORD, 0x0D)):
            return bytes.fromhex(answer + "9000")
        return inner(command)

    card.channel._transmit = transmit
    found = holder(read(card)).birth_date
    assert isinstance(found, Unreadable)
    assert fault in found.error
    assert found.raw == bytes.fromhex(answer)


def test_files_give_exactly_the_items_that_are_named() -> None:
    reading = read(insert("social-jia-3.0"), "SSSEEF05|01|07|$SSSEEF06|08|$MFEF05|06|01|$")
    assert {file: list(items) for file, items in reading.records.items()} == {
        "SSSEEF05": ["01", "07", "06"],
        "SSSEEF06": ["08"],
    }
    assert whole(reading.records["SSSEEF05"]["07"]) == "T0000001X"
    assert whole(reading.records["SSSEEF05"]["06"]) == "2034-01-02"
    assert whole(reading.records["SSSEEF06"]["08"]) == "510101190001010012"


def test_a_file_without_items_is_all_of_it() -> None:
    assert list(read(insert("social-jia-3.0"), "SSSEEF05|$").records["SSSEEF05"]) == [
        "01",
        "02",
        "03",
        "04",
        "05",
        "06",
        "07",
    ]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ("SSSEEF05|01", Reason.INVALID),
        ("SSSEEF05:1|$", Reason.INVALID),
        ("DF09EF05|81|$", Reason.FILE_ABSENT),
        ("DF04EF05|99|$", Reason.RECORD_ABSENT),
        ("DF04EF05|81:2|$", Reason.RECORD_ABSENT),
        ("DF04EF05:1|$", Reason.INVALID),
        ("DF04EF08|81|$", Reason.INVALID),
        ("SSSEEF08:1|$", Reason.INVALID),
        ("SSSEEF05|08|$", Reason.RECORD_ABSENT),
        ("SSSEEF05|01:2|$", Reason.RECORD_ABSENT),
    ],
)
def test_an_address_that_names_nothing_here_is_refused_before_the_card_is_touched(files: str, reason: Reason) -> None:
    card = insert("social-jia-3.0")
    assert refusal(card, files).reason is reason
    assert card.record.commands == []


def test_without_a_module_the_holder_of_a_guarded_card_cannot_be_read() -> None:
    card = insert("social-jia-3.0")
    assert refusal(card, keys=RefusingKeys(Reason.PSAM_ABSENT)).reason is Reason.PSAM_ABSENT
    assert EXTERNAL_AUTHENTICATION not in card.record.instructions


def test_free_files_of_a_guarded_card_are_read_without_a_module() -> None:
    reading = read(insert("social-jia-3.0"), "SSSEEF05|07|$", keys=RefusingKeys(Reason.PSAM_ABSENT))
    assert whole(reading.records["SSSEEF05"]["07"]) == "T0000001X"
    assert (reading.holder, reading.identity.authentic) == (None, None)


def test_a_card_without_guard_gives_its_holder_without_a_module() -> None:
    reading = read(insert("social-bing-2.0"), keys=RefusingKeys(Reason.PSAM_ABSENT))
    assert whole(holder(reading).name) == "测试丙"
    assert reading.identity.authentic is None


def test_a_forged_card_gets_no_proof_of_a_key() -> None:
    card = insert("social-fake-3.0")
    reading = read(card)
    assert (reading.identity.authentic, reading.holder) == (False, None)
    assert GET_CHALLENGE not in card.record.instructions
    assert EXTERNAL_AUTHENTICATION not in card.record.instructions


class Refused:
    """A genuine card that does not take our RKSSSE, and what became of it."""

    def __init__(self, directory: Path) -> None:
        self.told: list[tuple[str, KeyName]] = []
        self.stopped = StoppedKeys(lambda station, key: self.told.append((station, key)))
        self.card = insert(altered(directory, "social-jia-3.0", keys={"RKSSSE": "FF" * 16}))


def test_of_a_forged_card_what_is_not_read_is_refused_and_not_shown_as_unset() -> None:
    card = insert("social-fake-3.0")
    with pytest.raises(CarddError) as caught:
        read(card, "SSSEEF05|07|$SSSEEF06|$")
    assert caught.value.reason is Reason.CARD_NOT_GENUINE
    assert list(read(card, "SSSEEF05|07|$").records) == ["SSSEEF05"]


def test_one_refused_key_is_stopped_on_its_station(tmp_path: Path) -> None:
    met = Refused(tmp_path)
    error = refusal(met.card, stopped=met.stopped)
    assert error.reason is Reason.KEY_STOPPED
    assert (error.facts["status_word"], error.facts["tries_left"]) == ("63C2", 2)
    assert met.told == [("desk", KeyName.RKSSSE)]
    assert met.card.record.instructions.count(EXTERNAL_AUTHENTICATION) == 1


def test_a_stopped_key_is_not_tried_again_on_any_card_of_the_station(tmp_path: Path) -> None:
    met = Refused(tmp_path)
    refusal(met.card, stopped=met.stopped)
    for card in (met.card.again(), insert("social-yi-3.0")):
        assert refusal(card, stopped=met.stopped).reason is Reason.KEY_STOPPED
        assert EXTERNAL_AUTHENTICATION not in card.record.instructions
        assert GET_CHALLENGE not in card.record.instructions
    assert met.told == [("desk", KeyName.RKSSSE)]


def test_a_stopped_key_still_leaves_the_free_files(tmp_path: Path) -> None:
    met = Refused(tmp_path)
    refusal(met.card, stopped=met.stopped)
    reading = read(insert("social-yi-3.0"), "SSSEEF05|07|$", stopped=met.stopped)
    assert reading.holder is None
    assert whole(reading.records["SSSEEF05"]["07"]) == "T00000028"


def test_a_stopped_key_serves_the_other_stations_and_this_one_once_it_is_cleared(tmp_path: Path) -> None:
    met = Refused(tmp_path)
    refusal(met.card, stopped=met.stopped)
    assert whole(holder(read(insert("social-yi-3.0", station="other"), stopped=met.stopped)).name) == "测试乙"
    met.stopped.lift("desk", [KeyName.RKSSSE])
    assert whole(holder(read(insert("social-yi-3.0"), stopped=met.stopped)).name) == "测试乙"


def test_a_locked_key_is_stopped_too() -> None:
    card, stopped = insert("social-jia-3.0"), StoppedKeys()
    answered_instead(card, {EXTERNAL_AUTHENTICATION: b"\x69\x83"})
    error = refusal(card, stopped=stopped)
    assert (error.reason, error.facts["status_word"]) == (Reason.KEY_STOPPED, "6983")
    assert stopped.of("desk") == (KeyName.RKSSSE,)


@pytest.mark.parametrize("word", ["6984", "6A88", "6700"])
def test_a_word_that_costs_no_try_stops_no_key(word: str) -> None:
    card, stopped = insert("social-jia-3.0"), StoppedKeys()
    answered_instead(card, {EXTERNAL_AUTHENTICATION: bytes.fromhex(word)})
    assert refusal(card, stopped=stopped).facts["status_word"] == word
    assert stopped.of("desk") == ()


def test_another_card_than_the_expected_one_is_told_before_its_holder_is_read() -> None:
    first = insert("social-jia-3.0")
    expected = identify(first.channel, first.insertion, software_keys(), DEADLINE)
    other = insert("social-yi-3.0")
    assert refusal(other, expected=expected).reason is Reason.CARD_DATA_DIFFERS
    assert EXTERNAL_AUTHENTICATION not in other.record.instructions
    assert read(insert("social-jia-3.0", "contactless"), expected=expected).identity.same_card(expected)


def test_an_old_card_gives_its_number_and_has_no_files() -> None:
    reading = read(insert("old-jia"))
    assert (reading.identity.kind, reading.issuer, reading.holder) == (Kind.MEDICAL_INSURANCE, None, None)
    assert whole(reading.identity.number) == "1900000001"
    assert refusal(insert("old-jia"), "SSSEEF05|07|$").reason is Reason.FILE_ABSENT


@pytest.mark.parametrize("commands", range(18))
def test_a_card_pulled_anywhere_is_a_removed_card_and_stops_no_key(commands: int) -> None:
    stopped = StoppedKeys()
    card = pulled_after(insert("social-jia-3.0", "contactless"), commands)
    assert refusal(card, stopped=stopped).reason is Reason.CARD_REMOVED
    assert stopped.of("desk") == ()
