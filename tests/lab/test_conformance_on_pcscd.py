"""The short form of the card test through a real pcscd: what costs a card no try."""

from collections.abc import Callable

import pytest

from cardd.conformance.case import Cost, Outcome
from cardd.conformance.cases import CASES, run_case
from cardd.conformance.report import table
from cardd.iso7816.device import Connection
from cardd.pcsc.backend import PcscBackend
from cardsim.conformance import subject_of
from cardsim.lab import Lab
from cardsim.persona import load_persona

HARMLESS = [case for case in CASES if case.cost in {Cost.NOTHING, Cost.PROOFS}]


class ReaderLink:
    """A card in a reader: its power comes and goes with the connection."""

    tear: Callable[[int], None] | None = None

    def __init__(self, backend: PcscBackend, reader: str, interface: str) -> None:
        self.interface = interface
        self._backend = backend
        self._reader = reader
        self._connection: Connection | None = None

    def cold_reset(self) -> bytes:
        self.close()
        self._connection = self._backend.connect(self._reader, exclusive=True)
        return self._connection.atr

    def warm_reset(self) -> bytes:
        return self.cold_reset()

    def transmit(self, command: bytes) -> bytes:
        assert self._connection is not None
        return self._connection.transmit(command)

    def other_side(self) -> bytes | None:
        return None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.disconnect(reset=True)
            self._connection = None


@pytest.mark.parametrize(
    ("name", "interface"),
    [
        ("p1-1.0-des", "contact"),
        ("p2-2.0-des", "contact"),
        ("p3-3.0-sm4", "contact"),
        ("p3-3.0-sm4", "contactless"),
        ("p5-offline", "contact"),
    ],
)
def test_a_profile_passes_the_short_form_through_a_reader(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend, name: str, interface: str
) -> None:
    lab.insert_persona(name, 0, fresh=True, interface=interface)
    subject = subject_of(load_persona(name))
    assert subject is not None
    link = ReaderLink(backend, readers[0], interface)
    try:
        results = [run_case(case, subject, link) for case in HARMLESS]
    finally:
        link.close()
    assert Outcome.FAILED not in {result.outcome for result in results}, table(results)
    assert sum(result.outcome is Outcome.PASSED for result in results) > 15
