"""What goes through pcscd once more, with every program on one core.

Then an exchange costs what its programs compute. On several cores it also costs how long the core of the next program
takes to wake up: that depends on where the scheduler put it, and hides what the programs differ in.
"""

import os

from bench import card, read


def main() -> None:
    """Measure, print, write."""
    # what is started from here on stays there too
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    card.outside("card-pcscd-one-core", f"{card.ABOUT}, all on one core")
    read.reading("read-one-core", f"{read.ABOUT}, all on one core")


if __name__ == "__main__":
    main()
