"""What a restart makes of activations that were open."""

from pathlib import Path

import pytest
from support.activations import BING, JIA, OLD_BING, OLD_JIA, Bench, FakeCounter, bench

from cardd.base.reasons import Reason
from cardd.wire.activation import Outcome, State

pytestmark = pytest.mark.asyncio


async def to_authorising(b: Bench, *, records: bool = False) -> str:
    activation = await b.start()
    old = b.counter.put_old(OLD_BING if records else OLD_JIA)
    await b.until(activation, State.WAITING_SOCIAL_CARD)
    b.counter.pull(old)
    b.counter.put_social(BING if records else JIA)
    return activation


async def test_before_the_point_of_no_return_it_ends_as_expired_by_the_restart(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        b.counter.put_old(OLD_JIA)
        await b.until(activation, State.WAITING_SOCIAL_CARD)
    async with bench(tmp_path) as b:
        ended = await b.view(activation)
        assert ended.state is State.EXPIRED
        assert ended.text is not None
        assert "restart" in ended.text["en"]
        assert b.types() == ["activation.expired"]
        assert b.data("activation.expired")[0]["cause"] == "restart"
        assert b.counter.reserved == {}


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
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_an_ended_activation_is_left_alone(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await to_authorising(b)
        await b.until(activation, State.COMPLETED)
    async with bench(tmp_path) as b:
        assert b.types() == []
        assert (await b.view(activation)).outcome is Outcome.ACTIVATED
