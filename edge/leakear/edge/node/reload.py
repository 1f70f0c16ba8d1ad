"""Reload (SIGHUP): takes over what may change while listening, without losing a window."""

import logging
from collections.abc import Callable
from dataclasses import fields, replace

from leakear.edge.errors import LeakearError
from leakear.edge.mqtt.dispatcher import Dispatcher
from leakear.edge.mqtt.link import Link
from leakear.edge.node.detector import Detector
from leakear.edge.node.reporter import Reporter
from leakear.edge.node.systemd import Notifier
from leakear.edge.settings import Settings

log = logging.getLogger("leakear.reload")

LIVE = ("decision", "log", "mqtt", "commands", "schedule")
"""sections that take effect at once; the others need a restart and are named in the log"""


class Reloader:
    """Applies changed settings to the parts of a running node."""

    def __init__(
        self,
        settings: Settings,
        detector: Detector,
        reporter: Reporter,
        *,
        link: Link | None,
        notifier: Notifier,
        dispatcher: Dispatcher | None,
    ) -> None:
        self.settings = settings
        """what is in force"""
        self._detector, self._reporter, self._link, self._notifier = detector, reporter, link, notifier
        self._dispatcher = dispatcher
        self._asked: Callable[[], Settings] | None = None

    def ask(self, read: Callable[[], Settings]) -> None:
        """Ask for a reload between two items; `read` gives the new settings. A signal handler may call it."""
        self._asked = read

    def reload_if_asked(self) -> None:
        """Reload if somebody asked. Settings that are wrong are logged and change nothing."""
        if self._asked is None:
            return
        read, self._asked = self._asked, None
        self._notifier.reloading()
        try:
            self.reload(read())
        except LeakearError as error:  # a wrong file must not stop a node that works
            log.error("configuration not reloaded, the old one stays in force: %s", error)  # noqa: TRY400
        self._notifier.ready()

    def reload(self, fresh: Settings) -> None:
        """Apply new settings. Raises ConfigError; then nothing has changed.

        A section that needs a restart stays as it is until then.
        """
        old, link = self.settings, self._link
        if link and fresh.mqtt != old.mqtt:
            link.check(fresh.mqtt)
        self._detector.reconfigure(fresh.decision)
        logging.getLogger().setLevel(fresh.log.level.upper())
        if link and fresh.mqtt != old.mqtt:
            link.reconfigure(fresh.mqtt)
        if self._dispatcher and fresh.commands != old.commands:
            self._dispatcher.configure(fresh.commands)
        changed = [item.name for item in fields(Settings) if getattr(fresh, item.name) != getattr(old, item.name)]
        waiting = [name for name in changed if name not in LIVE]
        self.settings = replace(old, **{name: getattr(fresh, name) for name in LIVE})
        self._reporter.save()
        self._reporter.send_state()
        log.info("configuration reloaded%s", f"; restart to apply: {', '.join(waiting)}" if waiting else "")
