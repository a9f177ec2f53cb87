"""The routes' tables, taken apart without an engine."""

import itertools
from collections.abc import Iterator

import pytest

from cardd.activation import facts
from cardd.activation.authority import OldCardStanding, PasswordAnswer, Prospect, SocialCard, Standing, Verdict
from cardd.activation.effects import Effect, Purpose
from cardd.activation.facts import Fact
from cardd.activation.judge import judge
from cardd.activation.moves import AFTER_NO_RETURN, Known, Move
from cardd.activation.pharmacy import PHARMACY
from cardd.activation.pins import PIN_RULES, PinMoment, PinPolicy, PinStep
from cardd.activation.routes import TABLES
from cardd.base.reasons import REASONS, Reason, Retry
from cardd.base.texts import TEXTS
from cardd.wire.activation import ENDS, Outcome, Route, State
from cardd.wire.cards import Kind

S = State
OPEN = frozenset(State) - ENDS
OLD_CARD_STATES = frozenset({S.WAITING_OLD_CARD, S.READING_OLD_CARD, S.WAITING_OLD_PASSWORD})
STATES = {Route.PHARMACY: OPEN, Route.HOSPITAL: OPEN - OLD_CARD_STATES, Route.BANK: OPEN - OLD_CARD_STATES}
BEFORE = [(route, state) for route in Route for state in sorted(STATES[route] - AFTER_NO_RETURN)]
AFTER = [(route, state) for route in Route for state in sorted(AFTER_NO_RETURN)]
CARD = SocialCard(
    number="A00000012",
    identification_code="5101",
    region="510100",
    social_security_number="510101190001010012",
    name="测试甲",
)


def moves(route: Route) -> Iterator[tuple[State, Fact, Move]]:
    for state, row in TABLES[route].moves.items():
        for fact, move in row.items():
            yield state, fact, move


@pytest.mark.parametrize("route", Route)
def test_every_fact_is_defined_in_every_state_of_the_route_exactly_once(route: Route) -> None:
    table = TABLES[route]
    assert set(table.moves) == set(table.ignored) == STATES[route]
    undefined: list[str] = []
    twice: list[str] = []
    for state, fact in itertools.product(sorted(STATES[route]), Fact):
        defined = (fact in table.moves[state]) + (fact in table.ignored[state])
        (undefined if defined == 0 else twice if defined > 1 else []).append(f"{state} × {fact}")
    assert not undefined, "undefined:\n" + "\n".join(undefined)
    assert not twice, "defined twice:\n" + "\n".join(twice)


def test_a_pair_that_nobody_thought_of_is_an_error() -> None:
    with pytest.raises(KeyError):
        TABLES[Route.BANK][S.WAITING_OLD_CARD, Fact.CANCEL]


def reachable(route: Route, start: State) -> set[State]:
    found, todo = {start}, [start]
    while todo:
        for move in TABLES[route].moves.get(todo.pop(), {}).values():
            if move.to not in found:
                found.add(move.to)
                todo.append(move.to)
    return found


@pytest.mark.parametrize(("route", "state"), [*BEFORE, *AFTER])
def test_an_end_can_be_reached_from(route: Route, state: State) -> None:
    assert reachable(route, state) & ENDS


@pytest.mark.parametrize("route", Route)
def test_every_state_is_reached_from_the_beginning_and_no_other(route: Route) -> None:
    assert reachable(route, TABLES[route].begin.state) == STATES[route] | ENDS


@pytest.mark.parametrize(("route", "state"), AFTER)
def test_nothing_leads_back_from_beyond_the_point_of_no_return(route: Route, state: State) -> None:
    assert reachable(route, state) <= AFTER_NO_RETURN | {S.COMPLETED, S.REFUSED}


@pytest.mark.parametrize("route", Route)
def test_after_the_verdict_nothing_is_refused_any_more(route: Route) -> None:
    for state in (S.UPDATING_CARD, S.WAITING_SAME_CARD, S.CONFIRMING):
        assert reachable(route, state) & ENDS == {S.COMPLETED}


@pytest.mark.parametrize("route", Route)
def test_only_a_move_into_authorising_asks_the_authority_to_activate(route: Route) -> None:
    assert {move.to for _, _, move in moves(route) if Effect.ACTIVATE in move.do} == {S.AUTHORISING}


@pytest.mark.parametrize("route", Route)
def test_the_point_of_no_return_is_passed_by_asking_the_authority_only(route: Route) -> None:
    passing = [move for state, _, move in moves(route) if state not in AFTER_NO_RETURN and move.to in AFTER_NO_RETURN]
    assert passing
    assert all(move.do == (Effect.ACTIVATE,) for move in passing)


