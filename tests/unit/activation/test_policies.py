"""What a counter decides by itself: routes, expired cards, other regions, people and cards out of the ordinary."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.activations import BING, JIA, OLD_JIA, YI, Bench, bench

from cardd.activation.authority import IdentityDocument, SocialCard
from cardd.activation.local_rules import refused_here
from cardd.activation.pins import PinPolicy
from cardd.activation.policy import Policy
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.activation import Outcome, Route, State

pytestmark = pytest.mark.asyncio

DOCUMENT = {"type": "resident", "number": JIA.social_security_number, "name": JIA.name}
EXPIRED = msgspec.structs.replace(JIA, valid_until="2025-12-31")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def document(number: str = JIA.social_security_number, name: str = JIA.name) -> IdentityDocument:
    return IdentityDocument(type="resident", number=number, name=name)


async def visit(b: Bench, card: SocialCard = JIA) -> str:
    activation = await b.start(route=Route.HOSPITAL, visit={"kind": "outpatient", "number": "OP-000017"})
    b.counter.put_social(card)
    return activation


async def test_a_visit_activates_and_the_centre_hears_of_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        view = await b.until(await visit(b), State.COMPLETED)
        assert view.outcome is Outcome.ACTIVATED
        (request,) = b.line.requests
        assert request.visit is not None
        assert (request.route, request.visit.kind, request.visit.number) == ("hospital", "outpatient", "OP-000017")
        assert (request.old_card, request.document) == (None, None)
        assert view.visit == {"kind": "outpatient", "number": "*****0017"}
        started, done = b.data("activation.started")[0], b.data("activation.completed")[0]
        assert started["visit"] == done["visit"] == view.visit


async def test_a_second_visit_is_already_active(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.until(await visit(b), State.COMPLETED)
        again = await visit(b)
        assert (await b.until(again, State.COMPLETED)).outcome is Outcome.ALREADY_ACTIVE
        assert len(b.line.requests) == 1


async def test_identity_is_told_although_the_centre_is_away(tmp_path: Path) -> None:
    async with bench(tmp_path, cut=["look_up_social_card"]) as b:
        activation = await visit(b)
        view = await b.until(activation, State.REFUSED)
        assert view.reason == "AUTHORITY_UNAVAILABLE"
        whole = await b.engine.view(activation, personal=True)
        assert whole.holder == {"name": JIA.name, "social_security_number": JIA.social_security_number}
        assert b.data("activation.refused")[0]["holder"]["name"] == "测*甲"
        assert b.line.requests == []


async def test_a_bank_activates_with_the_holders_document_and_the_centre_hears_of_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start(route=Route.BANK, identity_document=DOCUMENT, operator="teller-3")
        b.counter.put_social(JIA)
        view = await b.until(activation, State.COMPLETED)
        assert view.receipt is not None
        assert view.receipt["account"] == "normal"
        assert b.line.requests[0].document == document()


async def test_a_document_that_is_not_the_holders_is_refused_before_the_centre_is_asked(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start(route=Route.BANK, identity_document=DOCUMENT)
        b.counter.put_social(YI)
        assert (await b.until(activation, State.REFUSED)).reason == "DOCUMENT_DIFFERS"
        assert b.line.asked == []


async def test_neither_document_nor_visit_is_anywhere_in_the_journals_open_part(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        visit = {"kind": "inpatient", "number": "IP-2026-77"}
        activation = await b.start(route=Route.BANK, identity_document=DOCUMENT, visit=visit)
        b.counter.put_social(JIA)
        await b.until(activation, State.COMPLETED)
        row = await b.journal.activation(activation)
        assert row is not None
        opened = repr(dict(row.data)) + b"".join(event.data for event in b.events).decode()
        for secret in (JIA.social_security_number, JIA.name, "IP-2026-77"):
            assert secret not in opened
    async with bench(tmp_path) as b:
        row = await b.journal.activation(activation)
        assert row is not None
        assert row.personal["document"] == DOCUMENT


REFUSED: list[tuple[SocialCard, IdentityDocument | None, Policy, Reason | None]] = [
    (JIA, None, Policy(), None),
    (EXPIRED, None, Policy(), Reason.CARD_EXPIRED),
    (EXPIRED, None, Policy(accept_expired=True), None),
    (msgspec.structs.replace(JIA, valid_until="2026-01-01"), None, Policy(), None),
    (JIA, None, Policy(region="510100"), None),
    (JIA, None, Policy(region="510000"), None),
    (JIA, None, Policy(region="510107"), Reason.OTHER_REGION),
    (JIA, None, Policy(region="370100"), Reason.OTHER_REGION),
    (msgspec.structs.replace(JIA, region="510107"), None, Policy(region="510100"), None),
    (JIA, document(), Policy(), None),
    (JIA, document(name=f" {JIA.name} "), Policy(), None),
    (
        msgspec.structs.replace(JIA, social_security_number="51010119000303003X"),
        document("51010119000303003x"),
        Policy(),
        None,
    ),
    (JIA, document(number=YI.social_security_number), Policy(), Reason.DOCUMENT_DIFFERS),
    (JIA, document(name=YI.name), Policy(), Reason.DOCUMENT_DIFFERS),
    (JIA, IdentityDocument(type="passport", number="T1234567", name=JIA.name), Policy(), None),
    (JIA, IdentityDocument(type="passport", number="T1234567", name=YI.name), Policy(), Reason.DOCUMENT_DIFFERS),
    (EXPIRED, document(name=YI.name), Policy(region="370100"), Reason.OTHER_REGION),
]


@pytest.mark.parametrize("row", REFUSED, ids=[f"{number}-{row[3]}" for number, row in enumerate(REFUSED)])
async def test_a_counter_refuses_by_itself(
    row: tuple[SocialCard, IdentityDocument | None, Policy, Reason | None],
) -> None:
    card, shown, policy, reason = row
    assert refused_here(card, shown, policy, NOW) is reason


async def test_an_expired_card_is_refused_here_or_by_the_centre(tmp_path: Path) -> None:
    for policy, asked in ((Policy(), False), (Policy(accept_expired=True), True)):
        directory = tmp_path / str(asked)
        directory.mkdir()
        async with bench(directory, policy) as b:
            activation = await visit(b, EXPIRED)
            assert (await b.until(activation, State.REFUSED)).reason == "CARD_EXPIRED"
            assert ("look_up_social_card" in b.line.asked) is asked


async def test_a_card_of_another_region_is_refused_here_by_policy(tmp_path: Path) -> None:
    async with bench(tmp_path, Policy(region="370100")) as b:
        activation = await visit(b)
        assert (await b.until(activation, State.REFUSED)).reason == "OTHER_REGION"
        assert b.line.asked == []


async def test_people_without_an_old_card_are_served_by_policy(tmp_path: Path) -> None:
    async with bench(tmp_path, Policy(without_old_card=True)) as b:
        activation = await b.start()
        b.counter.put_social(BING)
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.line.requests[0].old_card is None


async def test_people_who_have_an_old_card_hand_it_in_all_the_same(tmp_path: Path) -> None:
    async with bench(tmp_path, Policy(without_old_card=True)) as b:
        activation = await b.start()
        b.counter.pull(b.counter.put_old(OLD_JIA))
        await b.until(activation, State.WAITING_OLD_CARD, "card_pulled")
        b.counter.put_old(OLD_JIA)
        await b.until(activation, State.WAITING_SOCIAL_CARD)
        b.counter.put_social(JIA)
        await b.until(activation, State.COMPLETED)
        assert b.line.requests[0].old_card == OLD_JIA


WRONG: list[tuple[Policy, dict[str, Any], str]] = [
    (Policy(routes=frozenset({Route.BANK})), {"route": "hospital"}, "$.route"),
    (Policy(), {"route": "bank"}, "$.identity_document"),
    (Policy(), {"route": "hospital", "visit": {"kind": "emergency", "number": "1"}}, "$.visit.kind"),
    (Policy(), {"route": "hospital", "old_card": {"number": OLD_JIA}}, "$.old_card"),
    (Policy(old_numbers=False), {"old_card": {"number": OLD_JIA}}, "$.old_card"),
]


@pytest.mark.parametrize(("policy", "params", "path"), WRONG)
async def test_what_cannot_be_begun_is_said_with_its_place(
    tmp_path: Path, policy: Policy, params: dict[str, Any], path: str
) -> None:
    async with bench(tmp_path, policy) as b:
        with pytest.raises(CarddError) as error:
            await b.start(**params)
        assert error.value.reason is Reason.INVALID
        assert error.value.facts["path"] == path
        assert (b.counter.reserved, b.events) == ({}, [])


async def test_an_old_card_starts_nothing_by_itself_where_the_pharmacy_is_not_offered(tmp_path: Path) -> None:
    routes = frozenset({Route.HOSPITAL})
    async with bench(tmp_path, Policy(routes=routes, auto=frozenset({"counter-1"}))) as b:
        b.counter.put_old(OLD_JIA)
        await b.settle()
        assert b.events == []


async def test_each_route_has_its_own_pin_policy_or_the_common_one() -> None:
    policy = Policy(pin_policy=PinPolicy.TAKE_OVER, pin_policies={Route.BANK: PinPolicy.CHANGE})
    assert [policy.pin_of(route) for route in (Route.PHARMACY, Route.HOSPITAL, Route.BANK)] == [
        PinPolicy.TAKE_OVER,
        PinPolicy.NONE,
        PinPolicy.CHANGE,
    ]
    assert Policy(pin_policy=PinPolicy.VERIFY).pin_of(Route.HOSPITAL) is PinPolicy.VERIFY


@pytest.mark.parametrize(
    ("later", "state", "reason"),
    [
        (Policy(pin_policy=PinPolicy.VERIFY), State.WAITING_PIN, None),
        (Policy(region="990000"), State.REFUSED, "OTHER_REGION"),
        (Policy(), State.COMPLETED, None),
    ],
    ids=["a PIN is asked for", "only one region is served", "as before"],
)
async def test_what_is_open_goes_on_by_a_policy_that_was_changed(
    tmp_path: Path, later: Policy, state: State, reason: str | None
) -> None:
    async with bench(tmp_path) as b:
        activation = await b.start(route=Route.HOSPITAL, visit={"kind": "outpatient", "number": "OP-000017"})
        b.engine.follow(later)
        b.counter.put_social(JIA)
        assert (await b.until(activation, state)).reason == reason


async def test_the_digits_of_a_pin_are_compared_though_none_was_wanted_when_the_daemon_started(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.engine.follow(Policy(pin_policy=PinPolicy.VERIFY))
        activation = await visit(b)
        await b.type(activation, "123456")
        assert (await b.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED
        assert b.counter.pins == [b"123456"]
        assert b.data("prompt.opened")[0]["tries_left"] == b.counter.tries


async def test_a_route_is_offered_from_the_moment_on_in_which_the_policy_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path, Policy(routes=frozenset({Route.BANK}))) as b:
        with pytest.raises(CarddError):
            await visit(b)
        b.engine.follow(Policy())
        await b.until(await visit(b), State.COMPLETED)
