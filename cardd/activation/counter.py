"""The engine's view of the counter, made of the readers, the reception and the desk's operations."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from cardd.activation.authority import SocialCard, Updates
from cardd.activation.facts import CardGone, CardIn, CardTrouble, Look
from cardd.activation.halves import Halves
from cardd.activation.ports import KeysChanged, Notice, SocialReading, StationReader
from cardd.activation.underway import Underway
from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.desk import reception as desk
from cardd.desk.pin import change_pin, query_pin, reload_pin, verify_pin
from cardd.desk.read import read_person
from cardd.desk.reading import CardReading, CardValue, HolderData, Identity, IssuerData, Via
from cardd.desk.reception import Reception
from cardd.desk.stopped import StoppedKeys
from cardd.desk.write import write_records
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.config import Role
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers
from cardd.wire.incident import CardWork

T = TypeVar("T")

_MARGIN_S: Final = 1.0
"""How much earlier a key service must have answered than the whole job must end."""


class DeskCounter:
    """Stations and cards by way of the floors below. Loop thread only."""

    def __init__(
        self, readers: Readers, reception: Reception, keys: KeyService | None, stopped: StoppedKeys, *, clock: Clock
    ) -> None:
        self._readers = readers
        self._reception = reception
        self._keys = keys
        self._stopped = stopped
        self._clock = clock
        self._halves = Halves(readers.views, reception.identity_of)
        self._underway: dict[str, Underway] = {}

    def stations(self) -> Sequence[str]:
        """Return the names of all stations."""
        return [station.name for station in self._readers.stations()]

    def station_of(self, reader: str) -> str | None:
        """Return the station of a reader of whatever role, by its own name or the one PC/SC has for it."""
        views = self._readers.views()
        return next((status.station for status in views if reader in {status.reader, status.pcsc_name}), None)

    def readers(self, station: str) -> Sequence[StationReader]:
        """Return the readers of a station that there are now."""
        return [
            StationReader(view.reader, sam=view.role is Role.SAM)
            for view in self._readers.views()
            if view.station == station and view.role is not Role.IGNORED
        ]

    def has_module(self) -> bool:
        """Tell whether a card is in any reader for security modules."""
        return any(view.role is Role.SAM and view.insertion is not None for view in self._readers.views())

    def keys(self) -> str:
        """Name the key service's provider, `none` where there is none."""
        return "none" if self._keys is None else str(self._keys.status()["provider"])

    def take_work(self, station: str) -> CardWork | None:
        """Return how far work on a card of a station has come since this was asked last; None where there was none."""
        underway = self._underway.pop(station, None)
        return None if underway is None else underway.so_far()

    def reserve(self, station: str, holder: str) -> None:
        """Hold a station for an activation."""
        self._readers.reserve(station, holder)

    def release(self, station: str, holder: str) -> None:
        """Let the station go again."""
        self._readers.release(station, holder)

    def cards(self, station: str) -> Sequence[CardIn]:
        """Return the cards in a station's counter readers that were identified; those by contact come first.

        A card with both interfaces may lie in both readers of one device at once: it is one card, on its contacts.
        """
        found: list[tuple[bool, CardIn]] = []
        for status in self._readers.views():
            if status.station == station and status.role is Role.COUNTER and status.insertion is not None:
                identity = self._reception.identity_of(status.insertion.id)
                if identity is not None and self._halves.counts(status.insertion):
                    found.append((identity.via is not Via.CONTACT, self._card_in(status.insertion, identity)))
        return [card for _, card in sorted(found, key=lambda entry: entry[0])]

    def subscribe(self, listener: Callable[[Notice], None]) -> None:
        """Tell a listener of every card that the reception has recorded, once where two halves of a device see it."""

        def sift(notice: desk.Notice) -> None:
            for told in self._halves.sift(notice):
                listener(self._notice(told))

        self._reception.subscribe(sift)

    async def read_old(self, insertion: str, *, timeout_s: float) -> str:
        """Read an old card's number. Raises CarddError(OLD_CARD_UNREADABLE) where it has none that can be read."""
        number = (await self._read(insertion, timeout_s)).identity.number
        if number is None:
            raise CarddError(Reason.OLD_CARD_UNREADABLE, "the old card's number cannot be read")
        return number.disclose()

    async def read_social(self, insertion: str, *, timeout_s: float) -> SocialReading:
        """Read the basic data and have the card prove itself, both ways where its generation asks for it."""
        reading = await self._read(insertion, timeout_s)
        identity, proof = reading.identity, reading.proof
        if identity.authentic is False:
            raise CarddError(Reason.CARD_NOT_GENUINE, "internal authentication failed")
        if identity.authentic is None:
            reason = identity.unproven or Reason.PSAM_ABSENT
            self._heed(insertion, reason)
            raise CarddError(reason, "nobody could judge the card's proof")
        if reading.issuer is None or reading.holder is None:
            raise CarddError(Reason.RECORD_ABSENT, "the card's basic data are not there")
        return SocialReading(
            _social(identity, reading.issuer, reading.holder),
            None if proof is None else (proof.process_factor + proof.original).hex().upper(),
            None if proof is None or proof.answer is None else proof.answer.hex().upper(),
        )

    async def verify_pin(self, insertion: str, pin: Secret, *, timeout_s: float) -> None:
        """Present the PIN once, to the card that was read."""
        expected = self._expected(insertion)

        def operation(channel: Channel, insertion: Insertion) -> None:
            verify_pin(channel, insertion, expected, pin)

        await self._run(insertion, operation, timeout_s)

    async def change_pin(self, insertion: str, old: Secret, new: Secret, *, timeout_s: float) -> None:
        """Have the card replace its PIN, once."""
        expected = self._expected(insertion)

        def operation(channel: Channel, insertion: Insertion) -> None:
            change_pin(channel, insertion, expected, old, new)

        await self._run(insertion, operation, timeout_s)

    async def reload_pin(self, insertion: str, new: Secret, *, timeout_s: float) -> None:
        """Set a PIN by the issuer's right."""
        expected, deadline = self._expected(insertion), self._deadline(timeout_s)

        def operation(channel: Channel, insertion: Insertion) -> None:
            reload_pin(channel, insertion, self._keys, expected, new, deadline, stopped=self._stopped)

        await self._run(insertion, operation, timeout_s)

    async def pin_tries(self, insertion: str, *, timeout_s: float) -> int | None:
        """Ask the card how many tries its PIN has left."""
        expected = self._expected(insertion)

        def operation(channel: Channel, insertion: Insertion) -> int | None:
            return query_pin(channel, insertion, expected)

        return await self._run(insertion, operation, timeout_s)

    async def write(self, insertion: str, updates: Updates, *, timeout_s: float) -> None:
        """Write records and read them back."""
        expected, deadline = self._expected(insertion), self._deadline(timeout_s)

        def operation(channel: Channel, insertion: Insertion) -> None:
            write_records(channel, insertion, self._keys, expected, updates, deadline, stopped=self._stopped)

        await self._run(insertion, operation, timeout_s)

    async def _read(self, insertion: str, timeout_s: float) -> CardReading:
        expected, deadline = self._expected(insertion), self._deadline(timeout_s)

        def operation(channel: Channel, insertion: Insertion) -> CardReading:
            return read_person(channel, insertion, self._keys, expected, deadline, stopped=self._stopped)

        return await self._run(insertion, operation, timeout_s)

    async def _run(self, insertion: str, operation: Callable[[Channel, Insertion], T], timeout_s: float) -> T:
        standing = self._halves.standing_for(insertion)
        underway = self._follow(standing)
        try:
            return await self._readers.run(standing, operation, timeout_s=timeout_s)
        except CarddError as error:
            self._heed(insertion, error.reason)
            raise
        finally:
            if underway is not None:
                underway.over()

    def _follow(self, insertion: str) -> Underway | None:
        """Begin to follow work on a card, or go on where the same stay is followed already."""
        reader, stay = self._readers.reader_of(insertion), self._readers.stay_of(insertion)
        station = None if reader is None else self.station_of(reader)
        if station is None or stay is None:
            return None
        known = self._underway.get(station)
        if known is None or known.stay is not stay:
            known = self._underway[station] = Underway(stay, self._clock)
        return known

    def _card_in(self, insertion: Insertion, identity: Identity) -> CardIn:
        number = identity.number
        stay = self._readers.stay_of(insertion.id)
        look = Look(
            reader=insertion.reader,
            via="contact" if identity.via is Via.CONTACT else "contactless",
            generation=None if identity.generation is None else str(identity.generation),
            algorithm=None if identity.algorithm is None else identity.algorithm.name.lower(),
            layout=identity.layout,
            identified=0 if stay is None else stay.first_visit or 0,
            commands=0 if stay is None else stay.commands,
        )
        return CardIn(
            insertion=insertion.id,
            station=insertion.station,
            kind=identity.kind,
            number=None if number is None else number.disclose(),
            identification_code=identity.identification_code,
            at_start=insertion.at_start,
            look=look,
        )

    def _notice(self, notice: desk.Notice) -> Notice:
        match notice:
            case desk.CardIdentified():
                return self._card_in(notice.insertion, notice.identity)
            case desk.CardRejected():
                return CardTrouble(notice.station, notice.reason)
            case desk.CardGone():
                return CardGone(notice.insertion.id, notice.insertion.station, str(notice.cause))
            case desk.ModuleCame() | desk.KeysAnswer():
                return KeysChanged()

    def _heed(self, insertion: str, reason: Reason) -> None:
        """See to it that the end of what work on a card failed for is told.

        A module that comes is seen; a security machine that answers again is not, unless somebody asks it.
        """
        if reason is Reason.HSM_UNAVAILABLE:
            self._reception.await_keys(self._halves.standing_for(insertion))

    def _expected(self, insertion: str) -> Identity:
        identity = self._reception.identity_of(self._halves.standing_for(insertion))
        if identity is None:
            raise CarddError(Reason.STALE_INSERTION, "that insertion is over", insertion=insertion)
        return identity

    def _deadline(self, timeout_s: float) -> float:
        return self._clock.monotonic() + max(timeout_s - _MARGIN_S, timeout_s / 2)


def _social(identity: Identity, issuer: IssuerData, holder: HolderData) -> SocialCard:
    return SocialCard(
        number=_needed(identity.number),
        identification_code=_needed(identity.identification_code),
        region=_needed(issuer.region),
        social_security_number=_needed(holder.social_security_number),
        name=_needed(holder.name),
        valid_until=issuer.valid_until if isinstance(issuer.valid_until, str) else None,
    )


def _needed(value: CardValue) -> str:
    """Return a value without which a card cannot be activated."""
    if isinstance(value, Personal):
        return value.disclose()
    if isinstance(value, str):
        return value
    raise CarddError(Reason.RECORD_ABSENT, "a basic item of the card is not set or does not follow its rule")
