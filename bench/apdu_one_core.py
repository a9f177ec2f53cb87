"""One APDU once more, with every program on one core: what the programs compute, without what waking a core takes.

Apart from `one_core`, because libpcsclite asks only once in a process where pcscd is.
"""

import os

from bench import apdu


def main() -> None:
    """Measure, print, write."""
    # what is started from here on stays there too
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    apdu.comparing("apdu-one-core", f"{apdu.ABOUT}, all on one core")


if __name__ == "__main__":
    main()
