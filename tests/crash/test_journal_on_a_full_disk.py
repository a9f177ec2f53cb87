import os
import subprocess
import sys
from pathlib import Path

from cardd.crypto.signing import verify
from cardd.journal.archive import archive
from cardd.journal.examiner import Examiner

FILLER = Path(__file__).with_name("filler.py")

SCRIPT = """
    mount -t tmpfs -o size=14m tmpfs "$1" && head -c 7000000 /dev/zero > "$1/ballast" &&
    "$2" "$3" "$1/state" "$1/ballast" && cp "$1"/state/journal.db* "$4"
"""


def test_on_a_real_full_disk_the_reserve_lets_what_is_open_end_and_is_made_again(tmp_path: Path) -> None:
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    # an ordinary user mounts in a user namespace of its own
    namespaces = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    words = (disk, sys.executable, FILLER, kept)
    command = ["unshare", *namespaces, "sh", "-c", SCRIPT, "sh", *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert result.returncode == 0, result.stderr
    said = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert said["begun"] == ["ample"] * 6
    assert said["filled"] == ["ample", "tight", "JOURNAL_FULL"]
    assert said["new"] == ["JOURNAL_FULL"]
    assert said["steps"] == ["closing"]
    assert said["ended"] == ["closing"] * 6
    assert said["again"][0] == "ample"
    examiner = Examiner(verify)
    with archive(kept) as stored:
        stored.examine(examiner)
    report = examiner.report()
    assert (report.problem, str(report.last)) == (None, said["again"][1])
