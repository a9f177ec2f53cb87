"""What events tell: the members of `data`, by type of event; cardd/wire/event_types.py says which type has which.

Nothing of the daemon loads this but `rpc.discover`, the pages made from it, and clients that want events by type.
A member that is `UNSET` is left out where it does not apply; null says that it is not known, or is kept back. Whole
personal data, where they were granted, stand in the place of their masks.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from cardd.wire.activation import Outcome, Route, State
from cardd.wire.base import Text
from cardd.wire.cards import Kind

Role = Literal["counter", "sam", "ignored"]
Via = Literal["contact", "contactless"]
Cause = Literal["removed", "exchanged", "reset", "transport_error", "reader_detached", "service_down", "lent"]
Purpose = Literal["old_card_password", "social_pin", "new_pin"]
Files = dict[str, list[str]]
"""Files, and which of their items; no values."""
Named = dict[str, str | None]


class Data(Struct):
    """What one type of event tells. More members may come."""


class Nothing(Data):
    """Nothing beyond that it happened."""


class Started(Data):
    """The version that began."""

    version: str


class AtReader(Data, kw_only=True):
    """What readers tell. `happened` (UTC): when it was, where the disk was full then and it is on record later."""

    happened: str | UnsetType = UNSET


class PcscUp(AtReader):
    """Nothing beyond that it is back."""


class PcscDown(AtReader):
    """Why the service behind all readers does not serve."""

    reason: str
    detail: str
    text: Text


class ReaderAttached(AtReader):
    """Where a reader belongs, and its name in PC/SC."""

    station: str
    role: Role
    pcsc_name: str


class ReaderDetached(AtReader):
    """Where the reader belonged."""

    station: str


class ReaderUnavailable(AtReader):
    """The text says whether to plug it in again, or that another program keeps it, and names those that may."""

    station: str
    detail: str
    text: Text


class ReaderLent(Data):
    """Who had it given to another program."""

    station: str
    client: str


class StationCleared(Data):
    """Which keys may be used again, and which readers begin anew."""

    lifted: list[str]
    forgotten: list[str]
    client: str
    text: Text


class KeyStopped(Data):
    """The key by its name in the rule."""

    key: str
    text: Text


class CardInserted(AtReader):
    """`at_start`: it was inside when watching began. `kind` is told of a security module, known by its slot."""

    station: str
    role: Role
    at_start: bool
    kind: Kind | UnsetType = UNSET


class CardIdentified(AtReader):
    """What the card is; `unproven` is the reason why nobody could judge its proof. `number` is masked."""

    station: str
    kind: Kind
    generation: str | None
    authentic: bool | None
    unproven: str | None
    via: Via
    number: str | None


class CardRejected(AtReader):
    """Why the card cannot be used; one that does not answer at all is no insertion."""

    station: str
    reason: str
    text: Text


class CardRemoved(AtReader):
    """Why the insertion is over."""

    station: str
    role: Role
    cause: Cause


class CardTransmitted(Data):
    """Who sends commands of its own, told once for each lease."""

    station: str
    client: str


class Deed(Data):
    """What a client had done to a card: who, by which request and method. `number` is the card's, masked."""

    station: str
    client: str
    request: str | None
    method: str
    number: str | None


class DeedRefused(Deed, kw_only=True):
    """Why it was not done."""

    reason: str
    text: Text
    tries_left: int | UnsetType = UNSET


class WriteIntended(Deed):
    """Which files and items are about to be written."""

    files: Files


class CardWritten(Data):
    """Which files and items were written: a client's deed, or that of the activation that `correlationid` names.

    `unchecked` could not be read back; `by_reading`: found out later, on the card.
    """

    files: Files
    station: str | UnsetType = UNSET
    client: str | UnsetType = UNSET
    request: str | UnsetType | None = UNSET
    method: str | UnsetType = UNSET
    number: str | UnsetType | None = UNSET
    unchecked: list[str] | UnsetType = UNSET
    by_reading: bool | UnsetType = UNSET


class WriteRefused(DeedRefused, kw_only=True):
    """Why nothing more was written."""

    files: Files


class WriteUnfinished(WriteIntended):
    """What of a torn write is not on the card, and what nothing at hand opens to look."""

    missing: list[str]
    unchecked: list[str]


class Blocking(Deed):
    """What is, or is about to be, blocked: an application or the `card`."""

    what: str


class BlockRefused(DeedRefused, kw_only=True):
    """Why it was not blocked."""

    what: str


class StartingDay(Deed):
    """The day (mmdd) on which the payment year begins, or is about to."""

    day: str


