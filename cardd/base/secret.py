"""Secrets and personal data as types that cannot slip out.

Neither type can be formatted, printed, pickled or serialized: only an explicit call gives the value. That keeps them
out of logs, errors and events by construction. Python cannot wipe immutable bytes: a value lives in memory until it is
collected, which is why the daemon disables core dumps.
"""

import hmac
from collections.abc import Callable
from typing import NoReturn


class _Closed:
    """Refuse every way of turning into text or bytes by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __str__(self) -> str:
        raise TypeError(f"{type(self).__name__} cannot be formatted")

    def __format__(self, spec: str) -> str:
        raise TypeError(f"{type(self).__name__} cannot be formatted")

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be serialized")


class Secret(_Closed):
    """A PIN or a key."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """Return the bytes. Whoever calls this answers for where they go."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment] # a secret is no key of a dictionary


class Personal(_Closed):
    """A text that belongs to a person, with the mask under which it may be shown."""

    __slots__ = ("_mask", "_value")

    def __init__(self, value: str, mask: Callable[[str], str]) -> None:
        self._value = value
        self._mask = mask

    def disclose(self) -> str:
        """Return the whole text. The caller records the disclosure first."""
        return self._value

    def masked(self) -> str:
        """Return the form that anybody with `observe` may see."""
        return self._mask(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Personal) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)
