"""Makes the Debian package from this tree: `python tools/deb.py [--output DIRECTORY]`, or `make deb`.

What it needs from the Python Package Index is locked with hashes in requirements/package.txt and goes into the package,
under /usr/lib/cardd with nothing of the system's own Python packages in sight, so that an installation needs no network
beyond Debian's. The same commit makes the same package: times are the commit's (or SOURCE_DATE_EPOCH).
"""

import argparse
import email
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
DEBIAN: Final = ROOT / "packaging" / "debian"
HOME: Final = Path("usr/lib/cardd")
SITE: Final = HOME / "lib/python3.11/site-packages"
PYTHON: Final = "/usr/bin/python3.11"
DOCS: Final = "usr/share/doc/cardd"

LIBRARY: Final = "libsscard.so"
COMMANDS: Final = {"cardd": "cardd.cli", "cardctl": "cardd.ctl.start", "cardsim": "cardsim.cli"}


class Row(NamedTuple):
    """Files of the tree (a glob) and where they go: a directory if it ends in a slash, else the file's new name.

    `without` leaves one of them out; `packed` compresses them, as Debian wants manuals and changes.
    """

    source: str
    target: str
    without: str = ""
    packed: bool = False


FILES: Final = (
    Row("config/cardd.yaml", "etc/cardd/"),
    Row("config/*.yaml", f"{DOCS}/examples/", without="cardd.yaml"),
    Row("systemd/cardd.service", "lib/systemd/system/"),
    Row("systemd/cardd.socket", "lib/systemd/system/"),
    Row("systemd/cardd.sysusers", "usr/lib/sysusers.d/cardd.conf"),
    Row("systemd/cardd.tmpfiles", "usr/lib/tmpfiles.d/cardd.conf"),
    Row("systemd/polkit/50-cardd.rules", "usr/share/polkit-1/rules.d/"),
    Row("systemd/polkit/cardd.pkla", "var/lib/polkit-1/localauthority/10-vendor.d/"),
    Row("docs/man/*.1", "usr/share/man/man1/", packed=True),
    Row("docs/man/*.5", "usr/share/man/man5/", packed=True),
    Row("docs/man/*.8", "usr/share/man/man8/", packed=True),
    Row("packaging/chromium/cardd.json", f"{DOCS}/examples/chromium-policy.json"),
    Row("completion/bash/*", "usr/share/bash-completion/completions/"),
    Row("completion/zsh/*", "usr/share/zsh/vendor-completions/"),
    Row("README.md", f"{DOCS}/"),
    Row("docs/*.md", f"{DOCS}/"),
    Row("docs/*.json", f"{DOCS}/"),
    Row("docs/*.yaml", f"{DOCS}/"),
    Row("docs/decisions/*", f"{DOCS}/decisions/"),
    Row("docs/schemas/*", f"{DOCS}/schemas/"),
    Row("docs/schemas/events/*", f"{DOCS}/schemas/events/"),
    Row("docs/schemas/methods/*", f"{DOCS}/schemas/methods/"),
    Row("examples/*", f"{DOCS}/examples/clients/"),
    Row("packaging/debian/lintian-overrides", "usr/share/lintian/overrides/cardd"),
    Row("CHANGELOG.md", f"{DOCS}/changelog.gz", packed=True),
)

LICENCES: Final = {
    "License :: OSI Approved :: GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1+",
}
"""The licences of packages that name theirs by a classifier only."""


def main() -> int:
    """Build the package and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIRECTORY", help="default: dist")
    parser.add_argument("--revision", default="1", help="the package's own number, after the version's; default: 1")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    print(build(options.output, options.revision))
    return os.EX_OK


def build(output: Path, revision: str) -> Path:
    """Make the package in a directory of its own and return its path in `output`."""
    os.umask(0o022)
    epoch = _epoch()
    version = f"{_version()}-{revision}"
    architecture = _said("dpkg", "--print-architecture")
    with tempfile.TemporaryDirectory(prefix="cardd-deb-") as directory:
        root = Path(directory) / "root"
        _install_python(root, Path(directory))
        _install_files(root)
        _install_driver(root, Path(directory) / "driver")
        packages = _copyrights(root / SITE)
        _write(root / DOCS / "copyright", _filled("copyright", packages=packages))
        date = formatdate(epoch, localtime=False)
        _pack(_filled("changelog", version=version, date=date).encode(), root / DOCS / "changelog.Debian.gz")
        _control(root, version, architecture)
        package = output / f"cardd_{version}_{architecture}.deb"
        _run("dpkg-deb", "--root-owner-group", "--build", root, package, SOURCE_DATE_EPOCH=str(epoch))
    return package


def _install_python(root: Path, aside: Path) -> None:
    """Install the locked packages and this one, with commands that see nothing else."""
    site = root / SITE
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    into = ["--no-deps", "--no-compile", "--no-build-isolation", "--target", str(site)]
    locked = ROOT / "requirements" / "package.txt"
    # pyscard is compiled, in a directory with a name of its own each time: nothing may remember that
    _run(*pip, "install", "--require-hashes", *into, "-r", locked, CFLAGS="-g0", LDFLAGS="-Wl,--build-id=none")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", aside)
    (wheel,) = aside.glob("*.whl")
    _run(*pip, "install", "--no-index", *into, wheel)
    _clean(site)
    for library in site.rglob("*.so*"):
        _run("strip", "--strip-unneeded", library)
    # by content, not by time: dpkg sets the times anew
    _run(PYTHON, "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/", site)
    commands = root / HOME / "bin"
    commands.mkdir()
    (root / "usr/bin").mkdir()
    (commands / "python3").symlink_to(f"../../../bin/{Path(PYTHON).name}")
    _write(root / HOME / "pyvenv.cfg", f"home = {Path(PYTHON).parent}\ninclude-system-site-packages = false\n")
    for name, module in COMMANDS.items():
        start = f"#!/{HOME}/bin/python3 -I\nimport sys\n\nfrom {module} import main\n\nsys.exit(main())\n"
        _write(commands / name, start, mode=0o755)
        (root / "usr/bin" / name).symlink_to(f"../lib/cardd/bin/{name}")


def _install_driver(root: Path, made: Path) -> None:
    """Install the national terminal driver's library by all its names, with its header, and a helper for passwords."""
    _run("make", "-s", "-C", ROOT / "driver", f"OUT={made}", "MORE=-Wl,--build-id=none")
    place = root / "usr/lib" / _said("cc", "-print-multiarch")
    place.mkdir(parents=True)
    _run("strip", "--strip-unneeded", "-o", place / LIBRARY, made / LIBRARY)
    (place / LIBRARY).chmod(0o644)
    for name in ("libSSCardDriver.so", "SSCardDriver.dll"):
        (place / name).symlink_to(LIBRARY)
    _write(root / "usr/include/sscard.h", (made / "sscard.h").read_text(encoding="utf-8"))
    helper = (ROOT / "examples" / "pin-helper.sh").read_text(encoding="utf-8")
    _write(root / HOME / "bin" / "sscard-pin-helper", helper, mode=0o755)


