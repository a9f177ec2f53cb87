"""What a record is: an immutable value with named fields, some of which are not for the eye.

msgspec's structs, because a dataclass compiles its methods anew at every start: two hundred of them were a third of
the time until the daemon was ready, and each instance takes a third as long to make.
"""

from functools import cache
from typing import Annotated, Any, Final, TypeVar

import msgspec

T = TypeVar("T")

_HIDDEN: Final = "hidden"

Hidden = Annotated[T, _HIDDEN]
"""The type of a field that `repr` leaves out, so that it reaches no log, no error and no failed assertion."""


def unshown(_record: object) -> list[tuple[str, Any]]:
    """Show nothing to `rich`, which asks msgspec's structs for all that they hold: their `__rich_repr__`."""
    return []


class Struct(msgspec.Struct, frozen=True):
    """A value of named fields, immutable, equal and hashed by them; `repr` leaves `Hidden` ones out."""

    __rich_repr__ = unshown

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in _shown(type(self)))
        return f"{type(self).__qualname__}({', '.join(shown)})"


@cache
def _shown(kind: type[Struct]) -> tuple[str, ...]:
    hidden = {
        name
        for one in kind.__mro__
        for name, annotation in vars(one).get("__annotations__", {}).items()
        if _HIDDEN in getattr(annotation, "__metadata__", ())
    }
    return tuple(name for name in kind.__struct_fields__ if name not in hidden)
