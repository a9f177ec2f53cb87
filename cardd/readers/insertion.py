"""One stay of one card in one reader."""

from cardd.base.structs import Struct
from cardd.readers.config import KEYPAD_S, Role


class Insertion(Struct, frozen=True):
    """One stay of one card in one reader.

    `id` is `<boot>-<n>` and never used again: `boot` counts the daemon's starts, `n` the insertions since. `atr` is the
    answer to reset by which the card must answer whenever it is connected. `at_start`: nobody put the card in while we
    looked; it was inside when the daemon, the service or the reader came. `pcsc_name` is the reader's own name: what a
    reader can do besides carrying commands depends on who made it. `keypad_s` is how many seconds its own keypad waits
    for each key. `since` is the insertion with which the card came, where this one began after the card was lost on the
    way and nobody saw it leave.
    """

    id: str
    reader: str
    station: str
    atr: bytes
    at_start: bool = False
    role: Role = Role.COUNTER
    pcsc_name: str = ""
    keypad_s: int = KEYPAD_S
    since: str = ""

    @property
    def stay(self) -> str:
        """Name the time from the card's being put in: the same for all insertions until it is seen to leave."""
        return self.since or self.id


def insertion_id(boot: int, number: int) -> str:
    """Name the insertion with this number since this start of the daemon."""
    return f"{boot}-{number}"
