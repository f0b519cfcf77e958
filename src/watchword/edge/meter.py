"""Metrics of requests: plain counters on the way, Prometheus text when it is asked for."""

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

Gauge = Callable[[], float]


class Meter(Collector):
    """Counts answers by route and status, refusals by reason, and reads gauges when scraped."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, int], int] = {}
        self.seconds: dict[str, list[float]] = {}
        self.refusals: dict[str, int] = {}
        self._gauges: dict[str, tuple[str, Gauge]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def gauge(self, name: str, help_text: str, read: Gauge) -> None:
        """Add a gauge that is read at each scrape."""
        self._gauges[name] = (help_text, read)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        key = (route, status)
        self.answers[key] = self.answers.get(key, 0) + 1
        spent = self.seconds.get(route)
        if spent is None:
            spent = self.seconds[route] = [0.0, 0.0]
        spent[0] += 1
        spent[1] += seconds

    def refuse(self, code: str) -> None:
        """Count one refusal."""
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def collect(self) -> Iterable[Metric]:
        """Everything as Prometheus metrics."""
        answers = CounterMetricFamily(
            "watchword_requests", "Answers by route and status.", labels=["route", "status"]
        )
        for (route, status), count in list(self.answers.items()):
            answers.add_metric([route, str(status)], count)
        yield answers
        spent = SummaryMetricFamily("watchword_request_seconds", "Time per request.", labels=["route"])
        for route, (count_, total) in list(self.seconds.items()):
            spent.add_metric([route], count_value=int(count_), sum_value=total)
        yield spent
        refusals = CounterMetricFamily("watchword_refusals", "Refusals by reason.", labels=["code"])
        for code, count in list(self.refusals.items()):
            refusals.add_metric([code], count)
        yield refusals
        for name, (help_text, read) in self._gauges.items():
            yield GaugeMetricFamily(name, help_text, value=read())

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self._registry)
