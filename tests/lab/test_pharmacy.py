"""The dual-insert handoff on a real pcscd, and everything that can happen to it at a counter."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.clerk import Clerk, Watched, counter

from cardd.base.reasons import Reason
from cardd.client.errors import CallError
from cardd.wire.activation import State
from cardd.wire.events import EventsSubscribeParams
from cardsim.card.make import make_card
from cardsim.persona import load_persona
from cardsim.rig import REGISTER

READ_HOLDER = bytes.fromhex("00B20830")
"""READ RECORD of the social security number, which only the authenticated reading asks for."""

READ_BINARY = bytes.fromhex("00B0")
GET_CHALLENGE = bytes.fromhex("00840000")
UPDATE_RECORD = bytes.fromhex("00DC")
EXTERNAL_AUTHENTICATION = bytes.fromhex("0082")


def begins(header: bytes) -> Callable[[bytes], bool]:
    return lambda command: command.startswith(header)


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    with counter(tmp_path / "c") as clerk:
        yield clerk


def hand_in_old(clerk: Clerk, persona: str = "old-jia") -> str:
    """Put an old card in at a station that starts by itself, and take it out; returns the activation."""
    clerk.insert(persona)
    activation: str = clerk.step("waiting_social_card")["correlationid"]
    clerk.remove()
    return activation


def updating_register(tmp_path: Path) -> Path:
    """A register whose centre sends a record for 测试甲's card."""
    content = yaml.safe_load(REGISTER.read_text(encoding="utf-8"))
    content["people"][0]["updates"] = {"SSSEEF05": {"06": "20440101"}}
    file = tmp_path / "updating.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return file


class Held:
    """The register's file, held so that the authority can read and not write."""

    def __init__(self, clerk: Clerk) -> None:
        self._database = sqlite3.connect(clerk.rig.directory / "state" / "register.sqlite", isolation_level=None)
        self._database.execute("BEGIN IMMEDIATE")

    def let_go(self) -> None:
        self._database.execute("ROLLBACK")
        self._database.close()


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(CallError) as caught:
        call()
    return str(caught.value.reason)


@pytest.mark.parametrize("who", ["jia-3.0", "bing-2.0", "ding-1.0"])
def test_a_handoff_completes_and_the_register_says_the_same(clerk: Clerk, who: str) -> None:
    name = who.split("-", maxsplit=1)[0]
    clerk.insert(f"old-{name}")
    if name == "bing":
        clerk.type("123456")
    clerk.step("waiting_social_card")
    clerk.remove()
    clerk.insert(f"social-{who}")
    done = clerk.wait("activation.completed")["data"]
    assert done["outcome"] == "activated"
    person = next(
        p for p in clerk.rig.register() if p["name"] == {"jia": "测试甲", "bing": "测试丙", "ding": "测试丁"}[name]
    )
    assert [card["status"] for card in person["cards"]] == ["normal"]  # type: ignore[attr-defined]
    assert [card["status"] for card in person["old_cards"]] == ["void"]  # type: ignore[attr-defined]
    assert person["account"] == "normal"


def test_a_card_of_the_wrong_kind_pauses_the_handoff(clerk: Clerk) -> None:
    clerk.start(station="counter-0")
    clerk.insert("psam-provincial")
    clerk.step("waiting_old_card", "CARD_UNKNOWN")
    clerk.remove()
    clerk.insert("old-jia")
    clerk.step("waiting_social_card", "insert_social_card")
    clerk.remove()
    clerk.insert("psam-provincial")
    clerk.step("waiting_social_card", "CARD_UNKNOWN")
    clerk.remove()
    clerk.insert("social-jia-3.0")
    assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"


def test_the_same_old_card_twice_pauses_the_handoff(clerk: Clerk) -> None:
    hand_in_old(clerk)
    clerk.insert("old-jia")
    clerk.step("waiting_social_card", "same_old_card")
    clerk.remove()
    clerk.insert("social-jia-3.0")
    assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"
    assert clerk.types().count("activation.started") == 1


