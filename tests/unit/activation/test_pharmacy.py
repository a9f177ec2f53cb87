"""The pharmacy's tables, taken apart without an engine."""

import itertools

import pytest

from cardd.activation import facts
from cardd.activation.authority import OldCardStanding, PasswordAnswer, Prospect, SocialCard, Standing, Verdict
from cardd.activation.effects import Effect, Purpose
from cardd.activation.facts import Fact
from cardd.activation.pharmacy import AFTER_NO_RETURN, IGNORED, MOVES, TABLE, Known, judge
from cardd.base.reasons import REASONS, Reason, Retry
from cardd.base.texts import TEXTS
from cardd.wire.activation import ENDS, Outcome, State
from cardd.wire.cards import Kind

OPEN = [state for state in State if state not in ENDS]
CARD = SocialCard(
    number="A00000012",
    identification_code="5101",
    region="510100",
    social_security_number="510101190001010012",
    name="测试甲",
)


def test_every_fact_is_defined_in_every_open_state_exactly_once() -> None:
    missing = [f"{state} × {fact}" for state, fact in itertools.product(OPEN, Fact) if (state, fact) not in TABLE]
    twice = [f"{state} × {fact}" for state in OPEN for fact in Fact if fact in MOVES[state] and fact in IGNORED[state]]
    assert not missing, "undefined:\n" + "\n".join(missing)
    assert not twice, "defined twice:\n" + "\n".join(twice)
    assert len(TABLE) == len(OPEN) * len(Fact)


def test_an_end_has_no_row() -> None:
    assert {state for state, _ in TABLE} == set(OPEN)


def reachable(start: State) -> set[State]:
    found, todo = {start}, [start]
    while todo:
        for move in MOVES.get(todo.pop(), {}).values():
            if move.to not in found:
                found.add(move.to)
                todo.append(move.to)
    return found


@pytest.mark.parametrize("state", OPEN)
def test_an_end_can_be_reached_from(state: State) -> None:
    assert reachable(state) & ENDS


def test_every_state_is_reached_from_the_beginning() -> None:
    assert reachable(State.WAITING_OLD_CARD) == set(State)


@pytest.mark.parametrize("state", sorted(AFTER_NO_RETURN))
def test_nothing_leads_back_from_beyond_the_point_of_no_return(state: State) -> None:
    assert reachable(state) <= AFTER_NO_RETURN | {State.COMPLETED, State.REFUSED}


def test_after_the_verdict_nothing_is_refused_any_more() -> None:
    for state in (State.UPDATING_CARD, State.WAITING_SAME_CARD, State.CONFIRMING):
        assert reachable(state) & ENDS == {State.COMPLETED}


def test_only_a_move_into_authorising_asks_the_authority_to_activate() -> None:
    asking = {move.to for move in TABLE.values() if move is not None and Effect.ACTIVATE in move.do}
    assert asking == {State.AUTHORISING}


@pytest.mark.parametrize("state", [state for state in OPEN if state not in AFTER_NO_RETURN])
def test_before_the_point_of_no_return_it_can_be_cancelled_and_expires(state: State) -> None:
    assert MOVES[state][Fact.CANCEL].to is State.CANCELLED
    assert MOVES[state][Fact.DEADLINE].to is State.EXPIRED
    assert MOVES[state][Fact.RESTARTED].to is State.EXPIRED


@pytest.mark.parametrize("state", sorted(AFTER_NO_RETURN))
def test_after_the_point_of_no_return_a_cancel_changes_nothing(state: State) -> None:
    assert TABLE[state, Fact.CANCEL] is None


def test_every_sentence_exists() -> None:
    said = {move.say for move in TABLE.values() if move is not None and move.say is not None}
    assert said <= set(TEXTS) | set(Reason)


def test_a_move_that_waits_for_a_card_anew_looks_at_the_cards_that_are_in() -> None:
    for state, row in MOVES.items():
        for fact, move in row.items():
            if move.to in {State.WAITING_OLD_CARD, State.WAITING_SOCIAL_CARD, State.WAITING_SAME_CARD} - {state}:
                assert Effect.LOOK_AT_CARDS in move.do, f"{state} × {fact}"


