"""What every message has in common."""

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from cardd.base.structs import unshown

if TYPE_CHECKING:
    Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
else:
    # msgspec reads annotations at run time and cannot follow a type that names itself
    Json = object


class _Closed(msgspec.Struct, kw_only=True):
    """A message that shows only its name when it is printed: what it holds may be a person's, or a PIN."""

    __rich_repr__ = unshown

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Params(_Closed, kw_only=True, omit_defaults=True):
    """Parameters of a method. Unknown fields are ignored, so that newer clients can speak to older daemons."""


class Result(_Closed, kw_only=True):
    """The result of a method. Fields without a value are sent as null: a client finds every name it expects."""


class Unparsed(Result):
    """A value on the card that does not follow its rule: the stored bytes in hex, and what is wrong with them."""

    raw: str
    error: str


Text = dict[str, str]
"""`{"en": …, "zh-CN": …}`"""

Value = str | Unparsed | None
"""A value from the card: text (dates ISO 8601), null where the item is not set, or what could not be parsed."""
