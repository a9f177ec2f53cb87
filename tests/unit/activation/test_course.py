"""What is kept of an activation's moves."""

from datetime import UTC, datetime, timedelta

import msgspec
from support.activations import JIA, OLD_JIA, YI

from cardd.activation import facts
from cardd.activation.case import Case, Say, from_row, masked, to_row
from cardd.activation.course import MOST_TURNS, Step, account, noted
from cardd.activation.effects import Effect
from cardd.activation.facts import CardIn, Fact, Look
from cardd.base.reasons import Reason
from cardd.wire.activation import Route, State
from cardd.wire.cards import Kind

BEGAN = datetime(2026, 5, 7, 8, tzinfo=UTC)
CASE = Case(
    id="ab",
    route=Route.HOSPITAL,
    station="counter-1",
    state=State.WAITING_SOCIAL_CARD,
    started="2026-05-07T08:00:00.000Z",
    client="till",
    operator="测试甲",
    say=Say(code="insert_card"),
)


def card_in(code: str | None, insertion: str = "1-1") -> CardIn:
    look = Look("front", "contact", "3.0", "sm4", None, 9, 9)
    return CardIn(insertion, "counter-1", Kind.SOCIAL_SECURITY, JIA.number, code, look=look)


def step(case: Case, outcome: facts.Outcome, fact: Fact = Fact.SOCIAL_CARD_IN, seconds: float = 1) -> Case:
    move = Step(fact, outcome, (Effect.READ_SOCIAL_CARD,), BEGAN + timedelta(seconds=seconds), ["front"])
    return noted(case, msgspec.structs.replace(case, state=State.READING_SOCIAL_CARD), move)


def test_cards_are_told_apart_by_what_is_on_them_and_shown_as_numbers() -> None:
    case = CASE
    for code in (JIA.identification_code, YI.identification_code, JIA.identification_code):
        case = step(case, card_in(code))
    assert [turn.card.card for turn in case.turns if turn.card] == [1, 2, 1]


def test_a_card_that_shows_nothing_of_its_own_is_another_one_each_time() -> None:
    case = CASE
    for insertion in ("1-1", "1-2"):
        outcome = CardIn(insertion, "counter-1", Kind.UNKNOWN)
        case = step(case, outcome, Fact.OTHER_CARD_IN)
    assert [turn.card.card for turn in case.turns if turn.card] == [1, 2]


def test_what_tells_cards_apart_is_stored_sealed_only_and_comes_back_with_the_case() -> None:
    case = step(CASE, card_in(JIA.identification_code))
    row = to_row(case)
    assert JIA.identification_code not in str(row.data)
    assert (from_row(row).cards, masked(case).cards) == (case.cards, ())
    assert from_row(row) == case


def test_of_very_many_moves_the_first_and_the_newest_are_kept() -> None:
    case = CASE
    for number in range(MOST_TURNS + 30):
        case = step(case, facts.CardTrouble("counter-1", Reason.CARD_MUTE), Fact.CARD_TROUBLE, number)
    assert (len(case.turns), case.turns_left_out) == (MOST_TURNS, 30)
    assert (case.turns[0].at_ms, case.turns[-1].at_ms) == (0, (MOST_TURNS + 29) * 1000)


def test_the_account_tells_neither_operator_nor_client_nor_card() -> None:
    case = msgspec.structs.replace(step(CASE, card_in(JIA.identification_code)), old_card=OLD_JIA, social=JIA)
    told = msgspec.json.encode(account(case)).decode()
    for one in ("测试甲", "till", OLD_JIA, JIA.number, JIA.identification_code, JIA.social_security_number, "front"):
        assert one not in told


def test_a_case_that_was_stored_before_there_were_accounts_has_an_empty_one() -> None:
    row = to_row(CASE)
    old = {name: value for name, value in row.data.items() if name not in {"setting", "turns", "turns_left_out"}}
    case = from_row(msgspec.structs.replace(row, data=old))
    assert (account(case).turns, account(case).setting) == ([], None)
