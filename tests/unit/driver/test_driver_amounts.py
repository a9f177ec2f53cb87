"""The two amounts of a bill on the card's three, as the configuration has them."""

from itertools import product

import pytest

from cardd.base.errors import CarddError
from cardd.crypto.money import Amounts
from cardd.driver.amounts import AmountRule, Source
from cardd.driver.arguments import PayInfo
from cardd.driver.money import amounts_of

TELLING = [one for one in product(Source, repeat=3) if len({*one} - {Source.NOTHING}) > 1]
BILL = PayInfo(1250, 300, "20240102030405")


def test_without_a_word_the_first_is_nothing_and_the_last_two_are_the_bills() -> None:
    assert amounts_of(AmountRule(), BILL) == Amounts(0, 1250, 300)


def test_each_may_come_from_elsewhere() -> None:
    assert amounts_of(AmountRule(Source.SETTLED, Source.REST, Source.NOTHING), BILL) == Amounts(300, 950, 0)


@pytest.mark.parametrize("sources", TELLING)
def test_a_record_tells_the_bill_again(sources: tuple[Source, Source, Source]) -> None:
    rule = AmountRule(*sources)
    on_card = rule.on_card(BILL.total, BILL.settled)
    assert rule.of_record(on_card.account, on_card.self_paid, on_card.pool) == (1250, 300)


def test_what_is_not_on_the_card_is_not_told() -> None:
    assert AmountRule().of_record(0, None, 300) == (None, 300)


def test_more_settled_than_the_bill_has_no_place_where_the_rest_has_one() -> None:
    bill = PayInfo(300, 1250, "20240102030405")
    assert amounts_of(AmountRule(), bill) == Amounts(0, 300, 1250)
    with pytest.raises(CarddError):
        amounts_of(AmountRule(Source.SETTLED, Source.REST, Source.NOTHING), bill)
