"""Exit codes: one table from a reason to a number of sysexits."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

INTERRUPTED: Final = 130

_BY_REASON: Final = MappingProxyType(
    {
        "FORBIDDEN": os.EX_NOPERM,
        "PCSC_DENIED": os.EX_NOPERM,
        "INVALID": os.EX_USAGE,
        "NOT_FOUND": os.EX_NOINPUT,
        "PCSC_UNAVAILABLE": os.EX_UNAVAILABLE,
        "READER_UNAVAILABLE": os.EX_UNAVAILABLE,
        "PSAM_ABSENT": os.EX_UNAVAILABLE,
        "HSM_UNAVAILABLE": os.EX_UNAVAILABLE,
        "AUTHORITY_UNAVAILABLE": os.EX_UNAVAILABLE,
        "JOURNAL_UNAVAILABLE": os.EX_UNAVAILABLE,
        "INTERNAL": os.EX_SOFTWARE,
    }
)
_BY_RETRY: Final = MappingProxyType({"now": os.EX_TEMPFAIL, "after_event": os.EX_TEMPFAIL})


def exit_code(reason: str, retry: str) -> int:
    """Return the exit code of a refusal: its own, else temporary failure where trying again helps, else bad data."""
    return _BY_REASON.get(reason, _BY_RETRY.get(retry, os.EX_DATAERR))


ENDS: Final[Mapping[str, int]] = MappingProxyType(
    {"completed": os.EX_OK, "refused": os.EX_DATAERR, "cancelled": os.EX_TEMPFAIL, "expired": os.EX_TEMPFAIL}
)
"""The exit code of an activation by the state it ended in; one that has not ended yet is a temporary failure."""
