"""The typed layer over pyscard, where it can be tried without a reader."""

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.pcsc.scard import PcscError, Protocol, ReaderState, Scard, State


def scard_with(monkeypatch: pytest.MonkeyPatch, **functions: Callable[..., object]) -> Scard:
    monkeypatch.setitem(sys.modules, "smartcard.scard", SimpleNamespace(**functions))
    return Scard()


def test_without_libpcsclite_the_remedy_is_told_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CarddError) as caught:
        Scard("libpcsclite-that-is-not-there.so.1")
    assert caught.value.reason is Reason.PCSC_UNAVAILABLE
    assert "apt-get install libpcsclite1" in caught.value.detail
    assert capfd.readouterr() == ("", "")


def test_without_pyscard_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard.scard", None)
    with pytest.raises(CarddError) as caught:
        Scard()
    assert caught.value.reason is Reason.PCSC_UNAVAILABLE
    assert "pip install pyscard" in caught.value.detail


def test_importing_the_floor_does_not_import_pyscard() -> None:
    probe = "import sys, cardd.pcsc.backend; print('smartcard' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


def test_of_pyscard_only_the_layer_that_is_c_is_loaded() -> None:
    probe = (
        "import sys; from cardd.pcsc.scard import Scard; Scard(); print(*(m for m in sys.modules if 'smartcard' in m))"
    )
    shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert {name.rpartition(".")[2] for name in shown.stdout.split()} == {"smartcard", "scard", "_scard"}


def test_a_code_is_unsigned_whatever_pyscard_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    scard = scard_with(monkeypatch, SCardReleaseContext=lambda _: -0x7FEFFFE3)
    with pytest.raises(PcscError) as caught:
        scard.release_context(1)
    assert (caught.value.call, caught.value.code) == ("SCardReleaseContext", 0x8010001D)


def test_a_system_error_is_a_bad_handle(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise SystemError

    scard = scard_with(monkeypatch, SCardTransmit=broken)
    with pytest.raises(PcscError) as caught:
        scard.transmit(1, Protocol.T0, b"\x00\x84\x00\x00")
    assert caught.value.code == 0x80100003


def test_an_answer_that_is_no_octets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    scard = scard_with(monkeypatch, SCardTransmit=lambda *_: [0, [0x190, 0x00]])
    with pytest.raises(ValueError, match="range"):
        scard.transmit(1, Protocol.T0, b"\x00\x84\x00\x00")


def test_no_readers_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scard_with(monkeypatch, SCardListReaders=lambda *_: [0x8010002E, []]).list_readers(1) == ()


def test_a_state_is_flags_and_a_count() -> None:
    state = ReaderState("r", 0xFFFF00A2)
    assert state.counter == 0xFFFF
    assert state.flags == State.PRESENT | State.CHANGED | State.EXCLUSIVE


def test_what_is_known_is_handed_back_without_the_mark_of_change(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def get_status_change(_: int, timeout: int, states: list[object]) -> list[object]:
        given.extend([timeout, *states])
        return [0, [("r", 0x00020012, [])]]

    scard = scard_with(monkeypatch, SCardGetStatusChange=get_status_change)
    assert scard.wait(7, [ReaderState("r", 0x00010022)], 5) == (ReaderState("r", 0x00020012),)
    assert given == [5, ("r", 0x00010020)]
