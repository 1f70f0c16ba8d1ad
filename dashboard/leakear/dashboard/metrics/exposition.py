"""The figures of /metrics for Prometheus. No secret is among them; names of nodes are labels, with a limit."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from leakear.dashboard.fleet.node import ONLINE, Node
from leakear.dashboard.health.problems import problems
from leakear.dashboard.service import Service
from leakear.edge.messages.reports import STATES

MOST = 2000
"""nodes with series of their own; further ones are in the sums alone"""


class _Figures(Collector):
    """Reads the figures when somebody asks. `counts`: open alerts and events, read before."""

    def __init__(self, service: Service, counts: dict[str, int]) -> None:
        self._service, self._counts = service, counts

    def collect(self) -> Iterator[Metric]:
        """Yield all figures."""
        service, nodes = self._service, list(self._service.fleet)
        line = service.connection_status()
        yield GaugeMetricFamily("leakear_broker_connected", "1 while the broker is connected", float(line["connected"]))
        yield GaugeMetricFamily(
            "leakear_broker_heard", "1 once any node was heard on this connection", float(line["heard"])
        )
        yield GaugeMetricFamily(
            "leakear_trouble", "1 while the page shows a trouble of the dashboard", float(bool(line["trouble"]))
        )
        yield GaugeMetricFamily("leakear_open_alerts", "alerts nobody has acknowledged", self._counts["open"])
        yield CounterMetricFamily("leakear_dropped_messages", "messages dropped for room or rate", line["dropped"])
        yield CounterMetricFamily("leakear_unreadable_messages", "messages that could not be read", line["unread"])
        yield CounterMetricFamily("leakear_refused_events", "events that the database refused", service.history.refused)
        yield GaugeMetricFamily("leakear_pages", "open pages", len(service.hub))
        yield _by("leakear_notifications_waiting", "alerts that wait for an address that fails", "address",
                  [(str(one["number"]), one["waiting"]) for one in service.notifier.states()])  # fmt: skip
        yield _by("leakear_nodes", "nodes by state", "state", [(s, sum(n.state == s for n in nodes)) for s in STATES])
        yield _by("leakear_nodes_with_problem", "nodes by what is wrong", "problem",
                  [(kind, len(rows)) for kind, rows in problems(nodes).items()])  # fmt: skip
        yield from _of_nodes(nodes[:MOST])


def _by(name: str, text: str, label: str, rows: list[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, figure in rows:
        family.add_metric([value], figure)
    return family


def _of_nodes(nodes: list[Node]) -> Iterator[Metric]:
    """Yield the series of each node: a name of a site or node has at most 64 letters, digits and dashes."""
    families = {
        name: GaugeMetricFamily(f"leakear_node_{name}", text, labels=["site", "node"])
        for name, text in (("up", "1 while the node is heard"), ("leak", "1 while it reports a leak"),
                           ("fault", "1 while it is deaf or faulty"),
                           ("last_seen_timestamp_seconds", "when it was heard last"),
                           ("queue", "events that wait on the node"), ("score", "P(leak) of its last window"),
                           ("clock_synced", "1 while its clock is synchronised"))
    }  # fmt: skip
    for node in nodes:
        values = {
            "up": float(node.presence == ONLINE), "leak": float(node.state == "LEAK"),
            "fault": float(node.state == "SENSOR_FAULT" or bool(node.report and node.report.faults)),
            "last_seen_timestamp_seconds": node.last_seen, "queue": node.queue, "score": node.score,
            "clock_synced": float(node.report.clock_synced) if node.report else None,
        }  # fmt: skip
        for name, value in values.items():
            if value is not None:
                families[name].add_metric([node.site, node.name], value)
    yield from families.values()


def exposition(service: Service, counts: dict[str, int]) -> bytes:
    """Return the text of /metrics."""
    registry = CollectorRegistry()
    registry.register(_Figures(service, counts))
    return generate_latest(registry)
