"""Documents whose commands are run as they stand: the files that they tell to write, and what is shown of commands."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cardsim.rig import program

_BLOCK = re.compile(r"(?:^<!-- (file|needs): (\S+) -->\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit code (\d+)$")
_ANYTHING = "…"


@dataclass(frozen=True)
class Command:
    """A line to type, its exit code, and the lines that are shown of what it says."""

    line: str
    code: int
    shown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Block:
    """A file to write, or commands to type, which may need something that is not everywhere (`pcscd`)."""

    file: str = ""
    content: str = ""
    needs: str = ""
    commands: tuple[Command, ...] = ()


def blocks_of(page: str) -> list[Block]:
    """Return a page's blocks that mean something to whoever follows it."""
    found = []
    for what, value, language, content in _BLOCK.findall(page):
        if what == "file":
            found.append(Block(file=value, content=content))
        elif language == "console":
            found.append(Block(needs=value, commands=tuple(_commands(content))))
    return found


def _commands(content: str) -> Iterator[Command]:
    commands: list[Command] = []
    for line in content.splitlines():
        if line.startswith("$ "):
            code = _EXIT.search(line)
            commands.append(Command(_EXIT.sub("", line[2:]), int(code[1]) if code else 0))
        else:
            commands[-1].shown.append(line)
    yield from commands


def follow(blocks: list[Block], folder: Path, needs: str = "", environment: Mapping[str, str] | None = None) -> None:
    """Write all files, and type the commands that need just that; fail where anything shown is not so."""
    path = {"PATH": f"{Path(program('cardsim')).parent}:{os.environ['PATH']}"}
    for block in blocks:
        if block.file:
            (folder / block.file).write_text(block.content, encoding="utf-8")
        if block.needs != needs:
            continue
        for command in block.commands:
            done = subprocess.run(
                ["bash", "-c", command.line],
                cwd=folder,
                env={**os.environ, **(environment or {}), **path},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == command.code, (command.line, done.stdout, done.stderr)
            _look(command, done.stdout.splitlines(), done.stderr.splitlines())


def _look(command: Command, said: list[str], told: list[str]) -> None:
    """Find each line that is shown in what was said, in order, or else in what was told on standard error."""
    for line in command.shown:
        if line == _ANYTHING:
            continue
        wanted = re.compile(".*".join(map(re.escape, line.split(_ANYTHING))))
        where = next((lines for lines in (said, told) if any(wanted.fullmatch(one) for one in lines)), None)
        assert where is not None, (command.line, line, said, told)
        at = next(number for number, one in enumerate(where) if wanted.fullmatch(one))
        if where is said and _ANYTHING not in command.shown:
            assert at == 0, (command.line, "not shown", said[:at])
        del where[: at + 1]
    assert _ANYTHING in command.shown or not command.shown or not said, (command.line, "not shown", said)
