"""What an examination finds: a row of the table of findings, with what is known of this case."""

from enum import StrEnum

from cardd.base.structs import Struct
from cardd.ctl.health.texts import ROWS


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    """Work goes on, or it could not be looked at: somebody should know."""
    WRONG = "wrong"
    """Something does not work until the remedy is applied."""


class Finding(Struct, frozen=True):
    """One thing that was looked at. Sentences are in both languages, `remedy` is empty where none is needed."""

    check: str
    level: Level
    code: str
    text: dict[str, str]
    remedy: dict[str, str]


def found(code: str, **known: object) -> Finding:
    """Return the finding of a code, its sentences filled with what is known."""
    row = ROWS[code]
    text, remedy = (
        {language: sentence.format(**known) for language, sentence in zip(("en", "zh-CN"), pair, strict=True)}
        for pair in (row.text, row.remedy)
    )
    return Finding(row.check, Level(row.level), code, text, remedy if remedy["en"] else {})
