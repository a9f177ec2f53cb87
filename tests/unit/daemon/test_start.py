"""What a start costs is what it imports and builds: counted here, never timed."""

import subprocess
import sys
from pathlib import Path

from support.bare_daemon import bare_daemon

HEAVY = {
    "rich": "structlog imports it wherever it finds it, so the linter that needs it stands apart",
    "importlib.metadata": "looks through everything that is installed; brings e-mail and archives",
    "httpx": "only for a centre or a security machine on the network",
    "smartcard": "only for real readers",
    "cardsim": "only for simulated ones",
    "prometheus_client": "for those who ask what is measured",
    "gmssl_pyx": "only where heads are signed with SM2",
    "click": "for the client's commands",
    "cardd.ctl": "the client",
    "cardd.conformance": "judges cards on demand",
}


def loaded_by(code: str) -> set[str]:
    run = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    return set(subprocess.run(run, capture_output=True, text=True, check=True).stdout.split())


def test_the_daemon_loads_nothing_that_only_others_need() -> None:
    loaded = loaded_by("import cardd.cli, cardd.process")
    assert "structlog.dev" in loaded
    assert not {name: HEAVY[name] for name in HEAVY.keys() & loaded}


def test_a_centre_on_the_network_brings_no_command_line_with_it() -> None:
    loaded = loaded_by("import cardd.cli, cardd.process, cardd.activation.http_authority, cardd.keys.line")
    assert "httpx" in loaded
    assert not loaded & {"click", "pygments", "rich"}


def test_real_readers_are_found_without_looking_through_what_is_installed() -> None:
    code = "from cardd import daemon, providers\nfrom cardd.config import Config\nproviders.backend_of(Config())"
    loaded = loaded_by(code)
    assert "cardd.pcsc.backend" in loaded
    assert "importlib.metadata" not in loaded


WATCHED_START = """
import gc, os, signal, sys
from cardd import service
from cardd.cli import main

def searches():
    return sum(one["collections"] for one in gc.get_stats())

def notify(message):
    print(message, gc.isenabled(), gc.get_freeze_count() > 10_000, searches() - before < 10, flush=True)
    if message == "READY=1":
        os.kill(os.getpid(), signal.SIGTERM)

service.notify = notify
before = searches()
main(["run", "--config", sys.argv[1]])
"""


def test_garbage_is_looked_for_from_readiness_on_and_only_in_what_came_since(tmp_path: Path) -> None:
    config = tmp_path / "cardd.yaml"
    config.write_text(
        f"socket: {{path: {tmp_path}/s}}\nstate_dir: {tmp_path}\nbackend: in-process\nkeys: {{provider: none}}\n"
    )
    run = [sys.executable, "-c", WATCHED_START, str(config)]
    told = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert told[0] == "READY=1 True True True"


def test_a_daemon_names_the_socket_at_which_clients_find_it(tmp_path: Path) -> None:
    with bare_daemon(tmp_path, "backend: in-process\nkeys: {provider: none}\n") as daemon:
        pass
    assert f"socket={daemon.socket} " in daemon.log.read_text(encoding="utf-8")
