"""Purchases signed by the terminal's security module (LD/T 32.9, 80 70 and 80 72), and loads where one has the key."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.crypto.block import Algorithm
from cardd.crypto.messaging import mac_blocks
from cardd.crypto.money import LOAD, PURCHASE
from cardd.iso7816.apdu import Response
from cardd.iso7816.status import SW, describe
from cardd.keys.conversation import Conversation
from cardd.keys.money import CardKeys, Load, Purchase, Signature
from cardd.keys.psam import PsamKeys
from cardd.keys.psam_session import Session
from cardd.readers.registry import Readers
from cardd.readers.worker import HeldChannel
from cardd.rules.keys import KeyName, Level, Usage

HELD_S: Final = 8.0
"""How long one purchase may keep the module from the other counters."""

_KEPT: Final = 15
"""So many terminals' numbers are kept beside a new one: modules come and go for years."""

_SEQUENCE: Final = 4
_SIGNED: Final = 8
_FIRST_VERSION: Final = 1
_LOADS: Final = (Usage.LOAD, Usage.MAC_AND_ENCRYPT, Usage.MAC)

_NO_KEY: Final = frozenset({SW.KEY_INDEX_UNKNOWN, SW.REFERENCED_DATA_NOT_FOUND, SW.INS_UNKNOWN, SW.CLA_UNKNOWN})


class PsamMoney:
    """A money service of the modules that a key service knows."""

    def __init__(self, readers: Readers, modules: PsamKeys, *, clock: Clock) -> None:
        self._readers = readers
        self._modules = modules
        self._clock = clock
        self._levels: dict[tuple[str, int], Level] = {}
        self._terminals: dict[tuple[str, Algorithm], bytes] = {}

    def terminal(self, card: CardKeys, *, deadline: float) -> bytes:
        """Return the terminal's number, as MoneyService says, read once of a module that stays in its reader.

        Raises CarddError as PsamKeys does.
        """

        def read(held: HeldChannel) -> bytes:
            return Session(held.channel, card.algorithm, card.factors).terminal_number()

        def of_module(reader: str, insertion: str) -> bytes:
            known = self._terminals.get((insertion, card.algorithm))
            if known is None:
                known = self._readers.call_on(reader, read, deadline=deadline)
                # others' threads may be reading theirs: the old ones are left to them
                self._terminals = {**self._recent(), (insertion, card.algorithm): known}
            return known

        return self._modules.first_that_can(card.algorithm, of_module)

    def _recent(self) -> dict[tuple[str, Algorithm], bytes]:
        return dict(list(self._terminals.items())[-_KEPT:])

    @contextmanager
    def purchase(self, card: CardKeys, *, deadline: float) -> Iterator["PsamTill"]:
        """Open a purchase at the first module that has the card's environment, as MoneyService says.

        Raises CarddError as PsamKeys does.
        """
        till = self._modules.first_that_can(
            card.algorithm, lambda reader, insertion: self._open(reader, insertion, card, deadline)
        )
        with till.conversation:
            yield till

    def load_mac2(self, card: CardKeys, load: Load, mac1: bytes, *, deadline: float) -> bytes | None:
        """Check MAC1 and return MAC2, as MoneyService says. Raises PSAM_KEY_MISSING where no module has DLK."""
        if load.version != _FIRST_VERSION:
            raise CarddError(Reason.PSAM_KEY_MISSING, "a PSAM has the first version of DLK only")
        random = load.random + load.sequence.to_bytes(2, "big") + b"\x80\x00"
        amount = load.amount.to_bytes(4, "big")
        asked = load.balance.to_bytes(4, "big") + amount + LOAD + load.terminal
        granted = amount + LOAD + load.terminal + load.time

        def compute(held: HeldChannel) -> bytes | None:
            session = Session(held.channel, card.algorithm, card.factors)
            session.open()
            session.deliver(KeyName.DLK, random, _LOADS)
            if session.mac(mac_blocks(card.algorithm, asked)) != mac1:
                return None
            return session.mac(mac_blocks(card.algorithm, granted))

        return self._modules.first_that_can(
            card.algorithm, lambda reader, _: self._readers.call_on(reader, compute, deadline=deadline)
        )

    def purchase_tac_right(
        self,
        card: CardKeys,  # noqa: ARG002
        purchase: Purchase,  # noqa: ARG002
        terminal: bytes,  # noqa: ARG002
        sequence: int,  # noqa: ARG002
        tac: bytes,  # noqa: ARG002
        *,
        deadline: float,  # noqa: ARG002
    ) -> bool | None:
        """Leave the certificate to the authority: a module makes session keys, and certificates have none."""
        return None

    def load_tac_right(
        self,
        card: CardKeys,  # noqa: ARG002
        load: Load,  # noqa: ARG002
        tac: bytes,  # noqa: ARG002
        *,
        deadline: float,  # noqa: ARG002
    ) -> bool | None:
        """Leave the certificate to the authority, as that of a purchase."""
        return None

    def purchase_mac2_right(
        self,
        card: CardKeys,  # noqa: ARG002
        purchase: Purchase,  # noqa: ARG002
        sequence: int,  # noqa: ARG002
        mac2: bytes,  # noqa: ARG002
        *,
        deadline: float,  # noqa: ARG002
    ) -> bool | None:
        """Say that it cannot be done later: a module checks MAC2 of the purchase it has just signed, of no other."""
        return None

    def _open(self, reader: str, insertion: str, card: CardKeys, deadline: float) -> "PsamTill":
        held = min(deadline, self._clock.monotonic() + HELD_S)
        conversation = Conversation(self._readers, reader, clock=self._clock, deadline=held)
        try:
            return PsamTill(conversation, card, self._levels, (insertion, int(card.algorithm)))
        except BaseException:
            conversation.end()
            raise


