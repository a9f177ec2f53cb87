import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.desk.refusals import Instruction, reason_of, refusals
from cardd.iso7816.apdu import Command
from cardd.iso7816.status import StatusError

I = Instruction  # noqa: E741 - a table is read by its columns


@pytest.mark.parametrize(
    ("instruction", "word", "reason"),
    [
        (I.VERIFY, 0x63C5, Reason.PIN_WRONG),
        (I.VERIFY, 0x63C0, Reason.PIN_LOCKED),
        (I.VERIFY, 0x6983, Reason.PIN_LOCKED),
        (I.CHANGE_PIN, 0x63C1, Reason.PIN_WRONG),
        (I.EXTERNAL_AUTHENTICATION, 0x63C2, Reason.KEY_STOPPED),
        (I.EXTERNAL_AUTHENTICATION, 0x63C0, Reason.KEY_STOPPED),
        (I.EXTERNAL_AUTHENTICATION, 0x6983, Reason.KEY_STOPPED),
        (I.READ_RECORD, 0x63C2, Reason.STATUS_WORD),
        (I.READ_RECORD, 0x6983, Reason.STATUS_WORD),
        (I.READ_RECORD, 0x6982, Reason.ACCESS_DENIED),
        (I.READ_RECORD, 0x6A82, Reason.FILE_ABSENT),
        (I.READ_RECORD, 0x6A83, Reason.RECORD_ABSENT),
        (I.VERIFY, 0x6982, Reason.STATUS_WORD),
        (I.SELECT, 0x6A82, Reason.FILE_ABSENT),
        (I.SELECT, 0x9303, Reason.CARD_BLOCKED),
        (I.SELECT, 0x6A81, Reason.CARD_BLOCKED),
        (I.VERIFY, 0x6A81, Reason.CARD_BLOCKED),
        (I.GET_CHALLENGE, 0x9303, Reason.CARD_BLOCKED),
        *((I.GET_BALANCE, word, Reason.ACCOUNT_NOT_IN_USE) for word in (0x6985, 0x6901, 0x6A81, 0x6D00, 0x6E00)),
        (I.GET_BALANCE, 0x6982, Reason.ACCESS_DENIED),
        (I.GET_TRANSACTION_PROOF, 0x6985, Reason.ACCOUNT_NOT_IN_USE),
        (I.INITIALIZE, 0x6985, Reason.STATUS_WORD),
        (I.READ_RECORD, 0x6900, Reason.STATUS_WORD),
        (I.READ_RECORD, 0x6D00, Reason.STATUS_WORD),
        (0x99, 0x6A82, Reason.STATUS_WORD),
    ],
)
def test_a_word_means_what_it_means_to_its_command(instruction: int, word: int, reason: Reason) -> None:
    assert reason_of(instruction, word) is reason


def test_a_refusal_keeps_the_word_and_never_the_data() -> None:
    with pytest.raises(CarddError) as caught, refusals():
        raise StatusError(0x63C1, Command(0x00, 0x20, 0x00, 0x00, bytes.fromhex("654321")))
    assert caught.value.facts == {"status_word": "63C1", "tries_left": 1}
    assert "654321" not in str(caught.value)


def test_other_errors_pass_through() -> None:
    with pytest.raises(CarddError) as caught, refusals():
        raise CarddError(Reason.CARD_REMOVED)
    assert caught.value.reason is Reason.CARD_REMOVED