@pytest.mark.parametrize(("route", "state"), BEFORE)
def test_before_the_point_of_no_return_it_can_be_cancelled_and_expires(route: Route, state: State) -> None:
    row = TABLES[route].moves[state]
    assert row[Fact.CANCEL].to is S.CANCELLED
    assert row[Fact.DEADLINE].to is S.EXPIRED
    assert row[Fact.RESTARTED_LATE].to is S.EXPIRED


@pytest.mark.parametrize(("route", "state"), BEFORE)
def test_before_the_point_of_no_return_a_restart_goes_on_and_asks_for_nothing_that_is_in_memory_only(
    route: Route, state: State
) -> None:
    move = TABLES[route].moves[state][Fact.RESTARTED]
    assert move.to in STATES[route] - AFTER_NO_RETURN
    assert move.do in {(Effect.LOOK_AT_CARDS,), (Effect.READ_OLD_CARD,)} or move.ask is not None


@pytest.mark.parametrize(("route", "state"), AFTER)
def test_after_the_point_of_no_return_a_cancel_changes_nothing(route: Route, state: State) -> None:
    assert TABLES[route][state, Fact.CANCEL] is None


@pytest.mark.parametrize("route", Route)
def test_every_sentence_exists(route: Route) -> None:
    said = {move.say for _, _, move in moves(route) if move.say is not None} | {TABLES[route].begin.say}
    assert said <= set(TEXTS) | set(Reason)


@pytest.mark.parametrize("route", Route)
def test_a_move_that_waits_for_a_card_anew_looks_at_the_cards_that_are_in_or_asks_the_holder(route: Route) -> None:
    for state, fact, move in moves(route):
        if move.to in {S.WAITING_OLD_CARD, S.WAITING_SOCIAL_CARD, S.WAITING_SAME_CARD} - {state}:
            assert Effect.LOOK_AT_CARDS in move.do or move.ask is not None, f"{state} × {fact}"


@pytest.mark.parametrize("route", Route)
def test_a_wait_for_digits_has_a_prompt_or_is_at_work_on_them(route: Route) -> None:
    for state, fact, move in moves(route):
        if move.to in {S.WAITING_PIN, S.WAITING_OLD_PASSWORD}:
            assert (move.ask is None) != (move.do == ()), f"{state} × {fact}"


def card_in(kind: Kind, number: str | None = None, code: str | None = None) -> facts.CardIn:
    return facts.CardIn("1-1", "counter-1", kind, number, code)


def read(standing: Standing | None, reason: Reason | None = None, *, tries: int = 6) -> facts.SocialCardRead:
    prospect = None if standing is None else Prospect(standing=standing, reason=reason)
    return facts.SocialCardRead(CARD, None, None, prospect, tries)


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
    (facts.VerdictCame(Verdict(standing=Standing.GRANTED, updates={"F": {"1": "x"}})), Fact.GRANTED_WITH_UPDATES),
    (facts.VerdictCame(Verdict(standing=Standing.ALREADY_ACTIVE)), Fact.ALREADY_ACTIVE),
    (facts.VerdictCame(Verdict(standing=Standing.REFUSED, reason=Reason.CARD_LOST)), Fact.REFUSED),
    (facts.AuthoritySilent(), Fact.AUTHORITY_SILENT),
    (facts.PinChanged(), Fact.PIN_CHANGED),
    (facts.PinUnsure(2), Fact.PIN_UNSURE),
    (facts.PinUnsure(1), Fact.PIN_GIVEN_UP),
    (facts.Missing(Purpose.SOCIAL_PIN), Fact.PIN_MISSING),
    (facts.Missing(Purpose.NEW_PIN), Fact.NEW_PIN_MISSING),
    (facts.CardWritten(), Fact.CARD_WRITTEN),
    (facts.Confirmed(), Fact.CONFIRMED),
    (facts.CancelAsked(), Fact.CANCEL),
    (facts.DeadlinePassed(), Fact.DEADLINE),
    (facts.Restarted(), Fact.RESTARTED),
    (facts.Restarted(late=True), Fact.RESTARTED_LATE),
]


@pytest.mark.parametrize(("outcome", "fact"), JUDGED, ids=[f"{number}-{row[1]}" for number, row in enumerate(JUDGED)])
def test_an_outcome_is_judged_as(outcome: facts.Outcome, fact: Fact) -> None:
    rules = Known(old_number="7", identification_code="B")
    assert judge(State.READING_SOCIAL_CARD, outcome, rules) is fact


