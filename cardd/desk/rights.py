"""What opens a file is obtained right before it is used, and only what is needed: nothing, the PIN, a key, or both."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.cards.records import Send
from cardd.desk.pin_block import pin_block
from cardd.desk.social import SocialCard, gain
from cardd.desk.stopped import StoppedKeys
from cardd.desk.update_mac import sending
from cardd.keys.service import UNASKED, KeyService
from cardd.rules.access import PIN, Access, HolderRight, Right, both
from cardd.rules.generations import Generation
from cardd.rules.keys import KEYS, KeyName
from cardd.rules.layout import FileRule

T = TypeVar("T")

_Way = frozenset[Right]
_NO_RIGHT: Final[_Way] = frozenset()


class Rights:
    """The rights of one call on one card.

    A key is proved anew for every use: cards differ in what they forget. The PIN is shown once, at its first use, and
    holds until the card is reset. A card that failed to prove itself (`forged`) is shown neither.
    """

    def __init__(
        self,
        card: SocialCard,
        keys: KeyService | None,
        stopped: StoppedKeys,
        deadline: float,
        *,
        forged: bool,
        pin: Secret | None = None,
    ) -> None:
        """Take what the call was given. Raises CarddError(PIN_LENGTH)."""
        self._card = card
        self._keys = keys
        self._stopped = stopped
        self._deadline = deadline
        self._forged = forged
        self._pin = None if pin is None else pin_block(pin)
        self._pin_shown = False

    def can_read(self, file: FileRule) -> bool:
        """Tell whether what was given suffices for the file's condition, as far as the rule tells."""
        return any(self._is_at_hand(way) for way in self._condition(file).ways)

    def to_read(self, file: FileRule, work: Callable[[], T]) -> T:
        """Do what needs the right to read a file, the least that opens it first.

        Where the rule's condition cannot be met with what was given, the card has the last word: it is read all the
        same. A file that is free by the card's generation and guarded by its issuer is read with the key of later
        generations. `work` raises ACCESS_DENIED where a right does not suffice, and is then done again with the next.

        Raises CarddError: ACCESS_DENIED (`needs` tells the rule's condition), CARD_NOT_GENUINE, PIN_WRONG, PIN_LOCKED,
        KEY_STOPPED, the key service's reasons; StatusError.
        """
        unasked: CarddError | None = None
        denied: CarddError | None = None
        for way in self._ways(file):
            try:
                self._obtain(way)
            except CarddError as error:
                if error.reason not in UNASKED:
                    raise
                unasked = unasked or error
                continue
            try:
                return work()
            except CarddError as error:
                if error.reason is not Reason.ACCESS_DENIED:
                    raise
                denied = error
        if denied is None and unasked is not None:
            raise unasked
        raise self._denied(file, denied)

    def to_look(self, file: FileRule, work: Callable[[], T]) -> T | None:
        """Do what reads a file that is about to be written; None where it cannot be read then. Raises as `to_read`."""
        return self.to_read(file, work)

    def to_check(self, file: FileRule, work: Callable[[], None]) -> bool:
        """Do what reads a file that was written, and tell whether what was given sufficed. Raises as `to_read`."""
        if not self.can_read(file):
            return False
        self.to_read(file, work)
        return True

    def to_write(self, key: KeyName) -> None:
        """Prove an update key to the card. Raises CarddError as `to_read` does; StatusError."""
        self._obtain(frozenset({key}))

    def sending(self, file: FileRule) -> Send:
        """Return what sends the updates of a file whose key was proved, with a MAC where the card wants one."""
        return sending(self._card, self._keys, file.application, self._deadline)

    def _obtain(self, way: _Way) -> None:
        if way and self._forged:
            raise CarddError(Reason.CARD_NOT_GENUINE, "a card that failed to prove itself is shown no PIN and no key")
        # the PIN first: a key is proved last, so that it is fresh
        if PIN in way and not self._pin_shown and self._pin is not None:
            # whatever comes of it: a reader that fails just then is not to have it sent again by the next way
            self._pin_shown = True
            self._card.environment.verify(self._pin)
        for right in sorted(way - {PIN}):
            gain(self._card, self._keys, self._stopped, KeyName(right), self._deadline)

    def _ways(self, file: FileRule) -> tuple[_Way, ...]:
        return tuple(dict.fromkeys(way for way in self._by_rule(file) if self._is_at_hand(way))) or (_NO_RIGHT,)

    def _by_rule(self, file: FileRule) -> Iterator[_Way]:
        condition = self._condition(file)
        yield from sorted(condition.ways, key=_cost)
        for other in file.read.values() if condition.free else _seen(file, self._card.generation):
            yield from sorted(other.ways, key=_cost)

    def _condition(self, file: FileRule) -> Access:
        """Return the condition of the card's generation; of a file that it should not have, that of any other."""
        return file.read.get(self._card.generation) or next(iter(file.read.values()))

    def _is_at_hand(self, way: _Way) -> bool:
        return all(right in KEYS if right != PIN else self._pin is not None for right in way)

    def _denied(self, file: FileRule, denied: CarddError | None) -> CarddError:
        facts = {} if denied is None else denied.facts
        detail = "" if denied is None else denied.detail
        needs = str(self._condition(file))
        return CarddError(Reason.ACCESS_DENIED, detail, retry_after_ms=None, **{**facts, "needs": needs})


def _seen(file: FileRule, generation: Generation) -> Iterator[Access]:
    """Give conditions that cards were seen to have instead of the rule's."""
    if (generation, file.address) in _SEEN:
        yield _SEEN[generation, file.address]


_SEEN: Final[Mapping[tuple[Generation, str], Access]] = MappingProxyType(
    {(Generation.V1, "DF03EF05"): both(PIN, KeyName.RK1DF03)}
)


def _cost(way: _Way) -> tuple[int, int]:
    """Order ways: no right, the PIN, a key, both."""
    return sum(not isinstance(right, HolderRight) for right in way), len(way)
