"""An observer of reader slots for tests."""

from collections.abc import Callable

from cardd.iso7816.device import Observation, Slot, Slots
from support.waiting import until


class Notebook:
    """An observer that writes everything down."""

    def __init__(self) -> None:
        self.told: list[Observation] = []

    def __call__(self, observation: Observation) -> None:
        self.told.append(observation)

    def until(self, met: Callable[[list[Observation]], bool], seconds: float = 10.0) -> list[Observation]:
        """Wait until what was told meets a condition; return what was told."""
        until(lambda: met(self.told), self.told, seconds)
        return self.told

    def slot(self, name: str) -> Slot | None:
        """Return a slot as it was last told."""
        looks = [told for told in self.told if isinstance(told, Slots)]
        return next((slot for slot in looks[-1].slots if slot.name == name), None) if looks else None

    def until_slot(self, name: str, met: Callable[[Slot], bool], seconds: float = 3.0) -> Slot:
        """Wait until a slot is told that meets a condition; return it."""

        def told(_: list[Observation]) -> bool:
            slot = self.slot(name)
            return slot is not None and met(slot)

        self.until(told, seconds)
        slot = self.slot(name)
        assert slot is not None
        return slot