def known(policy: PinPolicy, step: PinStep = PinStep.DUE, *, password: bool = False) -> Known:
    return Known(identification_code="5101", pin_policy=policy, pin=step, holds_password=password)


VERIFIED = [PinPolicy.VERIFY, PinPolicy.CHANGE, PinPolicy.CHANGE_IS_ACTIVATION]
TORN, LEFT = PinStep.TORN, PinStep.LEFT
BY_RULE: list[tuple[State, facts.Outcome, Known, Fact]] = [
    *((S.READING_SOCIAL_CARD, read(Standing.GRANTED), known(policy), Fact.PIN_WANTED) for policy in VERIFIED),
    (S.READING_SOCIAL_CARD, read(Standing.GRANTED), known(PinPolicy.TAKE_OVER), Fact.NEW_PIN_WANTED),
    (S.READING_SOCIAL_CARD, read(Standing.GRANTED), known(PinPolicy.TAKE_OVER, password=True), Fact.SOCIAL_CARD_READY),
    *((S.READING_SOCIAL_CARD, read(Standing.GRANTED, tries=0), known(policy), Fact.PIN_LOCKED) for policy in VERIFIED),
    (S.READING_SOCIAL_CARD, read(Standing.GRANTED, tries=0), known(PinPolicy.TAKE_OVER), Fact.NEW_PIN_WANTED),
    (
        S.READING_SOCIAL_CARD,
        read(Standing.GRANTED, tries=0),
        known(PinPolicy.TAKE_OVER, password=True),
        Fact.SOCIAL_CARD_READY,
    ),
    (S.READING_SOCIAL_CARD, read(Standing.GRANTED, tries=0), known(PinPolicy.NONE), Fact.SOCIAL_CARD_READY),
    (S.READING_SOCIAL_CARD, read(Standing.GRANTED), known(PinPolicy.CHANGE_IS_ACTIVATION, TORN), Fact.PIN_UNSURE),
    (
        S.READING_SOCIAL_CARD,
        read(Standing.GRANTED, tries=1),
        known(PinPolicy.CHANGE_IS_ACTIVATION, TORN),
        Fact.PIN_GIVEN_UP,
    ),
    (
        S.READING_SOCIAL_CARD,
        read(Standing.GRANTED),
        Known(identification_code="another", pin_policy=PinPolicy.CHANGE_IS_ACTIVATION, pin=TORN),
        Fact.PIN_WANTED,
    ),
    (S.READING_SOCIAL_CARD, read(None), known(PinPolicy.VERIFY), Fact.AUTHORITY_SILENT),
    (S.WAITING_PIN, facts.PinVerified(), known(PinPolicy.VERIFY), Fact.PIN_RIGHT),
    (S.WAITING_PIN, facts.PinVerified(), known(PinPolicy.CHANGE), Fact.NEW_PIN_WANTED),
    (S.WAITING_PIN, facts.PinVerified(), known(PinPolicy.CHANGE_IS_ACTIVATION, TORN), Fact.PIN_CHANGED),
    (S.WAITING_PIN, facts.Answered(Purpose.NEW_PIN), known(PinPolicy.CHANGE), Fact.NEW_PIN_READY),
    (S.WAITING_PIN, facts.Answered(Purpose.NEW_PIN), known(PinPolicy.TAKE_OVER), Fact.NEW_PIN_READY),
    (S.WAITING_PIN, facts.Answered(Purpose.NEW_PIN), known(PinPolicy.CHANGE_IS_ACTIVATION), Fact.NEW_PIN_TO_SET),
    (
        S.WAITING_PIN,
        facts.Answered(Purpose.NEW_PIN),
        known(PinPolicy.CHANGE_IS_ACTIVATION, TORN),
        Fact.NEW_PIN_TO_CHECK,
    ),
    (S.WAITING_PIN, facts.CardFailed(Reason.PIN_WRONG, 3), known(PinPolicy.CHANGE, TORN), Fact.PIN_NOT_CHANGED),
    (S.WAITING_SAME_CARD, facts.Answered(Purpose.NEW_PIN), known(PinPolicy.CHANGE, TORN), Fact.NEW_PIN_READY),
    (S.UPDATING_CARD, facts.PinVerified(), known(PinPolicy.CHANGE, TORN), Fact.PIN_CHANGED),
    (S.UPDATING_CARD, facts.CardWritten(), known(PinPolicy.CHANGE, LEFT), Fact.WRITTEN_IN_PART),
    (
        S.AUTHORISING,
        facts.VerdictCame(Verdict(standing=Standing.GRANTED)),
        known(PinPolicy.CHANGE),
        Fact.GRANTED_WITH_UPDATES,
    ),
    (S.READING_OLD_CARD, facts.CardFailed(Reason.OLD_CARD_UNREADABLE), known(PinPolicy.NONE), Fact.UNREADABLE),
    (S.READING_OLD_CARD, facts.CardFailed(Reason.INTERNAL), known(PinPolicy.NONE), Fact.REFUSED),
    (S.UPDATING_CARD, facts.CardFailed(Reason.KEY_STOPPED), known(PinPolicy.NONE), Fact.UNREADABLE),
    (S.WAITING_OLD_CARD, card_in(Kind.SOCIAL_SECURITY), Known(without_old_card=True), Fact.SOCIAL_CARD_INSTEAD),
]


