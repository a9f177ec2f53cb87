"""cardctl, the operator's client: one file a command."""
