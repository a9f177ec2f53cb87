"""Invented people: no two alike, their cards as the rule wants them, and the same ones from the same seed."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.conformance.case import Outcome
from cardd.rules.identity import IdentificationCode, card_number_check, citizen_number_ok
from cardd.rules.names import SSF33_REGION
from cardd.rules.old_cards import Chip, read_old_card
from cardsim.card.filesystem import TransparentFile
from cardsim.card.make import make_chip
from cardsim.conformance import run_persona
from cardsim.persona import (
    AnyPersona,
    MedicalInsurancePersona,
    MemoryPersona,
    Persona,
    SocialSecurityPersona,
    load_persona,
)
from cardsim.scenario.chance import Chance
from cardsim.scenario.model import GenerateSpec, Person, StatusMix
from cardsim.scenario.people import Inventor, document_of, generate, register_of

SEEDS = st.integers(0, 2**32)
ALL = GenerateSpec(count=1, password=0.5, status=StatusMix(not_enabled=1, normal=1, lost=1))


def people(count: int, seed: int, spec: GenerateSpec = ALL) -> Sequence[Person]:
    return generate(msgspec.structs.replace(spec, count=count), Random(seed))


def social(person: Person) -> SocialSecurityPersona:
    card = person.cards["social"]
    assert isinstance(card, SocialSecurityPersona)
    return card


def numbers(person: Person) -> list[str]:
    card = social(person)
    old = [one.number for one in person.cards.values() if isinstance(one, MedicalInsurancePersona | MemoryPersona)]
    return [
        card.holder.social_security_number,
        card.card_number,
        str(card.identification_code),
        str(card.atr),
        *old,
    ]


@settings(max_examples=5, deadline=None)
@given(SEEDS)
def test_no_two_of_thousands_have_a_number_in_common_also_in_two_groups_of_one_small_region(seed: int) -> None:
    inventor, stream = Inventor(), Random(seed)
    spec = GenerateSpec(count=2000, regions=("510100",))
    everybody = [*inventor.invent(spec, stream), *inventor.invent(spec, stream)]
    counts = Counter(number for person in everybody for number in numbers(person))
    assert [number for number, times in counts.items() if times > 1] == []
    assert len({person.name for person in everybody[:2000]}) == 2000


@settings(max_examples=5, deadline=None)
@given(SEEDS)
def test_of_regions_that_are_named_a_first_card_with_des_gets_one_where_it_is_des(seed: int) -> None:
    spec = GenerateSpec(count=1, regions=("110000", "510100"), profiles=("1.0", "2.0"))
    cards = [social(person) for person in people(100, seed, spec)]
    regions = [str(card.identification_code)[:2] for card in cards if (card.profile, card.algorithm) == ("1.0", "des")]
    assert set(regions) == {"51"}
    assert any(str(card.identification_code).startswith(SSF33_REGION) for card in cards)


@given(SEEDS)
def test_every_number_is_as_the_rule_writes_it_and_says_that_nobody_has_it(seed: int) -> None:
    for person in people(20, seed):
        card = social(person)
        number = card.holder.social_security_number
        assert citizen_number_ok(number)
        assert "1900" <= number[6:10] <= "1909"
        assert number[2:4] == "99"
        assert card_number_check(card.card_number[:8]) == card.card_number[8]
        code = IdentificationCode.parse(bytes.fromhex(str(card.identification_code)))
        assert code.region == number[:4] + "00"
        assert str(card.atr)[-8:] == code.serial.hex().upper()
        assert card.holder.name.startswith("测试")
        assert card.holder.sex == "21"[int(number[16]) % 2]


def test_nobody_has_a_card_that_would_be_taken_for_one_of_the_cipher_that_is_not_published() -> None:
    first = [card for card in map(social, people(4000, 1)) if (card.profile, card.algorithm) == ("1.0", "des")]
    assert len({str(card.identification_code)[:2] for card in first}) == 30
    assert not any(str(card.identification_code).startswith(SSF33_REGION) for card in first)


@given(SEEDS)
def test_the_register_knows_everybody_with_both_cards_and_a_card_in_use_has_made_the_old_one_void(seed: int) -> None:
    everybody = people(30, seed)
    for person, entry in zip(everybody, register_of(everybody).people, strict=True):
        (new,), (old,) = entry.cards, entry.old_cards
        assert [entry.social_security_number, new.number, new.identification_code, old.number] == [
            number for number in numbers(person) if not number.startswith("3B")
        ]
        assert entry.name == social(person).holder.name
        assert old.status == ("void" if new.status == "normal" else "valid")


def test_among_many_there_is_every_profile_algorithm_province_standing_layout_and_some_passwords() -> None:
    everybody = people(3000, 1)
    cards = [social(person) for person in everybody]
    assert {(card.profile, card.algorithm) for card in cards} == {
        (profile, algorithm) for profile in ("1.0", "2.0", "3.0") for algorithm in ("des", "sm4")
    }
    assert len({card.holder.social_security_number[:2] for card in cards}) == 31
    old = [person.cards["old"] for person in everybody]
    layouts = {one.layout for one in old if isinstance(one, MedicalInsurancePersona | MemoryPersona)}
    assert layouts == {"cpu", "loudi", "loudi-a", "loudi-b", "loudi-c", "loudi-d", "jinan"}
    entries = register_of(everybody).people
    assert {one.cards[0].status for one in entries} == {"not_enabled", "normal", "lost"}
    assert 1200 < sum(one.old_cards[0].password is not None for one in entries) < 1800


@pytest.mark.parametrize("kind", ["none", "cpu", "sle4442", "sle4428"])
def test_people_bring_the_old_card_that_was_asked_for(kind: str) -> None:
    spec = msgspec.structs.replace(ALL, old_card=kind)
    kinds = {getattr(person.cards.get("old"), "kind", "none") for person in people(50, 1, spec)}
    assert kinds == {kind}


def memory_of(card: AnyPersona) -> bytes:
    files = make_chip(Persona("old", Path("old.yaml"), card)).machine.root.files
    (file,) = (one for one in files.values() if isinstance(one, TransparentFile))
    return bytes(file.content)


def test_an_old_card_of_any_layout_tells_the_number_that_the_register_has() -> None:
    for person in people(300, 2):
        card = person.cards["old"]
        assert isinstance(card, MedicalInsurancePersona | MemoryPersona)
        found = read_old_card(Chip(card.kind), memory_of(card))
        assert found is not None
        assert (found.layout, found.number) == (card.layout, card.number)


@pytest.mark.parametrize("profile", ["1.0", "2.0", "3.0"])
@pytest.mark.parametrize("algorithm", ["des", "sm4"])
def test_a_card_passes_the_card_test_of_its_profile(profile: str, algorithm: str) -> None:
    spec = msgspec.structs.replace(ALL, profiles=(profile,), algorithms=(algorithm,))
    (person,) = people(1, 3, spec)
    results = list(run_persona(Persona("invented", Path("invented.yaml"), social(person))))
    assert results
    assert [result.case for result in results if result.outcome is Outcome.FAILED] == []


def test_a_persona_written_to_a_file_is_the_same_card(tmp_path: Path) -> None:
    for number, person in enumerate(people(40, 4)):
        for alias, card in person.cards.items():
            file = tmp_path / f"{number}-{alias}.yaml"
            file.write_text(yaml.safe_dump(document_of(card), allow_unicode=True, sort_keys=False), encoding="utf-8")
            assert load_persona(file).card == card


PROGRAM = """
import sys
from random import Random
import msgspec
from cardsim.scenario.chance import Chance
from cardsim.scenario.model import GenerateSpec
from cardsim.scenario.people import generate
sys.stdout.buffer.write(msgspec.json.encode(generate(GenerateSpec(count=50), Chance(5).stream("people", "x"))))
"""


def test_one_seed_gives_the_same_people_byte_for_byte_in_every_process_and_another_seed_gives_others() -> None:
    mine = [
        hashlib.sha256(
            msgspec.json.encode(generate(GenerateSpec(count=50), Chance(seed).stream("people", "x")))
        ).digest()
        for seed in (5, 6)
    ]
    theirs = [
        hashlib.sha256(
            subprocess.run(
                [sys.executable, "-c", PROGRAM],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                check=True,
            ).stdout
        ).digest()
        for seed in ("0", "1")
    ]
    assert theirs == [mine[0], mine[0]]
    assert mine[0] != mine[1]
