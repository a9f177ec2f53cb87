"""The scenarios that come with the simulator, by their names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cardsim.scenario.reading import read_scenario

SCENARIOS: Final = Path(__file__).parents[1] / "scenarios"
"""Where they are."""


def names() -> tuple[str, ...]:
    """Return their names: `morning-rush`."""
    return tuple(sorted(path.stem for path in SCENARIOS.glob("*.yaml")))


def find(said: str) -> Path | None:
    """Return the file of a path, or else of a shipped name; None where there is neither."""
    path = Path(said)
    if path.is_file():
        return path
    return SCENARIOS / f"{said}.yaml" if said in names() else None


def described() -> Iterator[tuple[str, str, str]]:
    """Yield name, grounds and what it is about of each."""
    for name in names():
        scenario = read_scenario(SCENARIOS / f"{name}.yaml").scenario
        yield name, ", ".join(scenario.run_on), scenario.about
