"""Writing files by address: every file that a key writes, on cards of every generation, also after a tear."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cards import DEADLINE, OpenCard, RefusingKeys, answered_instead, insert, pulled_after, software_keys
from support.contents import content, social

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.desk.identify import identify
from cardd.desk.read import read_card
from cardd.desk.reading import CardValue, Identity, Unreadable
from cardd.desk.stopped import StoppedKeys
from cardd.desk.updates import Updates
from cardd.desk.write import Difference, compare_records, finish_records, write_records
from cardd.rules.files import FILES, Generation
from cardd.rules.keys import KEYS

UPDATE_RECORD, UPDATE_BINARY, EXTERNAL_AUTHENTICATION, READ_BINARY = 0xDC, 0xD6, 0x82, 0xB0
PIN = Secret(b"123456")


def identity_of(card: OpenCard) -> Identity:
    found = identify(card.channel, card.insertion, software_keys(), DEADLINE)
    card.record.commands.clear()
    return found


def write(
    card: OpenCard, updates: Updates, *, pin: Secret | None = None, identity: Identity | None = None, **how: Any
) -> tuple[str, ...]:
    given: dict[str, Any] = {"keys": software_keys(), "stopped": StoppedKeys()} | how
    known = identity or identity_of(card)
    return write_records(
        card.channel, card.insertion, given["keys"], known, updates, DEADLINE, stopped=given["stopped"], pin=pin
    )


def refusal(card: OpenCard, updates: Updates, **how: Any) -> CarddError:
    with pytest.raises(CarddError) as caught:
        write(card, updates, **how)
    return caught.value


def whole(value: CardValue) -> str | None:
    assert not isinstance(value, Unreadable), value.error
    return value.disclose() if isinstance(value, Personal) else value


def stored(card: OpenCard, files: str) -> dict[str, str | None]:
    again = card.again()
    reading = read_card(
        again.channel, again.insertion, software_keys(), None, DEADLINE, files, stopped=StoppedKeys(), pin=PIN
    )
    return {name: whole(value) for name, value in reading.records[files[:8]].items()}


def every_file() -> Iterator[Any]:
    for generation in Generation:
        for name, rule in FILES.items():
            if rule.exists_in(generation) and rule.write in KEYS and name != "SSSEEF05" and (rule.items or rule.space):
                yield pytest.param(generation, name, id=f"{generation}-{name}")


@pytest.mark.parametrize(("generation", "name"), list(every_file()))
def test_every_file_that_a_key_writes_holds_what_was_written(tmp_path: Path, generation: Generation, name: str) -> None:
    before, _ = content(FILES[name], generation)
    after, expected = content(FILES[name], generation, 4)
    if isinstance(after, str):
        after = {"whole": after}
    if isinstance(after, list):
        after = {str(number): text for number, text in enumerate(after, 1)}
    if not expected:
        return
    files = {name: before} if FILES[name].application != "SSSE" or FILES[name].size else {}
    card = insert(social(tmp_path, generation, files=files))
    assert write(card, {name: after}, pin=PIN) == ()
    found = stored(card, f"{name}|$")
    assert {item: found[item] for item in expected} == expected
    if FILES[name].records:
        assert [found["4"], found["5"]] == before[:2] if FILES[name].records > 4 else found["4"] == before[0]


def test_one_of_several_is_written_where_it_lies_and_its_neighbours_stay(tmp_path: Path) -> None:
    filled = {"DF01EF15": {"2A": "21", "40:1": "1^01^甲^", "40:2": "2^02^乙^", "40:3": "3^03^丙^"}}
    card = insert(social(tmp_path, Generation.V3, files=filled))
    write(card, {"DF01EF15": {"40:2": "9^09^丁^"}})
    assert stored(card, "DF01EF15|$") == filled["DF01EF15"] | {"40:2": "9^09^丁^"}


def test_one_that_is_not_there_yet_comes_behind_the_last_record(tmp_path: Path) -> None:
    raw = {"DF01EF15": ["2A0121", "4034" + "5703313131" + "5803111111" + "5928" + "41" * 40]}
    card = insert(social(tmp_path, Generation.V3, raw=raw))
    write(card, {"DF01EF15": {"40:2": "222^222222^B^", "40:3": "333^333333^C^"}})
    assert stored(card, "DF01EF15|$") == {
        "2A": "21",
        "40:1": f"111^111111^{'A' * 40}^",
        "40:2": "222^222222^B^",
        "40:3": "333^333333^C^",
    }


def test_a_gap_before_one_of_several_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3, raw={"DF01EF15": ["2A0121"]}))
    error = refusal(card, {"DF01EF15": {"40:2": "222^222222^B^"}})
    assert (error.reason, error.facts["file"], error.facts["item"]) == (Reason.RECORD_ABSENT, "DF01EF15", "40:2")
    assert UPDATE_RECORD not in card.record.instructions


# -- cyclic files

OLDER, NEWER, THIRD = "0001^1^", "0002^2^", "0003^3^"


def test_a_record_is_added_in_front_and_the_others_move_back(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF15": [OLDER]}))
    write(card, {"DF04EF15": {"1": NEWER}})
    assert stored(card, "DF04EF15|$") == {"1": NEWER, "2": OLDER}


def test_a_record_that_is_the_newest_already_is_not_added_again(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF15": [OLDER]}))
    write(card, {"DF04EF15": {"1": NEWER}})
    write(card.again(), {"DF04EF15": {"1": NEWER}})
    assert stored(card, "DF04EF15|$") == {"1": NEWER, "2": OLDER}


@pytest.mark.parametrize("commands", range(23))
def test_records_are_added_once_wherever_the_first_attempt_was_torn(tmp_path: Path, commands: int) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF15": [OLDER]}), "contactless")
    identity = identity_of(card)
    updates = {"DF04EF15": {"1": THIRD, "2": NEWER}}
    torn = pulled_after(card, commands)
    assert refusal(torn, updates, identity=identity).reason is Reason.CARD_REMOVED
    write(card.again(), updates, identity=identity)
    assert stored(card, "DF04EF15|$") == {"1": THIRD, "2": NEWER, "3": OLDER}


def later(card: OpenCard, updates: Updates, identity: Identity, work: Any, *, pin: Secret | None = None) -> Any:
    """Go on with a write after the card's next power-up, or compare it."""
    again = card.again()
    again.record.commands.clear()
    found = work(
        again.channel, again.insertion, software_keys(), identity, updates, DEADLINE, stopped=StoppedKeys(), pin=pin
    )
    card.record = again.record
    return found


