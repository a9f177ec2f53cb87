"""R17 to R23 of docs/reliability.md: what cards do, on a real pcscd and the daemon as a process."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.clerk import Clerk
from support.moments import EXTERNAL_AUTHENTICATION, READ_RECORD, UPDATE_RECORD, VERIFY, Recorded, Told, Torn, of
from support.shared_counter import clerk, opened, read, reader, refusal
from support.waiting import until

from cardd.base.reasons import Reason
from cardd.client.errors import CallError
from cardd.wire.activation import PromptAnswerParams
from cardd.wire.cards import CardChoice
from cardd.wire.deeds import CardPinParams, CardPinResult, CardWriteParams, CardWriteResult
from cardd.wire.methods import CARD_PIN_QUERY, CARD_PIN_VERIFY, CARD_WRITE, PROMPT_ANSWER
from cardsim.links.echo import EchoCard

__all__ = ["clerk", "opened"]

GUARDED = "social-jia-3.0"
FREE = "social-ding-1.0"


def test_r17_a_card_that_makes_no_sense_and_a_memory_card_are_told_apart(clerk: Clerk) -> None:
    clerk.insert_card(EchoCard(bytes.fromhex("00")))
    told = clerk.wait("card.rejected")
    assert told["data"]["reason"] == "CARD_MUTE"
    assert "chip" in told["data"]["text"]["en"]
    until(lambda: reader(clerk).state == "mute", "the state")
    assert refusal(clerk).reason in {Reason.CARD_MUTE, Reason.NO_CARD}
    clerk.remove()
    until(lambda: reader(clerk).state == "empty", "an empty reader")
    clerk.insert("old-sle4442")
    assert clerk.wait("card.identified")["data"]["kind"] == "medical_insurance"


def _verify(clerk: Clerk, pin: str) -> CardPinResult | CallError:
    """Have a PIN compared; type it when the prompt comes."""
    came: list[CardPinResult | CallError] = []

    def ask() -> None:
        with clerk.rig.client() as client:
            try:
                came.append(client.call(CARD_PIN_VERIFY, CardPinParams()))
            except CallError as error:
                came.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    prompt = clerk.wait("prompt.opened")["data"]["prompt"]
    clerk.client.call(PROMPT_ANSWER, PromptAnswerParams(prompt=prompt, pin=pin))
    thread.join(20)
    return came[0]


def _says_nothing(command: bytes) -> bytes | None:
    """Answer a PIN with a word from which nobody learns anything."""
    return b"\x6f\x00" if command[1] == VERIFY and len(command) > 5 else None


@pytest.mark.parametrize(
    ("make", "pin", "reason"),
    [
        (lambda: Recorded(GUARDED), "654321", Reason.PIN_WRONG),
        (lambda: Torn(GUARDED, VERIFY, with_data=True), "123456", Reason.CARD_REMOVED),
        (
            lambda: Told(GUARDED, lambda command: b"\x6f\x00" if command[1] == VERIFY and len(command) > 5 else None),
            "123456",
            "STATUS_WORD",
        ),
    ],
    ids=["wrong", "torn", "a word that says nothing"],
)
def test_r20_a_pin_is_sent_once_whatever_becomes_of_it(
    clerk: Clerk, make: Callable[[], Recorded], pin: str, reason: str
) -> None:
    card = make()
    clerk.insert_card(card)
    clerk.wait("card.identified")
    outcome = _verify(clerk, pin)
    assert isinstance(outcome, CallError)
    assert outcome.reason == reason
    until(lambda: reader(clerk).card is not None, "the card again")
    threading.Event().wait(1.5)
    # a VERIFY without data asks how many tries are left, and costs none
    assert card.count(VERIFY, with_data=True) == 1


def test_r20_an_external_authentication_is_sent_once_whatever_becomes_of_it(clerk: Clerk) -> None:
    card = Torn(GUARDED, EXTERNAL_AUTHENTICATION)
    clerk.insert_card(card)
    clerk.wait("card.identified")
    # nobody has asked for anything that is guarded
    assert card.count(EXTERNAL_AUTHENTICATION) == 0
    assert refusal(clerk, purpose="test").reason == Reason.CARD_REMOVED
    clerk.wait("card.identified")
    threading.Event().wait(1.5)
    assert card.count(EXTERNAL_AUTHENTICATION) == 1


def test_r21_cards_exchanged_in_the_middle_of_work_are_told_and_the_daemon_goes_on(clerk: Clerk) -> None:
    process = clerk.rig.daemon
    for _ in range(3):
        first, second = Recorded(FREE), Recorded("social-bing-2.0")
        clerk.insert_card(first)
        before = clerk.wait("card.identified")["insertion"]
        held = first.hold_at(of(READ_RECORD), patience_s=1.5)
        came: list[Reason | str] = []
        thread = threading.Thread(target=lambda into=came: into.append(refusal(clerk).reason))
        thread.start()
        held.reach()
        clerk.rig.lab.swap(second, 0, gap_seconds=0.0)
        thread.join(10)
        assert came[0] in {Reason.CARD_REMOVED, Reason.STALE_INSERTION}
        known = clerk.wait("card.identified")
        assert known["insertion"] != before
        assert known["data"]["generation"] == "2.0"
        assert read(clerk).generation == "2.0"
        clerk.remove()
    assert clerk.rig.daemon is process
    assert process is not None
    assert process.poll() is None


def test_r22_after_a_tear_the_state_is_unknown_until_read_and_the_write_goes_on(clerk: Clerk) -> None:
    card = Torn(GUARDED, UPDATE_RECORD)
    clerk.insert_card(card)
    clerk.wait("card.identified")
    params = CardWriteParams(files={"DF01EF15": {"2A": "21"}}, request="write it once")

    def write() -> CardWriteResult:
        with clerk.rig.client() as client:
            return client.call(CARD_WRITE, params)

    with pytest.raises(CallError) as torn:
        write()
    assert torn.value.reason == Reason.CARD_REMOVED
    assert not [event for event in clerk.events[clerk._mark :] if "card.written" in event["type"]]
    clerk.wait("card.identified")
    # the same deed once more: what it found undone is done, and from then on its answer is kept
    assert write().written == {"DF01EF15": ["2A"]}
    clerk.wait("card.written")
    written = card.count(UPDATE_RECORD)
    assert write().written == {"DF01EF15": ["2A"]}
    assert card.count(UPDATE_RECORD) == written
    assert read(clerk, files="DF01EF15|2A|$", purpose="test").records == {"DF01EF15": {"2A": "21"}}


def test_r23_what_a_card_does_not_have_is_a_value_and_its_proof_is_asked_for_all_the_same(clerk: Clerk) -> None:
    clerk.insert("p4-bad-missing-files")
    assert clerk.wait("card.identified")["data"]["authentic"] is True
    result = read(clerk, files="SSSEEF06|08|$DF01EF15|2A|$", purpose="test")
    assert result.authentic is True
    assert result.records["SSSEEF06"]["08"] == "510101190001010094"
    assert set(result.records["DF01EF15"].values()) == {None}
    clerk.remove()
    clerk.insert("social-fake-3.0")
    assert clerk.wait("card.identified")["data"]["authentic"] is False


def test_r23_that_a_pin_is_absent_is_told_without_an_error(clerk: Clerk, tmp_path: Path) -> None:
    persona = tmp_path / "without-pin.yaml"
    lines = (Path(__file__).parents[2] / "simulators/cardsim/personas/social-ding-1.0.yaml").read_text(encoding="utf-8")
    persona.write_text("\n".join(line for line in lines.splitlines() if not line.startswith("pin:")), encoding="utf-8")
    clerk.insert(str(persona))
    clerk.wait("card.identified")
    with clerk.rig.client() as client:
        stands = client.call(CARD_PIN_QUERY, CardChoice())
    assert (stands.set, stands.tries_left) == (False, None)
