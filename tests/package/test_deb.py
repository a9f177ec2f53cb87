"""The Debian package: what lies in it is as Debian wants it, and a Debian 12 takes it and lets it go."""

import gzip
import hashlib
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.parser import HeaderParser
from pathlib import Path

import pytest
from support.debian import ROOT, Contents, Machine, build

from cardd import __version__

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SITE = "usr/lib/cardd/lib/python3.11/site-packages"
HELPERS = ("sscard-pin-helper",)
AS_CARDD = "setpriv --reuid cardd --regid cardd --init-groups"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # packed less tightly than for others, in a tenth of the time
    return build(tmp_path_factory.mktemp("deb"), DPKG_DEB_COMPRESSOR_LEVEL="0")


@pytest.fixture(scope="module")
def inside(package: Path) -> Contents:
    return Contents.of(package)


def test_the_same_commit_makes_the_same_package_wherever_it_lies(tmp_path: Path) -> None:
    for place, origin in (("here", ROOT), ("there", tmp_path / "here")):
        subprocess.run(["git", "clone", "--quiet", origin, tmp_path / place], check=True)

    def built(place: str) -> Path:
        # packing as tightly as for others takes longer than all before it
        return build(tmp_path / f"of-{place}", tmp_path / place, DPKG_DEB_COMPRESSOR_LEVEL="0")

    with ThreadPoolExecutor() as both:
        here, there = both.map(built, ("here", "there"))
    assert here.read_bytes() == there.read_bytes()


def test_it_is_called_after_the_version_and_the_machine_it_is_for(package: Path, inside: Contents) -> None:
    assert inside.field_of["Version"] == f"{__version__}-1"
    assert package.name == f"cardd_{__version__}-1_{inside.field_of['Architecture']}.deb"
    newest = gzip.decompress(inside.files["usr/share/doc/cardd/changelog.Debian.gz"]).decode()
    assert newest.startswith(f"cardd ({__version__}-1) bookworm; ")
    changes = gzip.decompress(inside.files["usr/share/doc/cardd/changelog.gz"]).decode()
    assert changes.startswith(f"# Changes\n\n## {__version__} ")


def test_everything_is_roots_and_nobody_else_may_write_to_it(inside: Contents) -> None:
    assert {(entry.uname, entry.gname) for entry in inside.entries.values()} == {("root", "root")}
    modes = {oct(entry.mode) for entry in inside.entries.values() if not entry.issym()}
    assert modes == {"0o644", "0o755"}
    programs = {name for name, entry in inside.entries.items() if entry.isfile() and entry.mode & 0o111}
    assert programs == {f"usr/lib/cardd/bin/{name}" for name in ("cardd", "cardctl", "cardsim", *HELPERS)}


def test_every_file_has_its_sum(inside: Contents) -> None:
    lines = inside.control["md5sums"].decode().splitlines()
    summed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    assert summed == {name: hashlib.md5(text, usedforsecurity=False).hexdigest() for name, text in inside.files.items()}


def test_what_an_operator_edits_is_kept_over_upgrades(inside: Contents) -> None:
    named = inside.control["conffiles"].decode().split()
    assert named == [f"/{name}" for name in inside.files if name.startswith("etc/")]


def test_units_users_directories_and_rights_lie_where_their_programs_look(inside: Contents) -> None:
    for place, source in (
        ("lib/systemd/system/cardd.service", "systemd/cardd.service"),
        ("lib/systemd/system/cardd.socket", "systemd/cardd.socket"),
        ("usr/lib/sysusers.d/cardd.conf", "systemd/cardd.sysusers"),
        ("usr/lib/tmpfiles.d/cardd.conf", "systemd/cardd.tmpfiles"),
        ("usr/share/polkit-1/rules.d/50-cardd.rules", "systemd/polkit/50-cardd.rules"),
        ("var/lib/polkit-1/localauthority/10-vendor.d/cardd.pkla", "systemd/polkit/cardd.pkla"),
        ("usr/share/bash-completion/completions/cardctl", "completion/bash/cardctl"),
        ("usr/share/zsh/vendor-completions/_cardctl", "completion/zsh/_cardctl"),
        ("etc/cardd/cardd.yaml", "config/cardd.yaml"),
        ("usr/share/doc/cardd/examples/pharmacy.yaml", "config/pharmacy.yaml"),
    ):
        assert inside.files[place] == (ROOT / source).read_bytes()


@pytest.mark.parametrize("page", ["man1/cardctl.1", "man1/cardsim.1", "man5/cardd.yaml.5", "man8/cardd.8"])
def test_each_command_and_the_configuration_have_a_manual(inside: Contents, page: str) -> None:
    assert b".TH" in gzip.decompress(inside.files[f"usr/share/man/{page}.gz"])


