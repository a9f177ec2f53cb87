import secrets
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.cards import (
    DEADLINE,
    OpenCard,
    RefusingKeys,
    altered,
    answered_instead,
    insert,
    pulled_after,
    software_keys,
)

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.crypto.block import Algorithm
from cardd.desk.identify import identify
from cardd.desk.reading import Identity, Via
from cardd.rules.files import Generation
from cardd.wire.cards import Kind

EXTERNAL_AUTHENTICATION, GET_CHALLENGE, INTERNAL_AUTHENTICATION = 0x82, 0x84, 0x88

SOCIAL = [
    ("social-ding-1.0", "contact", Generation.V1, Algorithm.DES),
    ("social-bing-2.0", "contact", Generation.V2, Algorithm.DES),
    ("social-jia-3.0", "contact", Generation.V3, Algorithm.SM4),
    ("social-jia-3.0", "contactless", Generation.V3, Algorithm.SM4),
]


def identity(card: OpenCard) -> Identity:
    return identify(card.channel, card.insertion, software_keys(), DEADLINE)


@pytest.mark.parametrize(("persona", "interface", "generation", "algorithm"), SOCIAL)
def test_a_social_card_is_known_by_name_generation_and_algorithm(
    persona: str, interface: str, generation: Generation, algorithm: Algorithm
) -> None:
    found = identity(insert(persona, interface))
    assert found.kind is Kind.SOCIAL_SECURITY
    assert (found.generation, found.algorithm, found.via) == (generation, algorithm, Via(interface))
    assert found.authentic is True
    assert found.unproven is None


def test_the_identity_holds_code_number_and_issuer() -> None:
    found = identity(insert("social-jia-3.0"))
    assert found.identification_code == "510100D156000005C0FFEE01FFFFFFFF"
    assert found.number is not None
    assert found.number.disclose() == "T0000001X"
    assert found.number.masked() == "*****001X"
    assert found.issuer is not None
    assert (found.issuer.region, found.issuer.issue_date, found.issuer.valid_until) == (
        "510100",
        "2024-01-02",
        "2034-01-02",
    )


@pytest.mark.parametrize(("persona", "interface"), [row[:2] for row in SOCIAL])
def test_identification_costs_no_try_of_any_key(persona: str, interface: str) -> None:
    card = insert(persona, interface)
    identity(card)
    assert EXTERNAL_AUTHENTICATION not in card.record.instructions
    assert GET_CHALLENGE not in card.record.instructions
    assert card.channel.rights_gained is False


def test_the_card_is_asked_with_random_numbers_of_our_own_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    card = insert("social-jia-3.0")
    drawn = iter((b"\x11" * 8, b"\x22" * 8))
    monkeypatch.setattr(secrets, "token_bytes", lambda count: next(drawn) if count == 8 else b"")
    found = identity(card)
    asked = [command for command in card.record.commands if command.ins == INTERNAL_AUTHENTICATION]
    assert [command.data for command in asked] == [b"\x11" * 8 + b"\x22" * 8]
    assert found.proof is not None
    assert (found.proof.process_factor, found.proof.original) == (b"\x11" * 8, b"\x22" * 8)
    assert found.proof.answer is not None
    assert len(found.proof.answer) == 8


@pytest.mark.parametrize("interface", ["contact", "contactless"])
def test_a_copy_without_the_issuers_key_is_not_authentic(interface: str) -> None:
    found = identity(insert("social-fake-3.0", interface))
    assert found.authentic is False
    assert found.identification_code == "510100D156000005C0FFEE01FFFFFFFF"


def test_the_right_card_is_not_authentic_to_the_wrong_root() -> None:
    card = insert("social-bing-2.0")
    assert identify(card.channel, card.insertion, software_keys(bytes(16)), DEADLINE).authentic is False


def test_without_a_key_service_the_card_is_known_and_not_judged() -> None:
    card = insert("social-jia-3.0")
    found = identify(card.channel, card.insertion, None, DEADLINE)
    assert (found.kind, found.authentic, found.unproven) == (Kind.SOCIAL_SECURITY, None, Reason.PSAM_ABSENT)
    assert found.proof is not None
    assert found.proof.answer is not None


