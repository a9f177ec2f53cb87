"""The example configuration of a rig, on the readers that a laboratory really has."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from cardd.client.blocking import Client
from cardd.client.errors import UnreachableError
from cardd.wire.cards import CardReadParams
from cardd.wire.methods import CARD_READ, READERS_LIST
from cardd.wire.system import NoParams
from cardsim.lab import Lab
from cardsim.rig import program

EXAMPLE = Path(__file__).parents[2] / "config" / "rig.yaml"


def test_the_rig_reads_and_authenticates_a_card_as_its_example_says(lab: Lab, readers: tuple[str, ...]) -> None:
    home = lab.directory.parent / "rig"
    home.mkdir()
    shutil.copy(EXAMPLE, home)
    lab.insert_persona("psam", 1)
    lab.insert_persona("social-jia-3.0", 0)
    environment = {**os.environ, "PCSCLITE_CSOCK_NAME": str(lab.pcscd_socket)}
    with (home / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [program("cardd"), "run", "--config", "rig.yaml"], cwd=home, env=environment, stdout=log, stderr=log
        )
    try:
        with _connected(home / "run" / "cardd.sock", daemon) as client:
            card = client.call(CARD_READ, CardReadParams(wait_s=10.0))
            shown = {one.reader: one.pcsc_name for one in client.call(READERS_LIST, NoParams()).readers}
    finally:
        daemon.terminate()
        daemon.wait(10)
    assert card.authentic is True
    assert shown == {"counter": readers[0], "sam": readers[1]}


def _connected(socket: Path, daemon: subprocess.Popen[bytes]) -> Client:
    until = time.monotonic() + 20
    while True:
        try:
            return Client.connect(socket)
        except UnreachableError:
            assert daemon.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
