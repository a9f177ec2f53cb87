"""Every kind of card that is not the social one, and what is refused by name, with the cards of the simulator."""

from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace
from support.account import account_card
from support.cards import (
    DEADLINE,
    ROOT,
    OpenCard,
    RefusingKeys,
    altered,
    answered_instead,
    insert,
    on_channel,
    software_keys,
)

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.cards.account import Deed
from cardd.crypto.block import Algorithm
from cardd.crypto.money import Amounts
from cardd.desk.account import Order, Services, debit
from cardd.desk.identify import identify
from cardd.desk.read import read_card, read_person
from cardd.desk.reading import CardReading, CardValue, Identity
from cardd.desk.stopped import StoppedKeys
from cardd.desk.view import masked_result, whole_result
from cardd.iso7816.device import Transport
from cardd.keys.service import KeyService
from cardd.keys.software_money import SoftwareMoney
from cardd.wire.cards import Kind
from cardsim.persona import PERSONAS

PRESENT_CODE, READ_COUNTER = 0x20, 0xB1
READER_ONLY = 0xFF
MEMORY = [
    "old-sle4442",
    "old-sle4428-a",
    "old-sle4428-b",
    "old-sle4428-c",
    "old-sle4428-d",
    "old-sle4428-jinan",
]


def number_of(persona: str) -> str:
    return str(yaml.safe_load((PERSONAS / f"{persona}.yaml").read_text(encoding="utf-8"))["number"])


def who(card: OpenCard) -> Identity:
    return identify(card.channel, card.insertion, software_keys(), DEADLINE)


def read(card: OpenCard, files: str | None = None) -> CardReading:
    return read_card(card.channel, card.insertion, software_keys(), None, DEADLINE, files, stopped=StoppedKeys())


def told(value: CardValue) -> str | None:
    return value.disclose() if isinstance(value, Personal) else None


@pytest.mark.parametrize("persona", MEMORY)
def test_a_memory_card_of_every_layout_is_an_old_card_with_its_number(persona: str) -> None:
    identity = who(insert(persona))
    assert identity.kind is Kind.MEDICAL_INSURANCE
    assert told(identity.number) == number_of(persona)
    assert identity.authentic is None


@pytest.mark.parametrize("persona", MEMORY)
def test_a_memory_card_is_only_read_and_its_secret_code_never_presented(persona: str) -> None:
    card = insert(persona)
    who(card)
    read(card)
    assert {command.cla for command in card.record.commands} == {READER_ONLY}
    assert {command.ins for command in card.record.commands} == {0xA4, 0xB0}


def test_a_card_of_jinan_tells_its_holder_and_hides_who_it_is() -> None:
    card = insert("old-sle4428-jinan")
    reading = read(card)
    assert reading.holder is not None
    assert told(reading.holder.name) == "测试己"
    assert told(reading.holder.social_security_number) is not None
    masked = masked_result("1-1", reading, Secret(bytes(16)))
    assert masked.holder is not None
    assert masked.holder.name == "测*己"
    assert "*" in str(masked.holder.social_security_number)


@pytest.mark.parametrize(
    "persona", ["social-jia-3.0", "social-bing-2.0", "old-jia", "p5-offline", "psam", "p2-2.0-des"]
)
def test_no_processor_card_is_sent_what_only_readers_understand(persona: str) -> None:
    card = insert(persona)
    who(card)
    assert READER_ONLY not in {command.cla for command in card.record.commands}


@pytest.mark.parametrize("persona", ["p3-3.0-sm4", "p2-2.0-des"])
def test_the_bank_number_beside_the_social_card_is_read_last_and_masked(persona: str) -> None:
    card = insert(persona)
    reading = read(card)
    assert reading.identity.kind is Kind.SOCIAL_SECURITY
    whole = whole_result("1-1", reading, Secret(bytes(16))).bank_number
    assert whole is not None
    assert isinstance(whole, str)
    assert whole.isdigit()
    assert masked_result("1-1", reading, Secret(bytes(16))).bank_number == "*" * (len(whole) - 4) + whole[-4:]


def test_the_bank_number_is_not_looked_for_where_files_are_named() -> None:
    card = insert("p3-3.0-sm4")
    assert read(card, "SSSEEF05|07|$").bank_number is None
    assert bytes.fromhex("A000000333010101") not in [command.data for command in card.record.commands]


def as_for_an_activation(card: OpenCard, expected: Identity, keys: KeyService | None = None) -> CardReading:
    return read_person(card.channel, card.insertion, keys or software_keys(), expected, DEADLINE, stopped=StoppedKeys())


