"""The figures as text, by prometheus_client, whose import is dear and so waits until somebody asks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest as prometheus_text
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_text
from prometheus_client.registry import Collector, CollectorRegistry

from cardd.metrics.book import Figures, Labels, Times
from cardd.metrics.rows import ROWS, Kind, Row

_UNITS: Final = ("seconds", "bytes")


def _openmetrics(figures: Figures) -> str:
    text: bytes = openmetrics_text(_registry(figures))  # type: ignore[no-untyped-call] # the library says no types here
    return text.decode()


def _prometheus(figures: Figures) -> str:
    return prometheus_text(_registry(figures)).decode()


FORMS: Final[Mapping[str, Callable[[Figures], str]]] = MappingProxyType(
    {"openmetrics": _openmetrics, "prometheus": _prometheus}
)
"""OpenMetrics 1.0, for `system.metrics`; the older text format 0.0.4, which alone node_exporter takes from files."""


def _registry(figures: Figures) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Collector(figures))
    return registry


class _Collector(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        for name, row in ROWS.items():
            yield _FAMILIES[row.kind](row, self._figures.get(name, {}))


def _counter(row: Row, values: Mapping[Labels, float | Times]) -> Metric:
    family = CounterMetricFamily(row.name, row.tells, labels=row.labels)
    for labels, value in _numbers(values):
        family.add_metric(labels, value)
    return family


def _gauge(row: Row, values: Mapping[Labels, float | Times]) -> Metric:
    family = GaugeMetricFamily(row.name, row.tells, labels=row.labels, unit=_unit(row))
    for labels, value in _numbers(values):
        family.add_metric(labels, value)
    return family


def _histogram(row: Row, values: Mapping[Labels, float | Times]) -> Metric:
    family = HistogramMetricFamily(row.name, row.tells, labels=row.labels, unit=_unit(row))
    bounds = [*map(str, row.bounds), "+Inf"]
    for labels, times in values.items():
        if isinstance(times, Times):
            buckets = list(zip(bounds, accumulate(times.counts), strict=True))
            family.add_metric(labels, buckets, times.seconds)
    return family


def _numbers(values: Mapping[Labels, float | Times]) -> Iterator[tuple[Labels, float]]:
    return ((labels, value) for labels, value in values.items() if not isinstance(value, Times))


def _unit(row: Row) -> str:
    return next((unit for unit in _UNITS if row.name.endswith(f"_{unit}")), "")


_FAMILIES: Final = {Kind.COUNTER: _counter, Kind.GAUGE: _gauge, Kind.HISTOGRAM: _histogram}
