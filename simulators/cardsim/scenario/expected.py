"""What a scenario expects: one of these by its key, with values by their paths."""

from typing import Annotated

import msgspec

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
"""What stands for a person, a card or an answer in a timeline."""

Wanted = str | tuple[str | None, ...] | None
"""A value as text (`*` stands for anything), nothing, or one of several of these."""

Where = dict[str, Wanted]
"""Values by their path: `data.outcome`, `readers.0.state`, `readers.*.state` (one of them)."""


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="@verb"):
    """What must be so."""

    where: Where = {}


class Events(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="events"):
    """So many events of each type since the beginning, no more and no fewer; `short` instead in a short run."""

    events: dict[str, Annotated[int, msgspec.Meta(ge=0)]]
    short: dict[str, Annotated[int, msgspec.Meta(ge=0)]] | None = None


class AtLeast(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="at_least"):
    """So many events of each type since the beginning, or more; `short` instead in a short run."""

    at_least: dict[str, Annotated[int, msgspec.Meta(ge=1)]]
    short: dict[str, Annotated[int, msgspec.Meta(ge=1)]] | None = None


class NoEvent(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="no_event"):
    """No event of a type since the beginning."""

    no_event: str


class Standing(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="activation"):
    """How an activation that was given a name stands."""

    activation: Name
    state: Wanted | msgspec.UnsetType = msgspec.UNSET
    outcome: Wanted | msgspec.UnsetType = msgspec.UNSET
    reason: Wanted | msgspec.UnsetType = msgspec.UNSET


class CardIs(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="card"):
    """What a card remembers by itself: see docs/decisions/0010 for the paths."""

    card: str


class RegisterHas(Expectation, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="register"):
    """What the centre's register holds of a person: one of `people`, or a social security number."""

    register: str


AnyExpectation = Events | AtLeast | NoEvent | Standing | CardIs | RegisterHas
