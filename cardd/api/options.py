"""What the configuration says of the local socket: where it is, who may do what, how much each may have."""

import grp
import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, ClassVar, Final

import msgspec

from cardd.api.rights import Right, Rights, RightsRow, expand
from cardd.base.errors import CarddError
from cardd.base.options import Place, Strict


class RightsRule(Strict):
    """Who (a user or a group of the machine) may do what: rights and presets."""

    grant: list[str]
    user: str | None = None
    group: str | None = None

    def row(self) -> RightsRow:
        """Return it as a row of the table."""
        return RightsRow(grant=self.grant, user=self.user, group=self.group)


Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class ClientLimits(Strict):
    """How much clients may have at once (docs/limits.md).

    `connections` are those of all users together, `requests` under way and `subscriptions` those of one connection;
    what is `of_user` is counted over all connections of one user of the machine.
    """

    connections: Count = 64
    connections_of_user: Count = 48
    requests: Count = 32
    requests_of_user: Count = 128
    subscriptions: Count = 16
    subscriptions_of_user: Count = 128


class SocketOptions(Strict):
    """The local socket. `mode` is octal, as chmod takes it."""

    path: str = "/run/cardd/cardd.sock"
    group: str | None = None
    mode: str | int = "0660"
    rights: list[RightsRule] | None = None
    limits: ClientLimits = msgspec.field(default_factory=ClientLimits)

    FILES: ClassVar = ("path",)

    def table(self) -> Rights:
        """Return who may do what. Raises CarddError(INVALID) for users and groups that are gone by now."""
        return Rights.own_user() if self.rights is None else Rights.of(rule.row() for rule in self.rights)

    def check(self, place: Place) -> None:
        """Find a socket that cannot be made, and rights of nobody. Raises DocumentError; makes the mode text."""
        _read_mode(self, place)
        _know_the_group(self, place)
        for number, rule in enumerate(self.rights or []):
            _understand_rights(rule, place, f".rights[{number}]")


_OCTAL: Final = re.compile(r"0?[0-7]{3}|0o[0-7]{3}")


def _read_mode(socket: SocketOptions, place: Place) -> None:
    """Make the mode text. Without quotes YAML has made a number of it: what was written counts, if it is octal."""
    plain = isinstance(socket.mode, int)
    text = place.written(".mode") if plain else str(socket.mode)
    if _OCTAL.fullmatch(text) is None or (plain and not text.startswith("0")):
        raise place.wrong(".mode", f'`{text}` is no mode: write four octal digits, such as "0660"')
    socket.mode = text


def _know_the_group(socket: SocketOptions, place: Place) -> None:
    group = socket.group
    if group is None:
        return
    try:
        grp.getgrnam(group)
    except KeyError:
        problem = f"this machine has no group `{group}`: create it, or correct the name"
        raise place.wrong(".group", problem) from None


def _understand_rights(rule: RightsRule, place: Place, row: str) -> None:
    if (rule.user is None) == (rule.group is None):
        raise place.wrong(row, "a row of rights names either a `user` or a `group`")
    understand_grant(rule.grant, place, f"{row}.grant")
    who = f"{row}.{'user' if rule.user is not None else 'group'}"
    _understood(place, who, partial(Rights.of, [rule.row()]))


def understand_grant(grant: list[str], place: Place, where: str) -> None:
    """Find what is neither a right nor a preset, and rights that need another. Raises DocumentError."""
    for number, name in enumerate(grant):
        # what one right needs beside it is a matter of the whole row
        _understood(place, f"{where}[{number}]", partial(expand, [name, Right.PERSONAL]))
    _understood(place, where, partial(expand, grant))


def _understood(place: Place, where: str, read: Callable[[], object]) -> None:
    try:
        read()
    except CarddError as error:
        raise place.wrong(where, error.detail) from None
