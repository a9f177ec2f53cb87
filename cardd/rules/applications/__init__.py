"""The card's applications, each with its files as one table."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct
from cardd.rules.applications import df01, df02, df03, df04, df05, df06, df07, ssse
from cardd.rules.layout import FileRule
from cardd.rules.names import AIDS, LABELS


class Application(Struct, frozen=True):
    """One application: what it is selected by, its files, and whether every 2.0 and 3.0 card has it.

    `aid` is its name or identifier; None for those that are found by their `label` in the directory. `label` is as the
    directory stores it, None for the environment.
    """

    name: str
    fid: int
    en: str
    files: tuple[FileRule, ...]
    optional: bool = False

    @property
    def aid(self) -> bytes | None:
        """Return what SELECT by name takes."""
        return AIDS.get(self.name)

    @property
    def label(self) -> str | None:
        """Return the label in the directory."""
        return LABELS.get(self.name)


MASTER_FILE: Final = 0x3F00
"""The root; on old cards it is the environment itself."""

FIRST_LOCAL_APPLICATION: Final = 0xDF0A
FIRST_LOCAL_FILE: Final = 0xEF0C
"""Where issuers' own applications and files begin."""

# fmt: off
APPLICATIONS: Final[Mapping[str, Application]] = MappingProxyType({application.name: application for application in (
    Application("SSSE", 0xDDF1, "environment, basic data", ssse.FILES),
    Application("DF01", 0xDF01, "common data", df01.FILES),
    Application("DF02", 0xDF02, "employment and unemployment", df02.FILES),
    Application("DF03", 0xDF03, "insurance other than medical", df03.FILES),
    Application("DF04", 0xDF04, "medical insurance", df04.FILES),
    Application("DF05", 0xDF05, "life and health", df05.FILES, optional=True),
    Application("DF06", 0xDF06, "relief and preferential treatment", df06.FILES, optional=True),
    Application("DF07", 0xDF07, "personnel and talent", df07.FILES),
)})
# fmt: on
