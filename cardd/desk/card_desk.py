"""Cards for clients: files read and written, PINs asked for, compared and changed, blocks, each deed done once.

All of it on the event loop's thread; the card's work in the reader's worker, prompts between the jobs, the station held
meanwhile.
"""

from cardd.base.clock import Clock
from cardd.desk.asking import Asking
from cardd.desk.at_card import AtCard, Inside
from cardd.desk.deeds import Deeds
from cardd.desk.issuer_desk import METHODS as ISSUER_METHODS
from cardd.desk.issuer_desk import IssuerDesk
from cardd.desk.pin_desk import METHODS as PIN_METHODS
from cardd.desk.pin_desk import PinDesk
from cardd.desk.reading import Identity
from cardd.desk.reception import Reception
from cardd.desk.requests import CardRequests
from cardd.desk.stopped import StoppedKeys
from cardd.desk.updates import Updates
from cardd.desk.write_desk import METHODS as WRITE_METHODS
from cardd.desk.write_desk import Shown, WriteDesk
from cardd.journal.store import Journal
from cardd.keys.service import KeyService
from cardd.wire.accounts import AccountStartingDayParams, AccountStartingDayResult
from cardd.wire.cards import CardChoice, CardReadParams, CardReadResult
from cardd.wire.deeds import (
    CardBlockParams,
    CardBlockResult,
    CardPinParams,
    CardPinQueryResult,
    CardPinResult,
    CardWriteParams,
    CardWriteResult,
)


class CardDesk:
    """What may be done to the card that is in."""

    def __init__(
        self,
        requests: CardRequests,
        reception: Reception,
        journal: Journal,
        keys: KeyService | None,
        stopped: StoppedKeys,
        asking: Asking,
        *,
        clock: Clock,
    ) -> None:
        self._requests = requests
        self._reception = reception
        self._at = AtCard(requests, reception, keys, asking, clock=clock)
        self._deeds = Deeds(journal, {**PIN_METHODS, **WRITE_METHODS, **ISSUER_METHODS})
        self._writes = WriteDesk(self._at, self._deeds, stopped)
        self._pins = PinDesk(self._at, self._deeds, stopped)
        self._issuer = IssuerDesk(self._at, self._deeds, stopped)

    async def recover(self) -> None:
        """Take up the deeds of an earlier daemon of which it is not known what became of them."""
        await self._deeds.recover()
        self._writes.listen(self._reception)

    def close(self) -> None:
        """Give up what is under way."""
        self._writes.close()
        self._deeds.close()

    async def read(self, params: CardReadParams, *, personal: bool) -> CardReadResult:
        """Read a card, with the holder's PIN where that is asked for. Raises CarddError as `CardRequests.read` does."""
        if not params.with_pin:
            return await self._requests.read(params, personal=personal)
        async with self._requests.held(params) as chosen:
            inside = await self._at.look(chosen)
            pin = await self._at.pin_of(inside, "card.read", params.request)
            return await self._requests.read_from(chosen, params, personal=personal, pin=pin)

    async def write(self, params: CardWriteParams, *, client: str) -> CardWriteResult:
        """Write files, once for each request. Raises CarddError as `WriteDesk.write` does."""
        return await self._writes.write(params, client=client)

    async def write_shown(
        self, inside: Inside, files: Updates, work: Shown, *, request: str, client: str
    ) -> CardWriteResult:
        """Write files with keys that somebody else has shown, as `WriteDesk.write_shown` does."""
        return await self._writes.write_shown(inside, files, work, request=request, client=client)

    def open_write(self, identity: Identity, files: Updates, *, client: str) -> str | None:
        """Return the request of a write whose end is not known, as `WriteDesk.open_request` does."""
        return self._writes.open_request(identity, files, client=client)

    async def query_pin(self, params: CardChoice) -> CardPinQueryResult:
        """Tell whether the card has a PIN and how many tries are left, which costs none."""
        inside = await self._at.look(await self._requests.choose(params))
        return CardPinQueryResult(insertion=inside.insertion.id, set=inside.tries is not None, tries_left=inside.tries)

    async def verify_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have the holder's PIN compared on the card, once. Raises CarddError as `PinDesk.verify` does."""
        return await self._pins.verify(params, client=client)

    async def change_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have the holder set a new PIN with the old one, or the first one."""
        return await self._pins.change(params, client=client)

    async def reload_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Have the holder set a new PIN with the issuer's right."""
        return await self._pins.reload(params, client=client)

    async def unblock_pin(self, params: CardPinParams, *, client: str) -> CardPinResult:
        """Give all tries back with the issuer's right."""
        return await self._pins.unblock(params, client=client)

    async def block(self, params: CardBlockParams, *, client: str) -> CardBlockResult:
        """Block an application or the whole card, for good. Raises CarddError as `IssuerDesk.block` does."""
        return await self._issuer.block(params, client=client)

    async def set_starting_day(self, params: AccountStartingDayParams, *, client: str) -> AccountStartingDayResult:
        """Set the account's starting day. Raises CarddError as `IssuerDesk.set_starting_day` does."""
        return await self._issuer.set_starting_day(params, client=client)
