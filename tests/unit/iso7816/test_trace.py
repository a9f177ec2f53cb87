from structlog.testing import CapturingLogger

from cardd.iso7816.apdu import Command, Response
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport
from cardd.iso7816.trace import MaskingTracer


def test_a_line_tells_header_lengths_status_word_and_time() -> None:
    log = CapturingLogger()
    command = Command(0x00, 0xB2, 0x08, 0x30, le=20)
    MaskingTracer(log).response(command, Response(bytes(20), 0x9000), 0.0125)
    (call,) = log.calls
    assert (call.method_name, call.args) == ("debug", ("apdu",))
    assert call.kwargs == {"header": "00B20830", "lc": 0, "le": 20, "received": 20, "sw": "9000", "ms": 12.5}


def test_neither_pin_nor_person_reaches_the_log() -> None:
    log = CapturingLogger()
    channel = Channel(lambda _: b"510101190001010012\x90\x00", Transport.T1, MaskingTracer(log))
    channel.send(Command(0x00, 0x20, 0x00, 0x00, b"\x12\x34\x56"))
    channel.send(Command(0x00, 0xB2, 0x08, 0x30, le=20))
    shown = repr(log.calls)
    assert len(log.calls) == 2
    assert "5101" not in shown
    assert "35313031" not in shown
    assert "123456" not in shown
