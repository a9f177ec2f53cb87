"""`cardctl bundle`."""

import io
import os
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

import click
import msgspec

from cardd.ctl.common import Terminal, command

_FILE = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY: Final = "cardd-bundle"


@click.command()
@click.argument("file", type=_FILE)
@click.option("--config", type=_FILE, metavar="FILE", help="The daemon's configuration; else /etc/cardd/cardd.yaml.")
@click.option("--log", type=_FILE, metavar="FILE", help="The daemon's log; else that of the unit cardd in the journal.")
@command
def bundle(terminal: Terminal, file: Path, config: Path | None, log: Path | None) -> None:
    """Write FILE (a new .tar.gz) for whoever helps from afar: no secret and no person is in it.

    In it: versions, what doctor finds, status, readers, metrics, the newest events without what people typed or cards
    hold, the configuration without users, and the log. What cannot be had is left out and named; no daemon has to run.
    """
    # what it collects with is not for the other commands to load
    from cardd.ctl.support.collect import AbsentError, Sources, parts  # noqa: PLC0415

    collected: dict[str, bytes] = {}
    absent: dict[str, str] = {}
    for name, make in parts(Sources(terminal.socket, config, log)).items():
        try:
            collected[name] = make()
        except AbsentError as error:
            absent[name] = str(error)
        except Exception as error:  # noqa: BLE001 - a part that fails keeps no other back
            absent[name] = f"failed: {type(error).__name__}"
    collected["absent.json"] = msgspec.json.encode(absent)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        _pack(out, collected)
    if terminal.as_json:
        click.echo(msgspec.json.encode({"file": str(file), "parts": sorted(collected), "absent": absent}))
    else:
        _show(file, collected, absent)


def _pack(out: BinaryIO, collected: Mapping[str, bytes]) -> None:
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in collected.items():
            entry = tarfile.TarInfo(f"{_DIRECTORY}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
            archive.addfile(entry, io.BytesIO(content))


def _show(file: Path, collected: Mapping[str, bytes], absent: Mapping[str, str]) -> None:
    for name, content in collected.items():
        click.echo(f"{name:<14} {len(content)} bytes")
    for name, why in absent.items():
        click.echo(f"{name:<14} - ({why})")
    click.echo(f"{file}: look at it before you send it  {file}：发送前请先查看")