def test_the_social_card_without_an_old_one_starts_nothing_and_pauses_what_was_started(clerk: Clerk) -> None:
    clerk.insert("social-jia-3.0")
    assert clerk.wait("card.identified")["data"]["authentic"] is True
    clerk.remove()
    clerk.wait("card.removed")
    assert "activation.started" not in clerk.types()
    clerk.start(station="counter-0")
    clerk.insert("social-jia-3.0")
    clerk.step("waiting_old_card", "social_card_first")
    clerk.remove()
    clerk.insert("old-jia")
    clerk.step("waiting_social_card")
    clerk.remove()
    clerk.insert("social-jia-3.0")
    assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"


def test_a_card_pulled_out_during_reading_is_asked_for_again(clerk: Clerk) -> None:
    hand_in_old(clerk)
    card = Watched("social-jia-3.0", begins(READ_HOLDER))
    clerk.insert_card(card)
    assert card.reached.wait(15)
    clerk.remove()
    card.go_on.set()
    clerk.step("waiting_social_card", "card_pulled")
    clerk.insert("social-jia-3.0")
    assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"


def test_another_persons_card_ends_in_a_refusal(clerk: Clerk) -> None:
    hand_in_old(clerk, "old-yi")
    clerk.insert("social-jia-3.0")
    refused = clerk.wait("activation.refused")["data"]
    assert refused["reason"] == "OTHER_PERSON"
    assert set(refused["text"]) == {"en", "zh-CN"}
    assert all(card["status"] == "not_enabled" for p in clerk.rig.register()[:2] for card in p["cards"])  # type: ignore[attr-defined]


def test_a_card_that_is_not_genuine_is_refused_and_never_gets_an_external_authentication(clerk: Clerk) -> None:
    hand_in_old(clerk, "old-yi")
    card = Watched("social-fake-3.0", begins(EXTERNAL_AUTHENTICATION))
    clerk.insert_card(card)
    assert clerk.wait("activation.refused")["data"]["reason"] == "CARD_NOT_GENUINE"
    assert not card.reached.is_set()


def test_an_active_card_is_shown_as_a_success(clerk: Clerk) -> None:
    hand_in_old(clerk)
    clerk.insert("social-jia-3.0")
    clerk.wait("activation.completed")
    clerk.remove()
    hand_in_old(clerk)
    clerk.insert("social-jia-3.0")
    done = clerk.wait("activation.completed")["data"]
    assert done["outcome"] == "already_active"
    assert done["text"]["zh-CN"]


def test_a_deadline_that_passes_ends_the_activation_and_frees_the_station(tmp_path: Path) -> None:
    settings = {"activation": {"deadlines": {"person_s": 0.6}}}
    with counter(tmp_path / "c", settings=settings) as clerk:
        activation = clerk.start(station="counter-0")
        assert clerk.wait("activation.expired")["correlationid"] == activation
        assert clerk.look(activation).state is State.EXPIRED
        assert clerk.start(station="counter-0") != activation


def test_cancel_ends_a_handoff_that_waits_for_cards(clerk: Clerk) -> None:
    first = clerk.start(station="counter-0")
    clerk.step("waiting_old_card")
    assert clerk.cancel(first).state is State.CANCELLED
    clerk.wait("activation.cancelled")
    second = hand_in_old(clerk)
    assert clerk.cancel(second).state is State.CANCELLED
    clerk.wait("activation.cancelled")


def test_cancel_ends_a_handoff_that_waits_for_a_password(tmp_path: Path) -> None:
    with counter(tmp_path / "c", settings={"activation": {"pin_policy": "verify"}}) as clerk:
        clerk.insert("old-bing")
        first = clerk.step("waiting_old_password")["correlationid"]
        assert clerk.cancel(first).state is State.CANCELLED
        clerk.wait("prompt.closed")
        clerk.remove()
        hand_in_old(clerk)
        clerk.insert("social-jia-3.0")
        second = clerk.step("waiting_pin")["correlationid"]
        assert clerk.wait("prompt.opened")["data"]["tries_left"] == 6
        assert clerk.cancel(second).state is State.CANCELLED
        clerk.wait("prompt.closed")


