"""What the page may ask for: the state of things, a level, a try, the writing. Answers are JSON values."""

import base64
import binascii
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from leakear.edge.audio.microphone import Source
from leakear.edge.cli.setup import answers, configuration, discovery, trial
from leakear.edge.cli.setup.answers import AnswerError, Answers
from leakear.edge.cli.setup.configuration import Plan
from leakear.edge.cli.setup.web.meter import Meter
from leakear.edge.errors import LeakearError
from leakear.edge.node.checks import Finding


class Session:
    """Answers the page. `done`: set when the configuration is written and the test alert was tried."""

    def __init__(self, config: Path, source: Source) -> None:
        self.done = threading.Event()
        self.meter = Meter(source)
        self.written = ""
        """the next step, for the console; empty: nothing is written"""
        self._config = config
        self._busy = threading.Lock()
        self.asks: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "state": self._state,
            "brokers": self._brokers,
            "level": self._level,
            "check": self._check,
            "try": self._try,
            "write": self._write,
        }
        """name of a question → its answer"""

    def ask(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one question; `error` and perhaps `key` in the answer say what is wrong."""
        try:
            return self.asks[name](given)
        except AnswerError as error:
            return {"error": str(error), "key": error.key}
        except LeakearError as error:
            return {"error": str(error)}
        except OSError as error:
            return {"error": f"{error.filename or self._config}: {error.strerror}"}

    def _state(self, _: Mapping[str, Any]) -> dict[str, Any]:
        found = self.meter.devices()
        return {
            "before": {"name": answers.default_name()} | configuration.before(self._config),
            "devices": [{"name": device.name, "text": device.name} for device in found],
            "config": str(self._config),
        }

    def _brokers(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"brokers": [each.url for each in discovery.brokers(discovery.WAIT_S)]}

    def _level(self, given: Mapping[str, Any]) -> dict[str, Any]:
        found = self.meter.level(answers.device(_text(given, "device")))
        if found is None:
            return {}
        return {"dbfs": found.dbfs, "share": found.share, "fault": found.fault, "sentence": found.sentence}

    def _check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check one answer."""
        checks: dict[str, Callable[[str], object]] = {
            "site": answers.site, "name": answers.name, "device": answers.device, "broker": answers.broker,
            "user": answers.user, "password": answers.password,
        }  # fmt: skip
        check = checks.get(_text(given, "key"))
        if check is not None:
            check(_text(given, "value"))
        return {}

    def _try(self, given: Mapping[str, Any]) -> dict[str, Any]:
        plan = self._plan(given)
        with self._busy:
            found = trial.connection(plan)
        return {"difference": plan.difference, "ok": not trial.failed(found), "broker": _said(found)}

    def _write(self, given: Mapping[str, Any]) -> dict[str, Any]:
        plan = self._plan(given)
        with self._busy:
            copies = configuration.write(plan)
            self.written = configuration.next_step(plan)
            found = trial.test_alert(plan)
        self.done.set()
        return {
            "ok": not trial.failed(found),
            "alert": _said(found),
            "copies": [str(copy) for copy in copies],
            "next": self.written,
        }

    def _plan(self, given: Mapping[str, Any]) -> Plan:
        return configuration.planned(self._config, _answers(given))


def _answers(given: Mapping[str, Any]) -> Answers:
    try:
        pem = base64.b64decode(_text(given, "ca"), validate=True)
    except binascii.Error:
        raise AnswerError("ca", "the CA file did not arrive whole: choose it again") from None
    texts = {key: _text(given, key) for key in ("site", "name", "device", "broker", "user", "password")}
    return answers.of(texts, pem)


def _text(given: Mapping[str, Any], key: str) -> str:
    value = given.get(key, "")
    if not isinstance(value, str):
        raise AnswerError(key, f"{key}: must be a text")
    return value


def _said(found: Finding) -> str:
    return trial.failed(found) or found.detail
