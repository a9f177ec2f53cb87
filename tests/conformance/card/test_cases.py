"""The cases of the card test against every social security card that is shipped, and against cards that differ."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.cards import altered

from cardd.rules.files import APPLICATIONS
from cardsim.card.image import take_image
from cardsim.card.make import make_chip
from cardsim.cli import main
from cardsim.conformance.case import Cost, Outcome, Result
from cardsim.conformance.run import CASES, ChipLink, run_case, run_persona
from cardsim.conformance.subject import subject_of
from cardsim.persona import Persona, SocialSecurityPersona, load_persona, shipped

SOCIAL = [name for name in shipped() if subject_of(load_persona(name)) is not None]
BY_NAME = {case.name: case for case in CASES}
NOT_ISSUERS_IRK = {"K-INT", "K-VER1", "K-VER2", "K-VER3"}

BREAK_THE_RULE = {
    "p4-bad-dates": {"C-REC-SSSE"},
    "p4-bad-irk": NOT_ISSUERS_IRK,
    "p4-bad-lengths": {"C-REC-SSSE", "C-REC-DF01"},
    "p4-bad-missing-files": {f"C-REC-{name}" for name in ("DF01", "DF02", "DF03", "DF04", "DF07")},
    "p4-bad-records": {"C-REC-SSSE"},
    "social-fake-3.0": NOT_ISSUERS_IRK,
}
"""Cards that break the rule on purpose, and the cases that tell it."""

ALWAYS_N_A = {"ACSE-1", "ACSE-2", "ACSE-3", "C-REC-DF06"}
ONLINE = {"T-DEBIT", "T-TEAR"}
DOES_NOT_APPLY = {
    "p1-1.0-des": {*ALWAYS_N_A, *ONLINE, "C-ATR-2", "C-REC-DF05", "C-REC-DF07", "FW"},
    "p2-2.0-des": {*ALWAYS_N_A, *ONLINE, "C-ATR-2", "C-REC-DF05"},
    "p3-3.0-sm4": {*ALWAYS_N_A, *ONLINE},
    "p5-offline": {*ALWAYS_N_A, "C-ATR-2", "C-REC-DF05"},
}
"""What says nothing about the cards of the four profiles; nothing else may become so unnoticed."""


def failed(results: list[Result]) -> dict[str, str]:
    return {result.case: result.reason for result in results if result.outcome is Outcome.FAILED}


def toggled(name: str, **toggles: str) -> Persona:
    persona = load_persona(name)
    card = persona.card
    assert isinstance(card, SocialSecurityPersona)
    changed = msgspec.structs.replace(card.toggles, **toggles)
    return replace(persona, card=msgspec.structs.replace(card, toggles=changed))


@pytest.mark.parametrize("name", SOCIAL)
def test_a_card_passes_every_case_that_it_is_not_made_to_fail(name: str) -> None:
    results = list(run_persona(load_persona(name)))
    assert [result.case for result in results] == list(BY_NAME)
    assert set(failed(results)) == BREAK_THE_RULE.get(name, set()), failed(results)


@pytest.mark.parametrize("name", [name for name in SOCIAL if load_persona(name).card.interface == "dual"])
def test_the_antenna_shows_the_same_card(name: str) -> None:
    results = list(run_persona(load_persona(name), interface="contactless"))
    assert set(failed(results)) == BREAK_THE_RULE.get(name, set()), failed(results)


@pytest.mark.parametrize("name", DOES_NOT_APPLY)
def test_a_case_that_does_not_apply_says_why_and_is_one_of_those_known(name: str) -> None:
    results = list(run_persona(load_persona(name)))
    assert {result.case for result in results if result.outcome is Outcome.NOT_APPLICABLE} == DOES_NOT_APPLY[name]
    assert all(result.reason for result in results if result.outcome is not Outcome.PASSED)


@pytest.mark.parametrize("base", ["p2-2.0-des", "p3-3.0-sm4"])
@pytest.mark.parametrize("digits", ["1234", "1234567890123456", "12345"])
def test_the_account_and_the_pin_hold_with_either_cipher_and_any_length(base: str, digits: str, tmp_path: Path) -> None:
    usage = {"DF04EF05": {"8F": "2"}}
    persona = load_persona(altered(tmp_path, base, pin=digits, files=usage, counters={"online": 7, "offline": 65000}))
    cases = [BY_NAME[name] for name in ("T-DEBIT", "T-TEAR", "C-PIN-2", "C-PIN-3", "C-PIN-4", "K-STK")]
    assert {result.outcome for result in run_persona(persona, cases)} == {Outcome.PASSED}


@pytest.mark.parametrize(
    ("base", "toggles", "tells"),
    [
        ("p3-3.0-sm4", {"fci_algorithm": "absent"}, "C-FCI-1"),
        ("p3-3.0-sm4", {"directory_sfi": "0F"}, "C-FCI-1"),
        ("p2-2.0-des", {"directory_entries": "plain"}, "C-DIR-1"),
        ("p3-3.0-sm4", {"firewall": "open"}, "FW"),
        ("p1-1.0-des", {"first_generation_insurance": "observed"}, "S-READ-AND"),
        ("p3-3.0-sm4", {"third_generation_conditions": "keys_only"}, "S-SCOPE-PIN"),
        ("p2-2.0-des", {"reserved_keys": "absent"}, "K-EXT"),
        ("p3-3.0-sm4", {"df07_keys": "reads_first"}, "C-REC-DF07"),
        ("p3-3.0-sm4", {"card_factor": "padded"}, "K-INT"),
        ("p3-3.0-sm4", {"card_factor": "padded"}, "S-3.0"),
        ("p3-3.0-sm4", {"card_factor": "padded"}, "C-TRN"),
        ("p2-2.0-des", {"lock_key_tries": "counted"}, "K-LOCK"),
        ("p2-2.0-des", {"puk_tries": "uncounted"}, "K-LOCK"),
        ("p3-3.0-sm4", {"updates": "with_mac"}, "S-WRITE"),
        ("p3-3.0-sm4", {"updates": "with_mac"}, "C-CYC"),
        ("p3-3.0-sm4", {"missing_or_right": "right_first"}, "S-READ"),
        ("p5-offline", {"load_certificate_balance": "before"}, "T-DEBIT"),
        ("p5-offline", {"load_proof_mac": "mac1"}, "T-DEBIT"),
        ("p5-offline", {"told_sequence": "after"}, "T-TEAR"),
    ],
)
def test_a_card_that_differs_is_told_by_its_case(base: str, toggles: dict[str, Any], tells: str) -> None:
    (result,) = run_persona(toggled(base, **toggles), [BY_NAME[tells]])
    assert result.outcome is Outcome.FAILED


def test_a_card_with_another_pin_than_its_issuer_says_is_told() -> None:
    persona = load_persona("p3-3.0-sm4")
    subject = subject_of(persona)
    assert subject is not None
    said = replace(subject, pin="1111")
    assert run_case(BY_NAME["C-PIN-2"], said, ChipLink(make_chip(persona), "contact")).outcome is Outcome.FAILED


def test_no_two_shipped_cards_have_the_same_serial_number_except_a_forged_one() -> None:
    serials = [load_persona(name).card.atr for name in SOCIAL if name != "social-fake-3.0"]
    assert len(set(serials)) == len(serials)


def test_every_application_of_the_rule_has_its_case_and_every_case_a_name_of_its_own() -> None:
    assert {f"C-REC-{name}" for name in APPLICATIONS} <= set(BY_NAME)
    assert len(BY_NAME) == len(CASES)


def test_cases_that_only_read_what_anybody_may_read_leave_the_card_as_it_was() -> None:
    persona = load_persona("p3-3.0-sm4")
    chip, subject = make_chip(persona), subject_of(persona)
    assert subject is not None
    before = take_image(chip.machine)
    for case in (case for case in CASES if case.cost is Cost.NOTHING):
        assert run_case(case, subject, ChipLink(chip, "contact")).outcome is not Outcome.FAILED
    assert take_image(chip.machine) == before


def test_the_command_prints_cases_by_cards_and_fails_where_a_card_does(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--case", "C-ATR-1", "--case", "K-INT", "--case", "ACSE-1"]
    assert main(["conformance", "p3-3.0-sm4", "social-fake-3.0", *words]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[:7] == [
        "    1  p3-3.0-sm4",
        "    2  social-fake-3.0",
        "",
        "           1    2",
        "C-ATR-1 pass pass",
        "K-INT   pass FAIL",
        "ACSE-1   n/a  n/a",
    ]
    assert told[-1] == "3 pass, 1 FAIL, 2 n/a"
    assert any(line.startswith("n/a ACSE-1: layout not published") for line in told)


def test_the_command_ends_well_where_every_card_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "social-jia-3.0", "--case", "K-INT"]) == os.EX_OK
    assert main(["conformance", "old-jia"]) == os.EX_USAGE
    assert main(["conformance", "--case", "none"]) == os.EX_USAGE
    assert main(["conformance", "p2-2.0-des", "--interface", "contactless"]) == os.EX_USAGE
    assert "no interface" in capsys.readouterr().err
