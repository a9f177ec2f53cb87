"""The commands of docs/simulator.md that need a pcscd, or a counter that somebody keeps up."""

from pathlib import Path

import pytest
from support.page import blocks_of, follow

from cardsim.rig import Rig

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")


@pytest.mark.timeout(120)
def test_the_commands_that_need_a_pcscd_or_a_running_counter_do_what_stands_there(tmp_path: Path) -> None:
    blocks = blocks_of(PAGE)
    assert {block.needs for block in blocks} == {"", "pcscd", "running"}
    follow(blocks, tmp_path, "pcscd")
    with Rig.start(tmp_path / "rig") as rig:
        follow(blocks, tmp_path, "running", rig.environment)
