"""What went on in one activation, without a person, a number or a key: for whoever must find out why it ended so.

Everything in it is a code, a count or a time. Cards and readers are numbered from 1 in the order in which they appear;
`cardsim run` rebuilds station, cards and centre from it, with invented people.
"""

from typing import Annotated, Final, Literal

import msgspec

from cardd.base.structs import Struct
from cardd.wire.activation import Outcome, Route, State
from cardd.wire.base import Params, Result
from cardd.wire.cards import Kind

VERSION: Final = 1
"""Of this document. A later one may say more; what is said already keeps its meaning."""

Header = Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{4}$")]
"""Class and instruction of a command."""
Word = Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{4}$")]
Count = Annotated[int, msgspec.Meta(ge=0)]
Code = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_.-]{1,64}$")]
"""A name from a closed set: a fact, a reason, an effect."""
File = Annotated[str, msgspec.Meta(pattern="^[A-Z0-9]{1,16}$")]


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A part of the account; what is left out is as the default says."""


class Waits(Part, frozen=True, kw_only=True):
    """How long things could take: seconds for people, for work on a card, for an answer; some states have their own.

    After each silence of the centre it was waited longer, from `first_s` to `most_s`.
    """

    person_s: float
    card_s: float
    authority_s: float
    states: dict[State, float] = msgspec.field(default_factory=dict)
    first_s: float
    most_s: float


class Setting(Part, frozen=True, kw_only=True):
    """How the counter was set up when it began, and what the client gave.

    `readers` are the roles of the station's readers, `module` whether a security module was in one of the machine's
    readers. `keys` and `authority` are providers. `by_itself`: the old card began it. `regional`: cards of one region
    only. `visit`, `document` (one with the social security number on it, or another) and `old_number` were given.
    """

    readers: tuple[Literal["counter", "sam"], ...]
    module: bool = False
    keys: Code = "none"
    authority: Code = "local"
    by_itself: bool = False
    visit: bool = False
    document: Literal["resident", "other"] | None = None
    old_number: bool = False
    pin_policy: Code = "none"
    regional: bool = False
    accept_expired: bool = False
    without_old_card: bool = False
    waits: Waits


class SeenCard(Part, frozen=True, kw_only=True):
    """A card that was put in: which one of this activation's (0: not recognised), what it is, in which reader.

    It was known after `identified` commands of its stay; `commands` had gone before this step, those of others too.
    """

    card: Count
    kind: Kind
    generation: Code | None = None
    algorithm: Code | None = None
    layout: Code | None = None
    via: Literal["contact", "contactless"] = "contact"
    reader: Count = 1
    at_start: bool = False
    identified: Count = 0
    commands: Count = 0


class OddWord(Part, frozen=True, kw_only=True):
    """A status word that is neither 9000 nor progress: of the n-th command of the stay."""

    n: Count
    command: Header
    word: Word


class CardWork(Part, frozen=True, kw_only=True):
    """How far the work with a card came: its first and last command, counted from 1 since the card was put in.

    GET RESPONSE is not counted. `word` is what the last command was answered, left out where nothing came.
    """

    first: Count
    last: Count
    command: Header | None = None
    word: Word | None = None
    odd: tuple[OddWord, ...] = ()
    ms: Count = 0


class Asked(Part, frozen=True, kw_only=True):
    """A question to the centre: how often it was put, what came, and after how many milliseconds the last time.

    `came` is `answer`; or `silence`, `no_connection`, `no_sense`, `register` (this machine's own failed), `status_500`
    and other status words of HTTP; or `nothing` where it was not waited for any longer.
    """

    what: Code
    came: Code
    times: Count = 1
    ms: Count = 0


class Late(Part, frozen=True, kw_only=True):
    """Why the journal did not take a step at once, and for how long: nothing follows from one that is not on record."""

    reason: Code
    ms: Count


class Turn(Part, frozen=True, kw_only=True):
    """One step: in which state what happened (the fact), where that led, and what was begun then.

    `at_ms` counts from the beginning. `reason` and `tries_left` came with the fact. `files` are those that the centre
    wants written, and which of their items. `late` where the journal had no room for it: what follows began so much
    later.
    """

    at_ms: int
    state: State
    fact: Code
    to: State
    reason: Code | None = None
    cause: Code | None = None
    tries_left: int | None = None
    do: tuple[Code, ...] = ()
    card: SeenCard | None = None
    work: CardWork | None = None
    asked: tuple[Asked, ...] = ()
    files: dict[File, tuple[File, ...]] = msgspec.field(default_factory=dict)
    late: Late | None = None


class ActivationIncidentParams(Params):
    """Name one activation."""

    activation: str


class Incident(Result, kw_only=True):
    """The account of one activation. `incident` is the version of this document, `left_out` how many turns are not in.

    The activation's own name is random and stands for nobody. `waiting` is the step that comes next and for which the
    journal has no room yet, as on a full disk: everything waits for it.
    """

    incident: Literal[1]
    activation: str
    route: Route
    state: State
    outcome: Outcome | None = None
    reason: str | None = None
    cardd: str
    setting: Setting | None = None
    left_out: int = 0
    turns: list[Turn]
    waiting: Turn | None = None
