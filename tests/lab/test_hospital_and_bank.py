"""A visit registered, a document shown: activations that begin with the new card itself, on a real pcscd."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.clerk import Clerk, counter

from cardd.client.errors import CallError
from cardd.wire.activation import ActivationResult, IdentityDocument, Outcome, Route, State, Visit
from cardsim.rig import REGISTER

VISIT = Visit(kind="outpatient", number="OP-2026-000017")
NUMBER, NAME = "510101190001010012", "测试甲"
DOCUMENT = IdentityDocument(type="resident", number=NUMBER, name=NAME)
WAIT_S = 8.0


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    with counter(tmp_path / "c") as clerk:
        yield clerk


def visit(clerk: Clerk, **more: Any) -> ActivationResult:
    return clerk.activate(route=Route.HOSPITAL, station="counter-0", visit=VISIT, wait_s=WAIT_S, **more)


def at_the_bank(clerk: Clerk, document: IdentityDocument = DOCUMENT, **more: Any) -> ActivationResult:
    return clerk.activate(
        route=Route.BANK, station="counter-0", identity_document=document, wait_s=WAIT_S, operator="teller-3", **more
    )


def person(clerk: Clerk) -> dict[str, Any]:
    return next(dict(row) for row in clerk.rig.register() if row["name"] == NAME)


def test_a_visit_with_the_card_in_is_one_call_and_activates_it(clerk: Clerk) -> None:
    clerk.insert("social-jia-3.0")
    result = visit(clerk)
    assert (result.state, result.outcome) == (State.COMPLETED, Outcome.ACTIVATED)
    assert result.holder == {"name": "测*甲", "social_security_number": "5101************12"}
    assert result.visit == {"kind": "outpatient", "number": "**********0017"}
    assert person(clerk)["cards"][0]["status"] == "normal"
    assert person(clerk)["old_cards"][0]["status"] == "void"
    again = visit(clerk)
    assert (again.state, again.outcome) == (State.COMPLETED, Outcome.ALREADY_ACTIVE)
    assert again.holder == result.holder


def test_a_visit_tells_whole_identity_for_a_purpose_and_that_is_on_record(clerk: Clerk) -> None:
    clerk.insert("social-jia-3.0")
    result = visit(clerk, purpose="registration")
    assert result.holder == {"name": NAME, "social_security_number": NUMBER}
    assert result.visit == {"kind": "outpatient", "number": VISIT.number}
    disclosed = clerk.wait("personal.disclosed")["data"]
    assert disclosed["purpose"] == "registration"
    assert {"holder.name", "visit.number"} <= set(disclosed["fields"])


@pytest.mark.parametrize("persona", ["social-bing-2.0", "social-ding-1.0"])
def test_a_visit_activates_cards_of_every_generation(clerk: Clerk, persona: str) -> None:
    clerk.insert(persona)
    assert visit(clerk).outcome is Outcome.ACTIVATED


def test_a_call_before_the_card_is_there_waits_for_it(clerk: Clerk) -> None:
    later = threading.Timer(1.0, clerk.insert, ["social-jia-3.0"])
    later.start()
    result = visit(clerk)
    later.join()
    assert result.outcome is Outcome.ACTIVATED
    clerk.step("waiting_social_card", "insert_card")


def test_an_old_card_at_a_hospital_pauses(clerk: Clerk) -> None:
    activation = clerk.start(route=Route.HOSPITAL, station="counter-0", visit=VISIT)
    clerk.insert("old-jia")
    clerk.step("waiting_social_card", "old_card_not_needed")
    clerk.remove()
    clerk.insert("social-jia-3.0")
    done = clerk.wait("activation.completed")
    assert (done["correlationid"], done["data"]["outcome"]) == (activation, "activated")
    assert done["data"]["visit"]["kind"] == "outpatient"


def test_who_the_visitor_is_is_told_although_the_centre_is_away(tmp_path: Path) -> None:
    settings = {"activation": {"deadlines": {"authority_s": 0.7}}}
    with counter(tmp_path / "c", settings=settings) as clerk:
        register = sqlite3.connect(clerk.rig.directory / "state" / "register.sqlite", isolation_level=None)
        # whoever writes holds no reader up: to be away even to questions, something must be missing
        register.execute("ALTER TABLE people RENAME TO elsewhere")
        clerk.insert("social-jia-3.0")
        result = visit(clerk, purpose="registration")
        assert (result.state, result.reason) == (State.REFUSED, "AUTHORITY_UNAVAILABLE")
        assert result.holder == {"name": NAME, "social_security_number": NUMBER}
        assert result.card is not None
        assert result.card["number"] == "T0000001X"
        register.execute("ALTER TABLE elsewhere RENAME TO people")
        register.close()
        assert person(clerk)["cards"][0]["status"] == "not_enabled"
        assert visit(clerk).outcome is Outcome.ACTIVATED


def test_a_visitor_whose_activation_is_in_doubt_is_known_all_the_same(tmp_path: Path) -> None:
    settings = {"activation": {"deadlines": {"authority_s": 0.7}}}
    with counter(tmp_path / "c", settings=settings) as clerk:
        register = sqlite3.connect(clerk.rig.directory / "state" / "register.sqlite", isolation_level=None)
        register.execute("BEGIN IMMEDIATE")
        clerk.insert("social-jia-3.0")
        result = clerk.activate(route=Route.HOSPITAL, station="counter-0", visit=VISIT, wait_s=3.0, purpose="visit")
        assert result.state is State.IN_DOUBT
        assert result.holder == {"name": NAME, "social_security_number": NUMBER}
        register.execute("ROLLBACK")
        register.close()
        assert clerk.wait("activation.completed", patience_s=20)["data"]["outcome"] == "activated"


def test_a_bank_that_has_seen_the_holders_document_activates_and_says_that_the_account_is_normal(
    tmp_path: Path,
) -> None:
    content = yaml.safe_load(REGISTER.read_text(encoding="utf-8"))
    content["people"][0]["account"] = "frozen"
    frozen = tmp_path / "frozen.yaml"
    frozen.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with counter(tmp_path / "c", register=frozen) as clerk:
        clerk.insert("social-jia-3.0")
        result = at_the_bank(clerk)
        assert (result.state, result.outcome) == (State.COMPLETED, Outcome.ACTIVATED)
        assert result.receipt is not None
        assert result.receipt["account"] == "normal"
        assert person(clerk)["account"] == "normal"


@pytest.mark.parametrize(
    "document",
    [
        IdentityDocument(type="resident", number="510101190002020024", name=NAME),
        IdentityDocument(type="resident", number=NUMBER, name="测试乙"),
    ],
)
def test_somebody_elses_document_is_refused_and_the_centre_hears_nothing(
    clerk: Clerk, document: IdentityDocument
) -> None:
    clerk.insert("social-jia-3.0")
    result = at_the_bank(clerk, document)
    assert (result.state, result.reason) == (State.REFUSED, "DOCUMENT_DIFFERS")
    assert result.text is not None
    assert set(result.text) == {"en", "zh-CN"}
    assert person(clerk)["activations"] == []
    assert person(clerk)["cards"][0]["status"] == "not_enabled"


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"route": Route.BANK}, "$.identity_document"),
        ({"route": Route.HOSPITAL, "visit": Visit(kind="emergency", number="1")}, "$.visit.kind"),
    ],
)
def test_what_a_route_needs_is_said_before_anything_begins(clerk: Clerk, params: dict[str, Any], path: str) -> None:
    with pytest.raises(CallError) as caught:
        clerk.activate(station="counter-0", **params)
    assert caught.value.reason == "INVALID"
    assert caught.value.data["path"] == path
    assert "activation.started" not in clerk.types()


def test_a_route_that_is_not_offered_is_refused(tmp_path: Path) -> None:
    with counter(tmp_path / "c", settings={"activation": {"routes": ["pharmacy"]}}) as clerk:
        with pytest.raises(CallError) as caught:
            visit(clerk)
        assert caught.value.reason == "INVALID"
