"""Programs on a disk that is soon full."""

import os
import subprocess


def on_a_disk_of_its_own(
    size: str, script: str, *arguments: str, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a shell script with $DISK mounted small; the mount ends with the process.

    An ordinary user mounts in a user namespace of its own.
    """
    namespaces = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    command = f'mount -t tmpfs -o size={size} tmpfs "$DISK" && {script}'
    environment = os.environ | {"DISK": arguments[0]}
    return subprocess.run(
        ["unshare", *namespaces, "sh", "-c", command, "sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=seconds,
    )