EVERY_STRUCTURE: dict[str, dict[str, str]] = {
    "DF04EF05": {"84": "510100"},
    "DF01EF15": {"40:1": "9^09^丁^"},
    "DF04EF15": {"1": THIRD, "2": NEWER},
    "DF01EF16": {"whole": "AB"},
}


@pytest.mark.parametrize("commands", [15, *range(20, 56)])
def test_a_torn_write_is_gone_on_with_where_it_stopped(tmp_path: Path, commands: int) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF15": [OLDER]}), "contactless")
    identity = identity_of(card)
    refused = refusal(pulled_after(card, commands), EVERY_STRUCTURE, identity=identity)
    assert refused.reason is Reason.CARD_REMOVED
    difference = later(card, EVERY_STRUCTURE, identity, compare_records)
    assert not {UPDATE_RECORD, UPDATE_BINARY} & set(card.record.instructions)
    assert later(card, EVERY_STRUCTURE, identity, finish_records) == ()
    written = {UPDATE_RECORD, UPDATE_BINARY} & set(card.record.instructions)
    assert bool(written) == bool(difference.missing)
    assert later(card, EVERY_STRUCTURE, identity, compare_records) == Difference((), ())
    assert stored(card, "DF04EF15|$") == {"1": THIRD, "2": NEWER, "3": OLDER}


