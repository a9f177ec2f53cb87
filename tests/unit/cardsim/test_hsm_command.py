import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx


def test_the_machine_says_where_it_is_and_computes_until_it_is_told_to_stop() -> None:
    command = [str(Path(sys.executable).with_name("cardsim")), "hsm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        question = {
            "algorithm": 3,
            "factors": {"province": "3531303030307368", "city": "3531303130307378", "card": "86845101C0FFEE01"},
            "address": "0170",
            "process_factor": "1122334455667788",
            "original": "0102030405060708",
        }
        with httpx.Client(trust_env=False) as client:
            assert client.post(f"{url}/authentication", json=question).json() == {"data": "8135B4D81B42EA5F"}
            refused = client.post(f"{url}/authentication", json=question | {"address": "0000"})
            assert (refused.status_code, refused.json()) == (422, {"error": "no_such_key"})
            for wrong in ({}, question | {"original": "01"}, question | {"process_factor": "x"}):
                assert client.post(f"{url}/authentication", json=wrong).status_code == 400
            assert client.post(f"{url}/nothing", json=question).json() == {"error": "no_such_operation"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
