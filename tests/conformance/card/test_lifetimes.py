"""The cases of how long rights and challenges hold, against cards that forget too little or too much."""

from collections.abc import Callable

import pytest

from cardd.conformance.case import Outcome
from cardd.conformance.cases import CASES
from cardsim.card.filesystem import Application, ElementaryFile
from cardsim.card.machine import Machine
from cardsim.conformance import run_persona
from cardsim.persona import load_persona

BY_NAME = {case.name: case for case in CASES}
Enter = Callable[[Machine, Application], None]


def keep_local(machine: Machine, target: Application, enter: Enter) -> None:
    local = set(machine.session.local_rights)
    enter(machine, target)
    machine.session.local_rights.update(local)


def keep_challenge(machine: Machine, target: Application, enter: Enter) -> None:
    challenge = machine.session.challenge
    enter(machine, target)
    machine.session.challenge = challenge


def forget_pin(machine: Machine, target: Application, enter: Enter) -> None:
    if target is not machine.session.application:
        machine.session.pin_verified = False
    enter(machine, target)


def forget_all_in_the_same(machine: Machine, target: Application, enter: Enter) -> None:
    if target is machine.session.application:
        machine.session.local_rights.clear()
    enter(machine, target)


@pytest.mark.parametrize(
    ("spoil", "case"),
    [
        (keep_local, "S-STATE-DF"),
        (keep_local, "S-STATE-SSSE"),
        (keep_local, "S-STATE-BANK"),
        (keep_local, "S-STATE-MF"),
        (keep_challenge, "S-STATE-DF"),
        (keep_challenge, "S-STATE-SSSE"),
        (keep_challenge, "S-STATE-BANK"),
        (keep_challenge, "S-STATE-MF"),
        (forget_pin, "S-STATE-DF"),
        (forget_pin, "S-STATE-SSSE"),
        (forget_pin, "S-STATE-BANK"),
        (forget_pin, "S-STATE-MF"),
        (forget_all_in_the_same, "S-STATE-EF"),
    ],
)
def test_a_card_that_takes_rights_along_or_loses_them_is_told(
    monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Machine, Application, Enter], None], case: str
) -> None:
    enter = Machine.enter
    monkeypatch.setattr(Machine, "enter", lambda machine, target: spoil(machine, target, enter))
    assert [result.outcome for result in run_persona(load_persona("p3-3.0-sm4"), [BY_NAME[case]])] == [Outcome.FAILED]


@pytest.mark.parametrize("lost", ["challenge", "global_rights"])
def test_a_card_that_forgets_when_a_file_is_selected_is_told(monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    select = Machine.select_file

    def forgetful(machine: Machine, file: ElementaryFile) -> None:
        select(machine, file)
        setattr(machine.session, lost, None if lost == "challenge" else set())

    monkeypatch.setattr(Machine, "select_file", forgetful)
    (result,) = run_persona(load_persona("p3-3.0-sm4"), [BY_NAME["S-STATE-EF"]])
    assert result.outcome is Outcome.FAILED


def test_a_challenge_that_serves_twice_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "take_challenge", lambda machine: machine.session.challenge)
    (result,) = run_persona(load_persona("p2-2.0-des"), [BY_NAME["S-STATE-USED"]])
    assert result.outcome is Outcome.FAILED
