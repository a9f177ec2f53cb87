from pathlib import Path
from typing import Any

import pytest
from support.account import account_card
from support.cards import DEADLINE, OpenCard, on_channel, software_keys

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.crypto.block import Algorithm
from cardd.desk.account_reading import read_balances
from cardd.desk.identify import identify
from cardd.desk.starting_day import set_starting_day
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.device import Transport
from cardd.keys.service import KeyService
from cardd.rules.keys import KeyName

ALGORITHMS = pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])


def account(directory: Path, algorithm: Algorithm = Algorithm.SM4, **changes: Any) -> OpenCard:
    return on_channel(account_card(directory, algorithm, **changes).on("contact"), Transport.T0)


def put(card: OpenCard, day: str, stopped: StoppedKeys | None = None, keys: KeyService | None = None) -> None:
    expected = identify(card.channel, card.insertion, software_keys(), DEADLINE)
    set_starting_day(
        card.channel,
        card.insertion,
        keys or software_keys(),
        expected,
        day,
        DEADLINE,
        stopped=stopped or StoppedKeys(),
    )


@ALGORITHMS
def test_the_day_is_set_after_its_key_was_proved(tmp_path: Path, algorithm: Algorithm) -> None:
    card = account(tmp_path, algorithm)
    put(card, "0701")
    again = card.again()
    assert read_balances(again.channel, again.insertion, None).starting_day == "0701"


def test_a_refused_key_is_stopped_and_never_shown_again(tmp_path: Path) -> None:
    card, stopped = account(tmp_path, keys={"DSK": "00" * 16}), StoppedKeys()
    with pytest.raises(CarddError) as caught:
        put(card, "0701", stopped)
    assert caught.value.reason is Reason.KEY_STOPPED
    assert stopped.of("desk") == (KeyName.DSK,)
    again = card.again()
    with pytest.raises(CarddError) as caught:
        put(again, "0701", stopped)
    assert caught.value.reason is Reason.KEY_STOPPED
    assert 0x82 not in again.record.instructions


@pytest.mark.parametrize("day", ["1301", "0001", "0132", "701", "07-01", "０７０１", ""])
def test_what_is_no_day_reaches_no_card(tmp_path: Path, day: str) -> None:
    card = account(tmp_path)
    with pytest.raises(CarddError) as caught:
        put(card, day)
    assert caught.value.reason is Reason.INVALID
    assert 0x82 not in card.record.instructions
