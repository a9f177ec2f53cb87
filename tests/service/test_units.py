"""The unit files, users, directories and polkit rules, as systemd and polkit read them."""

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cardd.api.options import SocketOptions

SYSTEMD = Path(__file__).parents[2] / "systemd"
SERVICE, SOCKET = SYSTEMD / "cardd.service", SYSTEMD / "cardd.socket"
ACTIONS = {"org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card"}
"""What pcsc-lite asks polkit about."""


def assignments(unit: Path) -> dict[str, list[str]]:
    """Return what a unit says, each key with all that is assigned to it."""
    said: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        if not line.startswith(("#", "[")) and "=" in line:
            key, _, value = line.partition("=")
            said.setdefault(key, []).append(value)
    return said


def test_exposure_is_at_most_one_and_a_half_without_hiding_the_peers_users() -> None:
    check = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(SERVICE)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]
    assert re.search(r"exposure level for cardd.service: (0\.\d|1\.[0-5]) ", done.stdout)
    assert assignments(SERVICE).get("PrivateUsers", ["no"]) == ["no"]


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    program = shutil.which("true")
    for unit in (SERVICE, SOCKET):
        text = unit.read_text(encoding="utf-8")
        (tmp_path / unit.name).write_text(text.replace("/usr/bin/cardd", str(program)), encoding="utf-8")
    check = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in (SERVICE, SOCKET))]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    # whatever is said about other units of this machine is no matter of ours
    said = [line for line in (done.stdout + done.stderr).splitlines() if "cardd" in line]
    assert (done.returncode, said) == (0, [])


def test_the_service_depends_on_its_socket_and_nothing_of_pcscd() -> None:
    said = assignments(SERVICE)
    ties = {
        key: value for key, value in said.items() if re.match(r"(Wants|Requires|Requisite|BindsTo|PartOf|After)", key)
    }
    assert "cardd.socket" in " ".join(ties["Requires"])
    assert "pcscd" not in str(ties)
    assert said["Type"] == ["notify"]
    assert said["NotifyAccess"] == ["main"]
    assert float(said["WatchdogSec"][0].removesuffix("s")) > 0


def test_keys_come_from_credentials_that_may_be_missing() -> None:
    # a path after the name would make a missing one an error
    assert assignments(SERVICE)["LoadCredential"] == ["journal.key", "journal.signing"]


def test_the_socket_is_where_clients_look_for_it_and_outlives_the_service() -> None:
    said = assignments(SOCKET)
    assert said["ListenStream"] == [SocketOptions().path]
    assert int(said["SocketMode"][0], 8) & 0o007 == 0
    assert assignments(SERVICE)["RuntimeDirectoryPreserve"] == ["yes"]
    assert said["TriggerLimitIntervalSec"] == ["0"]


def test_the_user_the_group_and_the_directories_are_made(tmp_path: Path) -> None:
    for kind in ("sysusers", "tmpfiles"):
        place = tmp_path / "usr/lib" / f"{kind}.d"
        place.mkdir(parents=True)
        shutil.copy(SYSTEMD / f"cardd.{kind}", place / "cardd.conf")
    (tmp_path / "etc").mkdir()
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", "cardd.conf"], check=True, capture_output=True)
    users = (tmp_path / "etc/passwd").read_text().splitlines()
    groups = (tmp_path / "etc/group").read_text().splitlines()
    assert [line.split(":")[0] for line in users] == ["cardd"]
    assert users[0].endswith(":/var/lib/cardd:/usr/sbin/nologin")
    assert [line.split(":")[0] for line in groups] == ["cardd"]
    # owners of directories need root to be set: the table is read as text
    rows = [line.split() for line in (SYSTEMD / "cardd.tmpfiles").read_text().splitlines() if not line.startswith("#")]
    assert {row[1]: row[:1] + row[2:5] for row in rows} == {
        "/run/cardd": ["d", "0755", "cardd", "cardd"],
        "/etc/cardd": ["d", "0750", "root", "cardd"],
    }


POLKIT = """
const rules = [];
const polkit = { Result: { YES: "yes", NOT_HANDLED: null }, addRule: rule => rules.push(rule) };
eval(require("fs").readFileSync(process.argv[1], "utf8"));
const asked = JSON.parse(process.argv[2]);
console.log(JSON.stringify(asked.map(([id, user]) => rules[0]({ id: id }, { user: user }))));
"""


@pytest.mark.slow
def test_polkit_lets_the_user_cardd_have_pcscd_and_says_nothing_of_others() -> None:
    rules = SYSTEMD / "polkit/50-cardd.rules"
    asked = [
        [action, user] for action in [*sorted(ACTIONS), "org.freedesktop.login1.reboot"] for user in ("cardd", "till")
    ]
    run = ["node", "-e", POLKIT, str(rules), json.dumps(asked)]
    answers = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert dict(zip(map(tuple, asked), answers, strict=True)) == {
        (action, user): "yes" if user == "cardd" and action in ACTIONS else None for action, user in asked
    }


def test_the_older_form_of_the_polkit_rule_says_the_same() -> None:
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(SYSTEMD / "polkit/cardd.pkla", encoding="utf-8")
    (section,) = parser.sections()
    row = dict(parser[section])
    assert row.pop("Identity") == "unix-user:cardd"
    assert set(row.pop("Action").split(";")) == ACTIONS
    assert row == {"ResultAny": "yes", "ResultInactive": "yes", "ResultActive": "yes"}
