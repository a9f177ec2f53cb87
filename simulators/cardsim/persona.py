"""Cards described in YAML."""

from pathlib import Path


class Persona:
    """One card as its YAML file describes it."""


def load_persona(name: str | Path) -> Persona:
    """Read a persona by the name of a shipped one or by the path of a YAML file."""
    raise NotImplementedError(name)
