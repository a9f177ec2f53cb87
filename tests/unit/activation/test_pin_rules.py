"""The PIN policies at work: who types what, what the card hears, and what becomes of a change that was torn."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from support.activations import BING, JIA, OLD_BING, OLD_JIA, OLD_YI, PASSWORD, PIN, YI, Bench, FakeCounter, bench
from support.readers import ManualClock

from cardd.activation.authority import PasswordAnswer
from cardd.activation.case import Case, Say
from cardd.activation.effects import Effect, Purpose
from cardd.activation.pins import PinPolicy
from cardd.activation.policy import Policy
from cardd.activation.work import Job, Work
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.desk.prompts import Prompts
from cardd.wire.activation import Outcome, Route, State

pytestmark = pytest.mark.asyncio

Tear = Callable[[Bench, int], Awaitable[str]]

NEW = "864209"
BOTH = (PIN.encode(), NEW.encode())
TAKE_OVER = Policy(pin_policy=PinPolicy.TAKE_OVER)
CHANGE = Policy(pin_policy=PinPolicy.CHANGE)
CHANGE_FIRST = Policy(pin_policy=PinPolicy.CHANGE_IS_ACTIVATION)


async def visit(b: Bench) -> str:
    activation = await b.start(route=Route.HOSPITAL)
    b.counter.put_social(JIA)
    return activation


async def hand_over(b: Bench, old: str) -> str:
    activation = await b.start()
    b.counter.put_old(old)
    if old == OLD_YI:
        await b.type(activation, PASSWORD)
    await b.until(activation, State.WAITING_SOCIAL_CARD)
    return activation


async def type_both(b: Bench, activation: str) -> None:
    await b.until(activation, State.WAITING_PIN, "social_pin")
    await b.type(activation, PIN)
    await b.until(activation, State.WAITING_PIN, "new_pin")
    await b.type(activation, NEW)


async def test_the_old_cards_password_becomes_the_pin_after_the_grant(tmp_path: Path) -> None:
    async with bench(tmp_path, TAKE_OVER) as b:
        activation = await hand_over(b, OLD_YI)
        b.counter.put_social(YI)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.counter.reloaded == [PASSWORD.encode()]
        assert b.types().count("pin.changed") == 1
        assert b.types().index("pin.changed") > b.types().index("prompt.closed")
        assert b.line.asked.index("activate") > b.line.asked.index("verify_old_password")


async def test_without_a_password_to_take_over_the_holder_chooses_a_pin(tmp_path: Path) -> None:
    async with bench(tmp_path, TAKE_OVER) as b:
        activation = await hand_over(b, OLD_JIA)
        b.counter.put_social(JIA)
        view = await b.until(activation, State.WAITING_PIN, "new_pin")
        assert view.prompt is not None
        assert view.prompt.purpose == "new_pin"
        await b.type(activation, NEW)
        await b.until(activation, State.COMPLETED)
        assert b.counter.reloaded == [NEW.encode()]


async def test_taking_over_is_for_the_pharmacy_only(tmp_path: Path) -> None:
    async with bench(tmp_path, TAKE_OVER) as b:
        activation = await visit(b)
        await b.until(activation, State.COMPLETED)
        assert b.counter.reloaded == []


async def test_a_password_that_a_restart_forgot_is_asked_for_when_it_is_needed(tmp_path: Path) -> None:
    async with bench(tmp_path, TAKE_OVER) as b:
        b.counter.hold("reload_pin")
        activation = await hand_over(b, OLD_YI)
        b.counter.put_social(YI)
        await b.until(activation, State.UPDATING_CARD)
    counter = FakeCounter()
    counter.put_social(YI)
    async with bench(tmp_path, TAKE_OVER, counter=counter) as b:
        await b.until(activation, State.WAITING_SAME_CARD, "new_pin")
        await b.type(activation, PASSWORD)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert counter.reloaded == [PASSWORD.encode()]


async def test_a_take_over_torn_by_the_issuers_right_is_simply_done_again(tmp_path: Path) -> None:
    async with bench(tmp_path, TAKE_OVER) as b:
        activation = await hand_over(b, OLD_YI)
        b.counter.fail("reload_pin", Reason.CARD_REMOVED)
        b.counter.put_social(YI)
        await b.until(activation, State.WAITING_SAME_CARD, "same_card_again")
        b.counter.put_social(YI)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.counter.reloaded == [PASSWORD.encode()]


async def test_the_holder_changes_the_pin_after_the_centres_word(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE) as b:
        activation = await visit(b)
        await type_both(b, activation)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert (b.counter.pins, b.counter.changed) == ([PIN.encode()], [BOTH])
        assert b.types().count("pin.changed") == 1
        assert "card.written" not in b.types()


async def test_a_new_pin_and_records_are_both_put_on_the_card_the_pin_first(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE) as b:
        activation = await hand_over(b, OLD_BING)
        b.counter.put_social(BING)
        await type_both(b, activation)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        types = b.types()
        assert types.index("pin.changed") < types.index("card.written")
        assert len(b.counter.written) == 1


async def test_where_the_change_is_the_activation_the_centre_is_asked_after_it(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE_FIRST, cut=["activate", "outcome"]) as b:
        activation = await visit(b)
        await type_both(b, activation)
        await b.until(activation, State.IN_DOUBT)
        assert b.counter.changed == [BOTH]
        b.line.mend()
        for _ in range(3):
            await b.settle()
            b.clock.advance(31)
        await b.until(activation, State.COMPLETED)
        assert b.counter.changed == [BOTH]


async def test_without_the_change_nobody_is_activated_where_it_is_the_activation(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE_FIRST) as b:
        activation = await visit(b)
        b.counter.fail("change_pin", Reason.STATUS_WORD)
        await type_both(b, activation)
        assert (await b.until(activation, State.REFUSED)).reason == "STATUS_WORD"
        assert b.line.requests == []


async def test_the_present_pin_is_no_new_one(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE) as b:
        activation = await visit(b)
        await b.type(activation, PIN)
        view = await b.until(activation, State.WAITING_PIN, "new_pin")
        assert view.prompt is not None
        assert view.prompt.prompt is not None
        with pytest.raises(CarddError) as error:
            await b.engine.answer(view.prompt.prompt, Secret(PIN.encode()))
        assert error.value.reason is Reason.PIN_UNCHANGED
        await b.engine.answer(view.prompt.prompt, Secret(NEW.encode()))
        await b.until(activation, State.COMPLETED)


async def test_a_card_whose_pin_is_locked_is_refused_before_anybody_types(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE) as b:
        b.counter.tries = 0
        activation = await visit(b)
        assert (await b.until(activation, State.REFUSED)).reason == "PIN_LOCKED"
        assert "prompt.opened" not in b.types()


@pytest.mark.parametrize(("old", "social", "typed"), [(OLD_YI, YI, PASSWORD), (OLD_JIA, JIA, NEW)])
async def test_a_locked_pin_keeps_no_issuer_from_setting_a_new_one(
    tmp_path: Path, old: str, social: Any, typed: str
) -> None:
    async with bench(tmp_path, TAKE_OVER) as b:
        b.counter.tries = 0
        activation = await hand_over(b, old)
        b.counter.put_social(social)
        if old == OLD_JIA:
            view = await b.until(activation, State.WAITING_PIN, "new_pin")
            assert view.prompt is not None
            # nothing of the old PIN is at stake, and so nothing of it is told
            assert view.prompt.tries_left is None
            await b.type(activation, NEW)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.counter.reloaded == [typed.encode()]


async def torn_before(b: Bench, tries: int) -> str:
    """Bring a change that is the activation to the point where its answer is lost and the card is back."""
    activation = await visit(b)
    b.counter.fail("change_pin", Reason.CARD_REMOVED)
    await type_both(b, activation)
    await b.until(activation, State.WAITING_SOCIAL_CARD, "card_pulled")
    b.counter.tries = tries
    b.counter.put_social(JIA)
    return activation


async def torn_after(b: Bench, tries: int) -> str:
    """Bring a change after the grant to the point where its answer is lost and the card is back."""
    activation = await visit(b)
    b.counter.fail("change_pin", Reason.CARD_REMOVED)
    await type_both(b, activation)
    await b.until(activation, State.WAITING_SAME_CARD, "same_card_again")
    b.counter.tries = tries
    b.counter.put_social(JIA)
    return activation


TORN = [(CHANGE_FIRST, torn_before, State.WAITING_PIN), (CHANGE, torn_after, State.WAITING_SAME_CARD)]
BY_RULE = pytest.mark.parametrize(("policy", "tear", "state"), TORN, ids=["before the grant", "after the grant"])


@BY_RULE
async def test_a_torn_change_that_was_made_is_found_by_one_verify_of_what_the_holder_types_again(
    tmp_path: Path, policy: Policy, tear: Tear, state: State
) -> None:
    async with bench(tmp_path, policy) as b:
        activation = await tear(b, 5)
        view = await b.until(activation, state, "pin_torn")
        assert view.prompt is not None
        assert (view.prompt.purpose, view.prompt.tries_left) == ("new_pin", 5)
        assert b.counter.pins == [PIN.encode()]
        await b.type(activation, NEW)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert (b.counter.pins, b.counter.changed) == ([PIN.encode(), NEW.encode()], [])
        assert b.types().count("pin.changed") == 1


@BY_RULE
async def test_a_torn_change_that_was_not_made_is_made_once_the_holder_has_typed_both_again(
    tmp_path: Path, policy: Policy, tear: Tear, state: State
) -> None:
    async with bench(tmp_path, policy) as b:
        activation = await tear(b, 5)
        await b.until(activation, state, "pin_torn")
        b.counter.fail("verify_pin", Reason.PIN_WRONG, tries_left=4)
        await b.type(activation, NEW)
        view = await b.until(activation, state, "pin_not_changed")
        assert view.prompt is not None
        assert (view.prompt.purpose, view.prompt.tries_left) == ("social_pin", 4)
        await b.type(activation, PIN)
        await b.until(activation, state, "new_pin")
        await b.type(activation, NEW)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.counter.changed == [BOTH]


async def test_with_fewer_than_two_tries_nothing_is_tried_and_the_pin_is_left(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE) as b:
        activation = await torn_after(b, 1)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED_UPDATE_PENDING
        assert b.counter.pins == [PIN.encode()]
    other = tmp_path / "before"
    other.mkdir()
    async with bench(other, CHANGE_FIRST) as b:
        activation = await torn_before(b, 1)
        assert (await b.until(activation, State.REFUSED)).reason == "PIN_LOCKED"
        assert b.counter.pins == [PIN.encode()]
        assert b.line.requests == []


async def test_a_holder_who_types_nothing_after_a_tear_keeps_the_pin_as_it_is(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE) as b:
        activation = await torn_after(b, 5)
        view = await b.until(activation, State.WAITING_SAME_CARD, "pin_torn")
        assert view.prompt is not None
        assert view.prompt.prompt is not None
        await b.engine.answer(view.prompt.prompt, None)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED_UPDATE_PENDING
        assert b.counter.pins == [PIN.encode()]


async def test_a_crash_in_the_change_is_a_tear(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE) as b:
        b.counter.hold("change_pin")
        activation = await visit(b)
        await type_both(b, activation)
        await b.until(activation, State.UPDATING_CARD)
    counter = FakeCounter()
    counter.put_social(JIA)
    async with bench(tmp_path, CHANGE, counter=counter) as b:
        await b.until(activation, State.WAITING_SAME_CARD, "pin_torn")
        assert (counter.pins, counter.changed) == ([], [])
        await b.type(activation, NEW)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert (counter.pins, counter.changed) == ([NEW.encode()], [])


async def test_a_crash_in_the_change_that_is_the_activation_is_a_tear_too(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE_FIRST) as b:
        b.counter.hold("change_pin")
        activation = await visit(b)
        await type_both(b, activation)
        await b.until(activation, State.WAITING_PIN, "changing_pin")
    counter = FakeCounter()
    async with bench(tmp_path, CHANGE_FIRST, counter=counter) as b:
        await b.until(activation, State.WAITING_SOCIAL_CARD, "secret_lost")
        counter.put_social(JIA)
        await b.until(activation, State.WAITING_PIN, "pin_torn")
        await b.type(activation, NEW)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert (counter.pins, counter.changed) == ([NEW.encode()], [])


async def test_another_card_after_a_tear_begins_anew_and_owes_nothing_to_the_torn_one(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE_FIRST) as b:
        activation = await visit(b)
        b.counter.fail("change_pin", Reason.CARD_REMOVED)
        await type_both(b, activation)
        await b.until(activation, State.WAITING_SOCIAL_CARD, "card_pulled")
        b.counter.put_social(YI)
        await b.until(activation, State.WAITING_PIN, "social_pin")
        await b.type(activation, PIN)
        await b.until(activation, State.WAITING_PIN, "new_pin")
        await b.type(activation, NEW)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.counter.changed == [BOTH]


async def test_a_card_that_was_out_before_the_change_was_sent_is_not_torn(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE) as b:
        b.line.hold("activate")
        activation = await visit(b)
        await type_both(b, activation)
        await b.until(activation, State.AUTHORISING)
        b.counter.pull(next(iter(b.counter.present)))
        b.line.gates["activate"].set()
        await b.until(activation, State.WAITING_SAME_CARD, "same_card_again")
        b.counter.put_social(JIA)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert (b.counter.pins, b.counter.changed) == ([PIN.encode()], [BOTH])


class Centre:
    """A centre that finds every password right, or none."""

    def __init__(self, *, right: bool) -> None:
        self._right = right

    async def verify_old_password(self, _key: str, _number: str, _password: Secret) -> PasswordAnswer:
        return PasswordAnswer(right=self._right, tries_left=3)


@pytest.mark.parametrize(
    ("policy", "right", "kept"), [(Policy(), True, False), (TAKE_OVER, True, True), (TAKE_OVER, False, False)]
)
async def test_a_password_is_kept_only_where_it_was_right_and_is_taken_over(
    policy: Policy, *, right: bool, kept: bool
) -> None:
    prompts = Prompts()
    prompts.open("p", "a", Purpose.OLD_CARD_PASSWORD)
    prompts.answer("p", Secret(PASSWORD.encode()))
    case = Case(
        id="a",
        route=Route.PHARMACY,
        station="counter-1",
        state=State.WAITING_OLD_PASSWORD,
        started="2026-01-01T00:00:00.000Z",
        client="till",
        say=Say(code="checking_password"),
        old_card=OLD_YI,
    )
    work = Work(FakeCounter(), cast("Any", Centre(right=right)), prompts, policy, ManualClock(), "test")
    await work.do(Effect.VERIFY_OLD_PASSWORD, Job(case, None))
    assert (prompts.look("a", Purpose.OLD_CARD_PASSWORD) is not None) is kept


async def test_an_activation_that_ends_after_a_tear_does_not_say_that_nothing_was_changed(tmp_path: Path) -> None:
    for ending, code in (("cancel", "cancelled_pin"), ("deadline", "expired_pin")):
        directory = tmp_path / ending
        directory.mkdir()
        async with bench(directory, CHANGE_FIRST) as b:
            activation = await torn_before(b, 5)
            await b.until(activation, State.WAITING_PIN, "pin_torn")
            if ending == "cancel":
                await b.engine.cancel(activation)
            else:
                b.clock.advance(121)
            await b.settle()
            ends = b.data("activation.cancelled") + b.data("activation.expired")
            assert [data["text"]["code"] for data in ends] == [code]


async def test_a_wrong_pin_is_not_presented_again_when_the_card_is_put_in_again(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE) as b:
        activation = await visit(b)
        b.counter.fail("change_pin", Reason.PIN_WRONG, tries_left=3)
        await type_both(b, activation)
        await b.until(activation, State.WAITING_SAME_CARD, "social_pin_again")
        b.counter.pull(next(iter(b.counter.present)))
        b.counter.put_social(JIA)
        await b.until(activation, State.WAITING_SAME_CARD, "secret_lost")
        assert b.counter.changed == []
        await b.type(activation, PIN)
        await b.until(activation, State.WAITING_SAME_CARD, "new_pin")
        await b.type(activation, NEW)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.counter.changed == [BOTH]


async def test_a_strangers_card_leaves_the_prompt_open(tmp_path: Path) -> None:
    async with bench(tmp_path, CHANGE) as b:
        activation = await torn_after(b, 5)
        view = await b.until(activation, State.WAITING_SAME_CARD, "pin_torn")
        b.counter.put_social(YI)
        after = await b.until(activation, State.WAITING_SAME_CARD, "stranger_card")
        assert view.prompt is not None
        assert after.prompt is not None
        assert after.prompt.prompt == view.prompt.prompt
        await b.type(activation, NEW)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert [data["cause"] for data in b.data("prompt.closed")] == ["answered"] * 3


async def test_a_pin_that_locks_after_the_grant_leaves_the_update_pending_and_writes_the_records(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, CHANGE) as b:
        activation = await hand_over(b, OLD_BING)
        b.counter.fail("change_pin", Reason.PIN_LOCKED)
        b.counter.put_social(BING)
        await type_both(b, activation)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED_UPDATE_PENDING
        assert len(b.counter.written) == 1
        assert "pin.locked" in b.types()
