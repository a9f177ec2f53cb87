"""Operations in two steps, on cards that are exchanged between them without the reader's noticing."""

from collections.abc import Callable

import pytest
from support.cards import DEADLINE, OpenCard, insert, software_keys

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import factors
from cardd.desk.hsm import Answer, Challenge
from cardd.desk.identify import identify
from cardd.desk.stopped import StoppedKeys
from cardd.desk.two_steps import BasicBegun, KeyBegun, begin_basic, begin_key, finish_basic, show_key
from cardd.iso7816.atr import parse_atr
from cardd.rules.files import FILES
from cardd.rules.keys import KeyName

EXTERNAL_AUTHENTICATION = 0x82
RULE = FILES["DF04EF05"]


def exchanged(card: OpenCard, persona: str) -> None:
    """Have another card answer from now on, powered anew, and nobody told."""
    other = insert(persona)
    card.channel._transmit = other.card.transmit


def begun(card: OpenCard) -> BasicBegun:
    found = begin_basic(card.channel, card.insertion)
    assert isinstance(found, BasicBegun)
    return found


def computed(card: OpenCard, key: KeyName, challenge: Challenge, algorithm: Algorithm) -> Answer:
    made = factors("510100", parse_atr(card.insertion.atr).historical)
    keys = software_keys()
    data = keys.authentication_data(
        key, algorithm, made, challenge.process_factor, challenge.original, deadline=DEADLINE
    )
    return Answer(data, challenge.original)


def finish(card: OpenCard, step: BasicBegun, stopped: StoppedKeys) -> None:
    algorithm = step.card.algorithm
    internal = computed(card, KeyName.IRK, step.internal, algorithm)
    external = None if step.external is None else computed(card, KeyName.RKSSSE, step.external, algorithm)
    finish_basic(card.channel, card.insertion, step, internal, external, DEADLINE, stopped=stopped)


def refusal(work: Callable[[], None]) -> Reason:
    with pytest.raises(CarddError) as caught:
        work()
    return caught.value.reason


@pytest.mark.parametrize("persona", ["p1-1.0-des", "p2-2.0-des", "p3-3.0-sm4"])
@pytest.mark.parametrize("other", ["social-jia-3.0", "p5-offline", "old-jia"])
def test_another_card_is_told_and_none_of_its_data(persona: str, other: str) -> None:
    card, stopped = insert(persona), StoppedKeys()
    step = begun(card)
    exchanged(card, other)
    assert refusal(lambda: finish(card, step, stopped)) is Reason.CARD_DATA_DIFFERS
    assert stopped.of(card.insertion.station) == ()


def test_the_same_card_is_read() -> None:
    for persona in ("p1-1.0-des", "p2-2.0-des", "p3-3.0-sm4"):
        card = insert(persona)
        finish(card, begun(card), StoppedKeys())


def test_nothing_is_shown_to_a_card_whose_proof_is_wrong() -> None:
    card = insert("p4-bad-irk")
    assert refusal(lambda: finish(card, begun(card), StoppedKeys())) is Reason.CARD_NOT_GENUINE
    assert EXTERNAL_AUTHENTICATION not in card.record.instructions


def key_step(card: OpenCard) -> KeyBegun:
    expected = identify(card.channel, card.insertion, None, DEADLINE)
    return begin_key(card.channel, card.insertion, expected, RULE)


def test_a_key_is_shown_to_the_card_that_was_asked_alone() -> None:
    card, stopped = insert("p3-3.0-sm4"), StoppedKeys()
    step = key_step(card)
    answer = computed(card, KeyName.UK1DF04, step.challenge, step.card.algorithm)
    exchanged(card, "social-jia-3.0")

    def show() -> None:
        show_key(card.channel, card.insertion, step, KeyName.UK1DF04, answer, DEADLINE, stopped=stopped)

    assert refusal(show) is Reason.CARD_DATA_DIFFERS
    assert stopped.of(card.insertion.station) == ()


def test_a_key_that_the_card_refuses_is_stopped_and_not_shown_again() -> None:
    card, stopped = insert("p3-3.0-sm4"), StoppedKeys()
    step = key_step(card)
    wrong = Answer(bytes(8), step.challenge.original)

    def show() -> None:
        show_key(card.channel, card.insertion, step, KeyName.UK1DF04, wrong, DEADLINE, stopped=stopped)

    assert refusal(show) is Reason.KEY_STOPPED
    assert stopped.of(card.insertion.station) == (KeyName.UK1DF04,)
    shown = card.record.instructions.count(EXTERNAL_AUTHENTICATION)
    assert refusal(show) is Reason.KEY_STOPPED
    assert card.record.instructions.count(EXTERNAL_AUTHENTICATION) == shown
