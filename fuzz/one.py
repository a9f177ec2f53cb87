"""Fuzz one target with atheris: `python -m fuzz.one TARGET CORPUS FINDINGS [libFuzzer's options]`.

An exception is a finding: the input is kept under its digest, the place and the text beside it, and fuzzing goes on.
Findings from the same place are counted once.
"""

import hashlib
import sys
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cardd", "cardsim"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Run until libFuzzer's options say that it is enough."""
    name, corpus, findings = sys.argv[1:4]
    target = TARGETS[name]
    directory = Path(findings)
    known: set[str] = set()

    def guarded(raw: bytes) -> None:
        try:
            target(raw)
        except Exception as error:  # noqa: BLE001 # whatever comes is what is looked for
            place = _place(error)
            if place not in known:
                known.add(place)
                _keep(directory / hashlib.sha256(place.encode()).hexdigest()[:12], raw, place, error)

    atheris.Setup([sys.argv[0], corpus, *sys.argv[4:]], guarded)
    atheris.Fuzz()


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    return f"{type(error).__name__} at {last.filename}:{last.lineno}"


def _keep(path: Path, raw: bytes, place: str, error: BaseException) -> None:
    path.with_suffix(".input").write_bytes(raw)
    text = "".join(traceback.format_exception(error))
    path.with_suffix(".txt").write_text(f"{place}\n{raw.hex()}\n{text}", encoding="utf-8")


main()
