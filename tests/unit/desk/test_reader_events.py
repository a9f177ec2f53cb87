"""What clerks are told of a reader that does not answer."""

import pytest

from cardd.base.reasons import Reason
from cardd.base.texts import render
from cardd.desk.events import event_of
from cardd.readers.facts import ReaderUnavailable


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        (ReaderUnavailable("front", "stuck"), "Unplug it and plug it in again."),
        (ReaderUnavailable("front", "held", Reason.READER_IN_USE), "Another program holds the reader. Close that"),
        (ReaderUnavailable("front", "held", Reason.READER_IN_USE, "till (7)"), "perhaps one of these: till (7). Close"),
    ],
)
def test_a_reader_is_to_be_plugged_in_again_only_where_no_program_is_in_the_way(
    fact: ReaderUnavailable, says: str
) -> None:
    event = event_of(fact, lambda _: "desk")
    assert (event.type, event.subject, event.data["station"]) == ("reader.unavailable", "front", "desk")
    text = event.data["text"]
    assert isinstance(text, dict)
    args = text["args"]
    assert isinstance(args, dict)
    sentence = render(str(text["code"]), args)
    assert says in sentence["en"]
    assert fact.programs in sentence["zh-CN"]
    assert ("占用" in sentence["zh-CN"]) is (fact.reason is Reason.READER_IN_USE)
