"""Clients of another user that mean no good, and the work at the counter while they are at it."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from support.hostile_clients import DEEDS
from support.siege import Siege, hostile
from support.waiting import until

from cardd.client.blocking import Client
from cardd.wire.activation import ENDS, ActivationListParams, ActivationResult, Outcome, State
from cardd.wire.methods import ACTIVATION_LIST, READERS_LIST
from cardd.wire.system import NoParams

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="to be two users at once")

MIB: Final = 1024
MEMORY_KIB: Final[Mapping[str, int]] = {
    # lines that are begun and answers that are not taken; the least is for what is imported and kept
    **dict.fromkeys(DEEDS, 16 * MIB),
    "half lines": 72 * MIB,
    # and the contract, which is made when it is first asked for
    "never reads": 32 * MIB,
}
READ_S: Final = 2.0
"""However busy the machine is with other tests. What it takes on a quiet one stands in docs/limits.md."""


@pytest.mark.parametrize("deed", DEEDS)
def test_cards_are_read_and_others_are_served_meanwhile_and_nothing_stays_behind(tmp_path: Path, deed: str) -> None:
    with Siege(tmp_path) as siege:
        siege.insert("social-jia-3.0")
        siege.read()
        before = siege.at_rest()
        with hostile(siege, deed, seconds=2.0) as got:
            reads = [siege.read() for _ in range(5)]
            with Client.connect(siege.socket) as another:
                assert len(another.call(READERS_LIST, NoParams()).readers) == 2
            held = siege.resources()
        assert max(reads) < READ_S
        assert held.memory - before.memory < MEMORY_KIB[deed]
        _got_what_it_should(deed, got[deed])
        until(lambda: siege.resources().descriptors <= before.descriptors, "the end of all that they had open")


def _got_what_it_should(deed: str, got: dict[str, Any]) -> None:
    if deed == "crowd":
        assert (got["served"], got["BUSY"]) == (48, 952)
    if deed == "half lines":
        assert got["held open"] == 48
    if deed == "garbage":
        assert (got["errors a second"] > 0, got["cut off"]) == (True, 0)
    if deed == "half-closes":
        assert (got["answered"] > 0, got["stayed"]) == (True, 16)
    if deed == "floods":
        assert (got["answers a second"] > 0, got["left"]) == (True, 8)


@pytest.mark.slow
def test_a_handoff_is_completed_while_all_of_them_are_at_it_and_who_does_not_read_is_cut_off(tmp_path: Path) -> None:
    with Siege(tmp_path) as siege, hostile(siege, *DEEDS, seconds=25.0) as got:
        siege.insert("old-jia")
        _until(siege, State.WAITING_SOCIAL_CARD)
        siege.remove()
        siege.insert("social-jia-3.0")
        assert _until(siege, State.COMPLETED).outcome is Outcome.ACTIVATED
        assert siege.read() < 2 * READ_S
    assert got["never reads"]["cut off"] > 0
    # the crowd may have had every place that a user has
    assert got["crowd"]["served"] + got["floods"]["answers a second"] > 0


def _until(siege: Siege, state: State) -> ActivationResult:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for one in siege.client.call(ACTIVATION_LIST, ActivationListParams(), wait_s=20.0).activations:
            if one.state is state:
                return one
            assert one.state not in ENDS
        time.sleep(0.05)
    raise AssertionError(f"never {state}")
