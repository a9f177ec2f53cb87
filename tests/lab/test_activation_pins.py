"""The PIN policies on real cards: what the card's PIN is afterwards, after tears, and after the daemon was killed."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.clerk import Clerk, Watched, counter

from cardd.wire.activation import Route, State
from cardsim.card.base import VirtualCard
from cardsim.rig import REGISTER

SELECT = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
PIN, NEW, PASSWORD = "123456", "864209", "975310"
CHANGE_PIN = bytes.fromhex("805E01")
TRIES = 6
RIGHT = 0x9000


class Deaf(Watched):
    """A card that is pulled out before the command it waits at has done anything."""

    def transmit(self, command: bytes) -> bytes:
        return b"" if self._loses(command) else super().transmit(command)

    def _loses(self, command: bytes) -> bool:
        if not command.startswith(CHANGE_PIN) or self.reached.is_set():
            return False
        self.reached.set()
        self.go_on.wait(1.5)
        return True


def present(card: VirtualCard, pin: str) -> int:
    """Present a PIN to a card in the hand and return the status word."""
    card.power_on()
    answer = card.transmit(SELECT)
    assert answer[-2] in {0x61, 0x90}
    block = bytes.fromhex(pin)
    return int.from_bytes(card.transmit(bytes((0x00, 0x20, 0x00, 0x00, len(block))) + block)[-2:], "big")


def policy(name: str, **more: Any) -> dict[str, object]:
    return {"activation": {"pin_policy": name, **more}}


def with_password(tmp_path: Path) -> Path:
    content = yaml.safe_load(REGISTER.read_text(encoding="utf-8"))
    content["people"][2]["old_cards"][0]["password"] = PASSWORD
    file = tmp_path / "password.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return file


def never(_: bytes) -> bool:
    return False


def changes_pin(command: bytes) -> bool:
    return command.startswith(CHANGE_PIN)


@pytest.mark.parametrize("name", ["change", "change_is_activation"])
def test_the_holder_changes_the_initial_pin(tmp_path: Path, name: str) -> None:
    card = Watched("social-jia-3.0", never)
    with counter(tmp_path / "c", settings=policy(name)) as clerk:
        clerk.start(route=Route.HOSPITAL, station="counter-0")
        clerk.insert_card(card)
        clerk.type(PIN)
        clerk.type(NEW)
        assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"
        assert clerk.types().index("pin.changed") < clerk.types().index("activation.completed")
    assert present(card, NEW) == RIGHT
    assert present(card, PIN) != RIGHT


def test_the_old_cards_password_becomes_the_new_cards_pin(tmp_path: Path) -> None:
    card = Watched("social-bing-2.0", never)
    with counter(tmp_path / "c", settings=policy("take_over"), register=with_password(tmp_path)) as clerk:
        clerk.insert("old-bing")
        clerk.type(PASSWORD)
        clerk.step("waiting_social_card")
        clerk.remove()
        clerk.insert_card(card)
        assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"
    assert present(card, PASSWORD) == RIGHT
    assert present(card, PIN) != RIGHT


Card = Callable[[], Watched]
CARDS: dict[str, Card] = {
    "made": lambda: Watched("social-jia-3.0", changes_pin),
    "not made": lambda: Deaf("social-jia-3.0", never),
}


@pytest.mark.parametrize("made", CARDS)
@pytest.mark.parametrize(
    ("name", "waits", "asks"),
    [
        ("change", "waiting_same_card", "waiting_same_card"),
        ("change_is_activation", "waiting_social_card", "waiting_pin"),
    ],
)
def test_a_torn_change_ends_with_the_new_pin_and_presents_nothing_by_itself(
    tmp_path: Path, name: str, waits: str, asks: str, made: str
) -> None:
    card = CARDS[made]()
    with counter(tmp_path / "c", settings=policy(name)) as clerk:
        clerk.start(route=Route.HOSPITAL, station="counter-0")
        clerk.insert_card(card)
        clerk.type(PIN)
        clerk.type(NEW)
        assert card.reached.wait(5)
        clerk.remove()
        card.go_on.set()
        clerk.step(waits)
        clerk.insert_card(card)
        clerk.step(asks, "pin_torn")
        asked = clerk.wait("prompt.opened")["data"]
        assert (asked["purpose"], asked["tries_left"]) == ("new_pin", TRIES)
        clerk.answer(asked["prompt"], NEW)
        if made == "not made":
            clerk.step(asks, "pin_not_changed")
            clerk.type(PIN)
            clerk.type(NEW)
        assert clerk.wait("activation.completed")["data"]["outcome"] == "activated"
    assert present(card, NEW) == RIGHT


def restarted(clerk: Clerk) -> Clerk:
    """Kill the daemon and start it anew; returns a clerk who reads from where it is resumed."""
    clerk.rig.stop_daemon(signal.SIGKILL)
    clerk.rig.start_daemon()
    again = Clerk(clerk.rig)
    again.wait("activation.resumed")
    return again


def test_a_daemon_killed_while_a_password_is_awaited_asks_again_and_completes(tmp_path: Path) -> None:
    with counter(tmp_path / "c") as clerk:
        clerk.insert("old-bing")
        asked = clerk.wait("prompt.opened")
        again = restarted(clerk)
        again.step("waiting_old_password", "secret_lost")
        anew = again.wait("prompt.opened")
        assert anew["correlationid"] == asked["correlationid"]
        assert anew["data"]["prompt"] != asked["data"]["prompt"]
        again.answer(anew["data"]["prompt"], "123456")
        again.step("waiting_social_card")
        again.remove()
        again.insert("social-bing-2.0")
        assert again.wait("activation.completed")["data"]["outcome"] == "activated"
        again.client.close()


def test_a_daemon_killed_while_a_pin_is_awaited_reads_the_card_that_is_in_and_asks_again(tmp_path: Path) -> None:
    with counter(tmp_path / "c", settings=policy("verify")) as clerk:
        activation = clerk.start(route=Route.HOSPITAL, station="counter-0")
        clerk.insert("social-jia-3.0")
        clerk.wait("prompt.opened")
        again = restarted(clerk)
        again.step("waiting_pin", "social_pin")
        again.type(PIN)
        assert again.wait("activation.completed")["correlationid"] == activation
        again.client.close()


def test_a_daemon_killed_between_the_two_cards_goes_on_with_the_second(tmp_path: Path) -> None:
    with counter(tmp_path / "c") as clerk:
        clerk.insert("old-jia")
        activation = clerk.step("waiting_social_card")["correlationid"]
        clerk.remove()
        again = restarted(clerk)
        assert again.look(activation).state is State.WAITING_SOCIAL_CARD
        again.insert("social-jia-3.0")
        done = again.wait("activation.completed")
        assert (done["correlationid"], done["data"]["outcome"]) == (activation, "activated")
        again.client.close()


@pytest.mark.parametrize("name", ["change", "change_is_activation"])
def test_a_daemon_killed_in_the_middle_of_a_change_finds_out_what_became_of_it(tmp_path: Path, name: str) -> None:
    card = Watched("social-jia-3.0", changes_pin)
    with counter(tmp_path / "c", settings=policy(name)) as clerk:
        clerk.start(route=Route.HOSPITAL, station="counter-0")
        clerk.insert_card(card)
        clerk.type(PIN)
        clerk.type(NEW)
        assert card.reached.wait(5)
        clerk.rig.stop_daemon(signal.SIGKILL)
        card.go_on.set()
        clerk.rig.start_daemon()
        again = Clerk(clerk.rig)
        again.wait("activation.resumed")
        asked = again.wait("prompt.opened")["data"]
        assert asked["purpose"] == "new_pin"
        again.answer(asked["prompt"], NEW)
        assert again.wait("activation.completed")["data"]["outcome"] == "activated"
        again.client.close()
    assert present(card, NEW) == RIGHT
