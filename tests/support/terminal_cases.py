"""The cases of the terminal's interface in their order, and runs of them."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cardd.base.errors import CarddError
from cardd.client.errors import CallError
from cardd.conformance.case import Outcome, Result
from support import terminal_deeds as deeds
from support import terminal_reading as reading
from support.terminal import NotApplicable, NotSoError, Service, Terminal
from support.terminal_office import HsmProcess
from support.terminal_profiles import Profile, profile

Case = Callable[[Terminal, Profile], None]

CASES: Mapping[str, Case] = {
    "I-BAS-1": reading.bas_1,
    "I-BAS-2": reading.bas_2,
    "I-BAS-3": reading.bas_3,
    "I-BAS-4": reading.bas_4,
    "I-BAS-E": reading.bas_e,
    "I-BAS-H": reading.bas_h,
    "I-READ-1": reading.read_1,
    "I-READ-2": reading.read_2,
    "I-READ-E": reading.read_e,
    "I-READ-H": reading.read_h,
    "I-WRITE": deeds.write,
    "I-PIN": deeds.pin,
    "I-DEBIT": deeds.debit,
    "I-PKI": deeds.pki,
    # it looks at the numbers of all before it
    "I-CLEAN": deeds.clean,
}


def run_case(name: str, terminal: Terminal, card: Profile) -> Result:
    subject = f"{card.name} {terminal.service}"
    try:
        CASES[name](terminal, card)
    except NotApplicable as reason:
        return Result(name, subject, Outcome.NOT_APPLICABLE, str(reason))
    except (NotSoError, CarddError, CallError, AssertionError, ValueError) as error:
        terminal.spoil()
        terminal.holder.usual()
        return Result(name, subject, Outcome.FAILED, f"{type(error).__name__}: {error}")
    return Result(name, subject, Outcome.PASSED)


def run(
    directory: Path, built: Path, services: Sequence[Service], profiles: Sequence[str], cases: Sequence[str]
) -> tuple[list[Result], set[str]]:
    """Put cards to cases with each service, the services side by side: most of the time pcscd is waited for.

    Returns the results, and the names of the functions that were called.
    """
    results: dict[Service, list[Result]] = {service: [] for service in services}
    failures: list[BaseException] = []
    called: set[str] = set()

    def put(service: Service, url: str) -> None:
        try:
            with Terminal.start(directory / service, service, built, url) as terminal:
                for name in profiles:
                    card = profile(name, directory / service)
                    terminal.numbers.clear()
                    results[service] += [run_case(case, terminal, card) for case in cases]
                called.update(terminal.called)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failures.append(error)

    with HsmProcess() as machine:
        threads = [threading.Thread(target=put, args=(service, machine.url)) for service in services]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    found = {(result.subject, result.case): result for service in services for result in results[service]}
    return [found[f"{name} {service}", case] for name in profiles for service in services for case in cases], called
