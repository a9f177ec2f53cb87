"""What a scenario says: a page of YAML, read strictly.

A step of the timeline is named by its verb, which is a key of it (`insert: old-jia`); the other keys say how. The same
holds for what is expected. docs/decisions/0010 says what each verb does and when it is done.
"""

from typing import Annotated, Literal

import msgspec

from cardd.base.structs import Struct
from cardd.register.document import Person as RegisterEntry
from cardd.rules.names import SSF33_REGION
from cardsim.fault_list import AnyFault
from cardsim.persona import AnyPersona
from cardsim.scenario.expected import AnyExpectation, Name, Where

GroundName = Literal["in-process", "pcscd", "running"]
Interface = Literal["contact", "contactless"]
Machine = Literal["pcscd", "daemon", "centre"]
Purpose = Literal["old_card_password", "social_pin", "new_pin"]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=60_000)]
PersonaSource = str | dict[str, object]
"""The name of a shipped persona, a file (from the scenario's folder), or a persona as it would stand in a file."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section of a scenario, in which an unknown key is an error."""


class Place(Struct, frozen=True):
    """Where a step stands: line and column, and its path in the document (`$.timeline[3].do[0]`)."""

    line: int = 0
    column: int = 0
    where: str = "$"


class Step(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="@verb"):
    """One thing that is done."""

    place: Place = msgspec.field(name="@place", default=Place())


# -- hands


class Insert(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="insert"):
    """Put a card into a reader: `person.alias`, a card of `cards`, or a shipped persona.

    `faults` last for this stay, and count its commands from 1. A `fresh` card has forgotten what was done to it.
    """

    insert: str
    reader: str | None = None
    interface: Interface | None = None
    faults: tuple[AnyFault, ...] = ()
    fresh: bool = False


class Remove(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="remove"):
    """Take the card out of a reader: the named one, or that of this station."""

    remove: str | None


class Swap(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="swap"):
    """Exchange the card in a reader for another one, so many milliseconds later."""

    swap: str
    reader: str | None = None
    gap_ms: Milliseconds = 0
    interface: Interface | None = None
    faults: tuple[AnyFault, ...] = ()


class Answer(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="answer"):
    """Answer the next prompt: `right`, `wrong`, `cancel`, or digits; `to` waits for one of that purpose."""

    answer: str
    to: Purpose | None = None
    within_s: Seconds = 10.0


# -- requests


