"""The Debian package, built once, and a Debian 12 of its own to install it in."""

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PRIVILEGED: Final = [] if os.geteuid() == 0 else ["sudo", "-n"]


def build(output: Path, tree: Path = ROOT, **environment: str) -> Path:
    """Make the package of a tree in `output` and return its path."""
    made = subprocess.run(
        [sys.executable, tree / "tools" / "deb.py", "--output", output],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


@dataclass
class Contents:
    """What is in a package: its control files and its entries with their bytes."""

    control: dict[str, bytes]
    entries: dict[str, tarfile.TarInfo]
    files: dict[str, bytes]
    field_of: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        lines = self.control["control"].decode().splitlines()
        self.field_of = dict(line.split(": ", 1) for line in lines if re.match(r"[A-Z]", line))

    def depends(self) -> list[str]:
        """Return the names of what must be installed, the first one of alternatives."""
        wanted = self.field_of["Depends"].split(", ")
        return sorted({one.split(" | ")[0].split(" ")[0] for one in wanted})

    @classmethod
    def of(cls, package: Path) -> "Contents":
        control = _read(package, "--ctrl-tarfile")
        data = _read(package, "--fsys-tarfile")
        return cls(
            control={name: text for name, (_, text) in control.items() if text is not None},
            entries={name: entry for name, (entry, _) in data.items()},
            files={name: text for name, (_, text) in data.items() if text is not None},
        )


def _read(package: Path, part: str) -> dict[str, tuple[tarfile.TarInfo, bytes | None]]:
    found = {}
    with (
        subprocess.Popen(["dpkg-deb", part, package], stdout=subprocess.PIPE) as unpacked,
        tarfile.open(fileobj=unpacked.stdout, mode="r|") as archive,
    ):
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            found[entry.name.removeprefix("./")] = (entry, None if file is None else file.read())
    return found


class Machine:
    """A Debian 12 in a directory, with the packages that are named. It has no network and no running systemd.

    Commands run in mounts and processes of their own, so that nothing of them is left.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    @contextmanager
    def bootstrapped(cls, directory: Path, packages: Sequence[str]) -> Iterator["Machine"]:
        """Bootstrap it from this machine's own Debian mirror; it is gone afterwards."""
        root = directory / "debian"
        command = [
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(packages)}",
            "bookworm",
            str(root),
            _mirror(),
        ]
        try:
            made = subprocess.run([*PRIVILEGED, *command], capture_output=True, text=True, check=False)
            assert made.returncode == 0, made.stdout[-3000:] + made.stderr
            yield cls(root)
        finally:
            subprocess.run([*PRIVILEGED, "rm", "-rf", "--one-file-system", root], check=True)

    def run(self, script: str, *, fails: bool = False) -> str:
        """Run a shell script there as root and return what it says on both outputs."""
        inside = 'mount -t proc proc "$0/proc" && exec chroot "$0" /bin/sh -euc "$1"'
        apart = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", inside]
        around = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
        done = subprocess.run(
            [*PRIVILEGED, *around, *apart, self.root, script],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stdout
        return done.stdout

    def bring(self, file: Path) -> str:
        """Copy a file there and return its path inside."""
        place = f"/root/{file.name}"
        subprocess.run([*PRIVILEGED, "cp", file, f"{self.root}{place}"], check=True)
        return place


def _mirror() -> str:
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Codename: bookworm"]
    uris = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    assert uris, "apt knows no mirror of Debian 12 (bookworm)"
    return uris[0]
