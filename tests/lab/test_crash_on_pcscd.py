"""A daemon on the real pcscd is killed at a sample of the places of the longest route."""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.kill_points import KillPoints
from support.matrix_clerk import VARIATIONS
from support.matrix_judge import judge
from support.matrix_mortal import FRONT, MODULE, MortalCounter

from cardsim.card.base import VirtualCard
from cardsim.lab import Lab

SAMPLE = 60
NIGHTLY = 9
PEOPLE = 80
_INDEX: Mapping[str, int] = {FRONT: 0, MODULE: 1}


class PcscSlots:
    """The readers of a laboratory."""

    backend = "pcsc"
    names: Mapping[str, str] = {FRONT: "Cardsim* 00", MODULE: "Cardsim* 01"}

    def __init__(self, directory: Path) -> None:
        self._lab = Lab.start(directory, 2)
        self.environment: Mapping[str, str] = {"PCSCLITE_CSOCK_NAME": str(self._lab.pcscd_socket)}
        self.names = {slot: _literal(self._lab.readers[index]) for slot, index in _INDEX.items()}

    def insert(self, slot: str, card: VirtualCard) -> None:
        self._lab.insert(card, _INDEX[slot])

    def remove(self, slot: str) -> None:
        self._lab.remove(_INDEX[slot])

    def close(self) -> None:
        self._lab.close()


def _literal(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def kill(directory: Path, step: int) -> str:
    with (
        KillPoints(directory) as points,
        MortalCounter(directory, points, VARIATIONS[0], PEOPLE, PcscSlots(directory / "l")) as counter,
    ):
        clean, places = counter.serve(counter.customer())
        assert clean.outcome == "activated"
        chosen, killed, ends = range(step // 2, len(places) - 1, step), Counter[str](), Counter[str]()
        for at in chosen:
            view, _ = counter.serve(counter.customer(), at)
            ends[str(view.outcome or view.reason)] += 1
            killed[" ".join((counter.killed_at or "nowhere").split()[:2])] += 1
        counter.take()
        counter.stop()
        judge(counter.customers, counter.journal_says(), counter.centre_says(), ())
        assert set(ends) == {"activated"}, ends
        assert "nowhere" not in killed
        return f"killed at {len(chosen)} of {len(places)} places on pcscd: {dict(killed)}"


def test_a_daemon_killed_at_a_sample_of_places_leaves_everything_agreed_on_pcscd(tmp_path: Path) -> None:
    kill(tmp_path, SAMPLE)


@pytest.mark.night
@pytest.mark.timeout(600)
def test_a_daemon_killed_at_many_places_leaves_everything_agreed_on_pcscd(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = kill(tmp_path, NIGHTLY)
    with capsys.disabled():
        sys.stdout.write(f"\n{report}\n")