@pytest.mark.parametrize("persona", ["p3-3.0-sm4", "p2-2.0-des", "social-ding-1.0"])
def test_who_a_person_is_is_read_without_the_account_beside_it(persona: str) -> None:
    expected, card = who(insert(persona)), insert(persona)
    person, reading = as_for_an_activation(card, expected), read(insert(persona))
    assert bytes.fromhex("A000000333010101") not in [command.data for command in card.record.commands]
    assert (person.issuer, person.holder) == (reading.issuer, reading.holder)
    assert person.holder is not None
    assert (person.identity.authentic, person.bank_number) == (True, None)


def test_who_an_old_cards_holder_is_is_read_too() -> None:
    expected = who(insert("old-sle4428-jinan"))
    person = as_for_an_activation(insert("old-sle4428-jinan"), expected)
    assert person.holder is not None
    assert told(person.identity.number) == number_of("old-sle4428-jinan")


def test_another_card_than_the_one_that_was_put_in_is_not_read_for_its_person() -> None:
    with pytest.raises(CarddError) as caught:
        as_for_an_activation(insert("social-bing-2.0"), who(insert("social-jia-3.0")))
    assert caught.value.reason is Reason.CARD_DATA_DIFFERS


def test_a_key_that_cannot_be_had_for_the_person_is_told_with_the_file() -> None:
    card = insert("social-jia-3.0")
    expected = who(insert("social-jia-3.0"))
    with pytest.raises(CarddError) as caught:
        as_for_an_activation(card, expected, RefusingKeys(Reason.PSAM_KEY_MISSING))
    assert (caught.value.reason, caught.value.facts["file"]) == (Reason.PSAM_KEY_MISSING, "SSSEEF06")


def beijing(directory: Path) -> OpenCard:
    """Return a card that names no algorithm and comes from a region of SSF33."""
    code = "110100D156000005C0FFEE04FFFFFFFF"
    return insert(altered(directory, "social-ding-1.0", identification_code=code))


def test_ssf33_by_region_is_named_and_makes_no_card_forged(tmp_path: Path) -> None:
    identity = who(beijing(tmp_path))
    assert identity.algorithm is Algorithm.SSF33
    assert (identity.authentic, identity.unproven) == (None, Reason.ALGORITHM_UNSUPPORTED)


def test_ssf33_by_name_is_refused_before_money_is_moved(tmp_path: Path) -> None:
    card = on_channel(account_card(tmp_path, Algorithm.SM4).on("contact"), Transport.T0)
    inner = card.card.transmit

    def transmit(command: bytes) -> bytes:
        # the answer to SELECT names algorithm 02
        return inner(command).replace(bytes.fromhex("9F0C03860103"), bytes.fromhex("9F0C03860102"))

    card.channel._transmit = transmit
    services = Services(software_keys(), SoftwareMoney(Secret(ROOT), tests_only=True))
    order = Order(Deed.PURCHASE, Amounts(1), "20240506101112")
    with pytest.raises(CarddError) as caught:
        debit(card.channel, card.insertion, None, services, order, Secret(b"123456"), lambda _: None, DEADLINE)
    assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED
    assert 0x2C not in card.record.instructions


def test_a_number_of_an_algorithm_that_nobody_knows_is_refused() -> None:
    card = insert("social-jia-3.0", "contactless")
    answered_instead(card, {})
    inner = card.channel._transmit
    card.channel._transmit = lambda command: inner(command).replace(
        bytes.fromhex("9F0C03860103"), bytes.fromhex("9F0C03860109")
    )
    with pytest.raises(CarddError) as caught:
        who(card)
    assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED


@pytest.mark.parametrize("files", ["ACSEEF05|01|$", "SSSEEF05|01|$acseEF01|$", "ACSE|$"])
def test_the_certificate_application_is_refused_by_name_before_a_card_is_touched(files: str) -> None:
    card = insert("social-jia-3.0")
    with pytest.raises(CarddError) as caught:
        read(card, files)
    assert caught.value.reason is Reason.NO_CERTIFICATE_APPLICATION
    assert card.record.commands == []


def test_a_reader_of_an_unknown_name_is_asked_as_those_that_show_the_chips_answer_so() -> None:
    card = insert("old-sle4442")
    elsewhere = replace(card.insertion, pcsc_name="Some Maker USB Reader 00 00")
    identity = identify(card.channel, elsewhere, None, DEADLINE)
    assert told(identity.number) == number_of("old-sle4442")
