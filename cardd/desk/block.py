"""Block an application or the whole card. Both are for good: no command undoes them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.cards.files import CardFiles, select_by_name
from cardd.desk.intending import at_once
from cardd.desk.reading import Identity
from cardd.desk.refusals import refusals
from cardd.desk.social import Maintenance, maintain, reopen_genuine
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, StatusError, describe
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from cardd.rules.applications import APPLICATIONS
from cardd.rules.keys import KeyName

_APPLICATION: Final = bytes.fromhex("841E0001")
_CARD: Final = Maintenance(bytes.fromhex("84160000"), KeyName.BK, KeyName.STKSSSE)

BLOCKABLE: Final[Mapping[str, Maintenance]] = MappingProxyType(
    {
        "SSSE": Maintenance(_APPLICATION, KeyName.BK, KeyName.STKSSSE),
        "DF03": Maintenance(_APPLICATION, KeyName.LKDF03, KeyName.STKDF03),
        "DF04": Maintenance(_APPLICATION, KeyName.LKDF04, KeyName.STKDF04),
    }
)
"""Applications that have a lock key."""


def block_application(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity,
    application: str,
    deadline: float,
    *,
    stopped: StoppedKeys,
    intend: Callable[[], None] = at_once,
) -> None:
    """Block an application (`SSSE`, `DF03`, `DF04`) for good, and make sure that it is (LD/T 32.5, 32.7 13).

    One that is blocked already stays so. `intend` is called right before the lock key is shown to the card; what it
    raises leaves the card as it is.

    Raises CarddError: INVALID for an application without a lock key, KEY_STOPPED, PSAM_ABSENT without a key service and
    CARD_NOT_GENUINE, before the card is touched if that is known; CARD_DATA_DIFFERS; FILE_ABSENT; reasons of the key
    service; CARD_BLOCKED where the environment is blocked; STATUS_WORD.
    """
    command = BLOCKABLE.get(application)
    if command is None:
        raise CarddError(Reason.INVALID, f"only {', '.join(BLOCKABLE)} can be blocked", application=application)
    _check_key(keys, stopped, insertion, command)
    with refusals(application=application):
        card = reopen_genuine(channel, insertion, keys, expected, deadline)
        try:
            found = CardFiles(channel).select_application(application)
        except StatusError as error:
            if error.sw == SW.APPLICATION_BLOCKED:
                return
            raise
        if not found:
            raise CarddError(Reason.FILE_ABSENT, "the card has no such application")
        intend()
        maintain(card, keys, stopped, command, deadline)
        _expect_blocked(channel, application, SW.APPLICATION_BLOCKED)


def block_card(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity,
    deadline: float,
    *,
    stopped: StoppedKeys,
    intend: Callable[[], None] = at_once,
) -> None:
    """Block the whole card for good, and make sure that it is (LD/T 32.5, CARD BLOCK; LD/T 32.7 13).

    `intend` and errors as with `block_application`; CARD_BLOCKED for a card that is blocked already.
    """
    _check_key(keys, stopped, insertion, _CARD)
    with refusals():
        card = reopen_genuine(channel, insertion, keys, expected, deadline)
        intend()
        maintain(card, keys, stopped, _CARD, deadline)
        _expect_blocked(channel, "SSSE", SW.FUNCTION_NOT_SUPPORTED)


def is_blocked(channel: Channel, application: str | None) -> bool:
    """Tell whether an application is blocked, or (None) the whole card, by how selecting is refused."""
    if application is None:
        return select_by_name(channel, APPLICATIONS["SSSE"].aid or b"") == SW.FUNCTION_NOT_SUPPORTED
    return select_by_name(channel, APPLICATIONS[application].aid or b"") == SW.APPLICATION_BLOCKED


def _check_key(keys: KeyService | None, stopped: StoppedKeys, insertion: Insertion, command: Maintenance) -> None:
    stopped.check(insertion.station, command.right)
    if keys is None:
        raise CarddError(Reason.PSAM_ABSENT, "no key service is configured", key=str(command.right))


def _expect_blocked(channel: Channel, application: str, word: int) -> None:
    """Make sure that selecting is refused as a block has it."""
    sw = select_by_name(channel, APPLICATIONS[application].aid or b"")
    if sw != word:
        raise CarddError(
            Reason.STATUS_WORD, f"the card answers {describe(sw)} after it was blocked", status_word=f"{sw:04X}"
        )
