"""A page of bench.ingest in a real Chromium: which alerts it shows, when, and how its memory grows."""

import time
from typing import Any

from bench.ingest_fleet import made
from tests.support.harness import Browser, Dashboard, until

WATCH = """window.came = {}; window.shown = {};
const look = () => {
  for (const toast of document.querySelectorAll('.toast')) window.shown[toast.dataset.id] ??= Date.now() / 1000;
  requestAnimationFrame(look);
};
new MutationObserver((changes) => {
  for (const change of changes) for (const node of change.addedNodes)
    if (node.dataset?.id) window.came[node.dataset.id] = (window.came[node.dataset.id] ?? 0) + 1;
}).observe(document.querySelector('.toasts'), { childList: true });
requestAnimationFrame(look);"""


class RealPage:
    """The fleet's page, watched from when it is open: which alerts are put into it, and which were in a frame."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._browser = Browser(1440, 900, "--enable-precise-memory-info")
        self._browser.open(dashboard.url)
        self._browser.one('.line:not([data-line="down"])')
        self._browser.one(".toasts")
        self._browser.js(WATCH)
        self.heap_at_first = self.heap()

    def close(self) -> None:
        """End the browser."""
        self._browser.quit()

    def heap(self) -> float:
        """Return the used heap after a collection, MiB."""
        self._browser.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        return float(self._browser.js("return performance.memory.usedJSHeapSize")) / 2**20

    def wait(self, count: int, seconds: float = 30) -> None:
        """Wait until so many alerts have come, or for so long."""
        began = time.monotonic()
        until(lambda: len(self.came()) >= count or time.monotonic() - began > seconds, "the alerts", seconds + 30)

    def came(self) -> dict[str, int]:
        """Return how often each alert was put into the page."""
        found: dict[str, int] = self._browser.js("return window.came")
        return found

    def latencies(self) -> list[float]:
        """Return, of each alert that was on the screen, the seconds since the time in its id."""
        shown: dict[str, Any] = self._browser.js("return window.shown")
        return [float(at) - made(each) for each, at in shown.items()]
