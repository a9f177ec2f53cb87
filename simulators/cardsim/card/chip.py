"""A card with its interfaces: the same memory and session, answered in the way of each (ISO 7816-3, ISO 14443-4)."""

from collections.abc import Callable

from cardsim.card.answers import Answers
from cardsim.card.base import VirtualCard
from cardsim.card.command import IN, Direction, Framing, frame_contact, frame_contactless
from cardsim.card.machine import Reply
from cardsim.card.memory import PowerLostError
from cardsim.card.status import Status, waiting
from cardsim.card.system import OperatingSystem

Telling = Callable[[str], None]
"""Told, after each command, which state and which clause of the rule decided the status word."""

Wrapper = Callable[[VirtualCard], VirtualCard]
"""What stands between a card and whoever sees it."""


class Chip:
    """One card. `on` gives it as seen through one interface, with what is `around` it."""

    def __init__(self, system: OperatingSystem, answers: Answers) -> None:
        self.system = system
        self.machine = system.machine
        self.answers = answers
        self.tell: Telling | None = None
        self.around: Wrapper | None = None

    def on(self, interface: str | None = None) -> VirtualCard:
        """Return the card on `contact` or `contactless`; without it, on contacts if the card has them.

        Raises ValueError for an interface that the card has not.
        """
        chosen = interface or ("contact" if self.answers.contact else "contactless")
        answer = {"contact": self.answers.contact, "contactless": self.answers.contactless}.get(chosen)
        if answer is None:
            raise ValueError(f"the card has no interface `{chosen}`")
        card = ContactCard(self, answer) if chosen == "contact" else ContactlessCard(self, answer)
        return self.around(card) if self.around else card

    def execute(self, command: bytes, framing: Framing) -> tuple[Reply, Direction]:
        """Answer a command, and tell what decided its status word if anybody listens. Raises PowerLostError."""
        if self.tell is None:
            return self.system.execute(command, framing)
        # the state that decided is the one before the command
        state = self.machine.describe()
        try:
            reply, direction = self.system.execute(command, framing)
        except PowerLostError:
            self.tell(f"---- the power was cut [{state}]")
            raise
        clause = reply.clause or f"LD/T 32.5 {self.system.name(command)}: done"
        self.tell(f"{reply.status:04X} {clause} [{state}]")
        return reply, direction


class _Interface:
    """Power and reset, the same on both."""

    antenna = False

    def __init__(self, chip: Chip, answer: bytes) -> None:
        self._chip = chip
        self._answer = answer
        self._powered = False

    def power_on(self) -> bytes:
        """Give power and return the answer to reset."""
        self._powered = True
        self._chip.machine.reset()
        self._chip.machine.on_antenna = self.antenna
        return self._answer

    def reset(self) -> bytes:
        """Reset without taking power away and return the answer to reset."""
        return self.power_on()

    def power_off(self) -> None:
        """Take power away."""
        self._powered = False
        self._chip.machine.reset()

    def transmit(self, command: bytes) -> bytes:
        """Return the response with its status word; nothing without power or when it goes in the middle."""
        if not self._powered:
            return b""
        try:
            reply = self._answered(command)
        except PowerLostError:
            self.power_off()
            return b""
        return reply.data + reply.status.to_bytes(2, "big")

    def _answered(self, command: bytes) -> Reply:
        raise NotImplementedError


class ContactCard(_Interface):
    """A card on contacts, T=0: an answer to a command with data waits for GET RESPONSE."""

    def _answered(self, command: bytes) -> Reply:
        reply, direction = self._chip.execute(command, frame_contact)
        if direction is IN and reply.data:
            self._chip.machine.session.waiting = reply.data
            return Reply(status=waiting(len(reply.data)), clause=reply.clause)
        return reply


class ContactlessCard(_Interface):
    """A card on the antenna: data and status word together."""

    antenna = True

    def _answered(self, command: bytes) -> Reply:
        reply, direction = self._chip.execute(command, frame_contactless)
        if direction is IN and reply.status == Status.DONE:
            return Reply(reply.data[: _le(command)], reply.status, reply.clause)
        return reply


def _le(command: bytes) -> int:
    """Return the Le of a command whose framing was right: of case 2 and 4 the last byte, 256 where there is none."""
    body = command[5:]
    has_le = len(command) > 4 and (not body or len(body) == command[4] + 1)  # noqa: PLR2004 # header, then Lc or Le
    return (command[-1] if has_le else 0) or 256
