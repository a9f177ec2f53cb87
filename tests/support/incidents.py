"""Failures provoked at a counter in this process, and their accounts as `cardctl incident` prints them."""

from pathlib import Path
from textwrap import dedent

from cardd.client.blocking import Client
from cardd.ctl.incident import written
from cardd.wire.activation import ActivationListParams
from cardd.wire.incident import ActivationIncidentParams, Incident
from cardd.wire.methods import ACTIVATION_INCIDENT, ACTIVATION_LIST
from support.scenarios import told

PEOPLE = """
people:
  jia:
    cards: {old: old-jia, social: social-jia-3.0}
    register:
      social_security_number: "510101190001010012"
      name: 测试甲
      cards: [{number: T0000001X, identification_code: 510100D156000005C0FFEE01FFFFFFFF, status: STATUS}]
      old_cards: [{number: "1900000001", status: OLD}]
      updates: UPDATES
"""


def people(*, status: str = "not_enabled", old: str = "valid", updates: str = "{}") -> str:
    """Return the section `people` with 测试甲, and how the cards stand at the centre."""
    return PEOPLE.replace("STATUS", status).replace("OLD}", f"{old}}}").replace("UPDATES", updates)


def account(client: Client) -> Incident:
    """Return the account of the newest activation, through the socket."""
    (found,) = client.call(ACTIVATION_LIST, ActivationListParams(limit=1)).activations
    return client.call(ACTIVATION_INCIDENT, ActivationIncidentParams(activation=found.activation))


def provoked(folder: Path, head: str, timeline: str) -> tuple[Incident, Path]:
    """Play a failure, and return its account and the file that was written of it."""
    with told(folder, dedent(timeline), dedent(head)) as story:
        assert story.failures == [], story.failures
        with story.ground.client() as client:
            incident = account(client)
    path = folder / "incident.yaml"
    path.write_text(written(incident), encoding="utf-8")
    return incident, path
