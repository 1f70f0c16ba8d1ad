"""Figures of a node for Prometheus: off until a port is chosen."""

from leakear.edge.metrics.exposition import CONTENT_TYPE, exposition
from leakear.edge.metrics.options import MetricsOptions
from leakear.edge.metrics.server import MetricsServer
from leakear.edge.metrics.snapshot import EVERY_S, Snapshot

__all__ = ["CONTENT_TYPE", "EVERY_S", "MetricsOptions", "MetricsServer", "Snapshot", "exposition"]
