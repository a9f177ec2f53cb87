"""The configurations that are shipped: each is in order, says what it shows, and a daemon starts with it."""

import getpass
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, get_args

import msgspec
import pytest
import yaml

from cardd.activation.options import DeadlineOptions, PinPolicies
from cardd.cli import main
from cardd.client.blocking import Client
from cardd.client.errors import UnreachableError
from cardd.config import Config, load_config
from cardd.wire.methods import SYSTEM_STATUS
from cardd.wire.system import NoParams
from cardsim.rig import program

FOLDER: Final = Path(__file__).parents[3] / "config"
EXAMPLES: Final = ("bank", "cardd", "hospital", "pharmacy", "rig")

STATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "bank": ("window-1", "window-2"),
    "cardd": ("default",),
    "hospital": ("registration-1", "registration-2", "cash-desk"),
    "pharmacy": ("till-1", "till-2"),
    "rig": ("counter",),
}
ROUTES: Final = {"bank": ["bank"], "hospital": ["hospital"], "pharmacy": ["pharmacy"]}


def example(name: str) -> Path:
    return FOLDER / f"{name}.yaml"


def test_there_is_an_example_for_each_kind_of_place() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_cardd_check_finds_every_example_in_order_as_it_is_shipped(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--config", str(example(name))]) == os.EX_OK
    assert capsys.readouterr().out == f"{example(name)}: in order\n"


@pytest.mark.parametrize("name", ROUTES)
def test_an_example_offers_the_route_that_it_is_called_by(name: str) -> None:
    assert load_config(example(name)).activation.routes == ROUTES[name]


def test_nobody_may_send_raw_commands_by_an_example() -> None:
    for name in EXAMPLES:
        granted = [right for rule in load_config(example(name)).socket.rights or [] for right in rule.grant]
        assert not {"raw_apdu", "driver", "block_card"} & set(granted)


def test_what_stands_in_the_installed_file_is_the_default() -> None:
    said = load_config(example("cardd"))
    said.socket.rights = None
    assert said == Config()


def test_the_installed_file_names_every_key_there_is() -> None:
    # a key is named if the file sets it, or shows it in a comment
    text = example("cardd").read_text(encoding="utf-8")
    assert sorted(key for key in _keys(Config) if re.search(rf"[\s{{`]{key}:", text) is None) == []


def _keys(kind: type[msgspec.Struct]) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        yield field.name
        # any state may have a deadline, and any route a policy: one is shown
        for part in (field.type, *get_args(field.type)):
            if (
                isinstance(part, type)
                and issubclass(part, msgspec.Struct)
                and part not in {DeadlineOptions, PinPolicies}
            ):
                yield from _keys(part)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_daemon_starts_with_every_example(name: str, tmp_path: Path) -> None:
    with running(moved(name, tmp_path), tmp_path / "log") as connect, connect() as client:
        status = client.call(SYSTEM_STATUS, NoParams())
    assert tuple(one["station"] for one in status["stations"]) == STATIONS[name]


def moved(name: str, home: Path) -> Path:
    """Write an example anew for a place of its own, with simulated readers; everything else is as it is shipped."""
    text = example(name).read_text(encoding="utf-8")
    for path, place in (("/run/cardd/", ""), ("/var/lib/cardd", "state"), ("/etc/cardd/", "")):
        text = text.replace(f": {path}", f": {home}/{place}")
    document = yaml.safe_load(text)
    document["backend"] = "in-process"
    for rule in document["socket"].get("rights", []):
        if rule.get("user") == "root":
            rule["user"] = getpass.getuser()
    document["socket"]["path"] = str(home / "cardd.sock")
    _write_what_is_named(document, home)
    config = home / "cardd.yaml"
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    return config


def _write_what_is_named(document: Mapping[str, Mapping[str, object]], home: Path) -> None:
    key, certificate = home / "counter-key.pem", home / "counter.pem"
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=test -days 1"
    subprocess.run([*made.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    for section in ("authority", "keys"):
        named = document.get(section, {})
        if "ca_file" in named:
            Path(str(named["ca_file"])).write_bytes(certificate.read_bytes())
        if "token_file" in named:
            token = Path(str(named["token_file"]))
            token.write_text("an-invented-token-for-tests\n", encoding="ascii")
            token.chmod(0o600)


@contextmanager
def running(config: Path, log: Path) -> Iterator[Callable[[], Client]]:
    """Run a daemon; it has to answer, and to end in order."""
    socket = load_config(config).socket.path
    with log.open("wb") as out:
        process = subprocess.Popen([program("cardd"), "run", "--config", str(config)], stdout=out, stderr=out)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                Client.connect(Path(socket)).close()
                break
            except UnreachableError:
                assert process.poll() is None and time.monotonic() < until, log.read_text(encoding="utf-8")  # noqa: PT018
                time.sleep(0.02)
        yield lambda: Client.connect(Path(socket))
    finally:
        process.send_signal(signal.SIGTERM)
        ended = process.wait(10)
    assert ended == os.EX_OK, log.read_text(encoding="utf-8")
