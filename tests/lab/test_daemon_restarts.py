"""The daemon ended in the middle of a handoff, gently and not, and started again on the same directory."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.clerk import Clerk, counter

from cardd.base.reasons import Reason
from cardd.client.errors import CallError
from cardd.wire.activation import Outcome, State
from cardd.wire.events import EventsSubscribeParams, short_type

ENDINGS = pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    with counter(tmp_path / "c") as clerk:
        yield clerk


@contextmanager
def held_register(clerk: Clerk) -> Iterator[None]:
    """Hold the register's file, so that the authority can read and not write."""
    file = clerk.rig.directory / "state" / "register.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


def restarted(clerk: Clerk, how: signal.Signals) -> Clerk:
    """End the daemon, start it again and return a clerk who has seen all events from the first one on."""
    assert clerk.rig.stop_daemon(how) < 2
    clerk.rig.start_daemon()
    clerk.client.close()
    return Clerk(clerk.rig)


def hand_in_old(clerk: Clerk) -> str:
    clerk.insert("old-jia")
    activation: str = clerk.step("waiting_social_card")["correlationid"]
    clerk.remove()
    return activation


@ENDINGS
def test_between_the_cards_a_restart_costs_the_handoff_nothing(clerk: Clerk, how: signal.Signals) -> None:
    activation = hand_in_old(clerk)
    after = restarted(clerk, how)
    assert after.wait("activation.resumed")["correlationid"] == activation
    after.insert("social-jia-3.0")
    done = after.wait("activation.completed")
    assert (done["correlationid"], done["data"]["outcome"]) == (activation, "activated")
    after.client.close()


def test_a_handoff_whose_time_was_over_before_the_restart_ends_and_the_next_one_completes(tmp_path: Path) -> None:
    with counter(tmp_path / "c", settings={"activation": {"deadlines": {"person_s": 2.0}}}) as clerk:
        activation = hand_in_old(clerk)
        clerk.rig.stop_daemon(signal.SIGKILL)
        time.sleep(2.1)
        clerk.rig.start_daemon()
        after = Clerk(clerk.rig)
        ended = after.wait("activation.expired")
        assert (ended["correlationid"], ended["data"]["cause"]) == (activation, "restart")
        assert hand_in_old(after) != activation
        after.insert("social-jia-3.0")
        assert after.wait("activation.completed")["data"]["outcome"] == "activated"
        after.client.close()


@ENDINGS
def test_after_the_point_of_no_return_a_restart_goes_forward_to_one_activation(
    clerk: Clerk, how: signal.Signals
) -> None:
    activation = hand_in_old(clerk)
    with held_register(clerk):
        clerk.insert("social-jia-3.0")
        clerk.step("authorising")
        assert clerk.rig.stop_daemon(how) < 2
    after = restarted(clerk, how)
    assert after.wait("activation.resumed")["correlationid"] == activation
    with pytest.raises(CallError) as caught:
        after.cancel(activation)
    assert caught.value.reason == Reason.TOO_LATE
    assert after.wait("activation.completed")["correlationid"] == activation
    seen = after.look(activation)
    assert (seen.state, seen.outcome) == (State.COMPLETED, Outcome.ACTIVATED)
    jia = clerk.rig.register()[0]
    activations = jia["activations"]
    assert isinstance(activations, list)
    assert [done["activation"] for done in activations] == [activation]
    after.client.close()


@ENDINGS
def test_a_cursor_goes_on_after_a_restart_without_a_gap(clerk: Clerk, how: signal.Signals) -> None:
    clerk.insert("old-yi")
    clerk.step("waiting_social_card")
    with clerk.rig.client() as client:
        cursor = client.subscribe(EventsSubscribeParams(after="now")).cursor
    after = restarted(clerk, how)
    with clerk.rig.client() as client:
        client.subscribe(EventsSubscribeParams(after=cursor))
        came = []
        for arrival in client.events(5):
            came.append(arrival.event)
            if short_type(arrival.event.type) == "activation.resumed":
                break
    sequences = [int(event.sequence) for event in came]
    assert sequences == list(range(sequences[0], sequences[0] + len(came)))
    assert sequences[0] == int(cursor.rpartition(".")[2]) + 1
    started = [short_type(event.type) for event in came].index("service.started")
    # the first event of a start comes before what the start makes of open activations
    assert started == len(came) - 2
    after.client.close()
