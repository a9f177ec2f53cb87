"""The C programs beside this file: what a measurement is held against."""

import subprocess
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


def microseconds(words: list[str]) -> list[float]:
    """Run a program that prints nanoseconds, one number a line."""
    shown = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return [int(line) / 1000 for line in shown.stdout.split()]
