"""The dashboard below a path that a real nginx puts in front, as Home Assistant does; in a real Chromium."""

import http.client
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.i18n import texts
from tests.dashboard.test_access import PASSWORD
from tests.support.harness import Browser, Dashboard, FakeNode, until
from tests.support.nginx import Nginx

EN = texts("en")
PLAIN = "/leaks"
INGRESS = "/api/hassio_ingress/5xkBvHsJrDmN-T0KEN_q"
ROW = '.fleet .node[data-node="{}"]'
PAGES = ("alerts", "cases", "map", "pipes", "quiet", "reports", "deploy", "settings", "help")


@pytest.fixture(scope="module")
def served(mqtt: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nginx, Dashboard]]:
    """Two dashboards behind one nginx: one with an account, one whose users the proxy names."""
    broker = f"mqtt://127.0.0.1:{mqtt.port}"
    plain = Dashboard(broker, tmp_path_factory.mktemp("plain"), "--proxy-address", "127.0.0.1")
    plain.add_user("ana", PASSWORD, "operate")
    named = ("--proxy-user-header", "X-Remote-User-Name", "--proxy-role", "operate")
    ingress = Dashboard(broker, tmp_path_factory.mktemp("ingress"), *named)
    with plain, ingress:
        users = {"X-Remote-User-Name": "josé", "X-Ingress-Path": INGRESS}
        with Nginx({PLAIN: (plain.url, {}), INGRESS: (ingress.url, users)}) as proxy:
            yield proxy, ingress


@pytest.fixture
def clean(browser: Browser) -> Iterator[Browser]:
    """The browser; at the end its console must hold no error."""
    browser.complaints()
    yield browser
    expected = ("401", "/favicon.ico")  # /api/me before the log-in; reports name no icon
    found = [text for text in browser.complaints() if not any(part in text for part in expected)]
    browser.driver.delete_all_cookies()
    browser.open("about:blank")
    assert found == []


def log_in(page: Browser) -> None:
    page.one('input[name="name"]').send_keys("ana")
    page.one('input[name="password"]').send_keys(PASSWORD)
    page.click("form.login button.primary")


def shown(page: Browser) -> str:
    return str(page.js("return location.pathname"))


@pytest.mark.parametrize("prefix", [PLAIN, INGRESS])
def test_every_page_and_live_update_works_below_a_path(
    clean: Browser, served: tuple[Nginx, Dashboard], mqtt: Any, prefix: str
) -> None:
    proxy, _ = served
    page, name = clean, f"pit-{len(prefix)}"
    with ExitStack() as stack:
        node = stack.enter_context(FakeNode(mqtt.port, name))
        node.online()
        node.report()
        page.open(f"{proxy.url}{prefix}/")
        if prefix == PLAIN:
            log_in(page)
        else:
            page.text(".who", "josé")
            assert not page.all(f'button[title="{EN["logout"]}"]'), "Home Assistant logs out, not the dashboard"
        page.text(f"{ROW.format(name)} .badge", EN["state.OK"])
        node.turn("LEAK", reason="Water runs.")
        page.text(f"{ROW.format(name)} .badge", EN["state.LEAK"])
        page.text(".toast", "Water runs.")
        page.click(ROW.format(name))
        page.text(".now .next", "What to do")
        assert shown(page) == f"{prefix}/node/site-a/{name}"
        page.click(".now .acknowledge")
        page.text(".now .entry .seen", "ana" if prefix == PLAIN else "josé")
        page.open(f"{proxy.url}{prefix}/node/site-a/{name}")
        page.text(".now .next", "What to do")
        for each in PAGES:
            page.click(f'a[href="{prefix}/{each}"]')
            until(lambda each=each: shown(page) == f"{prefix}/{each}", each)
            page.one("main")
            page.open(f"{proxy.url}{prefix}/{each}/")
            page.one(f'a[href="{prefix}/{each}"]')
        page.open(f"{proxy.url}{prefix}/map")
        page.one("main[data-drawn]")
        page.open(f"{proxy.url}{prefix}/cases")
        page.click(f'.case a.where[href^="{prefix}/cases/"]')
        page.one("main[data-version]")
        assert shown(page).startswith(f"{prefix}/cases/")
        page.driver.back()
        until(lambda: shown(page) == f"{prefix}/cases", "the list of cases")
        case = page.one(".case a.where").get_attribute("href").rpartition("/")[2]
        page.open(f"{proxy.url}{prefix}/api/reports/case/{case}?format=html")
        assert page.js("return document.styleSheets[0].cssRules.length") > 0, "the report has its style"
        page.open(f"{proxy.url}{prefix}/reports")
        page.one(f'a[data-report="pdf"][href^="{prefix}/api/reports/month"]')
    outside = [path for path in proxy.asked() if not path.startswith((f"{PLAIN}/", f"{INGRESS}/"))]
    assert outside in ([], ["/favicon.ico"]), "nothing was asked for outside the prefix"


def test_after_the_log_out_the_log_in_is_below_the_path(clean: Browser, served: tuple[Nginx, Dashboard]) -> None:
    proxy, _ = served
    clean.open(f"{proxy.url}{PLAIN}/alerts")
    log_in(clean)
    clean.click(f'button[title="{EN["logout"]}"]')
    until(lambda: shown(clean) == f"{PLAIN}/login", "the log-in")
    clean.one('input[name="password"]')


def ask(url: str, path: str, headers: list[tuple[str, str]]) -> tuple[int, bytes]:
    host, port = url.partition("//")[2].split(":")
    with closing(http.client.HTTPConnection(host, int(port))) as line:
        line.putrequest("GET", path)
        for name, value in headers:
            line.putheader(name, value)
        line.endheaders()
        answer = line.getresponse()
        return answer.status, answer.read()


def test_no_header_of_anybody_changes_a_page(served: tuple[Nginx, Dashboard]) -> None:
    proxy, ingress = served
    lies = [("X-Ingress-Path", "//evil.example"), ("X-Forwarded-Prefix", "/evil"), ("X-Forwarded-Host", "evil.example")]
    for url, path in ((ingress.url, "/alerts"), (proxy.url, f"{PLAIN}/alerts"), (proxy.url, f"{INGRESS}/cases/x")):
        honest, lied = ask(url, path, []), ask(url, path, lies)
        assert honest == lied
        assert honest[0] == 200
        assert b'"/' not in honest[1], "no address in it begins at the root of the host"


def test_who_the_proxy_lets_through_without_a_name_has_the_default_one(tmp_path: Path) -> None:
    options = ("--proxy-user-header", "X-Remote-User-Name", "--proxy-default-user", "home")
    with Dashboard("mqtt://127.0.0.1:1", tmp_path, *options) as behind:
        assert b'"name":"home"' in ask(behind.url, "/api/me", [])[1]
        twice = [("X-Remote-User-Name", "ana"), ("x-remote-user-name", "eve")]
        assert ask(behind.url, "/api/me", twice)[0] == 401, "one of them came from outside"
    elsewhere = (*options, "--proxy-address", "127.0.0.9")
    with Dashboard("mqtt://127.0.0.1:1", tmp_path, *elsewhere) as other:
        assert ask(other.url, "/api/me", [("X-Remote-User-Name", "ana")])[0] == 401, "it does not come from the proxy"
        assert urllib.request.urlopen(other.url).status == 200


def test_only_pages_of_the_same_origin_may_show_it_in_a_frame(served: tuple[Nginx, Dashboard]) -> None:
    proxy, _ = served
    with urllib.request.urlopen(f"{proxy.url}{INGRESS}/") as answer:
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