def test_every_package_that_is_brought_along_has_its_licence(inside: Contents) -> None:
    told = inside.files["usr/share/doc/cardd/copyright"].decode()
    locked = (ROOT / "requirements" / "package.txt").read_text(encoding="utf-8")
    pinned = {_plain(name) for name in re.findall(r"^([A-Za-z0-9_-]+)==", locked, re.MULTILINE)}
    texts = {
        name: HeaderParser().parsestr(inside.files[name].decode())
        for name in inside.files
        if re.fullmatch(rf"{SITE}/[^/]+\.dist-info/METADATA", name)
    }
    assert {_plain(text["Name"]) for text in texts.values()} == pinned | {"cardd"}
    for name, text in texts.items():
        folder = name.rsplit("/", 1)[0]
        assert text["Name"] == "cardd" or f"Files: {folder}/*\n" in told
        assert any(file.startswith(f"{folder}/licenses/") or file == f"{folder}/LICENSE" for file in inside.files)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def test_the_lock_of_the_package_holds_every_extra_in_the_tested_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    package, dev = pinned("package"), pinned("dev")
    for name in ("run", *project["project"]["optional-dependencies"]):
        assert pinned(name) <= package, name
    assert package <= dev


def pinned(name: str) -> set[str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^\S+==\S+", text, re.MULTILINE))


# the packages of Debian 12 that hold what our libraries are linked with
LIBRARIES = {
    "ld-linux-x86-64.so.2": "libc6",
    "libc.so.6": "libc6",
    "libdl.so.2": "libc6",
    "libm.so.6": "libc6",
    "libpthread.so.0": "libc6",
    "libgcc_s.so.1": "libgcc-s1",
}


def test_what_its_libraries_need_is_what_it_depends_on(inside: Contents, tmp_path: Path) -> None:
    needed, newest = set(), (0, 0)
    for number, (name, text) in enumerate(inside.files.items()):
        if name.endswith(".so"):
            library = tmp_path / str(number)
            library.write_bytes(text)
            told = subprocess.run(["objdump", "-p", library], capture_output=True, text=True, check=True).stdout
            needed |= set(re.findall(r"NEEDED +(\S+)", told))
            versions = re.findall(r"GLIBC_(\d+)\.(\d+)", told)
            newest = max([newest, *((int(major), int(minor)) for major, minor in versions)])
    assert {LIBRARIES[library] for library in needed} <= set(inside.depends())
    (least,) = re.findall(r"libc6 \(>= (\d+)\.(\d+)\)", inside.field_of["Depends"])
    assert (int(least[0]), int(least[1])) >= newest


def test_the_national_drivers_library_lies_where_programs_look_by_every_name_that_they_load(inside: Contents) -> None:
    (library,) = [name for name in inside.files if name.endswith("/libsscard.so")]
    place = library.rsplit("/", 1)[0]
    assert re.fullmatch(r"usr/lib/[a-z0-9_]+-linux-gnu[a-z0-9]*", place)
    assert {
        name: inside.entries[f"{place}/{name}"].linkname for name in ("libSSCardDriver.so", "SSCardDriver.dll")
    } == {
        "libSSCardDriver.so": "libsscard.so",
        "SSCardDriver.dll": "libsscard.so",
    }
    assert inside.files["usr/include/sscard.h"] == (ROOT / "driver" / "sscard.h").read_bytes()
    assert inside.control["triggers"] == b"activate-noawait ldconfig\n"


def test_nothing_tells_where_it_was_built_and_nothing_is_left_to_compile(inside: Contents) -> None:
    assert [name for name, text in inside.files.items() if str(ROOT).encode() in text or b"cardd-deb-" in text] == []
    compiled = {
        re.sub(r"__pycache__/(.+)\.cpython-311\.pyc$", r"\1.py", name) for name in inside.files if name.endswith("c")
    }
    sources = {name for name in inside.files if name.startswith(f"{SITE}/card") and name.endswith(".py")}
    assert sources <= compiled


def test_its_scripts_are_shell_that_stops_at_the_first_mistake(inside: Contents) -> None:
    for name in ("postinst", "prerm", "postrm"):
        script = inside.control[name]
        assert script.startswith(b"#!/bin/sh\n")
        assert b"\nset -e\n" in script
        assert subprocess.run(["sh", "-n"], input=script, check=False).returncode == 0


@pytest.fixture(scope="module")
def machine(inside: Contents, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    # beside what it depends on, the readers of a laboratory: they bring along nothing that it needs
    packages = [*inside.depends(), "pcscd", "vsmartcard-vpcd"]
    with Machine.bootstrapped(tmp_path_factory.mktemp("machine"), packages) as machine:
        yield machine


@pytest.fixture
def installed(machine: Machine, package: Path) -> Machine:
    install(machine, package)
    return machine


def install(machine: Machine, package: Path) -> None:
    """Install the package if it is not; nothing but dpkg takes part."""
    status = machine.run("dpkg-query -W -f '${db:Status-Status}' cardd 2>/dev/null || true")
    if status != "installed":
        machine.run(f"dpkg -i {machine.bring(package)}")


def test_a_debian_12_without_a_network_takes_it_with_user_units_and_files(installed: Machine) -> None:
    assert installed.run("dpkg --audit; dpkg --verify cardd") == ""
    assert installed.run("dpkg-query -W -f '${db:Status-Status}' cardd") == "installed"
    name, _, uid, gid, _, home, shell = installed.run("getent passwd cardd").strip().split(":")
    assert (name, home, shell) == ("cardd", "/var/lib/cardd", "/usr/sbin/nologin")
    assert 0 < int(uid) < 1000
    assert installed.run("getent group cardd").startswith(f"cardd:x:{gid}:")
    assert installed.run("systemctl is-enabled cardd.socket cardd.service").split() == ["enabled", "enabled"]
    assert installed.run("stat -c '%n %U:%G %a' /etc/cardd /run/cardd").splitlines() == [
        "/etc/cardd root:cardd 750",
        "/run/cardd cardd:cardd 755",
    ]
    assert installed.run("systemd-analyze --man=no verify cardd.socket cardd.service") == ""


def test_its_commands_work_there_as_the_user_cardd(installed: Machine) -> None:
    assert installed.run(f"{AS_CARDD} cardd check") == "/etc/cardd/cardd.yaml: in order\n"
    examples = installed.run(
        f"for f in /usr/share/doc/cardd/examples/*.yaml; do {AS_CARDD} cardd check --config $f; done"
    )
    assert examples.count(": in order\n") == 4
    assert installed.run(f"{AS_CARDD} cardctl --version").split()[-1] == __version__
    answer = installed.run("printf 'reset cold\\n' | cardsim exchange social-jia-3.0")
    assert answer.startswith("3B")


def test_its_commands_see_no_python_package_of_the_system_or_the_callers(installed: Machine) -> None:
    # structlog imports rich wherever it finds it; a directory of the caller's would even go before what is ours
    system, own = "/usr/lib/python3/dist-packages/rich.py", "/root/aside/yaml.py"
    installed.run(f"mkdir -p $(dirname {system} {own}) && echo 'raise SystemExit(9)' | tee {system} >{own}")
    try:
        installed.run("cd /root/aside && PYTHONPATH=/root/aside cardd check")
        installed.run("cd /root/aside && /usr/lib/cardd/bin/python3 -Ic 'import structlog, yaml'")
    finally:
        installed.run(f"rm -r {system} /root/aside")


SERVE = f"""
install -d -o cardd -g cardd -m 700 /var/lib/cardd
install -d -o cardd -g cardd -m 755 /run/cardd
{AS_CARDD} cardd run >/tmp/log 2>&1 & daemon=$!
tries=0
until cardctl --json status >/tmp/status 2>/tmp/problem; do
  tries=$((tries + 1)); [ $tries -lt 100 ] || {{ cat /tmp/log /tmp/problem; exit 1; }}; sleep 0.1
done
kill $daemon; wait $daemon
cat /tmp/status
"""


def serve(machine: Machine) -> dict[str, dict[str, str]]:
    """Run the daemon there as its own user, as long as it takes root to ask for its status."""
    status: dict[str, dict[str, str]] = json.loads(machine.run(SERVE))
    return status


def test_the_daemon_starts_there_without_readers_and_answers_root(installed: Machine) -> None:
    status = serve(installed)
    assert status["pcsc"]["backend"] == "pcsc"
    assert status["pcsc"]["reason"] == "PCSC_UNAVAILABLE"
    owners = installed.run("find /var/lib/cardd ! '(' -user cardd -perm /u=rw ! -perm /go=rwx ')'")
    assert owners == ""


CALL = """
import ctypes, sys
out = ctypes.create_string_buffer(1024)
print(ctypes.CDLL(sys.argv[1]).iReadCardBas(3, out), out.value.decode('gb18030'))
"""


@pytest.mark.parametrize("name", ["libsscard.so", "libSSCardDriver.so", "SSCardDriver.dll"])
def test_a_program_finds_the_national_driver_there_and_is_told_what_the_daemon_says(
    installed: Machine, name: str
) -> None:
    call = f'/usr/bin/python3.11 -c "{CALL}" {name}'
    assert installed.run(call).startswith("-5 读卡服务")
    asked = installed.run(SERVE.replace("kill $daemon", f"{AS_CARDD} {call}; kill $daemon"))
    number, text = asked.splitlines()[0].split(" ", 1)
    assert (number, text[-1]) == ("-13", "。"), "the package grants nobody the driver"


def test_what_asks_for_passwords_says_that_it_cannot_where_there_is_neither_screen_nor_terminal(
    installed: Machine,
) -> None:
    done = installed.run("setsid --wait /usr/lib/cardd/bin/sscard-pin-helper social_pin 4 16 '' || echo $?")
    assert done.splitlines()[-1] == "2"


LOOPBACK = """
/usr/bin/python3.11 -c "
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 1))  # SIOCSIFFLAGS, IFF_UP
"
"""


def test_what_is_installed_completes_handoffs_on_debians_own_pcscd(installed: Machine) -> None:
    shown = installed.run(f"{LOOPBACK} install -d /run/pcscd; cd /tmp; {AS_CARDD} cardsim demo")
    assert shown.count("right\n") == 4
    assert "The social security card is activated." in shown


def test_the_journal_outlives_the_package_until_somebody_says_that_it_may_go(installed: Machine, package: Path) -> None:
    stream = serve(installed)["journal"]["stream"]
    installed.run("dpkg --remove cardd")
    installed.run(
        "test -d /var/lib/cardd && test -e /etc/cardd/cardd.yaml && ! test -e /usr/lib/cardd && ! command -v cardd"
    )
    assert installed.run("find /usr /lib/systemd -name '*cardd*' -o -iname '*sscard*'") == ""

    install(installed, package)
    assert serve(installed)["journal"]["stream"] == stream

    told = installed.run("dpkg --purge cardd")
    assert "cardd: the journal stays in /var/lib/cardd" in told
    installed.run("test -d /var/lib/cardd && ! test -e /etc/cardd && ! test -e /run/cardd")

    install(installed, package)
    assert serve(installed)["journal"]["stream"] == stream
    installed.run("echo 'cardd cardd/erase-journal boolean true' | debconf-set-selections && dpkg --purge cardd")
    installed.run("! test -e /var/lib/cardd")


def test_an_operators_configuration_outlives_an_upgrade_and_a_wrong_one_is_told(
    installed: Machine, package: Path
) -> None:
    installed.run("cp /etc/cardd/cardd.yaml /root/kept && echo 'colour: red' >>/etc/cardd/cardd.yaml")
    try:
        told = installed.run(f"dpkg -i {installed.bring(package)}")
        assert re.search(r"/etc/cardd/cardd\.yaml:\d+:1: unknown key `colour`", told)
        assert "colour: red" in installed.run("cat /etc/cardd/cardd.yaml")
    finally:
        installed.run("mv /root/kept /etc/cardd/cardd.yaml")


RUNNING_SYSTEMD = """
mkdir -p /run/systemd/system
mv /bin/systemctl /root/systemctl
printf '#!/bin/sh\\necho "$@" >>/root/calls\\ncase "$*" in *is-enabled*) echo enabled; esac\\n' >/bin/systemctl
chmod 755 /bin/systemctl
"""


def test_an_upgrade_restarts_the_service_and_leaves_its_socket_alone(machine: Machine, package: Path) -> None:
    machine.run(f"dpkg --purge cardd 2>/dev/null; {RUNNING_SYSTEMD}")
    try:
        brought = machine.bring(package)
        assert asked_of_systemd(machine, f"dpkg -i {brought}") == ["start cardd.socket", "start cardd.service"]
        assert asked_of_systemd(machine, f"dpkg -i {brought}") == ["start cardd.socket", "restart cardd.service"]
        assert asked_of_systemd(machine, "dpkg --remove cardd") == ["stop cardd.service cardd.socket"]
    finally:
        machine.run("mv /root/systemctl /bin/systemctl && rm -r /run/systemd/system /root/calls")


def asked_of_systemd(machine: Machine, script: str) -> list[str]:
    """Return what was to be started and stopped: a program in systemctl's place writes it down."""
    machine.run(f"rm -f /root/calls; {script}")
    calls = [re.sub(r"^(--\S+ )+", "", call) for call in machine.run("cat /root/calls").splitlines()]
    return [call for call in calls if re.match(r"(re)?start |stop |try-", call)]
