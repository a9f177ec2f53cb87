"""Cards described in YAML: who shows what, with which keys, on which interface."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal

import msgspec

from cardd.base.document import DocumentError, load_as_written, locate, part_as_written
from cardd.base.structs import Struct
from cardsim.fault_list import AnyFault
from cardsim.toggles import Toggles

PERSONAS: Final = Path(__file__).with_name("personas")
"""Where the shipped ones are."""

Hex = Annotated[str, msgspec.Meta(pattern="^[0-9A-Fa-f]{2}( ?[0-9A-Fa-f]{2})*$")]
"""Bytes as pairs of hex digits, with blanks between them at will."""

Tries = Annotated[int, msgspec.Meta(ge=0, le=15)]
KeyVersion = Annotated[int, msgspec.Meta(ge=1, le=3)]
KeyValue = Hex | dict[KeyVersion, Hex]
FileContent = str | dict[str, str] | tuple[str, ...]
RawContent = Hex | dict[str, str] | tuple[Hex, ...]
"""A file as it is stored: its bytes, some of its items' values by tag, or its records whole."""


class CardPersona(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every card may say of itself.

    `challenges` are handed out one after the other before the seed's random numbers begin. `toggles` choose among the
    ways in which cards may differ, `faults` are what is wrong with this one.
    """

    interface: Literal["contact", "contactless", "dual"] | None = None
    atr: Hex | None = None
    ats: Hex | None = None
    challenges: tuple[Hex, ...] = ()
    seed: int = 0
    toggles: Toggles = Toggles()
    faults: tuple[AnyFault, ...] = ()


class Holder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The holder's data, codes as in the rule; dates as YYYY-MM-DD or YYYYMMDD; empty is not set."""

    social_security_number: str = ""
    name: str = ""
    sex: str = ""
    ethnic_group: str = ""
    birthplace: str = ""
    birth_date: str = ""


class Counters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The money file's transaction counters."""

    online: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)] = 0
    offline: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)] = 0


Money = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
"""An amount in fen."""


