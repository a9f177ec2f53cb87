"""The cases of the card test against every social security card that is shipped, and against cards that differ."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.cards import altered

from cardd.conformance.card import Card
from cardd.conformance.case import Cost, Outcome, Result
from cardd.conformance.cases import CASES, in_order, run_case, run_cases
from cardd.conformance.checks import FailedError
from cardd.conformance.subject import stranger
from cardd.rules.files import APPLICATIONS
from cardsim.card.image import take_image
from cardsim.card.make import make_chip
from cardsim.cli import main
from cardsim.conformance import ChipLink, run_persona, subject_of
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

ALWAYS_N_A = {"ACSE-1", "ACSE-2", "ACSE-3", "C-REC-DF06", "T-COUNT"}
ONLINE = {"T-DEBIT", "T-DAY", "T-TEAR"}
DOES_NOT_APPLY = {
    "p1-1.0-des": {*ALWAYS_N_A, *ONLINE, "C-ATR-2", "C-REC-DF05", "C-REC-DF07", "FW", "S-STATE-BANK"},
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
    return msgspec.structs.replace(persona, card=msgspec.structs.replace(card, toggles=changed))


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


class Mangled(ChipLink):
    """A card whose answers are not its own."""

    def __init__(self, name: str, wrong: Callable[[bytes, bytes], bytes]) -> None:
        super().__init__(make_chip(load_persona(name)), "contact")
        self._wrong = wrong

    def transmit(self, command: bytes) -> bytes:
        return self._wrong(command, super().transmit(command))


def keeps_rights_through_resets(link: ChipLink) -> None:
    link.cold_reset = link.warm_reset = lambda: bytes.fromhex("3B6D00000081544C9686845101C0FFEE08")  # type: ignore[method-assign]


@pytest.mark.parametrize("reset", ["RESET", "POWER"])
def test_a_card_that_keeps_rights_through_a_reset_is_told(reset: str) -> None:
    persona = load_persona("p3-3.0-sm4")
    subject, link = subject_of(persona), ChipLink(make_chip(persona), "contact")
    assert subject is not None
    card = Card(subject, link)
    keeps_rights_through_resets(link)
    with pytest.raises(FailedError, match="after"):
        BY_NAME[f"S-STATE-{reset}"].run(card)


@pytest.mark.parametrize(("online", "offline"), [(65533, 0), (0, 65535), (65535, 65535)])
def test_counters_end_with_9402(online: int, offline: int, tmp_path: Path) -> None:
    usage = {"DF04EF05": {"8F": "2"}}
    counters = {"online": online, "offline": offline}
    persona = load_persona(altered(tmp_path, "p3-3.0-sm4", files=usage, counters=counters, balance=5))
    (result,) = run_persona(persona, [BY_NAME["T-COUNT"]])
    assert result.outcome is Outcome.PASSED, result.reason


def test_a_counter_that_does_not_end_is_told(tmp_path: Path) -> None:
    usage = {"DF04EF05": {"8F": "2"}}
    persona = load_persona(altered(tmp_path, "p5-offline", files=usage, counters={"online": 65535, "offline": 65535}))
    subject = subject_of(persona)
    assert subject is not None
    link = Mangled("p5-offline", lambda _, answer: b"\x94\x01" if answer == b"\x94\x02" else answer)
    link._card = ChipLink(make_chip(persona), "contact")._card
    assert run_case(BY_NAME["T-COUNT"], subject, link).reason.endswith("9401, expected 9402")


@pytest.mark.parametrize("name", ["K-EXT", "K-LOCK"])
def test_the_key_of_the_starting_day_is_one_of_those_tried(name: str) -> None:
    seen = set[bytes]()

    def look(command: bytes, answer: bytes) -> bytes:
        if command[:2] == b"\x00\x82":
            seen.add(command[3:4])
        return answer

    subject = subject_of(load_persona("p5-offline"))
    assert subject is not None
    assert run_case(BY_NAME[name], subject, Mangled("p5-offline", look)).outcome is Outcome.PASSED
    assert b"\x87" in seen


@pytest.mark.parametrize("name", ["p1-1.0-des", "p2-2.0-des", "p3-3.0-sm4", "p5-offline"])
def test_of_a_stranger_nothing_is_proved_and_nothing_is_spent(name: str) -> None:
    persona = load_persona(name)
    chip = make_chip(persona)
    known = subject_of(persona)
    assert known is not None
    before = take_image(chip.machine)
    sent = set[bytes]()

    def look(command: bytes, answer: bytes) -> bytes:
        sent.add(command[:2])
        return answer

    link = Mangled(name, look)
    link._card = chip.on("contact")
    subject = stranger("card", known.generation, known.algorithm)
    harmless = [case for case in CASES if case.cost in {Cost.NOTHING, Cost.PROOFS}]
    results = list(run_cases(harmless, subject, link))
    assert failed(results) == {}
    assert {"C-PIN-1", "C-ATR-1", "C-FCI-1", "C-DIR-1"} <= {
        result.case for result in results if result.outcome is Outcome.PASSED
    }
    assert sent & {b"\x00\x82", b"\x80\x5e", b"\x84\x24", b"\x00\xdc", b"\x00\xd6"} == set()
    assert take_image(chip.machine) == before


@pytest.mark.parametrize(
    ("keys", "pin", "costs"),
    [
        ({"root": "0F" * 16}, "123456", []),
        ({"root": "00112233445566778899AABBCCDDEEFF", "RKSSSE": "0F" * 16}, "123456", [b"\x63\xc2"]),
        (None, "1111", [b"\x63\xc5"]),
    ],
)
def test_what_an_issuer_says_wrongly_costs_a_card_one_try_at_most(
    keys: dict[str, Any] | None, pin: str, costs: list[bytes]
) -> None:
    persona = load_persona("p3-3.0-sm4")
    subject = subject_of(persona)
    assert subject is not None
    said = msgspec.structs.replace(subject, pin=pin, keys=keys or subject.keys)
    chip = make_chip(persona)
    words: list[bytes] = []

    def look(_: bytes, answer: bytes) -> bytes:
        words.append(answer[-2:])
        return answer

    link = Mangled("p3-3.0-sm4", look)
    link._card = chip.on("contact")
    results = list(run_cases(CASES, said, link))
    spent = [word for word in words if word[0] == 0x63 and word[1] & 0xF0 == 0xC0]
    # a question for the tries left is answered so too, and spends none
    assert [word for word in spent if word != b"\x63\xc6"] == costs
    assert "T-DEBIT" not in failed(results)


def test_cases_stand_in_the_order_of_what_they_cost() -> None:
    costs = [list(Cost).index(case.cost) for case in in_order(CASES)]
    assert costs == sorted(costs)
    assert {case.name for case in CASES if case.cost is Cost.LIFE} == {"C-PIN-4", "K-LOCK", "K-STK-BLOCK", "T-COUNT"}


def test_one_card_lives_through_all_cases_but_those_that_end_it() -> None:
    persona = load_persona("p5-offline")
    subject = subject_of(persona)
    assert subject is not None
    results = list(run_cases(CASES, subject, ChipLink(make_chip(persona), "contact")))
    assert failed(results) == {}


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
        ("p2-2.0-des", {"firewall": "open"}, "S-STATE-BANK"),
        ("p3-3.0-sm4", {"firewall": "open"}, "S-STATE-MF"),
        ("p1-1.0-des", {"firewall": "open"}, "S-STATE-GLOBAL"),
        ("p3-3.0-sm4", {"environment_again": "keeps"}, "S-STATE-SSSE"),
        ("p1-1.0-des", {"environment_again": "keeps"}, "S-STATE-GLOBAL"),
        ("p2-2.0-des", {"global_rights_below": "cleared"}, "S-STATE-GLOBAL"),
        ("p1-1.0-des", {"challenge_after_internal_authentication": "used"}, "S-STATE-KEPT"),
        ("p3-3.0-sm4", {"challenge_after_reading": "used"}, "S-STATE-KEPT"),
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
        ("p5-offline", {"starting_day_key": "88"}, "T-DAY"),
    ],
)
def test_a_card_that_differs_is_told_by_its_case(base: str, toggles: dict[str, Any], tells: str) -> None:
    (result,) = run_persona(toggled(base, **toggles), [BY_NAME[tells]])
    assert result.outcome is Outcome.FAILED


def test_a_card_with_another_pin_than_its_issuer_says_is_told() -> None:
    persona = load_persona("p3-3.0-sm4")
    subject = subject_of(persona)
    assert subject is not None
    said = msgspec.structs.replace(subject, pin="1111")
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
