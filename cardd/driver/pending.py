"""What a connection has begun and not ended: one value, which tells by its type which step comes next.

Any other function of that connection ends it, and with it the hold on the card.
"""

from cardd.base.structs import Hidden, Struct
from cardd.desk.account import PurchaseBegun
from cardd.desk.reading import Identity
from cardd.desk.requests import Chosen
from cardd.desk.two_steps import BasicBegun, KeyBegun
from cardd.rules.address import FileAddress
from cardd.rules.keys import KeyName


class Pending(Struct, frozen=True):
    """A step was taken; `chosen` is the card, with the lease under which it stays open."""

    chosen: Chosen


class BasicPending(Pending, frozen=True):
    """The card was asked to prove itself."""

    begun: BasicBegun


class KeyPending(Pending, frozen=True):
    """The card waits for a key."""

    expected: Identity
    begun: KeyBegun


class FilePending(KeyPending, frozen=True):
    """The key is for a file."""

    file: FileAddress
    key: KeyName


class ReadPending(FilePending, frozen=True):
    """The file is to be read."""


class WritePending(FilePending, frozen=True):
    """The file is to be written."""


class ReloadPending(KeyPending, frozen=True):
    """The key is for a new PIN."""


class UnblockPending(KeyPending, frozen=True):
    """The key is for giving all tries back."""


class DebitPending(Pending, frozen=True):
    """The card waits for the signature of a bill."""

    begun: PurchaseBegun


class MaintenancePending(KeyPending, frozen=True):
    """The key was shown; the card waits for a maintenance command with this header, CLA to Lc."""

    header: Hidden[bytes]


class NewPinPending(MaintenancePending, frozen=True):
    """That of a new PIN."""


class TriesPending(MaintenancePending, frozen=True):
    """That which gives all tries back."""