class PsamTill:
    """One purchase at one module."""

    def __init__(
        self,
        conversation: Conversation,
        card: CardKeys,
        levels: dict[tuple[str, int], Level],
        place: tuple[str, int],
    ) -> None:
        """Read the terminal's number and open the application. Raises CarddError: PSAM_*."""
        self.conversation = conversation
        self._card = card
        self._levels = levels
        self._place = place
        self.terminal = conversation.do(self._begin)

    def sign(self, purchase: Purchase) -> Signature:
        """Return the module's sequence and MAC1. Raises CarddError: PSAM_KEY_MISSING, PSAM_LEVEL."""
        data = (
            purchase.random
            + purchase.sequence.to_bytes(2, "big")
            + purchase.amounts.encode()
            + PURCHASE
            + purchase.time
            + bytes((purchase.version, purchase.cipher))
        )
        response, level = self.conversation.do(
            lambda held: self._session(held).debit_mac1(data, self._levels.get(self._place))
        )
        if not response.ok or len(response.data) != _SIGNED:
            raise _refusal(response)
        self._levels[self._place] = level
        return Signature(int.from_bytes(response.data[:_SEQUENCE], "big"), response.data[_SEQUENCE:])

    def confirms(self, mac2: bytes) -> bool:
        """Have the module compare MAC2."""
        return self.conversation.do(lambda held: self._session(held).check_debit_mac2(mac2)).ok

    def _begin(self, held: HeldChannel) -> bytes:
        session = self._session(held)
        terminal = session.terminal_number()
        session.open()
        return terminal

    def _session(self, held: HeldChannel) -> Session:
        return Session(held.channel, self._card.algorithm, self._card.factors)


def _refusal(response: Response) -> CarddError:
    reason = Reason.PSAM_KEY_MISSING if response.ok or response.sw in _NO_KEY else Reason.PSAM_ABSENT
    return CarddError(
        reason,
        f"the PSAM answered {describe(response.sw)} with {len(response.data)} bytes when asked to sign a purchase",
        key=str(KeyName.DPK),
        status_word=f"{response.sw:04X}",
    )
