"""What the service manager hears, with the daemon under systemd-socket-activate."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.service_manager import ServiceManager, service_manager

from cardd.wire.methods import SYSTEM_STATUS
from cardd.wire.system import NoParams


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with service_manager(tmp_path) as manager:
        yield manager


def test_a_daemon_that_the_first_client_starts_tells_all_of_its_life(manager: ServiceManager, tmp_path: Path) -> None:
    passed = [f"--setenv={name}" for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "PCSCLITE_CSOCK_NAME")]
    own = tmp_path / "activated.sock"
    activate = ["systemd-socket-activate", f"--listen={own}", *passed, *manager.command]
    manager.process = subprocess.Popen(activate, env=manager.environment, stderr=subprocess.DEVNULL)
    while not own.exists():
        assert manager.process.poll() is None
    manager.path = own
    with manager.client() as client:
        # it waits in the socket until there is a daemon, which is not there before
        assert client.call(SYSTEM_STATUS, NoParams())["uptime_s"] is not None
    manager.hear("READY=1")
    assert f"STATUS=serving {own}" in manager.told
    manager.hear("WATCHDOG=1")
    manager.reload()
    manager.process.send_signal(signal.SIGTERM)
    manager.hear("STOPPING=1")
    assert manager.process.wait(10) == os.EX_OK
    # who made the socket removes it
    assert own.exists()


def test_the_status_names_what_is_away_and_its_remedy_though_the_service_is_ready_without(
    manager: ServiceManager,
) -> None:
    manager.start()
    told = manager.hear("STATUS=serving ") if not any("pcscd" in one for one in manager.told) else manager.told[-1]
    assert "systemctl start pcscd" in told
    assert "\n" not in told
    manager.hear("WATCHDOG=1")


def test_a_stopped_daemon_gives_no_sign_of_life(manager: ServiceManager) -> None:
    manager.start()
    manager.hear("WATCHDOG=1")
    assert manager.process is not None
    manager.process.send_signal(signal.SIGSTOP)
    # what it had said before
    manager.listen(0.1)
    assert manager.listen(0.8) == []
    manager.process.send_signal(signal.SIGCONT)
    manager.hear("WATCHDOG=1")
