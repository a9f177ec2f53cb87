"""How far a stay has come: positions and words, no data."""

from collections.abc import Callable

import pytest

from cardd.readers.stay import Stay

SELECT, READ, GET_RESPONSE = bytes.fromhex("00A40400"), bytes.fromhex("00B20120"), bytes.fromhex("00C0000010")


def answering(*answers: str) -> Callable[[bytes], bytes]:
    rest = [bytes.fromhex(answer) for answer in answers]
    return lambda _: rest.pop(0)


def test_commands_are_counted_from_one_and_get_response_belongs_to_the_one_before() -> None:
    stay = Stay("1-1")
    transmit = stay.following(answering("6110", "AABB9000", "9000"))
    assert [transmit(command).hex() for command in (SELECT, GET_RESPONSE, READ)] == ["6110", "aabb9000", "9000"]
    assert (stay.commands, stay.header.hex(), stay.word.hex(), stay.odd) == (2, "00b2", "9000", [])


def test_a_command_without_an_answer_leaves_no_word() -> None:
    stay = Stay("1-1")

    def torn(_: bytes) -> bytes:
        raise OSError("torn")

    with pytest.raises(OSError, match="torn"):
        stay.following(torn)(READ)
    assert (stay.commands, stay.header.hex(), stay.word) == (1, "00b2", b"")


def test_words_that_say_neither_yes_nor_more_are_kept_with_their_places_up_to_a_number() -> None:
    stay = Stay("1-1")
    transmit = stay.following(answering("9000", "6C08", "6A82", *["6982"] * 100))
    for _ in range(103):
        transmit(READ)
    assert stay.odd[0] == (3, b"\x00\xb2", b"\x6a\x82")
    assert (stay.commands, len(stay.odd)) == (103, 64)


def test_the_first_visit_is_the_first_one_only() -> None:
    stay = Stay("1-1")
    transmit = stay.following(answering("9000", "9000"))
    transmit(SELECT)
    stay.visited()
    transmit(READ)
    stay.visited()
    assert stay.first_visit == 1
