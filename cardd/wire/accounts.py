"""The medical account as clients see it. Money is in fen, times are YYYYMMDDHHMMSS of the counter's clock."""

from typing import Annotated, Literal

import msgspec

from cardd.wire.activation import Words
from cardd.wire.base import Result, Value
from cardd.wire.cards import CardChoice

Fen = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
KeyIndex = Annotated[int, msgspec.Meta(ge=1, le=3)]
Sequence = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
Day = Annotated[str, msgspec.Meta(pattern="^(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$")]


class AccountChoice(CardChoice, kw_only=True):
    """Whose account."""


class AccountBalanceParams(AccountChoice, kw_only=True):
    """Whose account. `with_pin`: the holder is asked for the PIN first, for cards that want it even for this."""

    with_pin: bool = False


class AccountBalanceResult(Result, kw_only=True):
    """The account as it stands. `year` is the payment year of the two sums, `starting_day` (mmdd) where it begins."""

    insertion: str
    account: int
    self_paid: int
    pool: int
    year: str | None
    starting_day: str | None


class AccountStartingDayParams(AccountChoice, kw_only=True):
    """Set the day (mmdd) on which the payment year begins, once for each `request`."""

    day: Day
    request: Words


class AccountStartingDayResult(Result, kw_only=True):
    """The day that the card has now."""

    insertion: str
    starting_day: str


class AccountDebitParams(AccountChoice, kw_only=True):
    """Take money. The same client's same `request` is the same deed and gives the same answer.

    `account` is taken from the personal account; `self_paid` and `pool` are added to the yearly sums.
    """

    request: Words
    account: Fen
    self_paid: Fen = 0
    pool: Fen = 0
    key_index: KeyIndex = 1


class AccountLoadParams(AccountChoice, kw_only=True):
    """Put money on the account; `request` as with a debit."""

    request: Words
    amount: Fen
    key_index: KeyIndex = 1


class AccountMoved(Result, kw_only=True):
    """What became of a debit or a load.

    `outcome`: done, not_done, unproven (the card says done, and what it gave for that is wrong), in_doubt (no answer
    came: the card's proof will decide). `tac_right` and `mac_right` are null where nobody here could judge; `by_proof`:
    the card was asked afterwards. `reason` says why the card did not do it, or did not answer; `status_word` is the
    card's own where it refused.
    """

    request: str
    insertion: str
    outcome: str
    sequence: int
    terminal: str
    terminal_sequence: int
    time: str
    account: int
    self_paid: int
    pool: int
    balance_before: int
    tac: str | None = None
    mac: str | None = None
    tac_right: bool | None = None
    mac_right: bool | None = None
    by_proof: bool = False
    reason: str | None = None
    status_word: str | None = None


class AccountProofParams(AccountChoice, kw_only=True):
    """Ask the card for its proof: of a `request` of this client's, or of a `sequence` and what it was."""

    request: Words | None = None
    type: Literal["debit", "load"] = "debit"
    sequence: Sequence | None = None


class AccountProofResult(Result, kw_only=True):
    """The card's word: `outcome` done, not_done or unproven, with certificate and MAC where it was done."""

    insertion: str
    outcome: str
    sequence: int
    tac: str | None = None
    mac: str | None = None


class AccountRecordsParams(AccountChoice, kw_only=True):
    """The transactions that the card keeps, the newest first."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=254)] = 254


class AccountRecord(Result, kw_only=True):
    """One of them, as EF08 has it (LD/T 32.6); `error` says what does not follow the rule."""

    sequence: Value
    type: Value
    terminal: Value
    time: Value
    account: int | None
    self_paid: int | None
    pool: int | None
    error: str | None = None


class AccountRecordsResult(Result, kw_only=True):
    """Every record there is."""

    insertion: str
    records: list[AccountRecord]