def test_what_is_not_as_it_was_to_be_is_told_by_file(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF15": [OLDER]}))
    identity = identity_of(card)
    assert later(card, EVERY_STRUCTURE, identity, compare_records) == Difference(tuple(EVERY_STRUCTURE), ())
    write(card.again(), {"DF04EF15": {"1": THIRD, "2": NEWER}}, identity=identity)
    others = tuple(file for file in EVERY_STRUCTURE if file != "DF04EF15")
    assert later(card, EVERY_STRUCTURE, identity, compare_records) == Difference(others, ())
    write(card.again(), {"DF04EF15": {"1": OLDER}}, identity=identity)
    assert "DF04EF15" in later(card, EVERY_STRUCTURE, identity, compare_records).missing


def test_a_file_that_only_the_pin_opens_is_compared_with_it(tmp_path: Path) -> None:
    files = {"DF04EF06": {"90": "1"}}
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF06": {"90": "1"}}))
    identity = identity_of(card)
    assert later(card, files, identity, compare_records) == Difference((), ("DF04EF06",))
    assert later(card, files, identity, compare_records, pin=PIN) == Difference((), ())


def test_a_file_that_the_card_has_not_is_missing_to_a_comparison(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3, absent=["DF04EF05"]))
    files = {"DF04EF05": {"84": "510100"}, "DF01EF15": {"40:3": "9^09^丁^"}}
    assert later(card, files, identity_of(card), compare_records) == Difference(tuple(files), ())


def test_nothing_is_written_before_the_intent_is_on_record(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3))
    identity = identity_of(card)

    def full() -> None:
        raise CarddError(Reason.JOURNAL_FULL)

    with pytest.raises(CarddError) as caught:
        write_records(
            card.channel,
            card.insertion,
            software_keys(),
            identity,
            EVERY_STRUCTURE,
            DEADLINE,
            stopped=StoppedKeys(),
            intend=full,
        )
    assert caught.value.reason is Reason.JOURNAL_FULL
    assert not {UPDATE_RECORD, UPDATE_BINARY, EXTERNAL_AUTHENTICATION} & set(card.record.instructions)


def test_a_file_that_cannot_be_compared_is_not_added_to(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V1))
    error = refusal(card, {"DF02EF07": {"1": "1^20240101^20240102^测^"}}, keys=RefusingKeys(Reason.PSAM_ABSENT))
    assert error.reason is Reason.PSAM_ABSENT
    assert UPDATE_RECORD not in card.record.instructions


# -- transparent files


def test_a_photo_replaces_the_one_before_as_a_whole(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"SSSEEF08": "FF" * 4096}))
    write(card, {"SSSEEF08": {"whole": "ffd8ffe0"}})
    assert stored(card, "SSSEEF08|$") == {"whole": "FFD8FFE0" + "00" * 4092}


@pytest.mark.parametrize("commands", [20, 26, 33, 40])
def test_a_photo_that_was_torn_is_completed_by_writing_again(tmp_path: Path, commands: int) -> None:
    photo = bytes(at % 249 for at in range(4096)).hex().upper()
    card = insert(social(tmp_path, Generation.V3, files={"SSSEEF08": "FF" * 4096}), "contactless")
    identity = identity_of(card)
    torn = pulled_after(card, commands)
    assert refusal(torn, {"SSSEEF08": {"whole": photo}}, identity=identity).reason is Reason.CARD_REMOVED
    assert UPDATE_BINARY in card.record.instructions
    write(card.again(), {"SSSEEF08": {"whole": photo}}, identity=identity)
    assert stored(card, "SSSEEF08|$") == {"whole": photo}


# -- rights and read-back


def test_the_update_key_is_proved_right_before_writing_and_the_read_key_before_reading_back(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3), "contactless")
    write(card, {"DF04EF05": {"84": "510100"}})
    tail = [(command.ins, command.p2) for command in card.record.commands][-6:]
    assert tail == [(0x84, 0), (0x82, 0x85), (0xDC, 0x28), (0x84, 0), (0x82, 0x84), (0xB2, 0x28)]


