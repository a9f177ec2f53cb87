"""What a floor's options are made of: the types of a section of the configuration, and where it stands in the file."""

import os
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from cardd.base.document import DocumentError, locate, written
from cardd.base.errors import CarddError
from cardd.base.structs import Struct
from cardd.base.web import host_of

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Place(Struct, frozen=True):
    """Where a section stands: `$.journal` of a file."""

    path: Path
    key: str

    def wrong(self, where: str, problem: str) -> DocumentError:
        """Return the error that what stands at `.name` or `.name[3]` of this section cannot work."""
        return locate(self.path, self.key + where, problem)

    def written(self, where: str) -> str:
        """Return what stands there as it was written."""
        return written(self.path, self.key + where)


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A mapping of the file in which an unknown key is an error."""

    FILES: ClassVar[tuple[str, ...]] = ()
    """Which of its members name files: where a path is relative, it is to the configuration's own."""

    def check(self, place: Place) -> None:
        """Find what is well formed and cannot work all the same. Raises DocumentError."""

    def resolve(self, base: Path) -> None:
        """Make the paths of its files whole."""
        for name in self.FILES:
            named = getattr(self, name)
            if named is not None:
                setattr(self, name, resolved(named, base))


def resolved(text: str, base: Path) -> str:
    """Return a path as it is meant in a file of this directory."""
    return os.path.normpath(base / Path(text).expanduser())


def check_address(url: str, place: Place, where: str, goods: str) -> None:
    """Find an address that `goods` may not go to. Raises DocumentError."""
    try:
        host_of(url)
    except CarddError:
        problem = f"write https://host[:port][/path]: {goods} go there, so plain http is for this machine itself"
        raise place.wrong(where, problem) from None