class StartingDayRefused(DeedRefused, kw_only=True):
    """Why it does not."""

    day: str


class PinDone(Deed):
    """What was done."""

    done: str


class PinRefused(DeedRefused, kw_only=True):
    """Why the PIN was not taken; `files` where it was for a write."""

    files: Files | UnsetType = UNSET


class PinChanged(Data):
    """A new PIN is set: by a client's deed, or by the activation that `correlationid` names."""

    purpose: Purpose | UnsetType = UNSET
    route: Route | UnsetType = UNSET
    station: str | UnsetType = UNSET
    client: str | UnsetType = UNSET
    request: str | UnsetType | None = UNSET
    method: str | UnsetType = UNSET
    number: str | UnsetType | None = UNSET
    done: str | UnsetType = UNSET


class PinLocked(Data):
    """The last try is gone: in a client's deed, or in the activation that `correlationid` names."""

    purpose: Purpose
    text: Text
    station: str | UnsetType = UNSET
    client: str | UnsetType = UNSET
    request: str | UnsetType | None = UNSET
    method: str | UnsetType = UNSET
    number: str | UnsetType | None = UNSET
    files: Files | UnsetType = UNSET


class Amounts(Data):
    """Money in fen."""

    account: int
    self_paid: int
    pool: int


class AccountIntended(Data):
    """Money is about to be moved. `number` is masked and `amounts` null unless personal data were granted."""

    client: str
    request: str
    method: str
    outcome: str | None
    sequence: int
    terminal: str
    terminal_sequence: int
    time: str
    number: str | None
    amounts: Amounts | None


class AccountEnded(AccountIntended):
    """What became of it, as in the method's answer."""

    tac: str | None
    mac: str | None
    tac_right: bool | None
    mac_right: bool | None
    by_proof: bool
    reason: str | None


class ActivationStarted(Data):
    """How, for whom, and for which visit."""

    route: Route
    client: str | None
    operator: str | None
    visit: Named | None


class StepPrompt(Data):
    """What the clerk should read and do now."""

    code: str
    text: Text


class ActivationStep(Data):
    """Where the activation stands, and until when."""

    state: State
    prompt: StepPrompt
    deadline: str | None


class ActivationResumed(Data):
    """The state that a restart goes on with."""

    state: State


class ActivationInDoubt(Data):
    """The centre was asked and has not answered; it is asked on."""

    state: State
    text: Text


class ActivationEnded(Data):
    """How it ended and where it stood then; whose cards, masked."""

    route: Route
    state: State
    ended_in: State
    text: Text
    old_card: Named | None
    card: Named | None
    holder: Named | None
    visit: Named | None
    receipt: Named | None


class ActivationCompleted(ActivationEnded):
    """What it came to."""

    outcome: Outcome | None


class ActivationRefused(ActivationEnded):
    """Why it was refused."""

    reason: str


class ActivationCancelled(ActivationEnded):
    """Why it was cancelled, where there was a reason."""

    reason: str | None


class ActivationExpired(ActivationEnded):
    """What it ran out of."""

    cause: Literal["deadline", "restart"]


class PromptOpened(Data):
    """What the holder is asked for. A prompt of a client's deed bears its method and request."""

    prompt: str
    purpose: Purpose
    digits: list[int]
    tries_left: int | None
    deadline: str | None
    text: Text | UnsetType = UNSET
    station: str | UnsetType = UNSET
    method: str | UnsetType = UNSET
    request: str | UnsetType | None = UNSET


class PromptClosed(Data):
    """Why it is closed."""

    prompt: str
    purpose: Purpose
    cause: Literal["answered", "cancelled", "deadline", "restart", "card_removed", "over"]
    station: str | UnsetType = UNSET
    method: str | UnsetType = UNSET
    request: str | UnsetType | None = UNSET


class AccessDenied(Data):
    """Whom, what, for want of which right, and how often in this minute."""

    client: str
    method: str
    right: str
    count: int


class PersonalDisclosed(Data):
    """Who was told what of whom, and what for."""

    client: str
    purpose: str
    method: str
    fields: list[str]


class JournalEvicted(Data):
    """Which events retention took away, from when to when, and the head that they end with."""

    first: int
    last: int
    events: int
    began: str
    ended: str
    head: str


class JournalErased(Data):
    """Whose data are gone, of which events (`[first, last]`), and who had it done; one for each page of an erasure."""

    token: str
    events: int
    sequences: list[list[int]]
    activations: int
    payments: int
    client: str
    purpose: str
