"""What every function of the driver works with: who calls, which card is meant, and what goes back."""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Hidden, Struct
from cardd.desk.account_desk import AccountDesk
from cardd.desk.at_card import JOB_S, AtCard, Inside
from cardd.desk.card_desk import CardDesk
from cardd.desk.requests import CardRequests, Chosen
from cardd.desk.stopped import StoppedKeys
from cardd.desk.via import via_of
from cardd.driver.amounts import AmountRule
from cardd.driver.arguments import CardInfo, Order
from cardd.driver.debits import Debits
from cardd.driver.pending import Pending
from cardd.driver.writes import Writes
from cardd.iso7816.channel import Channel
from cardd.journal.store import Journal
from cardd.keys.money import MoneyService
from cardd.readers.config import Role
from cardd.readers.facts import ReaderStatus
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers
from cardd.wire.cards import CardChoice, Kind
from cardd.wire.driver import DriverCallParams

T = TypeVar("T")

METHOD: Final = "driver.call"

COMING_S: Final = 1.5
"""How long a card that was just put in may take to be known here, where the call does not say how long it waits."""


class Tools(Struct, frozen=True):
    """What lies below the driver."""

    readers: Readers
    requests: CardRequests
    at: AtCard
    cards: CardDesk
    accounts: AccountDesk
    stopped: StoppedKeys
    money: MoneyService | None
    journal: Journal
    debits: Debits
    writes: Writes
    clock: Clock
    lease_s: float
    """How long a card is held between two steps."""
    amounts: AmountRule = AmountRule()


class Told(Struct, frozen=True):
    """What a function has to say: the text for its buffer, which of it is a person's, of which card; a step besides."""

    out: Hidden[str] = ""
    fields: tuple[str, ...] = ()
    insertion: Insertion | None = None
    pending: Pending | None = None
    """What is held until the next step."""


class Job(Struct, frozen=True):
    """One call: `holder` is the connection, by whose name cards are held, `client` the name for records."""

    tools: Tools
    params: Hidden[DriverCallParams]
    holder: str
    client: str
    heard: Callable[[], bool]
    """Tells whether the caller is still there to hear what became of it."""

    async def choose(self, order: Order) -> Chosen:
        """Return the card that is meant, by the first way that has one.

        Raises CarddError: NO_CARD where there is none by any of these ways, INVALID where several are, and as
        `CardRequests.choose` does.
        """
        until = self.tools.clock.monotonic() + self.patience
        found = self._inside(order)
        if found is None:
            await self.tools.requests.choose(CardChoice(reader=self.params.reader, wait_s=self.patience))
            found = self._inside(order)
        if found is None:
            raise CarddError(Reason.NO_CARD, "a card is in, but not that way")
        left = max(0.0, until - self.tools.clock.monotonic())
        return await self.tools.requests.choose(CardChoice(insertion=found.id, wait_s=left))

    async def expect(self, order: Order, info: CardInfo) -> Inside:
        """Return the card that is meant, which must be the one that was read before.

        Raises CarddError: CARD_DATA_DIFFERS for another one, CARD_UNKNOWN, as `choose` and `AtCard.look` do.
        """
        inside = await self.look(order)
        number = inside.expected.number
        known = (inside.expected.identification_code, "" if number is None else number.disclose())
        if known != (info.identification_code, info.number):
            raise CarddError(Reason.CARD_DATA_DIFFERS, "code or number is not that of the card that is in")
        return inside

    async def look(self, order: Order) -> Inside:
        """Return the card that is meant. Raises CarddError: CARD_UNKNOWN, as `choose` and `AtCard.look` do."""
        chosen = await self.choose(order)
        identity = await self.tools.at.identity(chosen)
        if identity.kind is not Kind.SOCIAL_SECURITY:
            raise not_social(identity.kind)
        return await self.tools.at.look(chosen, identity)

    async def run(self, chosen: Chosen, operation: Callable[[Channel, Insertion], T]) -> T:
        """Do a job on a card that was chosen. Raises as `Readers.run` does."""
        return await self.tools.requests.run(chosen, operation, timeout_s=JOB_S)

    @property
    def patience(self) -> float:
        """How long to wait for a card, or for whoever holds it: the driver's functions have no parameter for that."""
        return COMING_S if self.params.wait_s is None else self.params.wait_s

    def counters(self) -> list[ReaderStatus]:
        """Return the counter readers of the station that is meant, of all where none is."""
        views = [view for view in self.tools.readers.views() if view.role is Role.COUNTER]
        named = self.params.reader
        if named is None:
            return views
        stations = {view.station for view in views if named in {view.reader, view.pcsc_name}}
        return [view for view in views if view.station in stations]

    def _inside(self, order: Order) -> Insertion | None:
        inside = [view for view in self.counters() if view.insertion is not None]
        for way in order.ways:
            found = [view for view in inside if view.insertion is not None and via_of(view.insertion.atr) is way]
            if found:
                return self._only(found)
        return None

    def _only(self, found: list[ReaderStatus]) -> Insertion | None:
        """Return the only one, or the one in the reader that was named."""
        if len(found) > 1:
            found = [view for view in found if self.params.reader in {view.reader, view.pcsc_name}]
        if not found:
            raise CarddError(Reason.INVALID, "several cards are in: name the reader", path="$.reader")
        return found[0].insertion


def not_social(kind: Kind) -> CarddError:
    """Return what is wrong with a card of another kind."""
    return CarddError(Reason.CARD_UNKNOWN, f"a card of kind {kind} is none of the driver's")


def line(items: Iterable[str]) -> str:
    """Write items as the driver does, each with | behind it."""
    return "".join(f"{item}|" for item in items)
