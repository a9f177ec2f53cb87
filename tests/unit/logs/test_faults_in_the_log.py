import json
import subprocess
import sys

import pytest

NUMBER = "510101190001010012"

START = f"""
import asyncio, gc, logging, threading, warnings
from cardd.logs import configure
from cardd.logs.faults import loop_failed, take_over

NUMBER = "{NUMBER}"
configure("debug", "json")
take_over()

def fail(number):
    raise ValueError(number)

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(loop_failed)
    loop.call_soon(fail, NUMBER)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

class Gone:
    def __del__(self):
        fail(NUMBER)
"""

CASES = {
    "on the loop": ("asyncio.run(main())", "work on the loop failed"),
    "in a thread": ("t = threading.Thread(target=fail, args=(NUMBER,)); t.start(); t.join()", "a thread broke"),
    "at the end of an object": ("Gone()", "something that was given up failed"),
    "in the main thread": ("fail(NUMBER)", "the daemon broke"),
    "in a library": ("logging.getLogger('l').error('card %s', NUMBER)", "a library logged"),
    "in a library, with all there is": (
        "try: fail(NUMBER)\nexcept ValueError: logging.exception(NUMBER)",
        "a library logged",
    ),
    "in a warning": ("warnings.warn(NUMBER)", "a library logged"),
}


@pytest.mark.parametrize("where", CASES)
def test_what_nobody_caught_is_one_line_of_the_log_without_its_message(where: str) -> None:
    code, event = CASES[where]
    ran = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, check=False, timeout=60)
    (line,) = ran.stderr.splitlines()
    assert json.loads(line)["event"] == event
    assert NUMBER not in ran.stderr


def test_what_a_library_tells_below_a_warning_is_nobodys_concern() -> None:
    code = START + "logging.getLogger('httpx').info('GET https://centre/cards/%s', NUMBER)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not ran.stderr
