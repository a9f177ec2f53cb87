"""A counter whose centre is across the network, on the real pcscd."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from support.clerk import Clerk, counter

from cardd.base.reasons import Reason
from cardd.wire.activation import IdentityDocument, Outcome, Route, State, Visit
from cardd.wire.methods import SYSTEM_STATUS
from cardd.wire.system import NoParams
from cardsim.centre.certificates import Certificates
from cardsim.centre.desk import Desk
from cardsim.centre.server import CentreServer, Tls
from cardsim.rig import REGISTER


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path / "tls")


@pytest.fixture
def centre(tmp_path: Path, certificates: Certificates) -> Iterator[CentreServer]:
    desk = Desk.open(tmp_path / "centre.sqlite", REGISTER)
    tls = Tls(certificates.centre, certificates.centre_key, certificates.ca)
    with CentreServer(desk, tls=tls) as opened:
        yield opened
    desk.close()


@pytest.fixture
def clerk(tmp_path: Path, centre: CentreServer, certificates: Certificates) -> Iterator[Clerk]:
    settings = {
        "authority": {
            "provider": "http",
            "url": centre.url,
            "timeout_s": 0.8,
            "ca_file": str(certificates.ca),
            "certificate_file": str(certificates.counter),
            "key_file": str(certificates.counter_key),
        },
        "activation": {"deadlines": {"authority_s": 2}},
    }
    with counter(tmp_path / "c", settings=settings) as clerk:
        yield clerk


def jia(centre: CentreServer) -> dict[str, object]:
    return next(person for person in centre.desk.people() if person["name"] == "测试甲")


def statuses(centre: CentreServer, kind: str) -> list[str]:
    return [row["status"] for row in msgspec.convert(jia(centre)[kind], list[dict[str, object]])]  # type: ignore[misc]


def activations(centre: CentreServer) -> list[dict[str, object]]:
    return msgspec.convert(jia(centre)["activations"], list[dict[str, object]])


def hand_in_old(clerk: Clerk) -> str:
    clerk.insert("old-jia")
    activation: str = clerk.step("waiting_social_card")["correlationid"]
    clerk.remove()
    return activation


def authority(clerk: Clerk) -> object:
    with clerk.rig.client() as client:
        return client.call(SYSTEM_STATUS, NoParams())["authority"]


def test_a_handoff_completes_and_the_centre_says_the_same(clerk: Clerk, centre: CentreServer) -> None:
    activation = hand_in_old(clerk)
    clerk.insert("social-jia-3.0")

    assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"
    assert statuses(centre, "cards") == ["normal"]
    assert statuses(centre, "old_cards") == ["void"]
    assert [row["activation"] for row in activations(centre)] == [activation]
    assert authority(clerk) == {"provider": "http", "host": "localhost", "available": True}


@pytest.mark.parametrize(
    ("route", "more"),
    [
        (Route.HOSPITAL, {"visit": Visit(kind="outpatient", number="V1")}),
        (
            Route.BANK,
            {"identity_document": IdentityDocument(type="identity_card", number="510101190001010012", name="测试甲")},
        ),
    ],
)
def test_one_call_of_a_hospital_or_a_bank_is_answered_by_the_centre(
    clerk: Clerk, centre: CentreServer, route: Route, more: dict[str, object]
) -> None:
    clerk.insert("social-jia-3.0")
    clerk.wait("card.identified", lambda event: event["subject"] == "reader-0")
    centre.faults.order("silent_after@activate:1")
    ended = clerk.activate(route=route, wait_s=10.0, **more)
    assert (ended.state, ended.outcome) == (State.COMPLETED, Outcome.ACTIVATED)
    (done,) = activations(centre)
    assert (done["activation"], done["route"]) == (ended.activation, route)
    assert done["visit"] == ("V1" if route is Route.HOSPITAL else None)


def test_a_centre_that_falls_silent_after_its_commit_is_asked_by_the_same_key(
    clerk: Clerk, centre: CentreServer
) -> None:
    activation = hand_in_old(clerk)
    centre.faults.order("silent_after@activate")
    clerk.insert("social-jia-3.0")

    clerk.wait("activation.in_doubt")
    assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"
    asked = [call for call in centre.calls if call.method in {"activate", "outcome", "report_update"}]
    assert {call.key for call in asked} == {activation}
    assert "outcome" in {call.method for call in asked}
    assert len(activations(centre)) == 1
    assert statuses(centre, "cards") == ["normal"]


def test_a_daemon_killed_while_the_centre_is_silent_asks_it_when_it_is_back(clerk: Clerk, centre: CentreServer) -> None:
    activation = hand_in_old(clerk)
    centre.faults.order("silent_after@activate", "500@outcome")
    clerk.insert("social-jia-3.0")
    clerk.wait("activation.in_doubt")

    clerk.rig.stop_daemon(signal.SIGKILL)
    centre.faults.order()
    clerk.rig.start_daemon()
    clerk.client.close()
    after = Clerk(clerk.rig)

    done = after.wait("activation.completed")
    assert (done["correlationid"], done["data"]["outcome"]) == (activation, "activated")
    assert len(activations(centre)) == 1
    after.client.close()


def test_a_centre_that_is_away_refuses_nobody_for_good(clerk: Clerk, centre: CentreServer) -> None:
    centre.faults.order("500@look_up_social_card")
    hand_in_old(clerk)
    clerk.insert("social-jia-3.0")
    assert clerk.wait("activation.refused")["data"]["reason"] == Reason.AUTHORITY_UNAVAILABLE
    assert statuses(centre, "cards") == ["not_enabled"]
    assert authority(clerk) == {"provider": "http", "host": "localhost", "available": False}
    clerk.remove()
    clerk.turn_the_page()

    centre.faults.order()
    hand_in_old(clerk)
    clerk.insert("social-jia-3.0")
    assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"


def test_the_daemons_log_names_no_person(clerk: Clerk, centre: CentreServer) -> None:
    centre.faults.order("bad_json@look_up_old_card:1", "wrong_type@look_up_social_card:1", "other_key@activate:1")
    hand_in_old(clerk)
    clerk.insert("social-jia-3.0")
    clerk.wait("activation.completed")
    log = clerk.rig.log.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in log.splitlines() if '"authority.unheard"' in line]
    assert len(rows) == 3
    assert "测试甲" not in log
    assert "510101190001010012" not in log
