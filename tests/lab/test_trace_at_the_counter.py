"""`cardd run --trace` at a real counter: what is in the file, whose it is, and that a card of it can be replayed."""

import os
import signal
import stat
import subprocess
from pathlib import Path

from support.clerk import Clerk, counter
from support.private import found_in
from support.spied import compiled
from support.waiting import until

from cardd.wire.cards import CardReadParams
from cardd.wire.methods import CARD_READ
from cardsim.rig import program
from cardsim.trace import load_traces


def traced(clerk: Clerk, path: Path, *options: str) -> None:
    """Start the clerk's daemon anew with a trace."""
    clerk.rig.stop_daemon()
    clerk.rig.start_daemon("--trace", str(path), *options)


def hand_off(clerk: Clerk) -> None:
    # a client of the daemon that runs now, in the place of the one before
    clerk.client.close()
    clerk.client = clerk.rig.client()
    clerk._follower = clerk._watch(clerk.rig.client())
    clerk.turn_the_page()
    clerk.insert("old-jia")
    clerk.step("waiting_social_card")
    clerk.remove()
    clerk.insert("social-jia-3.0")
    clerk.wait("activation.completed")
    clerk.client.call(CARD_READ, CardReadParams(purpose="test"))
    clerk.remove()


def test_a_handoff_is_traced_without_a_person_and_its_card_replayed(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with counter(tmp_path / "c") as clerk:
        traced(clerk, path)
        hand_off(clerk)
        clerk.rig.stop_daemon()
        text = path.read_bytes()
        assert found_in(text) == []
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        traces = load_traces(path)
        assert {trace.reader for trace in traces} == {"reader-0", "sam-0"}
        assert all(trace.lost == 0 for trace in traces)
        card = max(traces, key=lambda trace: len(trace.exchanges) if trace.reader == "reader-0" else 0)
        words = ["replay", str(path), "0", "--insertion", card.insertion, "--quiet", "0.3"]
        where = ["--dir", str(clerk.rig.lab.directory)]
        with subprocess.Popen([program("cardsim"), *words, *where], stdout=subprocess.PIPE, text=True) as player:
            assert player.stdout is not None
            assert player.stdout.readline().strip() == clerk.rig.lab.readers[0]
            said = [exchange.command.hex().upper() for exchange in card.exchanges]
            speak = [str(compiled(tmp_path)), clerk.rig.lab.readers[0], *said]
            done = subprocess.run(speak, env=clerk.rig.environment, capture_output=True, text=True, check=True)
            assert done.stdout.split() == [exchange.response.hex().upper() for exchange in card.exchanges]
            assert player.wait(10) == os.EX_OK


def test_a_reload_opens_the_file_anew_and_secrets_are_told_to_be_there(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with counter(tmp_path / "c") as clerk:
        traced(clerk, path, "--trace-secrets")
        clerk.insert("old-yi")
        until(lambda: path.stat().st_size > 0, "the card is spoken to")
        clerk.remove()
        moved = path.rename(tmp_path / "trace.1")
        daemon = clerk.rig.daemon
        assert daemon is not None
        daemon.send_signal(signal.SIGHUP)
        until(path.exists, "there is a new file")
        hand_off(clerk)
        clerk.rig.stop_daemon()
        assert "510101190001010012 in gbk as HEX" in found_in(path.read_bytes())
        assert load_traces(moved)
        assert load_traces(path)
        assert b"for test cards only" in clerk.rig.log.read_bytes()
