"""The engine at work: facts in, commits and effects out."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from support.activations import BING, JIA, OLD_BING, OLD_JIA, OLD_YI, PASSWORD, PIN, YI, Bench, bench

from cardd.activation.pins import PinPolicy
from cardd.activation.policy import Policy
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.signing import verify
from cardd.journal import heads
from cardd.journal.events import ActivationRow, StoredEvent
from cardd.wire.activation import Outcome, State
from cardd.wire.cards import Kind
from cardd.wire.incident import Late

pytestmark = pytest.mark.asyncio


async def hand_over(b: Bench, activation: str, old: str = OLD_JIA) -> None:
    """Put the old card in and take it out again."""
    insertion = b.counter.put_old(old)
    await b.until(activation, State.WAITING_SOCIAL_CARD)
    b.counter.pull(insertion)


async def test_old_card_then_new_card_completes(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start(operator="clerk-7")
        await hand_over(b, activation)
        b.counter.put_social(JIA)
        view = await b.until(activation, State.COMPLETED)
        assert view.outcome is Outcome.ACTIVATED
        assert b.steps() == [
            ("waiting_old_card", "insert_old_card"),
            ("reading_old_card", "reading_old_card"),
            ("waiting_social_card", "insert_social_card"),
            ("reading_social_card", "reading_social_card"),
            ("authorising", "authorising"),
            ("confirming", "confirming"),
        ]
        assert b.types()[0] == "activation.started"
        assert b.types()[-1] == "activation.completed"
        assert {event.correlation for event in b.events} == {activation}
        assert {event.subject for event in b.events} == {"counter-1"}
        request = b.line.requests[0]
        assert (request.key, request.old_card, request.operator) == (activation, OLD_JIA, "clerk-7")
        assert (request.challenge, request.answer) == ("00" * 16, "11" * 8)
        head = heads.parse(request.journal_head)
        assert (head.stream, head.sequence > 0) == (b.journal.stream, True)
        assert request.journal_signature is not None
        signed = heads.Head(**msgspec.structs.asdict(head), **msgspec.structs.asdict(request.journal_signature))
        assert signed.vouched(verify)


async def test_the_end_names_everybody_masked_and_whole_only_sealed(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        await hand_over(b, activation)
        b.counter.put_social(JIA)
        await b.until(activation, State.COMPLETED)
        end = b.data("activation.completed")[0]
        assert end["outcome"] == "activated"
        assert end["holder"] == {"name": "测*甲", "social_security_number": "5101************12"}
        assert end["card"]["number"] == "*****0012"
        assert end["old_card"] == {"number": "****0001"}
        assert end["receipt"]["account"] == "normal"
        whole = await b.engine.view(activation, personal=True)
        assert whole.holder == {"name": "测试甲", "social_security_number": JIA.social_security_number}
        public = b"".join(event.data for event in b.events).decode()
        row = await b.journal.activation(activation)
        assert row is not None
        for secret in (JIA.name, JIA.number, JIA.social_security_number, JIA.identification_code, OLD_JIA):
            assert secret not in public
            assert secret not in json.dumps(dict(row.data), ensure_ascii=False, default=str)


async def test_a_card_that_lies_in_the_reader_already_is_taken_at_the_start(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.counter.put_old(OLD_JIA)
        activation = await b.start()
        await b.until(activation, State.WAITING_SOCIAL_CARD)


async def test_with_two_readers_the_old_card_may_stay_and_the_new_one_may_come_early(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.counter.put_social(JIA)
        activation = await b.start()
        await b.until(activation, State.WAITING_OLD_CARD, "social_card_first")
        b.counter.put_old(OLD_JIA)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_an_old_number_without_a_chip_skips_the_old_card(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start(old_card={"number": OLD_JIA})
        await b.until(activation, State.WAITING_SOCIAL_CARD)
        b.counter.put_social(JIA)
        await b.until(activation, State.COMPLETED)
        assert b.line.requests[0].old_card == OLD_JIA


async def test_wrong_cards_pause_and_the_right_one_goes_on(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        b.counter.pull(b.counter.put_social(JIA))
        await b.until(activation, State.WAITING_OLD_CARD, "social_card_first")
        b.counter.pull(b.counter.put_other(Kind.BANK))
        await b.until(activation, State.WAITING_OLD_CARD, "CARD_UNKNOWN")
        b.counter.trouble(Reason.CARD_MUTE)
        await b.until(activation, State.WAITING_OLD_CARD, "CARD_MUTE")
        await hand_over(b, activation)
        b.counter.pull(b.counter.put_old(OLD_JIA))
        await b.until(activation, State.WAITING_SOCIAL_CARD, "same_old_card")
        b.counter.pull(b.counter.put_old(OLD_YI))
        await b.until(activation, State.WAITING_SOCIAL_CARD, "other_old_card")
        b.counter.put_social(JIA)
        await b.until(activation, State.COMPLETED)


async def test_a_card_pulled_out_while_it_is_read_is_asked_for_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        gate = b.counter.hold("read_old")
        old = b.counter.put_old(OLD_JIA)
        await b.until(activation, State.READING_OLD_CARD)
        b.counter.pull(old)
        await b.until(activation, State.WAITING_OLD_CARD, "card_pulled")
        gate.set()
        await hand_over(b, activation)
        gate = b.counter.hold("read_social")
        social = b.counter.put_social(JIA)
        await b.until(activation, State.READING_SOCIAL_CARD)
        b.counter.pull(social)
        await b.until(activation, State.WAITING_SOCIAL_CARD, "card_pulled")
        gate.set()
        b.counter.put_social(JIA)
        await b.until(activation, State.COMPLETED)


async def test_another_persons_card_is_refused_and_nothing_was_asked_for(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        await hand_over(b, activation)
        b.counter.put_social(YI)
        view = await b.until(activation, State.REFUSED)
        assert view.reason == "OTHER_PERSON"
        refused = b.data("activation.refused")[0]
        assert (refused["reason"], refused["text"]["code"]) == ("OTHER_PERSON", "OTHER_PERSON")
        assert "activate" not in b.line.asked


@pytest.mark.parametrize("reason", [Reason.CARD_NOT_GENUINE, Reason.KEY_STOPPED, Reason.PSAM_KEY_MISSING])
async def test_a_card_that_cannot_be_trusted_is_refused(tmp_path: Path, reason: Reason) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        await hand_over(b, activation)
        b.counter.fail("read_social", reason)
        b.counter.put_social(JIA)
        assert (await b.until(activation, State.REFUSED)).reason == str(reason)


async def test_an_absent_psam_pauses_and_its_insertion_goes_on_by_itself(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        await hand_over(b, activation)
        b.counter.fail("read_social", Reason.PSAM_ABSENT)
        b.counter.put_social(JIA)
        await b.until(activation, State.WAITING_SOCIAL_CARD, "PSAM_ABSENT")
        b.counter.put_psam()
        await b.until(activation, State.COMPLETED)


async def test_a_card_in_use_already_completes_as_already_active(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        for outcome in (Outcome.ACTIVATED, Outcome.ALREADY_ACTIVE):
            activation = await b.start()
            await hand_over(b, activation)
            social = b.counter.put_social(JIA)
            view = await b.until(activation, State.COMPLETED)
            assert view.outcome is outcome
            b.counter.pull(social)
        assert len(b.line.requests) == 1


async def test_an_old_cards_password_is_asked_for_until_it_is_right(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        b.counter.put_old(OLD_YI)
        view = await b.until(activation, State.WAITING_OLD_PASSWORD, "old_card_password")
        assert view.prompt is not None
        assert (view.prompt.purpose, view.prompt.digits, view.prompt.tries_left) == ("old_card_password", [4, 16], 3)
        assert view.prompt.prompt is not None
        with pytest.raises(CarddError) as error:
            await b.engine.answer(view.prompt.prompt, Secret(b"12"))
        assert error.value.reason is Reason.PIN_LENGTH
        await b.engine.answer(view.prompt.prompt, Secret(b"000000"))
        view = await b.until(activation, State.WAITING_OLD_PASSWORD, "old_card_password_again")
        assert view.prompt is not None
        assert view.prompt.tries_left == 2
        assert view.prompt.text["en"].endswith("2 tries are left.")
        assert view.prompt.prompt is not None
        await b.engine.answer(view.prompt.prompt, Secret(PASSWORD.encode()))
        await b.until(activation, State.WAITING_SOCIAL_CARD)
        b.counter.put_social(YI)
        await b.until(activation, State.COMPLETED)
        opened, closed = b.data("prompt.opened"), b.data("prompt.closed")
        assert [data["tries_left"] for data in opened] == [3, 2]
        assert [data["cause"] for data in closed] == ["answered", "answered"]
        assert [data["prompt"] for data in opened] == [data["prompt"] for data in closed]


async def test_too_many_wrong_passwords_are_refused_as_locked(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        b.counter.put_old(OLD_YI)
        for _ in range(3):
            view = await b.until(activation, State.WAITING_OLD_PASSWORD)
            while view.prompt is None or view.prompt.prompt is None:
                view = await b.view(activation)
                await b.settle()
            await b.engine.answer(view.prompt.prompt, Secret(b"000000"))
            await b.settle()
        assert (await b.until(activation, State.REFUSED)).reason == "OLD_PASSWORD_LOCKED"


async def test_a_cancelled_prompt_cancels_the_activation(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        b.counter.put_old(OLD_YI)
        view = await b.until(activation, State.WAITING_OLD_PASSWORD)
        assert view.prompt is not None
        assert view.prompt.prompt is not None
        await b.engine.answer(view.prompt.prompt, None)
        view = await b.until(activation, State.CANCELLED)
        assert view.reason == "PIN_CANCELLED"
        with pytest.raises(CarddError) as error:
            await b.engine.answer(b.data("prompt.opened")[0]["prompt"], Secret(PASSWORD.encode()))
        assert error.value.reason is Reason.NOT_FOUND


async def test_by_policy_the_social_pin_is_verified_on_the_card(tmp_path: Path) -> None:
    async with bench(tmp_path, Policy(pin_policy=PinPolicy.VERIFY)) as b:
        activation = await b.start()
        await hand_over(b, activation)
        b.counter.fail("verify_pin", Reason.PIN_WRONG, tries_left=4)
        b.counter.put_social(JIA)
        for code in ("social_pin", "social_pin_again"):
            view = await b.until(activation, State.WAITING_PIN, code)
            assert view.prompt is not None
            assert view.prompt.prompt is not None
            await b.engine.answer(view.prompt.prompt, Secret(PIN.encode()))
        await b.until(activation, State.COMPLETED)
        assert b.counter.pins == [PIN.encode()]


async def test_a_pin_that_is_locked_is_on_record_and_ends_in_a_refusal(tmp_path: Path) -> None:
    async with bench(tmp_path, Policy(pin_policy=PinPolicy.VERIFY)) as b:
        activation = await b.start()
        await hand_over(b, activation)
        b.counter.fail("verify_pin", Reason.PIN_LOCKED)
        b.counter.put_social(JIA)
        view = await b.until(activation, State.WAITING_PIN)
        assert view.prompt is not None
        assert view.prompt.prompt is not None
        await b.engine.answer(view.prompt.prompt, Secret(PIN.encode()))
        assert (await b.until(activation, State.REFUSED)).reason == "PIN_LOCKED"
        assert b.types()[-2:] == ["pin.locked", "activation.refused"]
        assert b.data("pin.locked")[0]["purpose"] == "social_pin"


async def test_no_password_or_pin_is_anywhere_in_the_journal(tmp_path: Path) -> None:
    async with bench(tmp_path, Policy(pin_policy=PinPolicy.VERIFY)) as b:
        activation = await b.start()
        b.counter.put_old(OLD_YI)
        view = await b.until(activation, State.WAITING_OLD_PASSWORD)
        assert view.prompt is not None
        assert view.prompt.prompt is not None
        await b.engine.answer(view.prompt.prompt, Secret(PASSWORD.encode()))
        await b.until(activation, State.WAITING_SOCIAL_CARD)
        b.counter.put_social(YI)
        view = await b.until(activation, State.WAITING_PIN)
        assert view.prompt is not None
        assert view.prompt.prompt is not None
        await b.engine.answer(view.prompt.prompt, Secret(PIN.encode()))
        await b.until(activation, State.COMPLETED)
        row = await b.journal.activation(activation)
        assert row is not None
        stored = repr((dict(row.data), dict(row.personal))).encode() + b"".join(event.data for event in b.events)
        assert PASSWORD.encode() not in stored
        assert PIN.encode() not in stored


async def test_records_are_written_and_the_authority_hears_of_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        await hand_over(b, activation, OLD_BING)
        b.counter.put_social(BING)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.counter.written == [{"SSSEEF05": {"06": "20400101"}}]
        assert ("updating_card", "updating_card") in b.steps()
        assert b.data("card.written") == [{"files": {"SSSEEF05": ["06"]}}]


async def test_a_card_pulled_while_it_is_written_is_waited_for_and_no_other_will_do(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        await hand_over(b, activation, OLD_BING)
        b.counter.fail("write", Reason.CARD_REMOVED)
        b.counter.put_social(BING)
        await b.until(activation, State.WAITING_SAME_CARD, "same_card_again")
        b.counter.pull(b.counter.put_social(JIA))
        await b.until(activation, State.WAITING_SAME_CARD, "stranger_card")
        b.counter.put_social(BING)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_a_card_that_takes_the_place_of_the_right_one_while_the_centre_is_asked_is_not_written(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        await hand_over(b, activation, OLD_BING)
        answered = b.line.hold("activate")
        own = b.counter.put_social(BING)
        await b.until(activation, State.AUTHORISING)
        b.counter.pull(own)
        stranger = b.counter.put_social(JIA)
        answered.set()
        await b.until(activation, State.WAITING_SAME_CARD)
        assert b.counter.written == []
        b.counter.pull(stranger)
        b.counter.put_social(BING)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_a_card_that_does_not_come_back_leaves_the_update_pending(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        await hand_over(b, activation, OLD_BING)
        b.counter.fail("write", Reason.CARD_REMOVED)
        b.counter.put_social(BING)
        await b.until(activation, State.WAITING_SAME_CARD)
        b.clock.advance(121)
        view = await b.until(activation, State.COMPLETED)
        assert view.outcome is Outcome.ACTIVATED_UPDATE_PENDING
        assert b.data("activation.completed")[0]["text"]["code"] == "activated_update_pending"


async def test_an_expired_deadline_ends_it_and_frees_the_station(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        b.clock.advance(121)
        await b.until(activation, State.EXPIRED)
        assert b.data("activation.expired")[0]["cause"] == "deadline"
        assert b.counter.reserved == {}
        await b.start()


async def test_each_step_has_its_own_deadline(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        b.clock.advance(100)
        await hand_over(b, activation)
        b.clock.advance(100)
        await b.settle()
        assert (await b.view(activation)).state is State.WAITING_SOCIAL_CARD


async def test_a_silent_authority_before_the_point_of_no_return_refuses_and_changes_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, cut=["look_up_social_card"]) as b:
        activation = await b.start()
        await hand_over(b, activation)
        b.counter.put_social(JIA)
        assert (await b.until(activation, State.REFUSED)).reason == "AUTHORITY_UNAVAILABLE"
        assert b.line.requests == []


async def test_a_lost_answer_is_in_doubt_until_the_outcome_is_heard(tmp_path: Path) -> None:
    async with bench(tmp_path, cut=["outcome"]) as b:
        b.line.mute.add("activate")
        activation = await b.start()
        await hand_over(b, activation)
        b.counter.put_social(JIA)
        await b.until(activation, State.IN_DOUBT, "in_doubt")
        assert "activation.in_doubt" in b.types()
        with pytest.raises(CarddError) as error:
            await b.engine.cancel(activation)
        assert error.value.reason is Reason.TOO_LATE
        for _ in range(5):
            b.clock.advance(31)
            await b.settle()
        assert (await b.view(activation)).state is State.IN_DOUBT
        assert b.line.asked.count("outcome") > 2
        b.line.deaf.clear()
        b.clock.advance(31)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert len(b.line.requests) == 1


async def test_a_request_that_never_arrived_is_sent_again_under_the_same_key(tmp_path: Path) -> None:
    async with bench(tmp_path, cut=["activate"]) as b:
        activation = await b.start()
        await hand_over(b, activation)
        b.counter.put_social(JIA)
        await b.until(activation, State.IN_DOUBT)
        b.line.deaf.clear()
        await b.settle()
        b.clock.advance(31)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert [request.key for request in b.line.requests] == [activation]


async def test_cancel_frees_the_station_and_is_the_same_twice(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        await b.engine.cancel(activation)
        assert (await b.view(activation)).state is State.CANCELLED
        await b.engine.cancel(activation)
        assert b.counter.reserved == {}
        assert b.types().count("activation.cancelled") == 1


async def test_cancel_after_completion_is_too_late_and_of_nothing_is_not_found(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        await hand_over(b, activation)
        b.counter.put_social(JIA)
        await b.until(activation, State.COMPLETED)
        for name, reason in ((activation, Reason.TOO_LATE), ("nothing", Reason.NOT_FOUND)):
            with pytest.raises(CarddError) as error:
                await b.engine.cancel(name)
            assert error.value.reason is reason


async def test_a_result_that_comes_after_the_cancel_counts_no_more(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        gate = b.counter.hold("read_old")
        b.counter.put_old(OLD_JIA)
        await b.until(activation, State.READING_OLD_CARD)
        await b.engine.cancel(activation)
        gate.set()
        await b.settle()
        assert b.types()[-1] == "activation.cancelled"


async def test_a_station_is_named_by_itself_or_by_a_reader_of_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        names: list[dict[str, str | None]] = [
            {"station": "counter-1"},
            {"station": None, "reader": "front"},
            {"reader": "front"},
        ]
        for named in names:
            activation = await b.start(**named)
            assert (await b.view(activation)).station == "counter-1"
            await b.engine.cancel(activation)
        refused: list[tuple[dict[str, str | None], Reason]] = [
            ({"station": "counter-9"}, Reason.NOT_FOUND),
            ({"station": None, "reader": "back"}, Reason.NOT_FOUND),
            ({"station": "counter-2", "reader": "front"}, Reason.INVALID),
            ({"station": None}, Reason.INVALID),
        ]
        for named, reason in refused:
            with pytest.raises(CarddError) as error:
                await b.start(**named)
            assert error.value.reason is reason


async def test_with_one_card_in_its_station_is_meant(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.counter.put_old(OLD_JIA, "counter-2")
        activation = await b.start(station=None)
        assert (await b.view(activation)).station == "counter-2"
        await b.engine.cancel(activation)
        b.counter.put_old(OLD_YI, "counter-1")
        with pytest.raises(CarddError) as error:
            await b.start(station=None)
        assert error.value.reason is Reason.INVALID


async def test_the_same_request_is_the_same_activation(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        first = await b.start(request="r-1")
        assert await b.start(request="r-1") == first
    async with bench(tmp_path) as b:
        assert await b.start(request="r-1") == first
        await b.engine.cancel(first)
        assert await b.start(request="r-1") == first
        assert await b.start(request="r-2") != first


async def test_a_request_is_not_forgotten_for_the_many_that_came_after_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        first = await b.start(request="r-1")
        await b.engine.cancel(first)
        later = [
            ActivationRow(
                f"a-{n}", "counter-1", "pharmacy", "cancelled", False, {"client": "test", "request": f"l-{n}"}
            )
            for n in range(1001)
        ]
        await asyncio.gather(*(b.journal.record(activation=row) for row in later))
    async with bench(tmp_path) as b:
        assert await b.start(request="r-1") == first


async def test_a_request_that_comes_twice_at_once_begins_one_activation(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        first, second = await asyncio.gather(b.start(request="r-1"), b.start(request="r-1"))
        assert first == second


@pytest.mark.parametrize(
    "other",
    [
        {"route": "pharmacy", "visit": None},
        {"visit": {"kind": "outpatient", "number": "OP-2"}},
        {"visit": {"kind": "inpatient", "number": "OP-1"}},
        {"identity_document": {"type": "resident", "number": "510101190002020025", "name": "测试乙"}},
        {"operator": "clerk-8"},
        {"station": "counter-2"},
    ],
)
async def test_a_request_that_was_another_activation_is_refused_and_tells_nothing_of_that_one(
    tmp_path: Path, other: dict[str, object]
) -> None:
    asked: dict[str, object] = {
        "request": "r-1",
        "route": "hospital",
        "operator": "clerk-7",
        "visit": {"kind": "outpatient", "number": "OP-1"},
        "identity_document": {"type": "resident", "number": JIA.social_security_number, "name": JIA.name},
    }
    async with bench(tmp_path) as b:
        first = await b.start(**asked)
    async with bench(tmp_path) as b:
        with pytest.raises(CarddError) as error:
            await b.start(**asked | other)
        assert (error.value.reason, error.value.facts["path"]) == (Reason.INVALID, "$.request")
        assert await b.start(**asked) == first


async def test_a_request_with_another_old_number_is_another_activation(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        first = await b.start(request="r-1", old_card={"number": OLD_JIA})
        with pytest.raises(CarddError) as error:
            await b.start(request="r-1", old_card={"number": OLD_YI})
        assert error.value.reason is Reason.INVALID
        assert await b.start(request="r-1", old_card={"number": OLD_JIA}) == first


async def test_a_request_is_known_again_also_when_its_persons_data_were_erased(tmp_path: Path) -> None:
    asked: dict[str, object] = {
        "request": "r-1",
        "route": "bank",
        "visit": {"kind": "outpatient", "number": "OP-1"},
        "identity_document": {"type": "resident", "number": JIA.social_security_number, "name": JIA.name},
    }
    async with bench(tmp_path) as b:
        first = await b.start(**asked)
        await b.engine.cancel(first)
        erase = "UPDATE activations SET sealed = x''"
        await b.journal.ask(lambda database: database.query(lambda connection: connection.execute(erase).rowcount))
        assert await b.start(**asked) == first


async def test_a_request_that_was_refused_may_be_made_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        other = await b.start()
        with pytest.raises(CarddError) as error:
            await b.start(request="r-1")
        assert error.value.reason is Reason.BUSY
        assert error.value.facts == {"station": "counter-1", "activation": other}
        assert other in error.value.detail
        await b.engine.cancel(other)
        assert await b.start(request="r-1")


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"route": "bank"}, Reason.INVALID),
        ({"station": "nowhere"}, Reason.NOT_FOUND),
        ({"station": None, "reader": "nothing"}, Reason.NOT_FOUND),
        ({"station": None}, Reason.INVALID),
    ],
)
async def test_what_cannot_be_begun_is_refused(tmp_path: Path, params: dict[str, str], reason: Reason) -> None:
    async with bench(tmp_path) as b:
        with pytest.raises(CarddError) as error:
            await b.start(**params)
        assert error.value.reason is reason
        assert b.counter.reserved == {}


async def test_a_wrong_station_is_told_which_there_are(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        with pytest.raises(CarddError, match="counter-1, counter-2"):
            await b.start(station="kasse")


async def test_two_stations_go_on_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        one, two = await b.start(), await b.start(station="counter-2")
        b.counter.put_old(OLD_JIA)
        b.counter.put_old(OLD_BING, "counter-2")
        await b.until(one, State.WAITING_SOCIAL_CARD)
        await b.until(two, State.WAITING_SOCIAL_CARD)
        b.counter.put_social(BING, "counter-2")
        b.counter.put_social(JIA)
        assert (await b.until(one, State.COMPLETED)).station == "counter-1"
        assert (await b.until(two, State.COMPLETED)).station == "counter-2"


async def test_an_old_card_starts_by_itself_only_at_an_auto_station_and_never_one_found_inside(tmp_path: Path) -> None:
    async with bench(tmp_path, Policy(auto=frozenset({"counter-2"}))) as b:
        b.counter.pull(b.counter.put_old(OLD_JIA, "counter-1"))
        b.counter.pull(b.counter.put_social(JIA, "counter-2"))
        b.counter.pull(b.counter.put_old(OLD_JIA, "counter-2", at_start=True))
        await b.settle()
        assert b.events == []
        b.counter.put_old(OLD_JIA, "counter-2")
        await b.settle()
        activations = await b.engine.list(open_only=True, limit=10)
        assert [(view.station, view.state) for view in activations] == [("counter-2", State.WAITING_SOCIAL_CARD)]


async def test_waiting_for_the_end_returns_at_the_end_or_in_time(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        waiting = asyncio.create_task(b.engine.wait_end(activation, 5.0))
        await b.settle()
        b.clock.advance(5)
        await waiting
        waiting = asyncio.create_task(b.engine.wait_end(activation, 500.0))
        await b.settle()
        assert not waiting.done()
        await b.engine.cancel(activation)
        await waiting


async def test_the_list_shows_open_ones_first(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        ended = await b.start()
        await b.engine.cancel(ended)
        b.clock.advance(1)
        opened = await b.start()
        both = await b.engine.list(open_only=False, limit=10)
        assert [view.activation for view in both] == [opened, ended]
        assert [view.activation for view in await b.engine.list(open_only=True, limit=10)] == [opened]


async def test_a_step_for_which_the_journal_has_no_room_is_told_while_it_waits_and_how_late_it_was_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start()
        with monkeypatch.context() as patch:
            patch.setattr(b.journal, "record", _no_room)
            b.counter.put_old(OLD_JIA)
            await b.settle()
            told = await b.engine.incident(activation)
            assert (told.state, told.turns, told.waiting and told.waiting.fact) == (
                State.WAITING_OLD_CARD,
                [],
                "old_card_in",
            )
            b.clock.advance(1.0)
            await b.settle()
            waiting = (await b.engine.incident(activation)).waiting
            assert waiting is not None
            assert waiting.late == Late(reason="JOURNAL_FULL", ms=1000)
        b.clock.advance(7.0)
        await b.until(activation, State.WAITING_SOCIAL_CARD)
        told = await b.engine.incident(activation)
        assert (told.waiting, told.turns[0].late) == (None, Late(reason="JOURNAL_FULL", ms=8000))
        assert [turn.late for turn in told.turns[1:]] == [None]


def _no_room(*_: object, **__: object) -> "asyncio.Future[tuple[StoredEvent, ...]]":
    refused: asyncio.Future[tuple[StoredEvent, ...]] = asyncio.get_running_loop().create_future()
    refused.set_exception(CarddError(Reason.JOURNAL_FULL))
    return refused


async def test_of_what_was_never_begun_the_account_says_why_there_may_be_none(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        with pytest.raises(CarddError, match=r"NOT_FOUND.*JOURNAL_FULL"):
            await b.engine.incident("0" * 32)
