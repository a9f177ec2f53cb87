"""Updates that a card takes with a MAC only, which the rule does not have but leaves room for (LD/T 32.7 7.3).

A card that says that the MAC is missing (6987) has written nothing and counted nothing; the update is repeated once,
with the one key and the one way that the rule has for secure messages (LD/T 32.4 8.2): class 04, the data plain, then
the MAC under the STK of the application, over a fresh challenge.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from cardd.cards.records import Send
from cardd.crypto.messaging import MAC
from cardd.desk.social import SocialCard
from cardd.iso7816.apdu import Command
from cardd.iso7816.status import SW, StatusError
from cardd.keys.service import UpdateMacs
from cardd.rules.keys import KEYS, KeyName

_WITH_MAC: Final = 0x04
_MAX_DATA: Final = 0xFF - MAC

_STK: Final[Mapping[str, KeyName]] = MappingProxyType(
    {rule.application: key for key, rule in KEYS.items() if key.startswith("STK")}
)


def sending(card: SocialCard, keys: object, application: str, deadline: float) -> Send:
    """Return what sends updates of the selected application: plain, and where the card says so once more with a MAC.

    It raises StatusError, also 6987 where the rule has no key for it, the key service does not make such MACs, or the
    MAC finds no room behind the data; CarddError: reasons of the key service.
    """
    channel = card.environment.channel

    def send(command: Command) -> None:
        try:
            channel.expect(command)
        except StatusError as error:
            secured = _secured(card, keys, application, command, deadline) if error.sw == SW.MAC_MISSING else None
            if secured is None:
                raise
        else:
            return
        channel.expect(secured)

    return send


def _secured(card: SocialCard, keys: object, application: str, command: Command, deadline: float) -> Command | None:
    stk = _STK.get(application)
    if stk is None or card.factors is None or not isinstance(keys, UpdateMacs) or len(command.data) > _MAX_DATA:
        return None
    secured = replace(command, cla=_WITH_MAC)
    challenge = card.environment.challenge()
    mac = keys.update_mac(stk, card.algorithm, card.factors, challenge, secured.header, command.data, deadline=deadline)
    return replace(secured, data=command.data + mac)
