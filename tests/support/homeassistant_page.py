"""Home Assistant's own page in a real Chromium, with one card on a dashboard of its own, as a person would add it."""

import json
import time
from typing import Any, Self

from tests.support.harness import Browser, until
from tests.support.homeassistant import CLIENT, HomeAssistant

__all__ = ["Page", "until"]

BOARD = "leakear-card"
TEXT = """
const walk = (node) => node.nodeType === 3 ? node.data : node.nodeName === 'STYLE' || node.nodeName === 'SCRIPT' ? '' :
  [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes].map(walk).join(' ');
return walk(document.querySelector('home-assistant') ?? document.body).replace(/\\s+/g, ' ');
"""
COUNT = """
const found = (node) => (node.matches?.(arguments[0]) ? 1 : 0) +
  [...(node.shadowRoot?.children ?? []), ...node.children].map(found).reduce((a, b) => a + b, 0);
return found(document.body);
"""


class Page:
    """The card, looked at. Text and elements are found through all shadow roots."""

    def __init__(self, home: HomeAssistant, card: dict[str, Any]) -> None:
        self.browser = Browser(1000, 1300)
        try:
            self._enter(home)
            self._ask("http/config/promote")  # else a dialogue asks whether the new port may stay
            self._ask("lovelace/dashboards/create", url_path=BOARD, title="Card", mode="storage", show_in_sidebar=True)
            self._ask("lovelace/config/save", url_path=BOARD, config={"views": [{"title": "Card", "cards": [card]}]})
            self.browser.open(f"{self.url}/{BOARD}/0")
        except BaseException:
            self.browser.quit()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.quit()

    def text(self) -> str:
        """All that can be read."""
        return str(self.browser.js(TEXT))

    def wait(self, wanted: str, seconds: float = 60) -> None:
        """Wait for a text."""
        until(lambda: wanted in self.text(), f"{wanted!r} on the page", seconds)

    def count(self, css: str) -> int:
        """How many elements match."""
        return int(self.browser.js(COUNT, css))

    def _enter(self, home: HomeAssistant) -> None:
        """Finish the onboarding, and log in as the page itself does after the password."""
        self.url = f"http://127.0.0.1:{home.port}"
        again = {"client_id": CLIENT, "redirect_uri": CLIENT}
        code = home.call("POST", "/api/onboarding/integration", again)["auth_code"]
        grant = {"grant_type": "authorization_code", "code": code, "client_id": CLIENT}
        tokens = home.call("POST", "/auth/token", grant, form=True)
        tokens |= {"hassUrl": self.url, "clientId": CLIENT, "expires": (time.time() + tokens["expires_in"]) * 1000}
        self.browser.open(f"{self.url}/static/icons/favicon.ico")
        self.browser.js("localStorage.setItem('hassTokens', arguments[0])", json.dumps(tokens))
        self.browser.open(self.url)
        until(
            lambda: self.browser.js("return !!document.querySelector('home-assistant')?.hass"), "Home Assistant's page"
        )

    def _ask(self, kind: str, **values: Any) -> Any:
        """Ask over the page's own connection."""
        ask = """const [message, done] = arguments;
            document.querySelector('home-assistant').hass.callWS(message)
                .then((answer) => done({answer}), (error) => done({error: error.message ?? String(error)}));"""
        answer = self.browser.driver.execute_async_script(ask, {"type": kind} | values)
        assert "error" not in answer, answer
        return answer["answer"]
