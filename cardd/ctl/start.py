"""How `cardctl` begins and ends as a program of its own: with little that is not for the command."""

import gc
import os
import sys
from typing import Final, NoReturn

_SELDOM: Final = 50_000
"""New objects between two searches for garbage: loading modules makes some forty thousand, none of them garbage."""


def main() -> NoReturn:
    """Run one command and leave with its exit code, without taking apart what goes with the process anyway."""
    gc.set_threshold(_SELDOM)
    from cardd.ctl.main import main as command  # noqa: PLC0415 - loading it is what would be searched

    code = command()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        # output that cannot be written is told on the ordinary way out
        sys.exit(code)
    os._exit(code)


if __name__ == "__main__":
    main()