@pytest.mark.parametrize("row", BY_RULE, ids=[f"{number}-{row[0]}-{row[3]}" for number, row in enumerate(BY_RULE)])
def test_by_the_rules_that_hold_it_is_judged_as(row: tuple[State, facts.Outcome, Known, Fact]) -> None:
    state, outcome, rules, fact = row
    assert judge(state, outcome, rules) is fact


def test_every_fact_is_the_judgement_of_something() -> None:
    assert set(Fact) == {fact for _, fact in JUDGED} | {row[3] for row in BY_RULE}


@pytest.mark.parametrize("policy", PinPolicy)
def test_a_pin_policy_says_what_every_moment_comes_to(policy: PinPolicy) -> None:
    assert set(PIN_RULES[policy].facts) == set(PinMoment)
    assert (PIN_RULES[policy].setter is None) == (policy in {PinPolicy.NONE, PinPolicy.VERIFY})


def test_an_old_card_that_cannot_be_read_is_refused_as_unreadable() -> None:
    fact = judge(State.READING_OLD_CARD, facts.CardFailed(Reason.STATUS_WORD), Known())
    assert PHARMACY.moves[S.READING_OLD_CARD][fact].say == "OLD_CARD_UNREADABLE"


def test_a_write_that_can_never_succeed_leaves_the_update_pending() -> None:
    fact = judge(State.UPDATING_CARD, facts.CardFailed(Reason.KEY_STOPPED), Known())
    assert PHARMACY.moves[S.UPDATING_CARD][fact].outcome is Outcome.ACTIVATED_UPDATE_PENDING


PAUSES = [
    (Route.PHARMACY, S.WAITING_OLD_CARD, Fact.SOCIAL_CARD_IN, "social_card_first"),
    (Route.PHARMACY, S.WAITING_OLD_CARD, Fact.OTHER_CARD_IN, "CARD_UNKNOWN"),
    (Route.PHARMACY, S.WAITING_SOCIAL_CARD, Fact.SAME_OLD_CARD_IN, "same_old_card"),
    (Route.PHARMACY, S.WAITING_SOCIAL_CARD, Fact.OLD_CARD_IN, "other_old_card"),
    (Route.HOSPITAL, S.WAITING_SOCIAL_CARD, Fact.OLD_CARD_IN, "old_card_not_needed"),
    (Route.BANK, S.WAITING_SOCIAL_CARD, Fact.OLD_CARD_IN, "old_card_not_needed"),
    *((route, S.WAITING_SOCIAL_CARD, Fact.OTHER_CARD_IN, "CARD_UNKNOWN") for route in Route),
    *((route, S.WAITING_SAME_CARD, Fact.SOCIAL_CARD_IN, "stranger_card") for route in Route),
    *((route, S.WAITING_SAME_CARD, Fact.OLD_CARD_IN, "stranger_card") for route in Route),
]


@pytest.mark.parametrize(("route", "state", "fact", "say"), PAUSES)
def test_a_wrong_card_pauses_with_a_prompt(route: Route, state: State, fact: Fact, say: str) -> None:
    move = TABLES[route].moves[state][fact]
    assert (move.to, move.say, move.do) == (state, say, ())


@pytest.mark.parametrize("reason", [reason for reason in Reason if REASONS[reason].retry is Retry.NEVER])
def test_no_failure_of_a_card_leaves_its_reading_hanging(reason: Reason) -> None:
    for state in (S.READING_OLD_CARD, S.READING_SOCIAL_CARD):
        if (state, reason) != (S.READING_OLD_CARD, Reason.PIN_LOCKED):
            assert PHARMACY[state, judge(state, facts.CardFailed(reason), Known())] is not None
