"""The daemon's configuration and its register, as a scenario has them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import yaml

from cardsim.rig import literal
from cardsim.scenario.grounds.ground import Stage
from cardsim.scenario.model import Station
from cardsim.scenario.plan import planned

CONFIG: Final = "cardd.yaml"
PEOPLE: Final = "people.yaml"
SOCKET: Final = "cardd.sock"
STATE: Final = "state"


def write_people(directory: Path, stage: Stage) -> Path:
    """Write the register's people into a directory and return the file's path."""
    path = directory / PEOPLE
    path.write_bytes(_yaml(msgspec.to_builtins(stage.register)))
    return path


def settings_of(stage: Stage, slots: Mapping[str, str], extra: Mapping[str, object]) -> dict[str, object]:
    """Return the daemon's configuration.

    `slots` are the names of the readers as PC/SC has them, by the daemon's; `extra` are the ground's own settings,
    before which the scenario's go. Of the socket a scenario says who has which rights at it, and not where it is.
    """
    said = stage.settings.get("socket")
    socket = {**(said if isinstance(said, dict) else {}), "path": SOCKET}
    return {
        "state_dir": STATE,
        "stations": [_station(station, slots) for station in planned(stage.scenario)],
        "authority": {"provider": "local", "register": PEOPLE},
        **({"keys": {"provider": "none"}} if stage.module is None else {}),
        **extra,
        **stage.settings,
        **({"socket": socket} if isinstance(said, dict | None) else {}),
    }


def write_settings(directory: Path, settings: Mapping[str, object]) -> Path:
    """Write the daemon's configuration into a directory and return the file's path."""
    path = directory / CONFIG
    path.write_bytes(_yaml(settings))
    return path


def sam_of(stage: Stage) -> str | None:
    """Return the reader that the security module lies in, None where there is none."""
    if stage.module is None:
        return None
    return next(reader.name for one in planned(stage.scenario) for reader in one.readers if reader.role == "sam")


def _station(station: Station, slots: Mapping[str, str]) -> dict[str, object]:
    return {
        "name": station.name,
        "auto": station.auto,
        "readers": [
            {"match": {"name": literal(slots[reader.name])}, "role": reader.role, "name": reader.name}
            for reader in station.readers
        ],
    }


def _yaml(content: object) -> bytes:
    # thousands of people are seconds to the one in C, and minutes to the one in Python
    return yaml.dump(content, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False).encode()
