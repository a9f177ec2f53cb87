"""What holds for every test: how much the property tests try, and how the program that runs them begins and ends."""

import atexit
import gc
import signal

import pytest
from hypothesis import HealthCheck, settings
from support.distribution import ByFile, in_order

settings.register_profile("default", deadline=None)
settings.register_profile("long", deadline=None, max_examples=3000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

# msgspec's types crash now and then when the interpreter takes them apart at its end (msgspec #717): leave them whole
atexit.register(gc.freeze)

# A shell that runs `make test &` has interrupts ignored, and `nohup make test` hang-ups, which the programs that tests
# end in these ways would inherit.
for ending, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(ending) is signal.SIG_IGN:
        signal.signal(ending, usual)

TABLE = "Captured table call"
"""Sections of a test's report with this name (`table`, as pytest calls them) are printed at the end of a run."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have what takes longest begin first."""
    items[:] = in_order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile | None:
    """Give out tests by file where that is asked for, in our way."""
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have to show, also where they pass, and where they ran in a process of their own."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.sections:
            if name == TABLE:
                terminalreporter.write_sep("-", report.nodeid)
                terminalreporter.write_line(text)