def card_in(kind: Kind, number: str | None = None, code: str | None = None) -> facts.CardIn:
    return facts.CardIn("1-1", "counter-1", kind, number, code)


def read(standing: Standing, reason: Reason | None = None) -> facts.SocialCardRead:
    return facts.SocialCardRead(CARD, None, None, Prospect(standing=standing, reason=reason))


JUDGED: list[tuple[facts.Outcome, Fact]] = [
    (card_in(Kind.MEDICAL_INSURANCE, number="1"), Fact.OLD_CARD_IN),
    (card_in(Kind.MEDICAL_INSURANCE, number="7"), Fact.SAME_OLD_CARD_IN),
    (card_in(Kind.MEDICAL_INSURANCE), Fact.OLD_CARD_IN),
    (card_in(Kind.SOCIAL_SECURITY, code="A"), Fact.SOCIAL_CARD_IN),
    (card_in(Kind.SOCIAL_SECURITY, code="B"), Fact.SAME_SOCIAL_CARD_IN),
    (card_in(Kind.BANK), Fact.OTHER_CARD_IN),
    (card_in(Kind.UNKNOWN), Fact.OTHER_CARD_IN),
    (card_in(Kind.PSAM), Fact.OTHER_CARD_IN),
    (facts.CardTrouble("counter-1", Reason.CARD_MUTE), Fact.CARD_TROUBLE),
    (facts.CardGone("1-1", "counter-1"), Fact.CARD_GONE),
    (facts.CardFailed(Reason.CARD_REMOVED), Fact.CARD_GONE),
    (facts.CardFailed(Reason.STALE_INSERTION), Fact.CARD_GONE),
    (facts.CardFailed(Reason.CARD_NOT_GENUINE), Fact.REFUSED),
    (facts.CardFailed(Reason.KEY_STOPPED), Fact.REFUSED),
    (facts.CardFailed(Reason.PSAM_ABSENT), Fact.READING_FAILED),
    (facts.CardFailed(Reason.CARD_DATA_DIFFERS), Fact.READING_FAILED),
    (facts.CardFailed(Reason.READER_IN_USE), Fact.READING_FAILED),
    (facts.CardFailed(Reason.TIMEOUT), Fact.READING_FAILED),
    (facts.CardFailed(Reason.PIN_WRONG, 3), Fact.PIN_WRONG),
    (facts.CardFailed(Reason.PIN_LOCKED), Fact.PIN_LOCKED),
    (facts.CardFailed(Reason.AUTHORITY_UNAVAILABLE), Fact.AUTHORITY_SILENT),
    (facts.OldCardLookedUp("7", OldCardStanding()), Fact.OLD_CARD_ACCEPTED),
    (facts.OldCardLookedUp("7", OldCardStanding(password=True, tries_left=2)), Fact.PASSWORD_WANTED),
    (facts.OldCardLookedUp("7", OldCardStanding(refusal=Reason.OLD_CARD_LOST)), Fact.REFUSED),
    (facts.Answered(Purpose.OLD_CARD_PASSWORD), Fact.PASSWORD_GIVEN),
    (facts.Answered(Purpose.SOCIAL_PIN), Fact.PIN_GIVEN),
    (facts.PromptCancelled(), Fact.PROMPT_CANCELLED),
    (facts.PasswordChecked(PasswordAnswer(right=True, tries_left=3)), Fact.PASSWORD_RIGHT),
    (facts.PasswordChecked(PasswordAnswer(right=False, tries_left=2)), Fact.PASSWORD_WRONG),
    (facts.PasswordChecked(PasswordAnswer(right=False, tries_left=0)), Fact.PASSWORD_LOCKED),
    (read(Standing.GRANTED), Fact.SOCIAL_CARD_READY),
    (read(Standing.ALREADY_ACTIVE), Fact.ALREADY_ACTIVE),
    (read(Standing.REFUSED, Reason.OTHER_PERSON), Fact.REFUSED),
    (facts.PinVerified(), Fact.PIN_RIGHT),
    (facts.VerdictCame(None), Fact.OUTCOME_UNKNOWN),
    (facts.VerdictCame(Verdict(standing=Standing.GRANTED)), Fact.GRANTED),
    (facts.VerdictCame(Verdict(standing=Standing.GRANTED, updates={"F": {"1": "x"}})), Fact.GRANTED_WITH_RECORDS),
    (facts.VerdictCame(Verdict(standing=Standing.ALREADY_ACTIVE)), Fact.ALREADY_ACTIVE),
    (facts.VerdictCame(Verdict(standing=Standing.REFUSED, reason=Reason.CARD_LOST)), Fact.REFUSED),
    (facts.AuthoritySilent(), Fact.AUTHORITY_SILENT),
    (facts.CardWritten(), Fact.CARD_WRITTEN),
    (facts.Confirmed(), Fact.CONFIRMED),
    (facts.CancelAsked(), Fact.CANCEL),
    (facts.DeadlinePassed(), Fact.DEADLINE),
    (facts.Restarted(), Fact.RESTARTED),
]