class YearlySums(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the money file has added up: sums in fen, the payment year they belong to, its first day as mmdd."""

    self_paid: Money = 0
    pool: Money = 0
    year: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}$")] = "0000"
    starting_day: Annotated[str, msgspec.Meta(pattern="^(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$")] = "0101"


class SocialSecurityPersona(CardPersona, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A social security card.

    `keys`: `root` and `stk_root` are diversified for this card; a key under its own name is the card's own. What is
    left out of the issuer's data follows from profile and identification code.

    `files` says what stands in a file, as the national driver shows it: by tag (`40:2` is the second of a tag), newest
    record first, or in hexadecimal. `raw` says it byte for byte, for cards that break the rule and for issuers' own
    files (`DF0AEF0C`). `applications` are optional ones that the card has, `absent` files and applications that it does
    not have. A card with a `balance` is for use offline unless its files say otherwise. A `bank_number` is that of the
    bank's application, which cards since 2.0 have.

    `pin_tries` and `key_tries` are how often each may still be tried, and may be again after a right one. Where they
    are not said, and for the limit where there are none left, the toggles' limits count.
    """

    card: Literal["social-security"]
    profile: Literal["1.0", "2.0", "3.0"]
    algorithm: Literal["des", "sm4"] | None = None
    keys: dict[str, KeyValue] = {}
    identification_code: Hex | None = None
    card_class: str = "3"
    specification_version: str | None = None
    initialising_organisation: Hex | None = None
    issue_date: str = "2024-01-02"
    valid_until: str = "2034-01-02"
    card_number: str = ""
    holder: Holder = Holder()
    pin: str | None = None
    pin_tries: Tries | None = None
    key_tries: Tries | None = None
    blocked: Literal["card"] | tuple[str, ...] = ()
    balance: Money | None = None
    counters: Counters = Counters()
    yearly: YearlySums = YearlySums()
    files: dict[str, FileContent] = {}
    raw: dict[str, RawContent] = {}
    applications: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    bank_number: Annotated[str, msgspec.Meta(pattern="^[0-9]{12,19}$")] | None = None


class MedicalInsurancePersona(CardPersona, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An old medical insurance card: its number and how the chip keeps it."""

    card: Literal["medical-insurance"]
    kind: Literal["cpu"]
    layout: Literal["cpu"] = "cpu"
    number: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,20}$")]


class MemoryPersona(CardPersona, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An old card with a memory chip, in its reader: a layout, and the texts that it holds.

    `secret_code` is the chip's own, that of the factory if it is left out.
    """

    card: Literal["memory", "medical-insurance"]
    kind: Literal["sle4442", "sle4428"]
    interface: Literal["contact"] | None = None
    layout: str | None = None
    number: Annotated[str, msgspec.Meta(pattern="^[0-9A-Z]{1,40}$")]
    identity_number: str | None = None
    name: str | None = None
    issue_date: str | None = None
    employer: str | None = None
    secret_code: Hex | None = None


class PsamPersona(CardPersona, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A terminal security module: whose keys it holds, for which algorithms.

    `master_key` is its own, with which others are loaded and replaced.
    """

    card: Literal["psam"]
    level: Literal["national", "provincial", "city"]
    region: Annotated[str, msgspec.Meta(pattern="^[0-9]{6}$")] = "510100"
    algorithms: Annotated[tuple[Literal["des", "sm4"], ...], msgspec.Meta(min_length=1)] = ("des", "sm4")
    keys: dict[str, Hex] = {}
    terminal_number: Annotated[str, msgspec.Meta(pattern="^[0-9]{12}$")] = "510100000001"
    terminal_sequence: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)] = 0
    master_key: Hex | None = None


AnyPersona = SocialSecurityPersona | MedicalInsurancePersona | MemoryPersona | PsamPersona


class Persona(Struct, frozen=True):
    """One card as YAML describes it: a file, or what stands at `root` in one."""

    name: str
    path: Path
    card: AnyPersona
    root: str = "$"

    def fault(self, where: str, problem: str) -> DocumentError:
        """Make the error that names the place of a field (`$.keys.root`) in the file."""
        return locate(self.path, self.root + where.removeprefix("$"), problem)


class _Kind(msgspec.Struct):
    card: Literal["social-security", "medical-insurance", "memory", "psam"]
    kind: Literal["cpu", "sle4442", "sle4428"] | None = None

    @property
    def reader(self) -> str:
        """Return the name of what reads the rest."""
        return "memory" if self.kind in {"sle4442", "sle4428"} else self.card


_READERS: Final[Mapping[str, Callable[[Path], AnyPersona]]] = MappingProxyType(
    {
        "social-security": partial(load_as_written, kind=SocialSecurityPersona),
        "medical-insurance": partial(load_as_written, kind=MedicalInsurancePersona),
        "memory": partial(load_as_written, kind=MemoryPersona),
        "psam": partial(load_as_written, kind=PsamPersona),
    }
)

_PARTS: Final[Mapping[str, Callable[[Path, str, object], AnyPersona]]] = MappingProxyType(
    {
        "social-security": partial(part_as_written, kind=SocialSecurityPersona),
        "medical-insurance": partial(part_as_written, kind=MedicalInsurancePersona),
        "memory": partial(part_as_written, kind=MemoryPersona),
        "psam": partial(part_as_written, kind=PsamPersona),
    }
)


def shipped() -> tuple[str, ...]:
    """Return the names of the personas that come with the simulator."""
    return tuple(sorted(path.stem for path in PERSONAS.glob("*.yaml")))


def load_persona(name: str | Path) -> Persona:
    """Read a persona by the name of a shipped one, or by the path of a YAML file.

    Raises DocumentError with file, line and column of the first mistake.
    """
    path = _path(name)
    return Persona(path.stem, path, _READERS[load_as_written(path, _Kind).reader](path))


def persona_in(path: Path, where: str, name: str, value: object) -> Persona:
    """Read a persona that stands in another document, which was read as written, at `$.cards.jia`.

    Raises DocumentError as `load_persona` does.
    """
    card = _PARTS[part_as_written(path, where, value, _Kind).reader](path, where, value)
    return Persona(name, path, card, where)


def _path(name: str | Path) -> Path:
    known = PERSONAS / f"{name}.yaml"
    if isinstance(name, str) and name in shipped():
        return known
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1 or path.is_file():
        return path
    raise DocumentError(path, 1, 1, f"is no shipped persona and no file; shipped are {', '.join(shipped())}")
