"""A program to which a reader is lent: it has the card for itself, and does what it is told, one order a line.

It answers each order with a line, and ends at the end of its input; at an order that it does not know, at once.
"""

import os
import sys
from typing import Any

from smartcard import scard  # type: ignore[import-untyped] # it has no stubs

EITHER = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
HEADERS = {scard.SCARD_PROTOCOL_T0: scard.SCARD_PCI_T0, scard.SCARD_PROTOCOL_T1: scard.SCARD_PCI_T1}


def main() -> None:
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    card: Any = None
    protocol: Any = None
    for line in sys.stdin:
        order, _, rest = line.rstrip("\n").partition(" ")
        said = ""
        if order == "exclusive":
            code, card, protocol = scard.SCardConnect(context, rest, scard.SCARD_SHARE_EXCLUSIVE, EITHER)
        elif order == "begin":
            code = scard.SCardBeginTransaction(card)
        elif order == "reset":
            code, protocol = scard.SCardReconnect(card, scard.SCARD_SHARE_SHARED, EITHER, scard.SCARD_RESET_CARD)
        elif order == "transmit":
            code, answer = scard.SCardTransmit(card, HEADERS[protocol], list(bytes.fromhex(rest)))
            said = f" {bytes(answer).hex().upper()}"
        elif order == "leave":
            code = scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
        else:
            os._exit(1)
        print(f"ok{said}" if code == scard.SCARD_S_SUCCESS else f"no {code & 0xFFFFFFFF:08X}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
