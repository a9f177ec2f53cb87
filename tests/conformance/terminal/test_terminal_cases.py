"""The cases of the terminal's interface, through libsscard and a daemon on the real pcscd."""

from pathlib import Path

import pytest
from support.sscard import FUNCTIONS, PAIRS, SIGNING, build
from support.terminal import Service
from support.terminal_cases import CASES, run
from support.terminal_profiles import PROFILES

from cardd.conformance.case import Outcome, Result
from cardd.conformance.report import table

QUICK = ("I-BAS-1", "I-BAS-H", "I-READ-1", "I-READ-2", "I-READ-E", "I-READ-H")

EVERY = {*FUNCTIONS, *SIGNING, *PAIRS}
SUBJECTS = [f"{name} {service}" for name in PROFILES for service in Service]

WITHOUT_ANTENNA = {"P1", "P2", "P5"}
WITHOUT_ACCOUNT = {"P1", "P2", "P3"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


def failed(results: list[Result]) -> dict[str, str]:
    return {f"{one.case} {one.subject}": one.reason for one in results if one.outcome is Outcome.FAILED}


def not_applicable() -> set[tuple[str, str]]:
    """Return the cases that say nothing, with the cards and services; nothing else may become so unnoticed."""
    basic = ("I-BAS-1", "I-BAS-2", "I-BAS-3", "I-BAS-4")
    found = {(case, f"{name} {Service.STEPS}") for case in basic for name in PROFILES}
    for service in Service:
        found |= {("I-BAS-2", f"{name} {service}") for name in WITHOUT_ANTENNA}
        found |= {("I-DEBIT", f"{name} {service}") for name in WITHOUT_ACCOUNT}
        found |= {("I-PKI", f"{name} {service}") for name in PROFILES}
    return found


def test_a_terminal_with_a_security_module_reads_a_third_generation_card(tmp_path: Path, built: Path) -> None:
    results, _ = run(tmp_path, built, [Service.PSAM], ["P3"], QUICK)
    assert failed(results) == {}
    assert [one.case for one in results if one.outcome is Outcome.PASSED] == list(QUICK)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_profile_passes_every_case_with_every_key_service(
    tmp_path: Path, built: Path, request: pytest.FixtureRequest
) -> None:
    results, called = run(tmp_path, built, list(Service), PROFILES, list(CASES))
    text = f"{table(results)}\n{len(called)} of {len(EVERY)} functions, {len(CASES)} cases, {len(SUBJECTS)} terminals"
    request.node.add_report_section("call", "table", text)
    assert failed(results) == {}
    silent = {(one.case, one.subject) for one in results if one.outcome is Outcome.NOT_APPLICABLE}
    assert silent == not_applicable()
    assert called == EVERY
