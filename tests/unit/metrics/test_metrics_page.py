import importlib.util
import re
from pathlib import Path

import cardd
from cardd.metrics.hearing import _COUNTED
from cardd.metrics.rows import ROWS
from cardd.wire.event_types import EVENTS

ROOT = Path(cardd.__file__).parents[1]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_page_has_every_figure_as_it_is_measured() -> None:
    spec = importlib.util.spec_from_file_location("metrics_page", ROOT / "tools" / "metrics_page.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.page(PAGE) == PAGE, "run tools/metrics_page.py"
    assert tool.page(PAGE.replace("processor time used", "?")) == PAGE


def test_what_somebody_is_woken_for_is_measured() -> None:
    told = PAGE.split("<!-- figures -->")[0]
    samples = {row.sample for row in ROWS.values()}
    woken = set(re.findall(r"\bcardd_[a-z_]+\b", told))
    assert len(woken) >= 7
    assert woken <= samples


def test_what_is_counted_by_is_told_by_events_of_that_type() -> None:
    assert _COUNTED.keys() <= EVENTS.keys()
    by = {
        "card.inserted": {"role"},
        "card.identified": {"kind", "generation", "authentic"},
        "card.rejected": {"reason"},
        "card.removed": {"cause"},
        "activation.started": {"route"},
        "activation.completed": {"route", "outcome"},
        "activation.refused": {"route", "reason"},
        "activation.cancelled": {"route"},
        "activation.expired": {"route"},
        "account.debited": {"outcome"},
        "account.loaded": {"outcome"},
        "pcsc.down": {"reason"},
        "access.denied": {"right", "count"},
        "personal.disclosed": {"method"},
    }
    for name in _COUNTED:
        assert by.get(name, set()) <= set(EVENTS[name].data.__struct_fields__), name
