"""What systemd is told: ready, alive, status line (sd_notify(3): datagrams to $NOTIFY_SOCKET), and log lines.

The watchdog is fed by the main loop when a window was judged or a fault was reported on purpose, never by a timer: a
blocked pipeline must be restarted.
"""

import logging
import os
import socket
import sys
import time


class Notifier:
    """Sends notifications to the service manager; does nothing where there is none."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._status = ""
        self._fed = 0.0

    def ready(self) -> None:
        """Report that the start is complete."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report that the configuration is being reloaded, until `ready`."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the daemon is stopping."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog, at most once a second."""
        now = time.monotonic()
        if now - self._fed >= 1:
            self._fed = now
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows, when it changed."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            try:
                channel.sendto(message.encode(), self._address)
            except OSError:  # the manager is gone or restarting: it will ask again with its watchdog
                self._status = ""


def log_to_stderr(level: str, without: str = "") -> None:
    """Send log lines to standard error with the priorities journald reads (sd-daemon(3): `<4>…`).

    `level`: of [log]. `without`: format of a message that is left out, because the caller shows it in another way.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: record.msg != without)
    handler.setFormatter(_JournalFormatter("%(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class _JournalFormatter(logging.Formatter):
    """Prefixes the syslog priority where journald listens."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not _under_journald():
            return text
        priority = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4}.get(record.levelno, 3)
        return f"<{priority}>{text}"


def _under_journald() -> bool:
    return "JOURNAL_STREAM" in os.environ
