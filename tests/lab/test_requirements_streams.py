"""R29 to R31 of docs/reliability.md: event streams, with the daemon as a process."""

import json
import os
import signal
import socket
import threading
from pathlib import Path

import pytest
from support.clerk import Clerk, counter
from support.shared_counter import clerk, kind_of, opened, read
from support.waiting import until

from cardd.base.reasons import Reason
from cardd.client.blocking import Client
from cardd.client.errors import CallError
from cardd.wire.cards import CardReadParams
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import CARD_READ, SESSION_HELLO
from cardd.wire.session import HelloParams

__all__ = ["clerk", "opened"]

CARD = "social-bing-2.0"


def _sequences(client: Client, last: int) -> list[int]:
    """Return the sequences that a subscriber gets, up to a last one."""
    came: list[int] = []
    for arrival in client.events(20):
        came.append(int(arrival.event.sequence))
        if came[-1] >= last:
            break
    return came


_AT_ONCE = 4
"""How many subscriptions the slow client has: four hundred events of one fit into what socket and daemon hold back."""


def _subscribed(clerk: Clerk, times: int) -> socket.socket:
    """Return a client that has asked for all events, so many times, and does not read."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(os.fspath(clerk.rig.socket))
    for number in range(times):
        request = {"jsonrpc": "2.0", "id": number, "method": "events.subscribe", "params": {"after": "earliest"}}
        sock.sendall(json.dumps(request).encode() + b"\n")
    return sock


def _rest(sock: socket.socket) -> tuple[dict[str, list[int]], dict[str, str]]:
    """Read to the end: the sequences that each subscription got, and the cursor with which each was cut off."""
    sock.settimeout(15)
    got: dict[str, list[int]] = {}
    cut_off: dict[str, str] = {}
    with sock, sock.makefile("rb") as lines:
        for line in lines:
            message = json.loads(line)
            if message.get("method") == "event":
                params = message["params"]
                got.setdefault(params["subscription"], []).append(int(params["event"]["sequence"]))
            elif "error" in message:
                assert (message["id"], message["error"]["data"]["reason"]) == (None, "SLOW_CONSUMER")
                cut_off[message["error"]["data"]["subscription"]] = message["error"]["data"]["cursor"]
    return got, cut_off


def test_r29_a_cursor_of_another_stream_is_an_error_and_never_a_gap(tmp_path: Path) -> None:
    with counter(tmp_path / "a") as one, counter(tmp_path / "b") as other:
        with one.rig.client() as client:
            cursor = client.subscribe(EventsSubscribeParams(after="now")).cursor
            stream = client.call(SESSION_HELLO, HelloParams(client="test", api=1)).stream
        with other.rig.client() as client:
            assert client.call(SESSION_HELLO, HelloParams(client="test", api=1)).stream != stream
            for foreign in (cursor, "", "latest", "0"):
                with pytest.raises(CallError) as caught:
                    client.subscribe(EventsSubscribeParams(after=foreign))
                assert caught.value.reason == Reason.CURSOR_GONE
                assert caught.value.data["earliest"]
        # killed and started again it is the same stream, and the cursor leads on in it
        one.rig.stop_daemon(signal.SIGKILL)
        one.rig.start_daemon()
        with one.rig.client() as client:
            assert client.call(SESSION_HELLO, HelloParams(client="test", api=1)).stream == stream
            client.subscribe(EventsSubscribeParams(after=cursor))
            first = next(client.events(5)).event
            assert kind_of({"type": first.type}) == "service.started"


def test_r30_whoever_comes_in_the_middle_misses_nothing_and_whoever_is_slow_is_told_where_he_was(clerk: Clerk) -> None:
    clerk.insert(CARD)
    clerk.wait("card.identified")
    came: list[list[int]] = []
    last = [1 << 62]

    def follow() -> None:
        with clerk.rig.client() as client:
            client.subscribe(EventsSubscribeParams(after="earliest"))
            came.append(_sequences(client, last[0]))

    slow = _subscribed(clerk, _AT_ONCE)
    last[0] = int(clerk.events[-1]["sequence"]) + 400
    followers = []
    with clerk.rig.client() as client:
        # each reading for a purpose is an event; every fiftieth somebody comes and wants all from the beginning
        for number in range(400):
            if number % 50 == 0:
                followers.append(threading.Thread(target=follow))
                followers[-1].start()
            client.call(CARD_READ, CardReadParams(purpose="p" * 190, files="SSSEEF05|01|$"))
    for follower in followers:
        follower.join(20)
    assert len(came) == 8
    assert all(sequences == list(range(1, last[0] + 1)) for sequences in came)
    # the slow one has read nothing: its receiving side is full, and for so long that it is sent away
    until(lambda: "a client reads too slowly" in clerk.rig.log.read_text(encoding="utf-8"), "the slow one's end", 30)
    # it reads only now, before the daemon gives it up altogether: what it gets is without a gap, and then why and where
    got, cut_off = _rest(slow)
    assert len(got) == len(cut_off) == _AT_ONCE
    for subscription, sequences in got.items():
        assert sequences == list(range(1, len(sequences) + 1))
        assert len(sequences) < last[0]
        with clerk.rig.client() as again:
            again.subscribe(EventsSubscribeParams(after=cut_off[subscription]))
            assert _sequences(again, last[0]) == list(range(len(sequences) + 1, last[0] + 1))


def test_r31_what_was_told_outlives_the_daemon_and_what_was_held_does_not(tmp_path: Path) -> None:
    with counter(tmp_path / "c") as first:
        first.insert("old-jia")
        activation = first.step("waiting_social_card")["correlationid"]
        before = list(first.events)
        first.rig.stop_daemon(signal.SIGKILL)
        first.rig.start_daemon()
        second = Clerk(first.rig)
        try:
            second.wait("service.started", lambda event: int(event["sequence"]) > int(before[-1]["sequence"]))
            until(lambda: "card.identified" in second.types()[len(before) :], "the card that is inside")
            # events: every one that somebody was told, in its place
            assert second.events[: len(before)] == before
            assert [int(event["sequence"]) for event in second.events] == list(range(1, len(second.events) + 1))
            # activations before the point of no return: go on where they stood, and that is told
            assert second.look(activation).state == "waiting_social_card"
            assert "activation.resumed" in second.types()[len(before) :]
            # insertions: never used again
            old = {event["insertion"] for event in before if event.get("insertion")}
            new = {event["insertion"] for event in second.events[len(before) :] if kind_of(event) == "card.inserted"}
            assert new
            assert not old & new
            # the station: held by that activation, and by nobody once it has ended
            second.cancel(activation)
            assert read(second).number is not None
        finally:
            second.client.close()
