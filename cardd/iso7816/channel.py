"""A channel to an open card: one command in, one whole answer out, whatever the transport makes of it."""

import time
from collections.abc import Callable
from typing import Final, Protocol

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import MAX_LE, Command, Response
from cardd.iso7816.device import Transport
from cardd.iso7816.status import StatusError, more_data, right_le

MAX_ROUNDS: Final = 64
MAX_BYTES: Final = 65536

_VERIFY: Final = 0x20
_UNBLOCK_PIN: Final = 0x24
_CREDIT: Final = 0x2A
_DEBIT: Final = 0x2C
_CHANGE_PIN: Final = 0x5E
_EXTERNAL_AUTHENTICATE: Final = 0x82
_GENERAL_AUTHENTICATE: Final = 0x86
_DELIVER_SESSION_KEY: Final = 0xDE

# Success of these leaves the card open for whoever comes next.
_GAINS_RIGHTS: Final = frozenset(
    {_VERIFY, _UNBLOCK_PIN, _CHANGE_PIN, _EXTERNAL_AUTHENTICATE, _GENERAL_AUTHENTICATE, _DELIVER_SESSION_KEY}
)
# Every sending of these may cost a try of a counter that kills the card, or move money.
_COUNTED: Final = frozenset(
    {_VERIFY, _UNBLOCK_PIN, _CREDIT, _DEBIT, _CHANGE_PIN, _EXTERNAL_AUTHENTICATE, _GENERAL_AUTHENTICATE}
)


class Tracer(Protocol):
    """Who is shown every command that travels, GET RESPONSE and repeats included. Called on the worker's thread."""

    def command(self, command: Command) -> None:
        """Take a command that is about to be sent."""

    def response(self, command: Command, response: Response, seconds: float) -> None:
        """Take what the card answered, and how long it took."""


class Channel:
    """Commands to one open card.

    `transmit` sends raw bytes and returns the raw answer; its CarddError passes through. `monotonic` is the clock for
    the tracer's seconds, `control` what sends a command to the reader itself. `rights_gained` is true once a command
    that opens the card (VERIFY, EXTERNAL AUTHENTICATION, a PIN change, a session key delivered to a PSAM) succeeded, or
    was sent and never answered: whoever owns the connection then disconnects with RESET.
    """

    def __init__(
        self,
        transmit: Callable[[bytes], bytes],
        transport: Transport,
        tracer: Tracer | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        control: Callable[[int, bytes], bytes] | None = None,
    ) -> None:
        self._transmit = transmit
        self._transport = transport
        self._tracer = tracer
        self._monotonic = monotonic
        self._control = control
        self.rights_gained = False

    @property
    def transport(self) -> Transport:
        """Return how commands travel."""
        return self._transport

    def send(self, command: Command) -> Response:
        """Send one command and return the whole answer (ISO 7816-4 and ISO 7816-3 12.2).

        At T=0 a case 4 command travels without its Le and a case 1 command with P3 = 00; with blocks a case 4 command
        asks for all there is (Le 00). 61xx is followed by GET RESPONSE until everything is there. 6Cxx is answered once
        with the right Le, only where the command as sent had an Le, and never for a command that spends a try (VERIFY,
        EXTERNAL AUTHENTICATION, PIN changes) or moves money: those are sent exactly once.

        Raises CarddError: CARD_REMOVED for an answer under two bytes, STATUS_WORD for a card that promises more data
        without end (64 rounds or 64 KiB), and what `transmit` raises.
        """
        opens = bool(command.data) and command.ins in _GAINS_RIGHTS
        had = self.rights_gained
        # An answer that never comes may have been a yes.
        self.rights_gained = had or opens
        response = self._exchange(self._as_sent(command))
        if more_data(response.sw) is not None:
            response = self._gather(response)
        self.rights_gained = had or (opens and response.ok)
        return response

    def expect(self, command: Command) -> bytes:
        """Send one command and return the data of its 9000. Raises StatusError for any other word, else as `send`."""
        response = self.send(command)
        if not response.ok:
            raise StatusError(response.sw, command)
        return response.data

    def exchange(self, command: bytes) -> bytes:
        """Send the bytes of a command as they are, and return those of the answer as the card gives them.

        What they do nobody here knows: they count as a command that opens the card. Raises what `transmit` raises.
        """
        self.rights_gained = True
        return self._transmit(command)

    def control(self, code: int, data: bytes = b"") -> bytes:
        """Send a command to the reader itself and return its answer (PC/SC part 10).

        Raises CarddError: NOT_FOUND where the reader takes none, and what the reader raises.
        """
        if self._control is None:
            raise CarddError(Reason.NOT_FOUND, "this reader takes no commands of its own")
        return self._control(code, data)

    def by_keypad(self, code: int, structure: bytes) -> Response:
        """Have the reader fill a PIN into a command, send it, and return the card's answer, or the keypad's.

        It counts as a command that opens the card. Sent once, whatever comes.
        """
        had, self.rights_gained = self.rights_gained, True
        response = Response.decode(self.control(code, structure))
        self.rights_gained = had or response.ok
        return response

    def _as_sent(self, command: Command) -> Command:
        if not command.data or command.le is None:
            return command
        return _asking(command, None if self._transport is Transport.T0 else MAX_LE)

    def _gather(self, response: Response) -> Response:
        """Fetch what 61xx promises, within bounds."""
        parts = [response.data]
        while (waiting := more_data(response.sw)) is not None:
            if len(parts) > MAX_ROUNDS or sum(map(len, parts)) > MAX_BYTES:
                raise CarddError(
                    Reason.STATUS_WORD,
                    f"the card's answer does not end: more than {MAX_ROUNDS} GET RESPONSE or {MAX_BYTES} bytes",
                    status_word=f"{response.sw:04X}",
                )
            response = self._exchange(Command(0x00, 0xC0, 0x00, 0x00, le=waiting))
            parts.append(response.data)
        return Response(b"".join(parts), response.sw)

    def _exchange(self, command: Command) -> Response:
        """Send one command as it stands, and once more with the right Le where the card asks for that."""
        response = self._once(command)
        le = right_le(response.sw)
        if le is None or command.le is None or command.ins in _COUNTED:
            return response
        return self._once(_asking(command, le))

    def _once(self, command: Command) -> Response:
        raw = command.encode()
        if self._transport is Transport.T0 and command.case == 1:
            raw += b"\x00"
        if self._tracer is None:
            return Response.decode(self._transmit(raw))
        self._tracer.command(command)
        began = self._monotonic()
        response = Response.decode(self._transmit(raw))
        self._tracer.response(command, response, self._monotonic() - began)
        return response


def _asking(command: Command, le: int | None) -> Command:
    """Return a command with another Le. Written out, because `dataclasses.replace` takes as long as all else here."""
    return Command(command.cla, command.ins, command.p1, command.p2, command.data, le)
