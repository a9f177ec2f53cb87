"""`cardsim hsm`: an issuer's security machine on this computer, with invented keys."""

import json
import signal
import threading

import click

from cardsim.hsm import HsmServer, Machine

_ROOT = "00112233445566778899AABBCCDDEEFF"
_STK_ROOT = "0123456789ABCDEF"


@click.command(name="hsm", short_help="run a security machine on this computer")
@click.option("--port", default=0, show_default="any that is free", type=click.IntRange(0, 65535), help="Where.")
@click.option("--root", default=_ROOT, show_default=True, help="The invented root of all 16-byte keys, hexadecimal.")
@click.option("--stk-root", default=_STK_ROOT, show_default=True, help="The invented root of all 8-byte keys.")
@click.option("--terminal", default="510100000009", show_default=True, help="The terminal's number, twelve digits.")
def command(port: int, root: str, stk_root: str, terminal: str) -> int:
    """Run a security machine (HSM) on this computer until Ctrl-C or SIGTERM, with keys that everybody knows.

    When it is ready it prints one JSON line with its `url`, for `keys: {provider: remote, url: ...}`.
    """
    try:
        machine = Machine(bytes.fromhex(root), bytes.fromhex(stk_root), terminal=bytes.fromhex(terminal))
    except ValueError:
        raise click.UsageError("roots and terminal number are pairs of hexadecimal digits") from None
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    with HsmServer(machine, port=port) as server:
        print(json.dumps({"url": server.url}), flush=True)
        ended.wait()
    return 0
