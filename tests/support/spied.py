"""The C program that says commands to a card as any program does."""

import subprocess
from pathlib import Path


def compiled(directory: Path) -> Path:
    """Compile it into a directory and return where it is."""
    program = directory / "spied"
    words = ["cc", "-I/usr/include/PCSC", "-o", str(program), str(Path(__file__).with_suffix(".c")), "-lpcsclite"]
    subprocess.run(words, check=True)
    return program
