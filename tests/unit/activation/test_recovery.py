"""What a restart makes of activations that were open."""

from pathlib import Path

import pytest
from support.activations import (
    BING,
    JIA,
    OLD_BING,
    OLD_JIA,
    OLD_YI,
    PASSWORD,
    PIN,
    Bench,
    FakeCounter,
    bench,
)

from cardd.activation.pins import PinPolicy
from cardd.activation.policy import Policy
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal.events import ActivationRow
from cardd.wire.activation import Outcome, Route, State

pytestmark = pytest.mark.asyncio


async def to_authorising(b: Bench, *, records: bool = False) -> str:
    activation = await b.start()
    old = b.counter.put_old(OLD_BING if records else OLD_JIA)
    await b.until(activation, State.WAITING_SOCIAL_CARD)
    b.counter.pull(old)
    b.counter.put_social(BING if records else JIA)
    return activation


async def test_before_the_point_of_no_return_it_goes_on_where_it_stood(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        b.counter.put_old(OLD_JIA)
        before = await b.until(activation, State.WAITING_SOCIAL_CARD)
    async with bench(tmp_path) as b:
        assert b.types() == ["activation.resumed", "activation.step"]
        after = await b.view(activation)
        assert (after.state, after.prompt) == (before.state, before.prompt)
        assert b.counter.reserved == {"counter-1": activation}
        b.counter.put_social(JIA)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.line.requests[0].old_card == OLD_JIA


async def test_a_deadline_goes_on_through_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
    async with bench(tmp_path, later_s=100) as b:
        b.clock.advance(19)
        await b.settle()
        assert (await b.view(activation)).state is State.WAITING_OLD_CARD
        b.clock.advance(2)
        assert (await b.until(activation, State.EXPIRED)).reason is None


async def test_a_deadline_that_passed_while_nobody_was_there_ends_it_by_the_restart(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
    async with bench(tmp_path, later_s=121) as b:
        ended = await b.view(activation)
        assert ended.state is State.EXPIRED
        assert ended.text is not None
        assert "restart" in ended.text["en"]
        assert b.types() == ["activation.expired"]
        assert b.data("activation.expired")[0]["cause"] == "restart"
        assert b.counter.reserved == {}


async def test_a_clock_set_back_gives_nobody_more_time_than_the_state_has(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
    async with bench(tmp_path, later_s=-3600) as b:
        b.clock.advance(121)
        await b.until(activation, State.EXPIRED)


async def test_a_deadline_long_past_does_not_end_what_the_authority_was_asked_for(tmp_path: Path) -> None:
    async with bench(tmp_path, cut=["outcome"]) as b:
        b.line.mute.add("activate")
        activation = await to_authorising(b)
        await b.until(activation, State.IN_DOUBT)
    async with bench(tmp_path, later_s=86_400) as b:
        await b.settle()
        b.clock.advance(1)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_a_card_that_was_being_read_is_read_again_wherever_it_lies(tmp_path: Path) -> None:
    for operation, state in (("read_old", State.READING_OLD_CARD), ("read_social", State.READING_SOCIAL_CARD)):
        directory = tmp_path / operation
        directory.mkdir()
        async with bench(directory) as b:
            b.counter.hold(operation)
            activation = await b.start()
            b.counter.put_old(OLD_JIA)
            if state is State.READING_SOCIAL_CARD:
                await b.until(activation, State.WAITING_SOCIAL_CARD)
                b.counter.put_social(JIA)
            await b.until(activation, state)
        counter = FakeCounter()
        counter.put_old(OLD_JIA)
        async with bench(directory, counter=counter) as b:
            await b.until(activation, State.WAITING_SOCIAL_CARD)
            b.counter.put_social(JIA)
            assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_an_old_cards_number_that_was_being_looked_up_is_looked_up_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.line.hold("look_up_old_card")
        activation = await b.start(old_card={"number": OLD_JIA})
        await b.until(activation, State.READING_OLD_CARD)
    async with bench(tmp_path) as b:
        await b.until(activation, State.WAITING_SOCIAL_CARD)


@pytest.mark.parametrize("typed", [False, True])
async def test_a_password_that_was_lost_is_asked_for_again(tmp_path: Path, *, typed: bool) -> None:
    async with bench(tmp_path) as b:
        b.line.hold("verify_old_password")
        activation = await b.start()
        b.counter.put_old(OLD_YI)
        await b.until(activation, State.WAITING_OLD_PASSWORD)
        if typed:
            await b.type(activation, "000000")
            await b.until(activation, State.WAITING_OLD_PASSWORD, "checking_password")
    async with bench(tmp_path) as b:
        view = await b.until(activation, State.WAITING_OLD_PASSWORD, "secret_lost")
        assert view.prompt is not None
        assert view.prompt.purpose == "old_card_password"
        await b.type(activation, PASSWORD)
        await b.until(activation, State.WAITING_SOCIAL_CARD)
        assert [data["cause"] for data in b.data("prompt.closed")] == ["restart"] * (not typed) + ["answered"]
        assert [data["tries_left"] for data in b.data("prompt.opened")] == [None if typed else 3]


async def test_a_pin_that_was_lost_is_asked_for_again_once_the_card_has_proved_itself_anew(tmp_path: Path) -> None:
    policy = Policy(pin_policy=PinPolicy.VERIFY)
    async with bench(tmp_path, policy) as b:
        activation = await b.start(route=Route.HOSPITAL)
        b.counter.put_social(JIA)
        await b.until(activation, State.WAITING_PIN)
    counter = FakeCounter()
    async with bench(tmp_path, policy, counter=counter) as b:
        await b.until(activation, State.WAITING_SOCIAL_CARD, "secret_lost")
        counter.put_social(JIA)
        await b.until(activation, State.WAITING_PIN, "social_pin")
        await b.type(activation, PIN)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert counter.pins == [PIN.encode()]


async def test_a_request_that_went_out_unanswered_is_asked_after_and_not_sent_again(tmp_path: Path) -> None:
    async with bench(tmp_path, cut=["outcome"]) as b:
        b.line.mute.add("activate")
        activation = await to_authorising(b)
        await b.until(activation, State.IN_DOUBT)
    async with bench(tmp_path) as b:
        assert b.types()[:2] == ["activation.resumed", "activation.step"]
        assert b.counter.reserved == {"counter-1": activation}
        await b.settle()
        b.clock.advance(1)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.line.requests == []


async def test_where_the_sealing_key_is_gone_the_authority_is_not_asked_about_masks(tmp_path: Path) -> None:
    async with bench(tmp_path, cut=["activate", "outcome"]) as b:
        activation = await to_authorising(b)
        await b.until(activation, State.IN_DOUBT)
        lost = "UPDATE activations SET sealed = x'00'"
        await b.journal.ask(lambda database: database.query(lambda connection: connection.execute(lost).rowcount))
    async with bench(tmp_path) as b:
        await b.settle()
        b.clock.advance(60)
        await b.settle()
        assert (await b.view(activation)).state is State.IN_DOUBT
        assert (b.line.asked, b.types()) == ([], [])


async def test_a_request_that_never_went_out_is_sent_as_it_was_meant(tmp_path: Path) -> None:
    async with bench(tmp_path, cut=["activate", "outcome"]) as b:
        activation = await to_authorising(b)
        await b.until(activation, State.IN_DOUBT)
        meant = await b.journal.activation(activation)
    async with bench(tmp_path) as b:
        await b.settle()
        b.clock.advance(1)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        (request,) = b.line.requests
        assert meant is not None
        assert (request.key, request.old_card, request.card) == (activation, OLD_JIA, JIA)
        assert (request.time, request.journal_head) == (meant.data["requested"], meant.data["journal_head"])
        assert (request.challenge, request.answer) == ("00" * 16, "11" * 8)


async def test_a_card_that_was_being_written_is_waited_for(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.counter.hold("write")
        activation = await to_authorising(b, records=True)
        await b.until(activation, State.UPDATING_CARD)
    async with bench(tmp_path) as b:
        await b.until(activation, State.WAITING_SAME_CARD, "same_card_again")
        b.counter.put_social(BING)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.counter.written == [{"SSSEEF05": {"06": "20400101"}}]


async def test_a_card_that_lies_in_the_reader_at_the_restart_is_written_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.counter.fail("write", Reason.CARD_REMOVED)
        activation = await to_authorising(b, records=True)
        await b.until(activation, State.WAITING_SAME_CARD)
    counter = FakeCounter()
    counter.put_social(BING)
    async with bench(tmp_path, counter=counter) as b:
        await b.until(activation, State.COMPLETED)
        assert len(counter.written) == 1


async def test_a_report_that_was_not_heard_is_made_again(tmp_path: Path) -> None:
    async with bench(tmp_path, cut=["report_update"]) as b:
        activation = await to_authorising(b)
        await b.until(activation, State.CONFIRMING)
    async with bench(tmp_path) as b:
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.line.asked == ["report_update"]


async def test_a_report_that_is_never_heard_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with bench(tmp_path, cut=["report_update"]) as b:
        activation = await to_authorising(b)
        await b.until(activation, State.CONFIRMING)
        b.clock.advance(16)
        assert (await b.view(activation)).state is State.CONFIRMING
        b.clock.advance(16)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_an_ended_activation_is_left_alone(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await to_authorising(b)
        await b.until(activation, State.COMPLETED)
    async with bench(tmp_path) as b:
        assert b.types() == []
        assert (await b.view(activation)).outcome is Outcome.ACTIVATED


LOST = 1100
"""More than a thousand activations that nobody can take up."""


async def lose(b: Bench, which: str) -> None:
    """Have activations sealed with a key that nobody has."""
    blank = "UPDATE activations SET sealed = x'00' WHERE id LIKE ?"
    await b.journal.ask(lambda database: database.query(lambda open_: open_.execute(blank, (which,)).rowcount))


async def test_what_lies_behind_a_thousand_that_cannot_be_taken_up_is_taken_up(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        b.counter.put_old(OLD_JIA)
        await b.until(activation, State.WAITING_SOCIAL_CARD)
        for lost in range(LOST):
            row = ActivationRow(f"lost-{lost}", "gone", "pharmacy", "authorising", True, {}, {"old_card": "1"})
            await b.journal.record(activation=row)
        await lose(b, "lost-%")
    async with bench(tmp_path) as b:
        assert b.engine.open_count() == 1
        b.counter.put_social(JIA)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_what_cannot_be_taken_up_is_not_said_to_be_cancelled(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        lost = await b.start()
        await lose(b, lost)
    async with bench(tmp_path) as b:
        assert b.engine.open_count() == 0
        with pytest.raises(CarddError) as caught:
            await b.engine.cancel(lost)
        assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE
        assert "key" in caught.value.detail
        assert (await b.journal.activations(open_only=True))[0].id == lost
