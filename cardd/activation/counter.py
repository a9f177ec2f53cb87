"""The counter as an activation sees it: stations, recognised cards, and the desk's operations on a card."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from cardd.activation.authority import SocialCard, Updates
from cardd.activation.facts import CardGone, CardIn, CardTrouble
from cardd.activation.ports import KeysChanged, Notice, SocialReading
from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.desk import reception as desk
from cardd.desk.identify import identify
from cardd.desk.pin import verify_pin
from cardd.desk.read import read_card
from cardd.desk.reading import CardReading, CardValue, Identity, Proof
from cardd.desk.reception import Reception
from cardd.desk.stopped import StoppedKeys
from cardd.desk.write import write_records
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.config import Role
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers
from cardd.wire.cards import Kind

T = TypeVar("T")

_MARGIN_S: Final = 0.5
"""What a job's own share of the time leaves for connecting and letting go."""


class DeskCounter:
    """A Counter over the readers of this machine. Event loop's thread; the work itself runs in the readers' workers."""

    def __init__(
        self, readers: Readers, reception: Reception, keys: KeyService | None, stopped: StoppedKeys, *, clock: Clock
    ) -> None:
        self._readers = readers
        self._reception = reception
        self._keys = keys
        self._stopped = stopped
        self._clock = clock

    def stations(self) -> Sequence[str]:
        """Return the names of all stations."""
        return [station.name for station in self._readers.stations()]

    def station_of(self, reader: str) -> str | None:
        """Return the station of a reader, by our name for it or the device's own."""
        views = self._readers.views()
        return next((view.station for view in views if reader in {view.reader, view.pcsc_name}), None)

    def reserve(self, station: str, holder: str) -> None:
        """Hold a station for an activation. Raises CarddError(BUSY)."""
        self._readers.reserve(station, holder)

    def release(self, station: str, holder: str) -> None:
        """Let the station go again."""
        self._readers.release(station, holder)

    def cards(self, station: str) -> Sequence[CardIn]:
        """Return the recognised cards that are in a station's counter readers now."""
        found = []
        for view in self._readers.views():
            if view.station == station and view.role is Role.COUNTER and view.insertion is not None:
                identity = self._reception.identity_of(view.insertion.id)
                if identity is not None:
                    found.append(_card_in(view.insertion, identity))
        return found

    def subscribe(self, listener: Callable[[Notice], None]) -> None:
        """Tell a listener of every card, and of what else may help a waiting activation."""
        self._reception.subscribe(lambda notice: listener(_translated(notice)))

    async def read_old(self, insertion: str, *, timeout_s: float) -> str:
        """Read an old card's number. Raises CarddError: CARD_DATA_DIFFERS, OLD_CARD_UNREADABLE."""

        def read(channel: Channel, stay: Insertion) -> Identity:
            return identify(channel, stay, self._keys, self._until(timeout_s))

        identity = await self._readers.run(insertion, read, timeout_s=timeout_s)
        if identity.kind is not Kind.MEDICAL_INSURANCE:
            raise CarddError(Reason.CARD_DATA_DIFFERS, "another card than the one that was recognised")
        if identity.number is None:
            raise CarddError(Reason.OLD_CARD_UNREADABLE, "the card holds no number that can be read")
        return identity.number.disclose()

    async def read_social(self, insertion: str, *, timeout_s: float) -> SocialReading:
        """Read a social security card and have it prove itself.

        Raises CarddError: CARD_NOT_GENUINE, and where nobody could judge the proof the reason for that.
        """
        expected = self._expected(insertion)

        def read(channel: Channel, stay: Insertion) -> CardReading:
            return read_card(channel, stay, self._keys, expected, self._until(timeout_s), stopped=self._stopped)

        reading = await self._readers.run(insertion, read, timeout_s=timeout_s)
        _require_genuine(reading.identity)
        challenge, answer = _proof(reading.proof)
        return SocialReading(_social_card(reading), challenge, answer)

    async def verify_pin(self, insertion: str, pin: Secret, *, timeout_s: float) -> None:
        """Present the PIN once. Raises CarddError: PIN_WRONG (fact `tries_left`), PIN_LOCKED."""
        expected = self._expected(insertion)
        await self._readers.run(
            insertion, lambda channel, stay: verify_pin(channel, stay, expected, pin), timeout_s=timeout_s
        )

    async def write(self, insertion: str, updates: Updates, *, timeout_s: float) -> None:
        """Write records and read them back, after making sure that the card is still the one that was read."""
        expected = self._expected(insertion)

        def write(channel: Channel, stay: Insertion) -> None:
            deadline = self._until(timeout_s)
            write_records(channel, stay, self._keys, expected, updates, deadline, stopped=self._stopped)

        await self._readers.run(insertion, write, timeout_s=timeout_s)

    def _expected(self, insertion: str) -> Identity:
        identity = self._reception.identity_of(insertion)
        if identity is None:
            raise CarddError(Reason.STALE_INSERTION, "that card has left the reader", insertion=insertion)
        return identity

    def _until(self, timeout_s: float) -> float:
        return self._clock.monotonic() + timeout_s - _MARGIN_S


def _translated(notice: desk.Notice) -> Notice:
    match notice:
        case desk.CardIdentified(insertion=insertion, identity=identity):
            return _card_in(insertion, identity)
        case desk.CardRejected(insertion=insertion):
            return CardTrouble(notice.station, notice.reason, None if insertion is None else insertion.id)
        case desk.CardGone(insertion=insertion):
            return CardGone(insertion.id, insertion.station)
        case desk.ModuleCame():
            return KeysChanged()


def _card_in(insertion: Insertion, identity: Identity) -> CardIn:
    return CardIn(
        insertion.id,
        insertion.station,
        identity.kind,
        number=None if identity.number is None else identity.number.disclose(),
        identification_code=identity.identification_code,
        at_start=insertion.at_start,
    )


def _require_genuine(identity: Identity) -> None:
    if identity.kind is not Kind.SOCIAL_SECURITY:
        raise CarddError(Reason.CARD_DATA_DIFFERS, "another card than the one that was recognised")
    if identity.authentic is False:
        raise CarddError(Reason.CARD_NOT_GENUINE, "internal authentication failed")
    if identity.authentic is None:
        raise CarddError(identity.unproven or Reason.PSAM_ABSENT, "nobody could judge whether the card is genuine")


def _social_card(reading: CardReading) -> SocialCard:
    issuer, holder = reading.issuer, reading.holder
    if issuer is None or holder is None:
        raise CarddError(Reason.FILE_ABSENT, "the card does not give its basic data", file="SSSEEF06")
    return SocialCard(
        number=_text(issuer.card_number, "SSSEEF05 07"),
        identification_code=_text(issuer.identification_code, "SSSEEF05 01"),
        region=_text(issuer.region, "SSSEEF05 01"),
        social_security_number=_text(holder.social_security_number, "SSSEEF06 08"),
        name=_text(holder.name, "SSSEEF06 09"),
        valid_until=issuer.valid_until if isinstance(issuer.valid_until, str) else None,
    )


def _text(value: CardValue, item: str) -> str:
    """Return what an activation cannot do without. Raises CarddError(RECORD_ABSENT)."""
    if isinstance(value, Personal):
        return value.disclose()
    if isinstance(value, str):
        return value
    raise CarddError(Reason.RECORD_ABSENT, f"{item} is not set or cannot be read", item=item)


def _proof(proof: Proof | None) -> tuple[str | None, str | None]:
    if proof is None or proof.answer is None:
        return None, None
    return (proof.process_factor + proof.original).hex().upper(), proof.answer.hex().upper()