def test_cancel_ends_a_handoff_in_the_middle_of_reading(clerk: Clerk) -> None:
    old = Watched("old-jia", begins(READ_BINARY), nth=2)
    clerk.insert_card(old)
    first = clerk.step("reading_old_card")["correlationid"]
    assert old.reached.wait(15)
    assert clerk.cancel(first).state is State.CANCELLED
    old.go_on.set()
    clerk.wait("activation.cancelled")
    clerk.remove()
    hand_in_old(clerk)
    social = Watched("social-jia-3.0", begins(READ_HOLDER))
    clerk.insert_card(social)
    second = clerk.step("reading_social_card")["correlationid"]
    assert social.reached.wait(15)
    assert clerk.cancel(second).state is State.CANCELLED
    social.go_on.set()
    clerk.wait("activation.cancelled")
    assert all(card["status"] == "not_enabled" for card in clerk.rig.register()[0]["cards"])  # type: ignore[attr-defined]


def test_cancel_is_too_late_once_the_centre_was_asked(clerk: Clerk) -> None:
    activation = hand_in_old(clerk)
    held = Held(clerk)
    clerk.insert("social-jia-3.0")
    clerk.step("authorising")
    assert refusal(lambda: clerk.cancel(activation)) == Reason.TOO_LATE
    clerk.step("in_doubt")
    clerk.wait("activation.in_doubt")
    assert refusal(lambda: clerk.cancel(activation)) == Reason.TOO_LATE
    held.let_go()
    assert clerk.wait("activation.completed", patience_s=20)["data"]["outcome"] == "activated"
    assert refusal(lambda: clerk.cancel(activation)) == Reason.TOO_LATE
    assert clerk.rig.register()[0]["cards"][0]["status"] == "normal"  # type: ignore[index]


def test_cancel_is_too_late_while_the_card_is_written_or_awaited_or_confirmed(tmp_path: Path) -> None:
    with counter(tmp_path / "c", register=updating_register(tmp_path)) as clerk:
        activation = hand_in_old(clerk)
        card = Watched("social-jia-3.0", begins(UPDATE_RECORD))
        clerk.insert_card(card)
        clerk.step("updating_card")
        assert card.reached.wait(15)
        assert refusal(lambda: clerk.cancel(activation)) == Reason.TOO_LATE
        clerk.remove()
        card.go_on.set()
        clerk.step("waiting_same_card")
        assert refusal(lambda: clerk.cancel(activation)) == Reason.TOO_LATE
        clerk.insert("social-yi-3.0")
        clerk.step("waiting_same_card", "stranger_card")
        clerk.remove()
        again = Watched("social-jia-3.0", begins(UPDATE_RECORD))
        clerk.insert_card(again)
        assert again.reached.wait(15)
        held = Held(clerk)
        again.go_on.set()
        clerk.step("confirming")
        assert refusal(lambda: clerk.cancel(activation)) == Reason.TOO_LATE
        held.let_go()
        assert clerk.wait("activation.completed", patience_s=20)["data"]["outcome"] == "activated"
        raw = again.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
        assert raw[-2] in {0x61, 0x90}
        assert again.transmit(bytes.fromhex("00B2062806"))[:6] == bytes.fromhex("060420440101")


def test_two_clients_see_the_same_and_only_one_gets_the_station(clerk: Clerk) -> None:
    with clerk.rig.client() as other:
        other.subscribe(EventsSubscribeParams(after="earliest"))
        activation = hand_in_old(clerk)
        assert refusal(lambda: clerk.start(station="counter-0")) == Reason.BUSY
        clerk.insert("social-jia-3.0")
        clerk.wait("activation.completed")
        seen = []
        for arrival in other.events(PATIENCE):
            seen.append(arrival.event.sequence)
            if arrival.event.correlationid == activation and arrival.event.type.endswith("completed.v1"):
                break
    assert seen == [event["sequence"] for event in clerk.events[: len(seen)]]
    assert [int(sequence) for sequence in seen] == list(range(1, len(seen) + 1))


def test_a_client_that_connects_in_the_middle_is_told_where_things_stand(clerk: Clerk) -> None:
    activation = hand_in_old(clerk)
    clerk.wait("card.removed")
    with clerk.rig.client() as late:
        result = late.subscribe(EventsSubscribeParams(after="now"))
        assert result.snapshot is not None
        (open_one,) = result.snapshot.activations
        assert (open_one.activation, open_one.state) == (activation, State.WAITING_SOCIAL_CARD)
        assert {view.reader: view.state for view in result.snapshot.readers}["reader-0"] == "empty"
        clerk.insert("social-jia-3.0")
        kinds = []
        for arrival in late.events(PATIENCE):
            kinds.append(arrival.event.type)
            if arrival.event.type.endswith("activation.completed.v1"):
                break
    assert kinds[0] == "org.cardd.card.inserted.v1"
    assert kinds[-1] == "org.cardd.activation.completed.v1"


