"""SIGHUP: take what may change while listening (decision rule, log level, broker) without losing a window."""

import logging
from dataclasses import fields, replace

from leakear.edge.decision.state_machine import rule_from
from leakear.edge.node import detector
from leakear.edge.node.node import Node
from leakear.edge.settings import Settings

log = logging.getLogger("leakear.reload")

LIVE = ("decision", "log", "mqtt", "commands")
"""sections that take effect at once; the others need a restart and are named in the log"""


def reload(node: Node, fresh: Settings) -> None:
    """Apply new settings to a running node. Raises ConfigError; then nothing has changed.

    What needs a restart stays as it is until then, also for whoever looks it up later (another step, another model).
    """
    old = node.settings
    merged = replace(old, **{name: getattr(fresh, name) for name in LIVE})
    if node.link and fresh.mqtt != old.mqtt:
        node.link.check(fresh.mqtt)
    detector.apply(node, rule_from(node.model.info.decision, fresh.decision))
    logging.getLogger().setLevel(fresh.log.level.upper())
    if node.link and fresh.mqtt != old.mqtt:
        node.link.reconfigure(fresh.mqtt)
    waiting = [
        item.name
        for item in fields(Settings)
        if item.name not in LIVE and getattr(fresh, item.name) != getattr(old, item.name)
    ]
    node.settings = merged
    node.send_state()
    log.info("configuration reloaded%s", f"; restart to apply: {', '.join(waiting)}" if waiting else "")
