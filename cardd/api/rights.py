"""Who may do what: rights by the peer's user and groups, which the kernel vouches for."""

import grp
import os
import pwd
from collections.abc import Iterable, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cardd.api.peer import Peer
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct


class Right(StrEnum):
    """What a client may be allowed to do."""

    OBSERVE = "observe"
    READ_CARD = "read_card"
    PERSONAL = "personal"
    WRITE_CARD = "write_card"
    BLOCK_CARD = "block_card"
    ACTIVATE = "activate"
    PIN = "pin"
    SETTLE = "settle"
    LEASE = "lease"
    RAW_APDU = "raw_apdu"
    DRIVER = "driver"
    OPERATE = "operate"
    AUDIT = "audit"


_COUNTER = frozenset({Right.OBSERVE, Right.READ_CARD, Right.ACTIVATE, Right.PIN, Right.SETTLE})

PRESETS: Final = MappingProxyType(
    {
        "watch": frozenset({Right.OBSERVE}),
        # a pharmacy's till works with masked data only
        "till": _COUNTER,
        # a hospital's or a bank's desk registers persons
        "desk": _COUNTER | {Right.PERSONAL, Right.LEASE},
        "operator": frozenset({Right.OBSERVE, Right.OPERATE}),
        "auditor": frozenset({Right.OBSERVE, Right.AUDIT}),
    }
)

ALL_BUT_RAW: Final = frozenset(Right) - {Right.RAW_APDU}
"""What the daemon's own user may do where the configuration has no rights."""


def expand(grant: Iterable[str]) -> frozenset[Right]:
    """Turn names of rights and presets into rights.

    Raises CarddError(INVALID) for a name that is neither, and for `driver` without `personal`, because the driver's
    functions answer with whole personal data.
    """
    rights: set[Right] = set()
    for name in grant:
        if name in PRESETS:
            rights |= PRESETS[name]
        elif name in Right.__members__.values():
            rights.add(Right(name))
        else:
            known = ", ".join([*PRESETS, *Right])
            raise CarddError(Reason.INVALID, f"`{name}` is neither a right nor a preset; there are {known}")
    if Right.DRIVER in rights and Right.PERSONAL not in rights:
        raise CarddError(Reason.INVALID, "`driver` needs `personal` beside it")
    return frozenset(rights)


class RightsRow(Struct, frozen=True):
    """One row of the configuration: a user or a group by name, and what is granted."""

    grant: Sequence[str]
    user: str | None = None
    group: str | None = None


class Rights:
    """The table, with names resolved to the numbers that the kernel reports."""

    def __init__(self, users: dict[int, frozenset[Right]], groups: dict[int, frozenset[Right]]) -> None:
        self._users = users
        self._groups = groups

    @classmethod
    def own_user(cls) -> "Rights":
        """Grant all but raw_apdu to the user that runs the daemon, nothing to others."""
        return cls({os.geteuid(): ALL_BUT_RAW}, {})

    @classmethod
    def of(cls, rows: Iterable[RightsRow]) -> "Rights":
        """Resolve the configuration's rows. Raises CarddError(INVALID) for an unknown user, group or right."""
        users: dict[int, frozenset[Right]] = {}
        groups: dict[int, frozenset[Right]] = {}
        for row in rows:
            rights = expand(row.grant)
            if row.user is not None:
                uid = _uid(row.user)
                users[uid] = users.get(uid, frozenset()) | rights
            if row.group is not None:
                gid = _gid(row.group)
                groups[gid] = groups.get(gid, frozenset()) | rights
        return cls(users, groups)

    def and_for(self, uid: int, rights: frozenset[Right]) -> "Rights":
        """Return a table that has a row more, for a user by its number."""
        return Rights({**self._users, uid: rights}, self._groups)

    def granted(self, peer: Peer) -> frozenset[Right]:
        """Return the union of what the peer's user and each of its groups is granted."""
        rights = self._users.get(peer.uid, frozenset())
        for gid in peer.groups:
            rights |= self._groups.get(gid, frozenset())
        return rights


def _uid(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise CarddError(Reason.INVALID, f"this machine has no user `{user}`: create it, or correct the name") from None


def _gid(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise CarddError(
            Reason.INVALID, f"this machine has no group `{group}`: create it, or correct the name"
        ) from None