def test_two_stations_work_at_the_same_time(tmp_path: Path) -> None:
    with counter(tmp_path / "c", stations=2) as clerk:
        clerk.insert("old-jia", 0)
        clerk.insert("old-yi", 2)
        steps = [clerk.step("waiting_social_card") for _ in range(2)]
        assert {step["subject"] for step in steps} == {"counter-0", "counter-1"}
        first, second = (step["correlationid"] for step in steps)
        assert first != second
        clerk.remove(0)
        clerk.remove(2)
        clerk.insert("social-yi-3.0", 2)
        clerk.insert("social-jia-3.0", 0)
        done = {clerk.wait("activation.completed")["correlationid"] for _ in range(2)}
        assert done == {first, second}


def test_a_pcscd_killed_between_the_two_cards_costs_nothing(clerk: Clerk) -> None:
    hand_in_old(clerk)
    clerk.rig.lab.kill_pcscd()
    clerk.wait("pcsc.down")
    clerk.rig.lab.restart_pcscd()
    clerk.wait("pcsc.up")
    clerk.insert("social-jia-3.0")
    assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"
    assert clerk.types().count("pcsc.down") == clerk.types().count("pcsc.up") - clerk.types()[:3].count("pcsc.up") == 1


def test_a_pcscd_stopped_and_continued_costs_nothing(clerk: Clerk) -> None:
    hand_in_old(clerk)
    clerk.wait("card.removed")
    clerk.rig.lab.stop_pcscd()
    assert clerk.client.call_raw("readers.list", EventsSubscribeParams())
    clerk.rig.lab.continue_pcscd()
    clerk.insert("social-jia-3.0")
    assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in a job"])
def test_the_daemon_ends_within_two_seconds_while_pcscd_is_stopped(clerk: Clerk, *, busy: bool) -> None:
    hand_in_old(clerk)
    clerk.wait("card.removed")
    if busy:
        card = Watched("social-jia-3.0", begins(GET_CHALLENGE))
        clerk.insert_card(card)
        assert card.reached.wait(15)
    clerk.rig.lab.stop_pcscd()
    assert clerk.rig.stop_daemon() < 2.0
    clerk.rig.lab.continue_pcscd()


@pytest.mark.parametrize("gap_s", [0.0, 0.05])
def test_cards_swapped_in_the_middle_of_reading_are_never_mixed(clerk: Clerk, gap_s: float) -> None:
    hand_in_old(clerk)
    first = Watched("social-jia-3.0", begins(READ_HOLDER))
    clerk.insert_card(first)
    assert first.reached.wait(15)
    clerk.rig.lab.swap(make_card(load_persona("social-yi-3.0")), 0, gap_s)
    first.go_on.set()
    end = clerk.wait("activation.refused")["data"]
    # 测试乙's card came in its place: with 测试甲's old card that is another person's, and nothing else
    assert end["reason"] == "OTHER_PERSON"
    inserted = [event["insertion"] for event in clerk.events if event["type"].endswith("card.inserted.v1")]
    assert len(inserted) == len(set(inserted))


@pytest.mark.parametrize("gap_s", [0.0, 0.05])
@pytest.mark.parametrize("after_s", [0.1, 1.2], ids=["powered", "asleep"])
def test_the_new_card_swapped_for_the_old_one_in_no_time_is_taken_for_what_it_is(
    clerk: Clerk, gap_s: float, after_s: float
) -> None:
    clerk.insert("old-jia")
    clerk.step("waiting_social_card")
    time.sleep(after_s)
    clerk.rig.lab.swap(make_card(load_persona("social-jia-3.0")), 0, gap_s)
    assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"
    kinds = [kind for kind in clerk.types() if kind in {"card.inserted", "card.removed"}]
    assert kinds == ["card.inserted", "card.inserted", "card.removed", "card.inserted"]


PATIENCE = 10.0
