"""A card that is torn out in the middle of what is done to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.readers.insertion import Insertion
from support.modules import virtual
from support.readers import Card
from support.socket_desk import SocketDesk


@dataclass
class TornCard:
    """A card that is torn out right before or right after the so-many-th command of a kind that carries data."""

    path: Path
    inner: Card = field(init=False)
    sent: list[bytes] = field(default_factory=list)
    before: dict[int, int] = field(default_factory=dict)
    after: dict[int, int] = field(default_factory=dict)
    seen: Callable[[int], None] = lambda _: None

    def __post_init__(self) -> None:
        self.inner = virtual(self.path)

    def laid(self) -> Card:
        return Card(self.inner.atr, self._answer)

    def times(self, instruction: int) -> int:
        return sum(command[1] == instruction and len(command) > 5 for command in self.sent)

    def _answer(self, command: bytes) -> bytes:
        instruction = command[1]
        counts = len(command) > 5
        if counts and self._is_due(self.before, instruction):
            raise CarddError(Reason.CARD_REMOVED)
        self.seen(instruction)
        self.sent.append(command)
        answer = self.inner.answer(command)
        if counts and self._is_due(self.after, instruction):
            raise CarddError(Reason.CARD_REMOVED)
        return answer

    @staticmethod
    def _is_due(due: dict[int, int], instruction: int) -> bool:
        if instruction not in due:
            return False
        due[instruction] -= 1
        if due[instruction]:
            return False
        del due[instruction]
        return True


async def put(at: SocketDesk, card: TornCard) -> Insertion:
    """Lay it in and wait until it is known what it is."""
    insertion = await at.desk.insert("front", card.laid())
    await at.desk.until(lambda: at.reception.identity_of(insertion.id) is not None, "an identity")
    return insertion


async def back(at: SocketDesk, card: TornCard) -> Insertion:
    """Take it out and lay it in again."""
    await at.desk.remove("front")
    return await put(at, card)
