"""Failures on the real pcscd, told by `cardctl incident`, which happen again on pcscd and in this process."""

from pathlib import Path

import pytest
from support.incidents import AT_HOSPITAL, END, FAILURES, account
from support.scenarios import written as scenario

from cardd.ctl.incident import written
from cardsim.scenario.cast import Cast
from cardsim.scenario.chance import Chance
from cardsim.scenario.engine import play
from cardsim.scenario.grounds.pcscd import PcscdGround
from cardsim.scenario.outcome import Came
from cardsim.scenario.reading import read_scenario
from cardsim.scenario.runner import Job, run
from cardsim.scenario.story import Story

SHORT = "settings: {activation: {deadlines: {person_s: 6}}}"
"""Nobody waits two minutes for a deadline by the machine's clock."""

NOT_AGAIN = "torn out while it is read, and not put in again"
SERVICE = "the smart-card service restarted while the card is read"
ALONE = {
    SERVICE: (
        "",
        AT_HOSPITAL + "- insert: social-jia-3.0\n  faults: [{do: slow, at: READ RECORD, ms: 300}]\n"
        "- wait: activation.step\n  where: {state: reading_social_card}\n- pass: 0.4\n- restart: pcscd\n"
        + END.format(end="completed").replace("600", "60"),
    )
}
"""What goes wrong where there is a pcscd only; it happens again everywhere."""
ON_PCSCD: dict[str, pytest.MarkDecorator | tuple[()]] = {
    "torn out while it is written, and put in again": (),
    "torn out after the PIN was changed": pytest.mark.slow,
    "an old card's password wrong, then right": pytest.mark.slow,
    "a daemon that dies while the centre is asked": pytest.mark.slow,
    "a daemon that dies while the card is written": pytest.mark.slow,
    SERVICE: pytest.mark.slow,
    NOT_AGAIN: pytest.mark.slow,
}


def failure(name: str) -> tuple[str, str]:
    head, timeline = (FAILURES | ALONE)[name]
    return (SHORT if name == NOT_AGAIN else head), timeline


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks) for name, marks in ON_PCSCD.items()])
def test_a_failure_on_pcscd_happens_again_there_and_in_this_process(tmp_path: Path, name: str) -> None:
    head, timeline = failure(name)
    read = read_scenario(scenario(tmp_path, timeline, head))
    chance = Chance(1)
    cast = Cast(read, chance, short=False)
    ground = PcscdGround.start(cast.stage())
    try:
        story = Story(read, ground, cast, chance, short=False)
        play(story)
        assert story.failures == []
        with ground.client() as client:
            field = account(client)
    finally:
        ground.close()
    path = tmp_path / "incident.yaml"
    path.write_text(written(field), encoding="utf-8")
    for where in ("pcscd", "in-process"):
        result = run(Job(path, ground=where))
        assert result.came is Came.PASSED, (where, result.failures[0].came)
