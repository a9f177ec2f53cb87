"""Prompts that are open, and the digits that were typed: in memory only, each taken out once."""

from enum import StrEnum

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Struct

SHORTEST = 4
LONGEST = 16


class Purpose(StrEnum):
    """What a prompt asks the holder for."""

    OLD_CARD_PASSWORD = "old_card_password"  # noqa: S105 - a purpose's name
    SOCIAL_PIN = "social_pin"
    NEW_PIN = "new_pin"


class Open(Struct, frozen=True):
    """A prompt that waits for its answer. `owner` is what it belongs to: an activation, or a request for a card."""

    prompt: str
    owner: str
    purpose: Purpose


class Prompts:
    """The open prompts of every owner, and the slots that hold what was typed."""

    def __init__(self) -> None:
        self._open: dict[str, Open] = {}
        self._slots: dict[tuple[str, Purpose], Secret] = {}

    def open(self, prompt: str, owner: str, purpose: Purpose) -> None:
        """Let a prompt be answered."""
        self._open[prompt] = Open(prompt, owner, purpose)

    def knows(self, prompt: str) -> bool:
        """Tell whether a prompt is open here."""
        return prompt in self._open

    def answer(self, prompt: str, pin: Secret | None) -> Open:
        """Close a prompt, keep its digits in the slot, and return what it was for; None for `pin` cancels.

        Raises CarddError: NOT_FOUND for a prompt that is not open; PIN_LENGTH for anything but 4 to 16 digits and
        PIN_UNCHANGED for a new PIN that is the present one, in which cases the prompt stays open.
        """
        found = self._open.get(prompt)
        if found is None:
            raise CarddError(Reason.NOT_FOUND, "that prompt is not open")
        if pin is not None:
            _check(pin)
            self._refuse_unchanged(found, pin)
            self._slots[found.owner, found.purpose] = pin
        del self._open[prompt]
        return found

    def _refuse_unchanged(self, asked: Open, pin: Secret) -> None:
        present = self._slots.get((asked.owner, Purpose.SOCIAL_PIN))
        if asked.purpose is Purpose.NEW_PIN and present is not None and present.reveal() == pin.reveal():
            raise CarddError(Reason.PIN_UNCHANGED, "the new PIN is the one that the card has")

    def take(self, owner: str, purpose: Purpose) -> Secret | None:
        """Return the digits and forget them."""
        return self._slots.pop((owner, purpose), None)

    def look(self, owner: str, purpose: Purpose) -> Secret | None:
        """Return the digits and keep them: they are needed more than once, or later."""
        return self._slots.get((owner, purpose))

    def close(self, prompt: str) -> None:
        """Let a prompt be answered no more."""
        self._open.pop(prompt, None)

    def forget(self, owner: str) -> None:
        """Drop everything of an owner: open prompts and typed digits."""
        self._open = {key: value for key, value in self._open.items() if value.owner != owner}
        self._slots = {key: value for key, value in self._slots.items() if key[0] != owner}


def _check(pin: Secret) -> None:
    if not SHORTEST <= len(pin) <= LONGEST or not pin.reveal().isdigit():
        raise CarddError(Reason.PIN_LENGTH, f"{SHORTEST} to {LONGEST} digits are needed")
