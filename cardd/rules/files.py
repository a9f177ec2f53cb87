"""Every file of the card by its address, and who may read and write it (LD/T 32.6, LB002-2000)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.rules.access import FREE, NEVER, PIN, Access, Right
from cardd.rules.applications import APPLICATIONS, Application
from cardd.rules.applications.ssse import EF05, EF06, EF1E
from cardd.rules.generations import Generation, generation_of
from cardd.rules.layout import FileClass, FileRule, Structure

__all__ = [
    "APPLICATIONS",
    "BASIC_FILES",
    "EF05",
    "EF06",
    "EF1E",
    "FILES",
    "FREE",
    "NEVER",
    "PIN",
    "Access",
    "Application",
    "FileClass",
    "FileRule",
    "Generation",
    "Right",
    "Structure",
    "generation_of",
]

FILES: Final[Mapping[str, FileRule]] = MappingProxyType(
    {rule.address: rule for application in APPLICATIONS.values() for rule in application.files}
)

BASIC_FILES: Final[Mapping[str, FileRule]] = MappingProxyType({rule.address: rule for rule in (EF05, EF06, EF1E)})
"""The files of the environment that every card has, of tagged records."""
