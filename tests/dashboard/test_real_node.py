"""The page and the real daemon: what the one says the other understands, both ways."""

import io
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.i18n import texts
from tests.support.harness import Browser, Dashboard, until

EN = texts("en")


def test_a_leak_is_shown_judged_and_exported_for_training(browser: Browser, broker: Any, tmp_path: Path) -> None:
    dataset = pytest.importorskip("leakear.train.data.dataset")
    command = [sys.executable, "-m", "tests.support.real_node", str(broker.port), str(tmp_path / "state")]
    with Dashboard(f"mqtt://127.0.0.1:{broker.port}", tmp_path) as dashboard:
        dashboard.ready()
        node = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        assert node.stdin is not None
        try:
            browser.open(dashboard.url + "/node/hill/pit-7")
            browser.text(".badge.large", EN["state.OK"], timeout=60)
            print("leak", file=node.stdin, flush=True)
            browser.text(".badge.large", EN["state.LEAK"], timeout=60)
            play_the_clip(browser)
            command_it(browser)
            browser.click("button.watch")
            until(
                lambda: int(browser.one("section:has(button.watch) .waterfall").get_attribute("data-count") or 0) > 3,
                "spectra",
            )
            judge(browser, "LEAK", "leak")
            judge(browser, "WARNING", "false-alarm")
            print("deaf", file=node.stdin, flush=True)
            browser.text(".badge.large", EN["state.SENSOR_FAULT"], timeout=60)
            browser.text(".chip", EN["fault.no_frames"])
            node.terminate()
            browser.text(".badge", EN["state.offline"], timeout=60)
            assert EN["fact.missing"] not in browser.one(".facts").text
        finally:
            node.kill()
            node.wait()
            found = browser.complaints()
            browser.open("about:blank")  # before the dashboard goes
        with urllib.request.urlopen(dashboard.url + "/api/export") as answer:
            zipfile.ZipFile(io.BytesIO(answer.read())).extractall(tmp_path / "field")
    assert sorted(recording.label for recording in dataset.load(tmp_path / "field")) == ["Leak", "NoLeak"]
    assert found == []


def play_the_clip(browser: Browser) -> None:
    leak = '.entry[data-subject="LEAK"]'
    browser.click(f"{leak} .fetch")
    browser.one(f'{leak} .waterfall[data-drawn="yes"]', timeout=60)
    until(lambda: browser.js("return document.querySelector('audio').duration >= 10"), "ten seconds of sound")


def command_it(browser: Browser) -> None:
    for name in ("identify", "status", "selftest"):
        browser.click(f'[data-command="{name}"]')
        browser.one(f'[data-answer="{name}"][data-ok="true"]', timeout=40)
    browser.one('input[name="threshold"]').send_keys("0.44")
    sure(browser, '[data-form="setthreshold"] button')
    browser.one('[data-answer="set"][data-ok="true"]')
    browser.text(".facts dd", "0.44")
    sure(browser, '[data-form="setmute"] button')
    browser.text(".chip", EN["muted.until"].split("{")[0])
    browser.click('[data-command="calibrate-status"]')
    browser.one('[data-answer="calibrate"][data-ok="true"]')


def sure(browser: Browser, button: str) -> None:
    """Press it twice: what changes a node asks once more."""
    for _ in range(2):
        browser.click(button)


def judge(browser: Browser, subject: str, verdict: str) -> None:
    """The clip comes with the verdict, where it is not here yet."""
    entry = f'.entry[data-subject="{subject}"]'
    browser.click(f"{entry} .judge")
    browser.click(f'{entry} input[value="{verdict}"]')
    browser.click(f"{entry} form button")
    browser.text(f"{entry} .badge", EN[f"verdict.{verdict}"])
    browser.one(f"{entry} .listen")
