"""Fuzz all targets (or those named) for FUZZ_SECONDS each, and print executions and findings in one table.

`python -m fuzz.run [TARGET…]` in the checkout, after `make fuzz` has installed atheris. As many run at once as there
are processors. Corpora stay in fuzz/out/corpus, so that the next run goes on from them; findings are in
fuzz/out/findings. The exit code is 1 if there is one.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fuzz.targets import TARGETS, seeds

OUT: Final = Path(__file__).parent / "out"
_DONE: Final = re.compile(r"^#(?P<runs>\d+)\s+\S+\s+cov: (?P<cov>\d+).*?corp: (?P<corpus>\d+)", re.MULTILINE)
_TITLES: Final = ("seconds", "executions", "a second", "coverage", "corpus", "findings")
_HUNG_S: Final = 20
_LONGEST: Final = 4096
_GRACE_S: Final = 120


@dataclass(frozen=True, slots=True)
class Result:
    """What one target's run came to."""

    target: str
    seconds: int
    executions: int
    coverage: int
    corpus: int
    findings: tuple[str, ...]


def main(names: Sequence[str]) -> int:
    """Fuzz and print the table."""
    seconds = int(os.environ.get("FUZZ_SECONDS", "60"))
    unknown = set(names) - set(TARGETS)
    if unknown:
        print(f"fuzz: no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return os.EX_USAGE
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(lambda name: fuzz(name, seconds), names or TARGETS))
    print(
        f"{'target':10} {'seconds':>7} {'executions':>11} {'a second':>9} {'coverage':>9} {'corpus':>7} {'findings':>8}"
    )
    for result in results:
        speed = result.executions // max(1, result.seconds)
        print(
            f"{result.target:10} {result.seconds:7} {result.executions:11} {speed:9} {result.coverage:9}"
            f" {result.corpus:7} {len(result.findings):8}"
        )
    for result in results:
        for finding in result.findings:
            print(f"{result.target}: {finding}")
    return 1 if any(result.findings for result in results) else os.EX_OK


def fuzz(name: str, seconds: int) -> Result:
    """Fuzz one target in a process of its own, which a crash of the interpreter ends too."""
    corpus, findings = OUT / "corpus" / name, OUT / "findings" / name
    for directory in (corpus, findings):
        directory.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    for old in findings.iterdir():
        old.unlink()
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_LONGEST}",
        f"-timeout={_HUNG_S}",
        f"-artifact_prefix={findings}/",
        "-print_final_stats=1",
    ]
    command = [sys.executable, "-m", "fuzz.one", name, str(corpus), str(findings), *options]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + _GRACE_S)
    log = ran.stderr + ran.stdout
    (OUT / f"{name}.log").write_text(log, encoding="utf-8")
    last = list(_DONE.finditer(log))[-1:]
    executions, coverage, kept = (int(last[0][key]) for key in ("runs", "cov", "corpus")) if last else (0, 0, 0)
    found = [path.read_text(encoding="utf-8").splitlines()[0] for path in sorted(findings.glob("*.txt"))]
    if ran.returncode:
        found.append(f"ended with exit code {ran.returncode}: see {OUT / f'{name}.log'}")
    return Result(name, seconds, executions, coverage, kept, tuple(found))


sys.exit(main(sys.argv[1:]))
