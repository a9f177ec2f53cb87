"""Cards that remember what was done to them, in readers out of which they are torn; and a clock that is set."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cardd.activation.authority import SocialCard, Updates
from cardd.activation.ports import SocialReading
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from support.activations import FakeCounter
from support.matrix_clerk import Afterwards
from support.readers import ManualClock
from support.typed import Part

INITIAL: Final = "123456"


@dataclass
class Chip:
    """A card as it is, in whatever reader it lies: its PIN, its tries, what was put on it."""

    card: SocialCard
    pin: str = INITIAL
    tries: int = 6
    given: list[tuple[Part, str]] = field(default_factory=list)
    """The digits it was given, which nobody has looked at yet."""
    sets: int = 0
    written: list[Updates] = field(default_factory=list)
    judged: tuple[int, int] = (0, 0)

    def present(self, pin: str) -> None:
        if self.tries == 0:
            raise CarddError(Reason.PIN_LOCKED)
        if pin != self.pin:
            self.tries -= 1
            raise CarddError(Reason.PIN_WRONG, tries_left=self.tries) if self.tries else CarddError(Reason.PIN_LOCKED)
        self.tries = 6

    def set(self, pin: str) -> None:
        self.pin, self.tries = pin, 6
        self.sets += 1

    def fresh(self) -> tuple[list[Updates], int]:
        """Return what was written since the last time, and how often a PIN was set."""
        (written, sets), self.judged = self.judged, (len(self.written), self.sets)
        return self.written[written:], self.sets - sets


@dataclass(frozen=True)
class Tear:
    """A card torn out in the middle of an operation, which it has done or not; and what happens then."""

    done: bool
    then: Afterwards


class Counter(FakeCounter):
    """Readers with cards that remember. `tears` names the next operations in whose middle the card is torn out."""

    def __init__(self, chips: dict[str, Chip]) -> None:
        super().__init__()
        self.chips = chips
        self.tears: dict[str, Tear] = {}
        self.torn: list[tuple[str, SocialCard, Afterwards]] = []
        """The stations at which cards were torn out, and what happens there now."""

    async def verify_pin(self, insertion: str, pin: Secret, *, timeout_s: float) -> None:
        await super().verify_pin(insertion, pin, timeout_s=timeout_s)
        digits = pin.reveal().decode()
        if self._done("verify_pin"):
            self._give(insertion, Part.VERIFIED, digits)
            self._chip(insertion).present(digits)
        self._answer("verify_pin", insertion)

    async def change_pin(self, insertion: str, old: Secret, new: Secret, *, timeout_s: float) -> None:
        await super().change_pin(insertion, old, new, timeout_s=timeout_s)
        if self._done("change_pin"):
            self._give(insertion, Part.CHANGED_FROM, old.reveal().decode())
            self._give(insertion, Part.CHANGED_TO, new.reveal().decode())
            self._chip(insertion).present(old.reveal().decode())
            self._chip(insertion).set(new.reveal().decode())
        self._answer("change_pin", insertion)

    async def reload_pin(self, insertion: str, new: Secret, *, timeout_s: float) -> None:
        await super().reload_pin(insertion, new, timeout_s=timeout_s)
        if self._done("reload_pin"):
            self._give(insertion, Part.RELOADED, new.reveal().decode())
            self._chip(insertion).set(new.reveal().decode())
        self._answer("reload_pin", insertion)

    async def read_social(self, insertion: str, *, timeout_s: float) -> SocialReading:
        reading = await super().read_social(insertion, timeout_s=timeout_s)
        self._answer("read_social", insertion)
        return reading

    async def pin_tries(self, insertion: str, *, timeout_s: float) -> int | None:
        await super().pin_tries(insertion, timeout_s=timeout_s)
        return self._chip(insertion).tries

    async def write(self, insertion: str, updates: Updates, *, timeout_s: float) -> None:
        await super().write(insertion, updates, timeout_s=timeout_s)
        if self._done("write"):
            self._chip(insertion).written.append(updates)
        self._answer("write", insertion)

    def _chip(self, insertion: str) -> Chip:
        return self.chips[self.social[insertion].identification_code]

    def _give(self, insertion: str, part: Part, digits: str) -> None:
        self._chip(insertion).given.append((part, digits))

    def _done(self, operation: str) -> bool:
        tear = self.tears.get(operation)
        return tear is None or tear.done

    def _answer(self, operation: str, insertion: str) -> None:
        tear = self.tears.pop(operation, None)
        if tear is not None:
            self.torn.append((self.present.pop(insertion).station, self.social[insertion], tear.then))
            raise CarddError(Reason.CARD_REMOVED)


class JumpingClock(ManualClock):
    """A time of day that is set forward and back while time itself goes on."""

    def __init__(self, offset_s: float) -> None:
        super().__init__()
        self.offset_s = offset_s

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.offset_s)
