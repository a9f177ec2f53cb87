"""What all deeds on a card have in common: which card it is, jobs on it, and its PIN asked for between them."""

from collections.abc import Callable
from typing import Final, TypeVar

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Struct
from cardd.desk import pin as pins
from cardd.desk.asking import Asking, Question
from cardd.desk.identify import identify
from cardd.desk.prompts import Purpose
from cardd.desk.reading import Identity
from cardd.desk.reception import Reception
from cardd.desk.requests import CardRequests, Chosen
from cardd.desk.social import refuse_forged
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from cardd.wire.cards import Kind

T = TypeVar("T")

JOB_S: Final = 30.0
"""How long one job may take: a photo written and read back at a contact card's pace."""

_MARGIN_S: Final = 1.0
"""How much earlier a key service must have answered than the whole job must end."""

Operation = Callable[[Channel, Insertion], T]


class Inside(Struct, frozen=True):
    """The card of a deed, and how many tries its PIN has left: None where it has none."""

    chosen: Chosen
    expected: Identity
    tries: int | None

    @property
    def insertion(self) -> Insertion:
        """Return the card's insertion."""
        return self.chosen.insertion

    def need_pin(self) -> None:
        """Raise CarddError: RECORD_ABSENT where the card has no PIN, PIN_LOCKED."""
        if self.tries is None:
            raise CarddError(Reason.RECORD_ABSENT, "the card has no PIN")
        if self.tries == 0:
            raise CarddError(Reason.PIN_LOCKED, tries_left=0)


class AtCard:
    """Looks at cards, works on them and has their holders asked. Loop thread only."""

    def __init__(
        self, requests: CardRequests, reception: Reception, keys: KeyService | None, asking: Asking, *, clock: Clock
    ) -> None:
        self.requests: Final = requests
        self.keys: Final = keys
        self._reception = reception
        self._asking = asking
        self._clock = clock

    async def identity(self, chosen: Chosen) -> Identity:
        """Return what a card was identified as, asking it where that is not known yet. Raises as `identify` does."""
        known = self._reception.identity_of(chosen.insertion.id)
        if known is not None:
            return known
        deadline = self.deadline()
        return await self.run(chosen, lambda channel, card: identify(channel, card, self.keys, deadline))

    async def look(self, chosen: Chosen, known: Identity | None = None) -> Inside:
        """Find out which card it is that everything after this must be done to, and how its PIN stands.

        It is not asked again where that is `known`. Raises CarddError: FILE_ABSENT for a card without the social
        application, CARD_NOT_GENUINE.
        """
        expected = known or await self.identity(chosen)
        if expected.kind is not Kind.SOCIAL_SECURITY:
            raise CarddError(Reason.FILE_ABSENT, f"a card of kind {expected.kind} has no social application")
        refuse_forged(expected)
        tries = await self.run(chosen, lambda channel, card: pins.query_pin(channel, card, expected))
        return Inside(chosen, expected, tries)

    async def run(self, chosen: Chosen, operation: Operation[T], *, timeout_s: float = JOB_S) -> T:
        """Do a job on a card that was chosen. Raises CarddError as `Readers.run` does."""
        return await self.requests.run(chosen, operation, timeout_s=timeout_s)

    async def pin_of(self, inside: Inside, method: str, request: str | None) -> Secret | None:
        """Ask for the PIN where the card has one. Raises CarddError(PIN_LOCKED), and as `Asking.ask` does."""
        if inside.tries is None:
            return None
        inside.need_pin()
        return await self.ask(inside, Purpose.SOCIAL_PIN, method, request)

    async def ask(self, inside: Inside, purpose: Purpose, method: str, request: str | None) -> Secret:
        """Have something typed. Raises CarddError as `Asking.ask` does."""
        tries = inside.tries if purpose is Purpose.SOCIAL_PIN else None
        return await self._asking.ask(Question(inside.insertion, purpose, method, tries, request))

    def identify_anew(self, insertion: Insertion) -> None:
        """Have forgotten what a card was identified as: what tells that has been written."""
        self._reception.identify_anew(insertion)

    def await_keys(self, insertion: Insertion) -> None:
        """Have it told when a key service that was away answers again, while that card is in."""
        self._reception.await_keys(insertion.id)

    def deadline(self) -> float:
        """Return until when a key service must have answered for a job that begins now."""
        return self._clock.monotonic() + JOB_S - _MARGIN_S
