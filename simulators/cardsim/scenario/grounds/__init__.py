"""Where a scenario happens: in this process, on a private pcscd, or where a daemon runs already."""
