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
from cardd.desk.reading import CardValue, Identity
from cardd.desk.stopped import StoppedKeys
from cardd.desk.write import Updates, write_records
from cardd.keys.service import KeyService
from cardd.rules.keys import KeyName

UPDATE_RECORD, EXTERNAL_AUTHENTICATION = 0xDC, 0x82
UPDATES = {"SSSEEF05": {"06": "20400101"}, "SSSEEF06": {"0C": "510700", "0A": "2"}}
CARDS = [
    ("social-ding-1.0", "contact"),
    ("social-bing-2.0", "contact"),
    ("social-jia-3.0", "contact"),
    ("social-jia-3.0", "contactless"),
]


def identity_of(card: OpenCard) -> Identity:
    found = identify(card.channel, card.insertion, software_keys(), DEADLINE)
    card.record.commands.clear()
    return found


def write(
    card: OpenCard,
    updates: Updates,
    *,
    expected: Identity | None = None,
    keys: KeyService | None = None,
    stopped: StoppedKeys | None = None,
) -> None:
    write_records(
        card.channel,
        card.insertion,
        keys or software_keys(),
        expected or identity_of(card),
        updates,
        DEADLINE,
        stopped=stopped or StoppedKeys(),
    )


def refusal(card: OpenCard, updates: Updates, **how: object) -> CarddError:
    with pytest.raises(CarddError) as caught:
        write(card, updates, **how)  # type: ignore[arg-type]
    return caught.value


def stored(card: OpenCard, file: str, tag: str) -> str | None:
    address = f"{file}|{tag}|$"
    reading = read_card(card.channel, card.insertion, software_keys(), None, DEADLINE, address, stopped=StoppedKeys())
    return whole(reading.records[file][tag])


def whole(value: CardValue) -> str | None:
    assert isinstance(value, Personal | str | None)
    return value.disclose() if isinstance(value, Personal) else value


@pytest.mark.parametrize(("persona", "interface"), CARDS)
def test_what_is_written_is_on_the_card_after_its_next_power_up(persona: str, interface: str) -> None:
    card = insert(persona, interface)
    write(card, UPDATES)
    again = card.again()
    assert stored(again, "SSSEEF05", "06") == "2040-01-01"
    assert stored(again, "SSSEEF06", "0C") == "510700"
    assert stored(again, "SSSEEF06", "0A") == "2"


def test_writing_again_comes_to_the_same() -> None:
    card = insert("social-jia-3.0")
    write(card, UPDATES)
    write(card.again(), UPDATES)
    assert stored(card.again(), "SSSEEF06", "0C") == "510700"


def test_a_date_may_be_written_as_readings_show_it() -> None:
    card = insert("social-jia-3.0")
    write(card, {"SSSEEF05": {"06": "2041-12-31"}})
    assert stored(card.again(), "SSSEEF05", "06") == "2041-12-31"


@pytest.mark.parametrize("commands", range(15))
def test_a_write_that_was_torn_anywhere_is_completed_by_writing_again(commands: int) -> None:
    card = insert("social-jia-3.0", "contactless")
    identity = identity_of(card)
    torn = pulled_after(card, commands)
    assert refusal(torn, {"SSSEEF06": {"0C": "510700"}}, expected=identity).reason is Reason.CARD_REMOVED
    write(card.again(), {"SSSEEF06": {"0C": "510700"}}, expected=identity)
    assert stored(card.again(), "SSSEEF06", "0C") == "510700"


def test_another_card_is_not_written() -> None:
    identity = identity_of(insert("social-jia-3.0"))
    other = insert("social-yi-3.0")
    assert refusal(other, UPDATES, expected=identity).reason is Reason.CARD_DATA_DIFFERS
    assert UPDATE_RECORD not in other.record.instructions
    assert EXTERNAL_AUTHENTICATION not in other.record.instructions


def test_a_copy_in_the_place_of_the_genuine_card_is_not_written() -> None:
    identity = identity_of(insert("social-jia-3.0"))
    copy, stopped = insert("social-fake-3.0"), StoppedKeys()
    assert refusal(copy, UPDATES, expected=identity, stopped=stopped).reason is Reason.CARD_NOT_GENUINE
    assert EXTERNAL_AUTHENTICATION not in copy.record.instructions
    assert stopped.of("desk") == ()


def test_a_card_that_failed_to_prove_itself_is_not_touched() -> None:
    copy = insert("social-fake-3.0")
    assert refusal(copy, UPDATES).reason is Reason.CARD_NOT_GENUINE
    assert copy.record.commands == []


@pytest.mark.parametrize(
    "updates",
    [
        {"SSSEEF07": {"01": "00"}},
        {"SSSEEF1E": {"01": "00"}},
        {"SSSEEF05": {"08": "1"}},
        {"SSSEEF05": {"6": "20400101"}},
        {"SSSEEF05": {"06": "20401301"}},
        {"SSSEEF05": {"06": "2040-13-01"}},
        {"SSSEEF05": {"06": "2040-1-1"}},
        {"SSSEEF06": {"0A": "22"}},
        {"SSSEEF05": {"06": "20400101"}, "SSSEEF06": {"0A": "22"}},
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is(updates: Updates) -> None:
    card = insert("social-jia-3.0")
    assert refusal(card, updates).reason is Reason.INVALID
    assert card.record.commands == []


def test_a_value_that_cannot_be_written_is_in_no_error() -> None:
    number = "510101190001010012345"
    assert number not in str(refusal(insert("social-jia-3.0"), {"SSSEEF06": {"08": number}}))


def test_a_refused_update_key_is_stopped_and_the_next_card_is_not_touched(tmp_path: Path) -> None:
    stopped = StoppedKeys()
    card = insert(altered(tmp_path, "social-jia-3.0", keys={"UKSSSE": "FF" * 16}))
    assert refusal(card, UPDATES, stopped=stopped).reason is Reason.KEY_STOPPED
    assert stopped.of("desk") == (KeyName.UKSSSE,)
    other = insert("social-yi-3.0")
    assert refusal(other, UPDATES, stopped=stopped).reason is Reason.KEY_STOPPED
    assert other.record.commands == []


def test_without_the_update_key_nothing_is_written() -> None:
    card = insert("social-jia-3.0")
    assert refusal(card, UPDATES, keys=RefusingKeys(Reason.PSAM_KEY_MISSING)).reason is Reason.PSAM_KEY_MISSING
    assert UPDATE_RECORD not in card.record.instructions


def test_a_record_that_does_not_read_back_is_not_taken_for_written() -> None:
    card = insert("social-bing-2.0")
    identity = identity_of(card)
    answered_instead(card, {UPDATE_RECORD: b"\x90\x00"})
    error = refusal(card, UPDATES, expected=identity)
    assert error.reason is Reason.STATUS_WORD
    assert "read back" in error.detail


@pytest.mark.parametrize(("word", "reason"), [("6982", Reason.ACCESS_DENIED), ("6A82", Reason.FILE_ABSENT)])
def test_what_the_card_says_to_an_update_has_its_reason(word: str, reason: Reason) -> None:
    card = insert("social-bing-2.0")
    identity = identity_of(card)
    answered_instead(card, {UPDATE_RECORD: bytes.fromhex(word)})
    assert refusal(card, UPDATES, expected=identity).reason is reason
