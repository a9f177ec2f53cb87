"""What a card in a reader tells of itself before it is put to the test."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.cards import altered

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.conformance.case import Outcome
from cardd.conformance.cases import CASES, run_case
from cardd.conformance.inserted import introduce
from cardd.crypto.block import Algorithm
from cardd.rules.generations import Generation
from cardsim.card.make import make_card, make_chip
from cardsim.conformance import ChipLink
from cardsim.persona import load_persona


def link(name: str | Path) -> ChipLink:
    return ChipLink(make_chip(load_persona(name)), "contact")


@pytest.mark.parametrize(
    ("name", "generation", "algorithm"),
    [
        ("p1-1.0-des", Generation.V1, Algorithm.DES),
        ("p2-2.0-des", Generation.V2, Algorithm.DES),
        ("p3-3.0-sm4", Generation.V3, Algorithm.SM4),
    ],
)
def test_a_card_tells_its_generation_and_its_cipher_and_nothing_else_is_known(
    name: str, generation: Generation, algorithm: Algorithm
) -> None:
    subject = introduce(link(name), "front")
    assert subject is not None
    assert (subject.name, subject.generation, subject.algorithm) == ("front", generation, algorithm)
    assert (subject.pin, dict(subject.keys)) == (None, {})


@pytest.mark.parametrize(
    ("toggle", "algorithm"), [("absent", Algorithm.SM4), ("ssf33", Algorithm.SSF33), ("present", Algorithm.SM4)]
)
def test_what_a_card_does_not_tell_is_usual(tmp_path: Path, toggle: str, algorithm: Algorithm) -> None:
    subject = introduce(link(altered(tmp_path, "p3-3.0-sm4", toggles={"fci_algorithm": toggle})), "front")
    assert subject is not None
    assert subject.algorithm is algorithm


class OtherCard:
    """A card of another kind, on contacts."""

    interface = "contact"
    tear: Callable[[int], None] | None = None

    def __init__(self, name: str) -> None:
        self._card = make_card(load_persona(name))

    def cold_reset(self) -> bytes:
        return self._card.power_on()

    warm_reset = cold_reset

    def transmit(self, command: bytes) -> bytes:
        return self._card.transmit(command)

    def other_side(self) -> bytes | None:
        return None


@pytest.mark.parametrize("name", ["psam", "old-jia"])
def test_a_card_of_another_kind_is_none_of_ours_though_a_module_bears_the_name(name: str) -> None:
    assert introduce(OtherCard(name), "front") is None


def test_a_generation_that_is_not_known_is_told(tmp_path: Path) -> None:
    persona = altered(tmp_path, "p3-3.0-sm4", specification_version="9.00")
    with pytest.raises(CarddError) as caught:
        introduce(link(persona), "front")
    assert caught.value.reason is Reason.CARD_UNKNOWN


def test_a_locked_pin_of_a_card_that_nobody_knows_is_no_fault_of_the_card() -> None:
    subject = introduce(link("p4-bad-locked-pin"), "front")
    assert subject is not None
    (case,) = (case for case in CASES if case.name == "C-PIN-1")
    assert run_case(case, subject, link("p4-bad-locked-pin")).outcome is Outcome.PASSED