class Document(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An identity document that was shown."""

    type: str
    number: str
    name: str


class Visit(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A visit that is registered."""

    kind: str
    number: str


class OldNumber(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An old card without a chip."""

    number: str


class Activation(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of `activation.start`; without `station`, this station's."""

    route: Literal["pharmacy", "hospital", "bank"]
    station: str | None = None
    reader: str | None = None
    operator: str | None = None
    visit: Visit | None = None
    identity_document: Document | None = None
    old_card: OldNumber | None = None
    request: str | None = None
    wait_s: Seconds | None = None
    purpose: str | None = None


class Activate(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="activate"):
    """Begin an activation, and call it a name; `refused` is the reason with which it must not begin."""

    activate: Activation
    name: Name | None = msgspec.field(name="as", default=None)
    where: Where = {}
    refused: str | None = None


class Read(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="read"):
    """Read the card in a reader (the named one, or this station's): `card.read`."""

    read: str | None
    files: str | None = None
    purpose: str | None = None
    wait_s: Seconds = 10.0
    name: Name | None = msgspec.field(name="as", default=None)
    where: Where = {}
    refused: str | None = None


class Call(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="call"):
    """Call any method of the daemon."""

    call: str
    params: dict[str, object] = {}
    name: Name | None = msgspec.field(name="as", default=None)
    where: Where = {}
    refused: str | None = None


# -- eyes


class Wait(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="wait"):
    """Wait for an event that came after the last one waited for; `answering` prompts that open meanwhile.

    An event of an activation that is given a name stands for the activation.
    """

    wait: str
    where: Where = {}
    of: Name | None = None
    within_s: Seconds = 10.0
    answering: str | None = None
    name: Name | None = msgspec.field(name="as", default=None)


class Expect(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="expect"):
    """Go on when something is so; fail if it is not within that time."""

    expect: AnyExpectation
    within_s: Seconds = 10.0


# -- time and power


class Pass(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pass"):
    """Let so many seconds pass: virtual ones in this process, real ones elsewhere."""

    seconds: Seconds = msgspec.field(name="pass")


class Kill(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="kill"):
    """End something at once, without a word; it stays away until it is started."""

    machine: Machine = msgspec.field(name="kill")


class Stop(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="stop"):
    """Have something stand still: it is there, and answers nobody."""

    machine: Machine = msgspec.field(name="stop")


class Continue(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="continue"):
    """Let what stands still go on."""

    machine: Machine = msgspec.field(name="continue")


class Start(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="start"):
    """Start what was killed; done when it answers."""

    machine: Machine = msgspec.field(name="start")


class Restart(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="restart"):
    """End something in its own way, and start it again; done when it answers."""

    machine: Machine = msgspec.field(name="restart")


class CentreFaults(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="centre"):
    """What goes wrong at the centre from now on, `KIND@METHOD[:n]`; an empty list: nothing."""

    centre: tuple[str, ...]


# -- order


class Repeat(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="repeat"):
    """Do steps several times, `short` times in a short run; `{n}` counts from 1. `across`: dealt out over stations."""

    repeat: Count
    short: Count | None = None
    across: Literal["all"] | tuple[str, ...] = ()
    do: tuple["AnyStep", ...]


class ForEach(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="for_each"):
    """Do steps with each person of a group, who is called `as`; of the first `short` ones in a short run."""

    for_each: Name
    name: Name = msgspec.field(name="as", default="person")
    short: Count | None = None
    across: Literal["all"] | tuple[str, ...] = ()
    do: tuple["AnyStep", ...]


class Choice(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to go on; it is taken as often as its weight says among all, on these `grounds` only if any are named."""

    weight: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    grounds: tuple[GroundName, ...] = ()
    do: tuple["AnyStep", ...]


class Choose(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="choose"):
    """Take one of several ways, by the seed; none where all are for other grounds."""

    choose: Annotated[tuple[Choice, ...], msgspec.Meta(min_length=1)]


class Together(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="together"):
    """Do several timelines side by side; done when all are."""

    together: tuple[tuple["AnyStep", ...], ...]


class At(Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="at"):
    """Do steps at a station: its readers are meant where none is named, and its events are waited for."""

    at: str
    do: tuple["AnyStep", ...]


AnyStep = (
    Insert
    | Remove
    | Swap
    | Answer
    | Activate
    | Read
    | Call
    | Wait
    | Expect
    | Pass
    | Kill
    | Stop
    | Continue
    | Start
    | Restart
    | CentreFaults
    | Repeat
    | ForEach
    | Choose
    | Together
    | At
)

# -- who and where


class StatusMix(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often each standing of a card in the register occurs, as weights."""

    not_enabled: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    normal: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    lost: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    pre_lost: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    void: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    sealed: Annotated[float, msgspec.Meta(ge=0)] = 0.0

    def __post_init__(self) -> None:
        if not any(msgspec.structs.astuple(self)):
            raise ValueError("no standing occurs: give at least one a weight above 0")


class GenerateSpec(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many people are invented, and what they bring.

    Lists are chosen from by the seed, each entry as likely as the others. `regions`: six digits each, empty for any
    region. `old_card`: which kind of old card they have, by its chip; `any` of them. `password`: how many of the old
    cards have one, from 0 to 1. `status`: how their new cards stand in the register. `updates`: what the centre sends
    for each of those cards, to be written on it when it is activated.
    """

    count: Count
    short: Count | None = None
    profiles: Annotated[tuple[Literal["1.0", "2.0", "3.0"], ...], msgspec.Meta(min_length=1)] = ("1.0", "2.0", "3.0")
    algorithms: Annotated[tuple[Literal["des", "sm4"], ...], msgspec.Meta(min_length=1)] = ("des", "sm4")
    regions: tuple[Annotated[str, msgspec.Meta(pattern="^[0-9]{6}$")], ...] = ()
    old_card: Literal["none", "cpu", "sle4442", "sle4428", "any"] = "any"
    password: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    status: StatusMix = StatusMix()
    updates: dict[str, dict[str, str]] = {}

    def __post_init__(self) -> None:
        elsewhere = not self.regions or any(not region.startswith(SSF33_REGION) for region in self.regions)
        if not elsewhere and "1.0" in self.profiles and "des" in self.algorithms:
            raise ValueError(
                f"a card of 1.0 with DES from region {SSF33_REGION} would be one with SSF33, which nobody computes:"
                " name `profiles` without 1.0, `algorithms` without des, or another region"
            )


class Person(Struct, frozen=True):
    """Somebody at a counter: cards by alias (`old`, `social`), and what the register says of them (None: nothing)."""

    name: str
    cards: dict[str, AnyPersona]
    register: RegisterEntry | None = None


class Group(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People by one name: invented ones, or one person with these cards."""

    generate: GenerateSpec | None = None
    cards: dict[Name, PersonaSource] = {}
    register: RegisterEntry | None = None


class ReaderPlan(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reader of a station."""

    name: Name
    role: Literal["counter", "sam"] = "counter"


class Station(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A desk. `auto`: an old card put in begins a handoff by itself."""

    name: Name
    auto: bool = True
    readers: Annotated[tuple[ReaderPlan, ...], msgspec.Meta(min_length=1)]


class Scenario(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole scenario.

    `stations`: so many with one reader each (`counter-0` with `reader-0`, …), or a list. `psam`: the persona in
    `sam-0`, or `none`. `centre`: whether the centre is one on the network, which can be killed, instead of the daemon's
    own register. `register`: a YAML file of people, instead of the shipped one. `settings` replaces top-level keys of
    the daemon's configuration. `run_on`: where it can run, if not everywhere.
    """

    scenario: str
    about: str = ""
    seed: int = 1
    run_on: tuple[GroundName, ...] = ("in-process", "pcscd", "running")
    stations: Annotated[int, msgspec.Meta(ge=1, le=16)] | tuple[Station, ...] = 1
    psam: str = "psam"
    centre: bool = False
    register: str | None = None
    settings: dict[str, object] = {}
    people: dict[Name, Group] = {}
    cards: dict[Name, PersonaSource] = {}
    timeline: Annotated[tuple[AnyStep, ...], msgspec.Meta(min_length=1)]
