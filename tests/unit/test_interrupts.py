"""Some tests interrupt programs, which must hear it however the tests were started."""

import signal
import subprocess
import sys

import pytest

HEARD = "test_interrupts_are_heard"


def test_interrupts_are_heard() -> None:
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_shell_that_has_interrupts_ignored_is_no_matter(workers: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", workers, f"{__file__}::{HEARD}"],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        check=True,
        stdout=subprocess.DEVNULL,
    )