@pytest.mark.parametrize(
    "reason",
    [
        Reason.PSAM_ABSENT,
        Reason.PSAM_ALGORITHM,
        Reason.PSAM_KEY_MISSING,
        Reason.PSAM_LEVEL,
        Reason.HSM_UNAVAILABLE,
        Reason.TIMEOUT,
    ],
)
def test_a_key_service_that_cannot_be_asked_leaves_the_card_unjudged(reason: Reason) -> None:
    card = insert("social-jia-3.0")
    found = identify(card.channel, card.insertion, RefusingKeys(reason), DEADLINE)
    assert (found.authentic, found.unproven) == (None, reason)


def test_a_failure_that_is_none_of_the_key_services_goes_up() -> None:
    card = insert("social-jia-3.0")
    with pytest.raises(CarddError) as caught:
        identify(card.channel, card.insertion, RefusingKeys(Reason.CARD_REMOVED), DEADLINE)
    assert caught.value.reason is Reason.CARD_REMOVED


def test_a_card_that_refuses_to_prove_itself_has_not_proved_itself() -> None:
    card = insert("social-jia-3.0")
    answered_instead(card, {INTERNAL_AUTHENTICATION: b"\x6a\x88"})
    found = identity(card)
    assert found.authentic is False
    assert found.proof is not None
    assert found.proof.answer is None


def test_an_answer_to_reset_that_gives_no_factor_proves_nothing() -> None:
    card = insert("social-jia-3.0")
    short = replace(card.insertion, atr=bytes.fromhex("3B6500000081544C96"))
    assert identify(card.channel, short, software_keys(), DEADLINE).authentic is False


def test_a_social_environment_without_an_identification_code_is_a_damaged_card() -> None:
    card = insert("social-jia-3.0")
    answered_instead(card, {0xB2: b"\x6a\x82"})
    with pytest.raises(CarddError) as caught:
        identity(card)
    assert caught.value.reason is Reason.CARD_ID_MALFORMED


def test_an_old_card_is_known_by_its_number_and_proves_nothing() -> None:
    found = identity(insert("old-jia"))
    assert (found.kind, found.generation, found.authentic, found.unproven) == (Kind.MEDICAL_INSURANCE, None, None, None)
    assert found.number is not None
    assert found.number.disclose() == "1900000001"


@pytest.mark.parametrize("persona", ["psam", "psam-provincial"])
def test_a_security_module_on_the_counter_is_not_taken_for_a_persons_card(persona: str) -> None:
    assert identity(insert(persona)).kind is Kind.PSAM


def test_a_module_with_the_sm4_environment_only_is_a_module_too(tmp_path: Path) -> None:
    assert identity(insert(altered(tmp_path, "psam", algorithms=["sm4"]))).kind is Kind.PSAM


def test_a_damaged_identification_code_is_told_as_such(tmp_path: Path) -> None:
    damaged = altered(tmp_path, "social-jia-3.0", files={"SSSEEF05": {"01": "510100D156000006C0FFEE01FFFFFFFF"}})
    with pytest.raises(CarddError) as caught:
        identity(insert(damaged))
    assert caught.value.reason is Reason.CARD_ID_MALFORMED


@pytest.mark.parametrize("blocked", ["card", ["SSSE"]])
def test_a_blocked_card_is_told_as_such(tmp_path: Path, blocked: str | list[str]) -> None:
    with pytest.raises(CarddError) as caught:
        identity(insert(altered(tmp_path, "social-jia-3.0", blocked=blocked)))
    assert caught.value.reason is Reason.CARD_BLOCKED


@pytest.mark.parametrize("commands", range(9))
def test_a_card_pulled_at_any_command_is_a_removed_card(commands: int) -> None:
    card = insert("social-jia-3.0", "contactless")
    with pytest.raises(CarddError) as caught:
        identity(pulled_after(card, commands))
    assert caught.value.reason is Reason.CARD_REMOVED


def test_two_identities_of_one_card_by_both_ways_are_the_same_card() -> None:
    contact, antenna = identity(insert("social-jia-3.0")), identity(insert("social-jia-3.0", "contactless"))
    assert contact.same_card(antenna)
    assert not contact.same_card(identity(insert("social-yi-3.0")))


def test_an_identity_shows_no_number_when_it_is_printed() -> None:
    assert "T0000001X" not in repr(identity(insert("social-jia-3.0")))
    assert "C0FFEE01" not in repr(identity(insert("social-jia-3.0")))
