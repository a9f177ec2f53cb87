"""The C programs beside this file: what a measurement is held against."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

# C11 and what POSIX adds for clocks and sockets
_COMPILE = ("gcc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-Wall", "-Wextra", "-Werror")


def compile_c(name: str, directory: Path) -> Path:
    """Compile one of them into a directory; returns where it is."""
    program = directory / name
    source = Path(__file__).with_name(f"{name}.c")
    words = [*_COMPILE, "-I/usr/include/PCSC", "-o", str(program), str(source), "-lpcsclite"]
    subprocess.run(words, check=True)
    return program


Times = list[list[float]]
"""By round, microseconds of one command."""


def in_turns(program: Path, command: bytes, readers: Sequence[str], rounds: int, count: int) -> list[Times]:
    """Let turns.c send the same command to the card in each reader; returns what it took, by reader."""
    words = [str(program), str(rounds), str(count), command.hex(), *readers]
    shown = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    lines = [[int(number) / 1000 for number in line.split()] for line in shown.stdout.splitlines()]
    return [lines[number :: len(readers)] for number in range(len(readers))]


def microseconds(words: list[str]) -> list[float]:
    """Run a program that prints nanoseconds, one number a line."""
    shown = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return [int(line) / 1000 for line in shown.stdout.split()]
