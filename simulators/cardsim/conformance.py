"""Virtual cards put to the cases of the card test: a new card for each case, in this process."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from cardd.conformance.case import Case, Result
from cardd.conformance.cases import CASES, run_case
from cardd.conformance.subject import Subject, described
from cardsim.card.chip import Chip
from cardsim.card.make import make_chip
from cardsim.persona import Persona, SocialSecurityPersona

_SIDES: Final = ("contact", "contactless")


class ChipLink:
    """A simulated card in this process, on one interface."""

    def __init__(self, chip: Chip, interface: str) -> None:
        self.interface = interface
        self.tear: Callable[[int], None] | None = chip.machine.memory.cut_after
        self._card = chip.on(interface)
        others = [side for side in _SIDES if side != interface and getattr(chip.answers, side)]
        self._other = chip.on(others[0]) if others else None

    def cold_reset(self) -> bytes:
        """Take power away and give it again."""
        self._card.power_off()
        return self._card.power_on()

    def warm_reset(self) -> bytes:
        """Reset without taking power away."""
        return self._card.reset()

    def transmit(self, command: bytes) -> bytes:
        """Return the answer; nothing if power went in the middle."""
        return self._card.transmit(command)

    def other_side(self) -> bytes | None:
        """Return the answer to reset on the card's other interface, None where it has none."""
        return self._other.power_on() if self._other else None


def subject_of(persona: Persona) -> Subject | None:
    """Return what a persona says of its card, None where it is no social security card."""
    card = persona.card
    if not isinstance(card, SocialSecurityPersona):
        return None
    return described(
        persona.name,
        card.profile,
        card.algorithm,
        pin=card.pin,
        pin_tries=card.pin_tries,
        key_tries=card.key_tries,
        keys=card.keys,
    )


def run_persona(persona: Persona, cases: Iterable[Case] = CASES, interface: str | None = None) -> Iterator[Result]:
    """Put a persona to cases, a new card for each; nothing for a card of another kind."""
    subject = subject_of(persona)
    if subject is None:
        return
    for case in cases:
        chip = make_chip(persona)
        side = interface or ("contact" if chip.answers.contact else "contactless")
        yield run_case(case, subject, ChipLink(chip, side))
