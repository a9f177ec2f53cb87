"""The day on which the medical account's payment year begins (LD/T 32.5, UPDATE STARTING DAY)."""

import re
import secrets
from collections.abc import Callable
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.cards.account import Account
from cardd.cards.ssse import BLOCK
from cardd.desk.account import refuse_unused_account
from cardd.desk.intending import at_once, preparing
from cardd.desk.reading import Identity
from cardd.desk.refusals import refusals
from cardd.desk.social import reopen_genuine
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import StatusError
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from cardd.rules.account import STARTING_DAY_KID
from cardd.rules.keys import KeyName

_DAY: Final = re.compile(r"(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", re.ASCII)


def set_starting_day(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity,
    day: str,
    deadline: float,
    *,
    stopped: StoppedKeys,
    intend: Callable[[], None] = at_once,
) -> None:
    """Set the starting day, four digits mmdd, after proving DSK, and read it back.

    A card that has that day already is left as it is. `intend` is called right before the key is shown to the card;
    what it raises leaves the card as it is.

    Raises CarddError: INVALID, KEY_STOPPED, PSAM_ABSENT without a key service, before the card is touched;
    CARD_DATA_DIFFERS, CARD_NOT_GENUINE; FILE_ABSENT, ACCOUNT_NOT_IN_USE; reasons of the key service; STATUS_WORD,
    also where another day reads back. After `intend` the fact `sent` is False where the day was not sent.
    """
    if not _DAY.fullmatch(day):
        raise CarddError(Reason.INVALID, "a starting day is four digits mmdd")
    stopped.check(insertion.station, KeyName.DSK)
    if keys is None:
        raise CarddError(Reason.PSAM_ABSENT, "no key service is configured", key=str(KeyName.DSK))
    with refusals():
        card = reopen_genuine(channel, insertion, keys, expected, deadline)
        account = Account.select(channel)
        if account is None or card.factors is None:
            raise CarddError(Reason.FILE_ABSENT, "the card has no medical account")
        refuse_unused_account(account)
        if _day_of(account) == day:
            return
        intend()
        with preparing(), stopped.trial(insertion.station, KeyName.DSK, deadline):
            # a challenge belongs to the application in which it was asked for
            challenge, original = card.environment.challenge(), secrets.token_bytes(BLOCK)
            answer = keys.authentication_data(
                KeyName.DSK, card.algorithm, card.factors, challenge, original, deadline=deadline
            )
            with stopped.shown(card.stay, KeyName.DSK):
                card.environment.external_authentication(STARTING_DAY_KID, answer, original)
        account.set_starting_day(day)
        if account.starting_day() != day:
            raise CarddError(Reason.STATUS_WORD, "the starting day does not read back as it was written")


def _day_of(account: Account) -> str | None:
    """Return the day that the card has, None where it tells none."""
    try:
        return account.starting_day()
    except StatusError:
        return None
