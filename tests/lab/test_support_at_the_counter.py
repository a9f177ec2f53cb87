"""What an operator has when something is wrong: `cardctl doctor` and `cardctl bundle` at a real counter."""

import json
import os
import signal
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from support.clerk import Clerk, counter
from support.private import found_in

from cardd.wire.cards import CardReadParams
from cardd.wire.methods import CARD_READ
from cardsim.rig import Rig, program

PURPOSE = "a complaint of 测试甲"


def examined(clerk: Clerk, code: int) -> dict[str, Any]:
    """Run the doctor, which has to exit so; return what was found, by code."""
    command = [program("cardctl"), "--json", "doctor", "--config", str(clerk.rig.config)]
    done = subprocess.run(
        command, env=clerk.rig.environment, capture_output=True, text=True, timeout=30, check=False
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr == ""
    return {line["code"]: line for line in map(json.loads, done.stdout.splitlines())}


def test_the_doctor_names_what_is_wrong_with_the_daemon_up_and_down(tmp_path: Path) -> None:
    with counter(tmp_path / "c") as clerk:
        assert {"daemon_answers", "rights_some", "pcsc_up", "readers_right", "keys_right"} <= set(examined(clerk, 0))
        clerk.remove(1)
        clerk.wait("card.removed")
        assert {"sam_empty", "psam_absent"} <= set(examined(clerk, 1))
        clerk.rig.stop_daemon()
        assert {"daemon_absent", "pcsc_up", "disk_right"} <= set(examined(clerk, 1))
        clerk.rig.lab.stop_pcscd()
        try:
            assert "pcsc_silent" in examined(clerk, 1)
        finally:
            clerk.rig.lab.continue_pcscd()
        clerk.rig.lab.kill_pcscd()
        away = examined(clerk, 1)["pcsc_unavailable"]
        assert "systemctl start pcscd" in away["remedy"]["en"]


def test_a_bundle_after_handoffs_holds_no_person_and_no_key(tmp_path: Path) -> None:
    with counter(tmp_path / "c", settings={"logs": {"level": "debug", "format": "json"}}) as clerk:
        for who in ("jia-3.0", "yi-3.0"):
            clerk.insert(f"old-{who.split('-')[0]}")
            clerk.step("waiting_social_card")
            clerk.remove()
            clerk.insert(f"social-{who}")
            clerk.wait("activation.completed")
            clerk.client.call(CARD_READ, CardReadParams(purpose=PURPOSE))
            clerk.remove()
        parts = bundled(clerk, tmp_path / "bundle.tar.gz")
    types = [json.loads(line)["type"] for line in parts["events.jsonl"].splitlines()]
    assert types.count("activation.completed") == 2
    assert "personal.disclosed" in types
    assert b'"event":"apdu"' in parts["log.txt"]
    assert b"# EOF" in parts["metrics.txt"]
    for name, content in parts.items():
        assert found_in(content) == [], name
        assert PURPOSE.encode() not in content


def test_a_watch_outlives_the_daemons_sudden_death_and_leaves_nothing_out(tmp_path: Path) -> None:
    with Rig.start(tmp_path / "c") as rig:
        command = [program("cardctl"), "--json", "watch", "--after", "earliest"]
        with subprocess.Popen(command, env=rig.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watching:
            assert watching.stdout is not None
            came = [json.loads(watching.stdout.readline())["event"]]
            for _ in range(2):
                rig.lab.insert_persona("social-jia-3.0", 0)
                rig.stop_daemon(signal.SIGKILL)
                rig.lab.remove(0)
                rig.start_daemon()
            while [one["type"] for one in came].count("org.cardd.service.started.v1") < 3:
                came.append(json.loads(watching.stdout.readline())["event"])
            watching.terminate()
        sequences = [int(one["sequence"]) for one in came]
        assert sequences == list(range(1, len(sequences) + 1))


def bundled(clerk: Clerk, out: Path) -> dict[str, bytes]:
    """Return what is in a bundle, by name."""
    options = ["--config", str(clerk.rig.config), "--log", str(clerk.rig.log)]
    command = [program("cardctl"), "bundle", str(out), *options]
    subprocess.run(command, env={**os.environ, **clerk.rig.environment}, capture_output=True, timeout=30, check=True)
    with tarfile.open(out) as archive:
        files = {Path(entry.name).name: archive.extractfile(entry) for entry in archive}
        return {name: file.read() for name, file in files.items() if file is not None}
