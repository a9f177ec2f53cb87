"""A wrong security module at a real counter: it costs one card one try, whatever else happens until it is replaced."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cards import altered
from support.clerk import Clerk, counter

from cardd.base.reasons import Reason
from cardd.client.errors import CallError
from cardd.wire.cards import CardReadParams
from cardd.wire.methods import CARD_READ, STATION_CLEAR, SYSTEM_STATUS
from cardd.wire.stations import StationClearParams
from cardd.wire.system import NoParams
from cardsim.card.chip import Chip
from cardsim.card.keyring import Key
from cardsim.card.make import make_chip
from cardsim.persona import load_persona

CUSTOMERS = ("social-jia-3.0", "social-yi-3.0", "social-wu-3.0", "p3-3.0-sm4", "p4-bad-dates")
SAM = 1


@pytest.fixture
def customers() -> list[Chip]:
    return [make_chip(load_persona(name)) for name in CUSTOMERS]


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A module that proves cards and has another RKSSSE than they have."""
    return altered(tmp_path, "psam", keys={"RKSSSE": "DEADBEEF" * 4})


@pytest.fixture
def clerk(tmp_path: Path, wrong: Path) -> Iterator[Clerk]:
    with counter(tmp_path / "c", psam=str(wrong)) as clerk:
        yield clerk


def keys(chip: Chip) -> list[Key]:
    """Return all keys of a card, of every application."""
    found: list[Key] = []
    places = [chip.machine.root]
    while places:
        place = places.pop()
        found += place.keys.values()
        places.extend(place.children)
    return found


def lost(chip: Chip) -> int:
    """Count the tries that a card's keys have lost."""
    return sum(key.limit - key.tries for key in keys(chip))


def serve(clerk: Clerk, customer: Chip) -> str:
    """Put a card in, have it read, take it out; returns the reason of the refusal, or what was read of the name."""
    clerk.insert_card(customer.on("contact"))
    assert clerk.wait("card.identified")["data"]["authentic"] is True
    try:
        holder = clerk.client.call(CARD_READ, CardReadParams()).holder
        return "" if holder is None else str(holder.name)
    except CallError as error:
        return error.reason
    finally:
        clerk.remove()


def stopped(clerk: Clerk) -> list[str]:
    """Return what `system.status` says of the station's keys."""
    return clerk.client.call(SYSTEM_STATUS, NoParams())["stations"][0]["stopped_keys"]


def exchange_module(clerk: Clerk) -> None:
    clerk.remove(SAM)
    clerk.insert("psam", SAM)
    clerk.wait("card.inserted", lambda event: event["subject"] == "sam-0")


def test_a_wrong_module_and_five_customers_cost_one_card_one_try(clerk: Clerk, customers: list[Chip]) -> None:
    told = [serve(clerk, customer) for customer in customers]
    assert told == [Reason.KEY_STOPPED] * len(customers)
    assert [lost(customer) for customer in customers] == [1, 0, 0, 0, 0]
    assert clerk.types().count("key.stopped") == 1
    assert stopped(clerk) == ["RKSSSE"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_a_restart_does_not_have_the_next_card_pay_again(
    clerk: Clerk, customers: list[Chip], how: signal.Signals
) -> None:
    serve(clerk, customers[0])
    clerk.rig.stop_daemon(how)
    clerk.rig.start_daemon()
    clerk.client.close()
    after = Clerk(clerk.rig)
    assert stopped(after) == ["RKSSSE"]
    for _ in range(2):
        # the events of both runs are told: from the second start on
        after.wait("service.started")
    assert serve(after, customers[1]) == Reason.KEY_STOPPED
    assert [lost(customer) for customer in customers[:2]] == [1, 0]
    assert after.types().count("key.stopped") == 1
    after.client.close()


def test_with_the_right_module_and_a_cleared_station_the_next_customer_is_served(
    clerk: Clerk, customers: list[Chip]
) -> None:
    serve(clerk, customers[0])
    exchange_module(clerk)
    # the right module alone does not do: who put it in has to say so
    assert serve(clerk, customers[1]) == Reason.KEY_STOPPED
    result = clerk.client.call(STATION_CLEAR, StationClearParams(station="counter-0"))
    assert (result.lifted, result.forgotten) == (["RKSSSE"], [])
    assert clerk.wait("station.cleared")["data"]["lifted"] == ["RKSSSE"]
    assert stopped(clerk) == []
    assert serve(clerk, customers[2]) != Reason.KEY_STOPPED
    # and the card that paid gets its try back
    assert "测" in serve(clerk, customers[0])
    assert [lost(customer) for customer in customers[:3]] == [0, 0, 0]


def test_cleared_with_the_wrong_module_still_inside_it_costs_one_more_card_one_try(
    clerk: Clerk, customers: list[Chip]
) -> None:
    serve(clerk, customers[0])
    clerk.client.call(STATION_CLEAR, StationClearParams())
    told = [serve(clerk, customer) for customer in customers[1:]]
    assert told == [Reason.KEY_STOPPED] * (len(customers) - 1)
    assert [lost(customer) for customer in customers] == [1, 1, 0, 0, 0]


def test_identification_shows_no_key_to_any_card(clerk: Clerk, customers: list[Chip]) -> None:
    for customer in customers:
        clerk.insert_card(customer.on("contact"))
        clerk.wait("card.identified")
        clerk.remove()
    assert [lost(customer) for customer in customers] == [0] * len(customers)
    assert "key.stopped" not in clerk.types()
    assert serve(clerk, customers[0]) == Reason.KEY_STOPPED


def test_a_handoff_with_a_stopped_key_is_refused_and_asks_nothing_of_the_card(
    clerk: Clerk, customers: list[Chip]
) -> None:
    serve(clerk, customers[1])
    clerk.insert("old-jia")
    clerk.step("waiting_social_card")
    clerk.remove()
    clerk.insert_card(customers[0].on("contact"))
    assert clerk.wait("activation.refused")["data"]["reason"] == Reason.KEY_STOPPED
    assert lost(customers[0]) == 0
