"""Commands of clients that show a key to a card: held to the stops of the station like everything else that does.

Such a command names a key by its number alone, and each application has its own key of a number of 80 and more. Which
one is selected nobody here knows. So all keys of that number count as one: a stop of any of them keeps the command from
being sent, and its refusal stops them all.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from cardd.desk.refusals import Instruction
from cardd.desk.stopped import StoppedKeys, is_refusal
from cardd.keys.versions import KeyVersions
from cardd.rules.account import STARTING_DAY_KID
from cardd.rules.keys import KEYS, KeyName

_INS, _P2 = 1, 3
_WORD: Final = 2

_NEVER_PROVED: Final = ("IRK", "STK")
"""How keys are called that a card proves itself with, or that make messages: EXTERNAL AUTHENTICATION knows none."""

_PROVED: Final = tuple(name for name in KEYS if not name.startswith(_NEVER_PROVED))


def keys_shown(command: bytes, versions: KeyVersions) -> tuple[KeyName, ...]:
    """Return the keys that a command may show to a social security card: those of its number, or none."""
    if command[_INS] != Instruction.EXTERNAL_AUTHENTICATION:
        return ()
    number = command[_P2]
    found = [name for name in _PROVED if versions.kid(name) == number]
    return (*found, *([KeyName.DSK] if number == STARTING_DAY_KID else []))


def show(
    keys: tuple[KeyName, ...], send: Callable[[], bytes], stopped: StoppedKeys, station: str, deadline: float
) -> bytes:
    """Send a command that may show one of these keys; a refusal stops them all before it is answered.

    Raises CarddError: KEY_STOPPED, TIMEOUT before anything is sent, as `StoppedKeys.trial` does; what sending raises.
    """
    with ExitStack() as trials:
        # in one order everywhere: two clients that show keys of one number do not wait for each other for ever
        for key in sorted(keys):
            trials.enter_context(stopped.trial(station, key, deadline))
        answer = send()
        if is_refusal(int.from_bytes(answer[-_WORD:], "big")):
            for key in keys:
                stopped.stop(station, key)
        return answer
