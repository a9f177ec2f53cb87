"""A handoff, a restart of pcscd and an end, seen through the metrics and the log of the daemon as a process."""

import json
from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus
from support.clerk import Clerk, counter
from support.waiting import until

from cardd.client.blocking import Client
from cardd.wire.methods import SYSTEM_METRICS
from cardd.wire.system import NoParams

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]
Line = dict[str, Any]


def measured(client: Client) -> Figures:
    text = client.call(SYSTEM_METRICS, NoParams()).text
    families: Any = read_openmetrics(text)  # type: ignore[no-untyped-call] # the library says no types here
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def figure(figures: Figures, name: str, **labels: str) -> float:
    return figures[name, frozenset(labels.items())]


def hand_off(clerk: Clerk) -> str:
    clerk.insert("old-jia")
    clerk.step("waiting_social_card")
    clerk.remove()
    clerk.insert("social-jia-3.0")
    activation: str = clerk.wait("activation.completed")["correlationid"]
    clerk.remove()
    return activation


def test_what_happened_is_measured_and_every_line_says_what_it_belongs_to(tmp_path: Path) -> None:
    file = tmp_path / "cardd.prom"
    settings = {
        "logs": {"level": "debug", "format": "json"},
        "metrics": {"textfile": str(file), "every_s": 0.1},
    }
    with counter(tmp_path / "c", settings=settings) as clerk:
        activation = hand_off(clerk)
        clerk.rig.lab.restart_pcscd()
        clerk.wait("pcsc.up")
        figures = measured(clerk.client)
        until(lambda: file.exists() and "cardd_pcsc_restarts_total 1.0" in file.read_text(), "a page after the restart")
        written = {family.name for family in read_prometheus(file.read_text())}
        clerk.rig.stop_daemon()
        lines: list[Line] = [json.loads(line) for line in clerk.rig.log.read_text(encoding="utf-8").splitlines()]
    assert figure(figures, "cardd_activations_ended_total", route="pharmacy", outcome="activated") == 1
    assert figure(figures, "cardd_identification_seconds_count") >= 2
    assert figure(figures, "cardd_authority_seconds_count", question="activate", outcome="answered") == 1
    assert figure(figures, "cardd_pcsc_restarts_total") == 1
    assert figure(figures, "cardd_pcsc_up") == 1
    assert figure(figures, "process_resident_memory_bytes") > 1 << 20
    assert {"cardd_read_seconds", "cardd_readers", "process_cpu_seconds"} <= written
    assert not file.exists()
    _assert_marked([line for line in lines if line["event"] == "apdu"], clerk, activation)


def _assert_marked(apdus: list[Line], clerk: Clerk, activation: str) -> None:
    """Check that each command bears its card and its reader, and those of the handoff its name."""
    readers = {event["insertion"]: event["subject"] for event in clerk.events if event.get("insertion")}
    module = next(event["subject"] for event in clerk.events if event["data"].get("role") == "sam")
    # the security module is asked on behalf of a card in another reader
    assert all(line["reader"] in {readers[line["insertion"]], module} for line in apdus)
    ours = [line for line in apdus if line.get("activation") == activation]
    assert len(ours) > 10
    assert {line["reader"] for line in ours} == {readers[ours[0]["insertion"]], module}
    assert len({line["insertion"] for line in ours}) == 2