def test_a_file_that_nothing_at_hand_opens_is_written_and_told_as_not_read_back(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF06": {"90": "0"}}))
    assert write(card, {"DF04EF06": {"90": "1"}, "DF04EF05": {"84": "510100"}}) == ("DF04EF06",)
    assert stored(card, "DF04EF06|90|$") == {"90": "1"}


def test_a_first_generation_record_keeps_its_length_and_says_that_its_meaning_is_new(tmp_path: Path) -> None:
    card = insert(social(tmp_path, Generation.V1, files={"DF04EF05": {"81": "一医院"}}))
    write(card, {"DF04EF05": {"81": "31000000"}}, pin=PIN)
    assert stored(card, "DF04EF05|81|$") == {"81": "31000000"}
    (sent,) = [command.data for command in card.record.commands if command.ins == UPDATE_RECORD]
    assert sent == bytes.fromhex("8146") + b"31000000" + b"\xee" * 62


@pytest.mark.parametrize(
    ("updates", "answers", "reason"),
    [
        ({"DF01EF15": {"40:2": "9^09^A^"}}, {UPDATE_RECORD: b"\x90\x00"}, Reason.STATUS_WORD),
        ({"DF04EF15": {"1": NEWER}}, {UPDATE_RECORD: b"\x90\x00"}, Reason.STATUS_WORD),
        ({"DF01EF16": {"whole": "AB"}}, {UPDATE_BINARY: b"\x90\x00"}, Reason.STATUS_WORD),
        ({"DF01EF16": {"whole": "AB"}}, {UPDATE_BINARY: b"\x69\x82"}, Reason.ACCESS_DENIED),
        ({"DF04EF15": {"1": NEWER}}, {UPDATE_RECORD: b"\x6a\x84"}, Reason.STATUS_WORD),
    ],
)
def test_what_is_not_on_the_card_afterwards_is_no_success(
    tmp_path: Path, updates: Updates, answers: dict[int, bytes], reason: Reason
) -> None:
    card = insert(social(tmp_path, Generation.V3, files={"DF04EF15": [OLDER]}))
    identity = identity_of(card)
    answered_instead(card, answers)
    error = refusal(card, updates, identity=identity)
    assert (error.reason, error.facts["file"]) == (reason, next(iter(updates)))


@pytest.mark.parametrize("absent", ["DF04", "DF04EF05"])
def test_a_file_that_the_card_has_not_is_an_error_when_it_is_to_be_written(tmp_path: Path, absent: str) -> None:
    card = insert(social(tmp_path, Generation.V3, absent=[absent]))
    error = refusal(card, {"DF04EF05": {"84": "510100"}})
    assert (error.reason, error.facts["file"]) == (Reason.FILE_ABSENT, "DF04EF05")
    assert EXTERNAL_AUTHENTICATION not in card.record.instructions


@pytest.mark.parametrize(
    ("updates", "item"),
    [
        ({"DF01EF15": {"40": "1^01^A^"}}, "40"),
        ({"DF01EF15": {"40:1": "1^01^"}}, "40:1"),
        ({"DF01EF15": {"2A:2": "21"}}, "2A:2"),
        ({"DF01EF15": {"2A": "21", "2a:1": "21"}}, None),
        ({"DF04EF15": {"2": NEWER}}, None),
        ({"DF04EF15": {"1": "0001^"}}, "record 1"),
        ({"DF04EF15": {str(number): NEWER for number in range(1, 10)}}, None),
        ({"DF04EF08": {"1": NEWER}}, None),
        ({"SSSEEF08": {"01": "00"}}, None),
        ({"SSSEEF08": {"whole": "0"}}, None),
        ({"SSSEEF08": {"whole": "00" * 4097}}, None),
        ({"DF04EF05": {}}, None),
        ({"DF09EF05": {"01": "00"}}, None),
    ],
)
def test_what_cannot_be_written_is_told_by_file_and_item_before_the_card_is_touched(
    updates: Updates, item: str | None
) -> None:
    card = insert("social-jia-3.0")
    identity = identity_of(card)
    error = refusal(card, updates, identity=identity)
    assert (error.reason, error.facts["file"], error.facts.get("item")) == (Reason.INVALID, next(iter(updates)), item)
    assert card.record.commands == []