def _clean(site: Path) -> None:
    """Take away what tells where it was built, and the modes of whoever made the wheels."""
    shutil.rmtree(site / "bin", ignore_errors=True)
    for path in site.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
        for file in site.glob(f"*.dist-info/{name}"):
            file.unlink()


def _install_files(root: Path) -> None:
    for row in FILES:
        for source in sorted(ROOT.glob(row.source)):
            if source.is_file() and source.name != row.without:
                _install(source, root, row)


def _install(source: Path, root: Path, row: Row) -> None:
    place = root / row.target
    if row.target.endswith("/"):
        place /= source.name
    if not row.packed:
        _write(place, source.read_text(encoding="utf-8"))
        return
    _pack(source.read_bytes(), place if place.suffix == ".gz" else place.with_name(f"{place.name}.gz"))


def _control(root: Path, version: str, architecture: str) -> None:
    size = sum(_kibibytes(path) for path in root.rglob("*"))
    control = root / "DEBIAN"
    sums = "".join(f"{hashlib.md5(file.read_bytes()).hexdigest()}  {name}\n" for name, file in _plain_files(root))  # noqa: S324
    _write(control / "control", _filled("control", version=version, architecture=architecture, size=str(size)))
    _write(control / "md5sums", sums)
    for name in ("conffiles", "templates", "triggers"):
        _write(control / name, (DEBIAN / name).read_text(encoding="utf-8"))
    for name in ("postinst", "prerm", "postrm"):
        _write(control / name, (DEBIAN / name).read_text(encoding="utf-8"), mode=0o755)


def _kibibytes(path: Path) -> int:
    # as dpkg-gencontrol counts: files by their own size, everything else as one
    return -(-path.stat().st_size // 1024) if path.is_file() and not path.is_symlink() else 1


def _plain_files(root: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield str(path.relative_to(root)), path


def _copyrights(site: Path) -> str:
    """Return a stanza for each package that is brought along."""
    stanzas = []
    for metadata in sorted(site.glob("*.dist-info/METADATA")):
        told = email.message_from_string(metadata.read_text(encoding="utf-8"))
        if told["Name"] == "cardd":
            continue
        authors = [told[who] for who in ("Author", "Author-email", "Maintainer", "Maintainer-email") if told[who]]
        stanzas.append(
            f"Files: {SITE}/{metadata.parent.name}/*\nCopyright: {authors[0]}\n"
            f"License: {_licence(told['License-Expression'] or told['License'], told.get_all('Classifier') or ())}\n"
            f"Comment: the package {told['Name']} {told['Version']}\n"
        )
    return "\n".join(stanzas)


def _licence(named: str | None, classifiers: Iterable[str]) -> str:
    if named is not None:
        return named.replace(" OR ", " or ")
    (found,) = (LICENCES[one] for one in classifiers if one in LICENCES)
    return found


def _filled(name: str, **values: str) -> str:
    return (DEBIAN / name).read_text(encoding="utf-8").format_map(values)


def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _pack(text: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text, mtime=0))


def _version() -> str:
    return _said(sys.executable, "-m", "hatchling", "version")


def _epoch() -> int:
    said = os.environ.get("SOURCE_DATE_EPOCH")
    return int(said or _said("git", "log", "-1", "--format=%ct"))


def _said(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def _run(*command: str | Path, **environment: str) -> None:
    """Run a command of the build; what it says is shown only if it fails."""
    # the programs that compile (swig) lie beside this Python
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    around = {**os.environ, "PATH": path, **environment}
    done = subprocess.run(command, cwd=ROOT, env=around, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"deb: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