@pytest.mark.parametrize(("outcome", "fact"), JUDGED, ids=[f"{number}-{row[1]}" for number, row in enumerate(JUDGED)])
def test_an_outcome_is_judged_as(outcome: facts.Outcome, fact: Fact) -> None:
    known = Known(old_number="7", identification_code="B")
    assert judge(State.READING_SOCIAL_CARD, outcome, known) is fact


def test_every_fact_but_those_of_other_states_is_the_judgement_of_something() -> None:
    assert set(Fact) - {fact for _, fact in JUDGED} == {Fact.PIN_WANTED, Fact.UNREADABLE}


def test_the_social_pin_is_wanted_only_by_policy() -> None:
    assert judge(State.READING_SOCIAL_CARD, read(Standing.GRANTED), Known(ask_pin=True)) is Fact.PIN_WANTED


def test_an_old_card_that_cannot_be_read_is_refused_as_unreadable() -> None:
    fact = judge(State.READING_OLD_CARD, facts.CardFailed(Reason.STATUS_WORD), Known())
    assert MOVES[State.READING_OLD_CARD][fact].say == "OLD_CARD_UNREADABLE"


def test_a_write_that_can_never_succeed_leaves_the_update_pending() -> None:
    fact = judge(State.UPDATING_CARD, facts.CardFailed(Reason.KEY_STOPPED), Known())
    assert MOVES[State.UPDATING_CARD][fact].outcome is Outcome.ACTIVATED_UPDATE_PENDING


PAUSES = [
    (State.WAITING_OLD_CARD, Fact.SOCIAL_CARD_IN, "social_card_first"),
    (State.WAITING_OLD_CARD, Fact.OTHER_CARD_IN, "CARD_UNKNOWN"),
    (State.WAITING_SOCIAL_CARD, Fact.SAME_OLD_CARD_IN, "same_old_card"),
    (State.WAITING_SOCIAL_CARD, Fact.OLD_CARD_IN, "other_old_card"),
    (State.WAITING_SOCIAL_CARD, Fact.OTHER_CARD_IN, "CARD_UNKNOWN"),
    (State.WAITING_SAME_CARD, Fact.SOCIAL_CARD_IN, "stranger_card"),
    (State.WAITING_SAME_CARD, Fact.OLD_CARD_IN, "stranger_card"),
]


@pytest.mark.parametrize(("state", "fact", "say"), PAUSES)
def test_a_wrong_card_pauses_with_a_prompt(state: State, fact: Fact, say: str) -> None:
    move = MOVES[state][fact]
    assert (move.to, move.say, move.do) == (state, say, ())


@pytest.mark.parametrize("reason", [reason for reason in Reason if REASONS[reason].retry is Retry.NEVER])
def test_no_failure_of_a_card_leaves_its_reading_hanging(reason: Reason) -> None:
    for state in (State.READING_OLD_CARD, State.READING_SOCIAL_CARD):
        if reason is not Reason.PIN_LOCKED:
            assert TABLE[state, judge(state, facts.CardFailed(reason), Known())] is not None
