"""What the card test costs a card: nothing where it is to cost nothing, one try where the file is wrong."""

from collections.abc import Callable, Iterable

import pytest
from msgspec.structs import replace

from cardd.conformance.card import Card
from cardd.conformance.case import Case, Cost, Outcome, Result
from cardd.conformance.cases import CASES, run_cases
from cardd.conformance.checks import costs_a_try
from cardd.conformance.subject import Subject
from cardsim.card.image import take_image
from cardsim.card.make import make_chip
from cardsim.conformance import ChipLink, subject_of
from cardsim.persona import load_persona

NAMES = ("p1-1.0-des", "p2-2.0-des", "p3-3.0-sm4", "social-ding-1.0", "p5-offline")
CHEAP = [case for case in CASES if case.cost in {Cost.NOTHING, Cost.PROOFS}]
WRONG_KEY = "0F" * 16
HEADER_AND_LENGTH = 5
VERIFY, CHANGE_PIN, EXTERNAL_AUTHENTICATION = 0x20, 0x5E, 0x82
MACED = 0x04


class Watched(ChipLink):
    """A card that keeps what passed."""

    def __init__(self, name: str) -> None:
        self.chip = make_chip(load_persona(name))
        self.exchanges: list[tuple[bytes, bytes]] = []
        super().__init__(self.chip, "contact" if self.chip.answers.contact else "contactless")

    def transmit(self, command: bytes) -> bytes:
        answer = super().transmit(command)
        self.exchanges.append((command, answer))
        return answer

    def proofs(self) -> list[tuple[bytes, bytes]]:
        """Return what may have cost a counter: PIN, external authentication, MAC."""
        return [exchange for exchange in self.exchanges if _may_cost(exchange[0])]

    def tries_spent(self) -> int:
        return sum(costs_a_try(int.from_bytes(answer[-2:], "big")) for _, answer in self.proofs())

    def image(self) -> dict[str, object]:
        return {name: value for name, value in take_image(self.chip.machine).items() if name != "challenges"}


def _may_cost(command: bytes) -> bool:
    presents = command[1] == VERIFY and len(command) > HEADER_AND_LENGTH
    return presents or command[1] in {EXTERNAL_AUTHENTICATION, CHANGE_PIN} or bool(command[0] & MACED)


def known(name: str) -> Subject:
    subject = subject_of(load_persona(name))
    assert subject is not None
    return subject


def put(cases: Iterable[Case], subject: Subject, link: Watched) -> dict[str, Result]:
    return {result.case: result for result in run_cases(cases, subject, link)}


def wrong(name: str) -> Subject:
    """Return what a file of a card says whose issuer's key is right, and whose PIN and terminal keys are not."""
    right = known(name)
    others = dict.fromkeys(("RKSSSE", "UKSSSE", "PUK"), WRONG_KEY)
    return replace(right, pin="654321", keys={**right.keys, **others})


@pytest.mark.parametrize("said", [known, wrong])
@pytest.mark.parametrize("name", NAMES)
def test_a_card_that_is_shown_nothing_gets_no_pin_no_proof_and_no_mac(
    name: str, said: Callable[[str], Subject]
) -> None:
    link = Watched(name)
    before = link.image()
    results = put(CHEAP, said(name).kept_from_the_card(), link)
    assert link.proofs() == []
    assert link.image() == before
    assert all(result.outcome is not Outcome.FAILED for result in results.values()), results
    assert results["K-INT"].outcome is Outcome.PASSED


def test_it_says_why_it_cannot_judge() -> None:
    results = put(CHEAP, known("p3-3.0-sm4").kept_from_the_card(), Watched("p3-3.0-sm4"))
    assert results["K-VER1"].reason == results["S-SCOPE-PIN"].reason == "the card is not shown its PIN and keys"


@pytest.mark.parametrize("case", [case for case in CASES if case.cost is not Cost.NOTHING], ids=lambda case: case.name)
def test_a_wrong_pin_costs_one_try_whichever_case_comes_first(case: Case) -> None:
    link = Watched("p3-3.0-sm4")
    put(dict.fromkeys([case, *CHEAP]), replace(known("p3-3.0-sm4"), pin="654321"), link)
    verified = [answer for command, answer in link.proofs() if command[1] in {VERIFY, CHANGE_PIN}]
    assert sum(costs_a_try(int.from_bytes(answer, "big")) for answer in verified) == 1


@pytest.mark.parametrize("key", ["RKSSSE", "UKSSSE", "RK1DF01"])
def test_a_wrong_key_costs_one_try(key: str) -> None:
    right = known("p3-3.0-sm4")
    link = Watched("p3-3.0-sm4")
    put(CHEAP, replace(right, keys={**right.keys, key: WRONG_KEY}), link)
    assert link.tries_spent() == 1


def test_a_pin_is_not_locked_by_a_file_whose_keys_could_not_open_it_again() -> None:
    right = known("p3-3.0-sm4")
    unblock = next(case for case in CASES if case.name == "K-STK")
    for key in ("PUK", "STKSSSE"):
        link = Watched("p3-3.0-sm4")
        result = put([unblock], replace(right, keys={**right.keys, key: WRONG_KEY}), link)["K-STK"]
        assert result.outcome is Outcome.FAILED
        card = Card(right, link)
        card.go("SSSE")
        assert card.verify("") == 0x63C0 | right.pin_limit


def test_another_issuers_file_costs_nothing() -> None:
    link = Watched("p3-3.0-sm4")
    results = put(CASES, replace(known("p3-3.0-sm4"), keys={"root": WRONG_KEY}), link)
    assert link.proofs() == []
    assert results["K-INT"].refused
