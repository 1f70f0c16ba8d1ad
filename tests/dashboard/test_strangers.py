"""Who has no log-in, or comes from another web site: asked of every route that there is, also of those added later."""

import http.client
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.routing import Mount, Route, WebSocketRoute

from leakear.dashboard.history.tables import open_database
from leakear.dashboard.options import ServeOptions
from leakear.dashboard.pages.app import PAGES, build
from tests.dashboard.test_access import PASSWORD, Client, handshake
from tests.support.certificates import Authority
from tests.support.harness import Dashboard
from tests.support.suites import offered, suites

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
OPEN = {"/static", "/favicon.ico", "/api/login", *PAGES, *(f"{path}/" for path in PAGES)}
"""routes that show the page itself or the log-in"""
ELSEWHERE: list[dict[str, str]] = [
    {"origin": "https://evil.example"}, {"origin": "null"}, {"content_type": "text/plain"},
    {"content_type": "application/x-www-form-urlencoded"}, {"content_type": "multipart/form-data; boundary=x"},
]  # fmt: skip
"""what a page of another web site can send without being asked first"""
CLIMBS = [
    "/static/../cli.py", "/static/%2e%2e/cli.py", "/static/..%2fcli.py", "/static/%2e%2e%2fcli.py",
    "/static/..%5ccli.py",
    "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/....//cli.py", "/static/%252e%252e/cli.py",
    "/static/js/../../cli.py", "/static/%c0%ae%c0%ae/cli.py", "/static/..;/cli.py", "/static/..%00/cli.py",
    "/../../../etc/passwd", "/api/alerts/..%2f..%2fdashboard.sqlite/clip", "/api/alerts/%2e%2e/clip?family=../../audio",
    "/node/..%2f..%2fetc/passwd", "//etc/passwd", "/static/.", "/static/%00",
]  # fmt: skip


def routes() -> list[Route | Mount | WebSocketRoute]:
    history = SimpleNamespace(engine=open_database("sqlite://", make=True))
    options = ServeOptions(host="127.0.0.1")
    service: Any = SimpleNamespace(
        users=None, cases=None, start_token="t", history=history, options=options, tries=None
    )
    service.hub = SimpleNamespace(relay=None)
    return list(build(service).routes)  # type: ignore[arg-type]


def filled(path: str) -> str:
    """The path of a route with something for each of its parameters."""
    return re.sub(r"\{[^}]*\}", "a", path)


GUARDED = [filled(route.path) for route in routes() if isinstance(route, Route) and route.path not in OPEN]
CHANGING = [filled(route.path) for route in routes() if isinstance(route, Route) and "POST" in (route.methods or ())]


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """One with users and no broker behind it."""
    made = Dashboard("mqtt://127.0.0.1:1", tmp_path_factory.mktemp("dashboard"))
    made.add_user("ana", PASSWORD, "operate")
    made.add_user("vera", PASSWORD, "view")
    with made:
        yield made


def raw(url: str, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, bytes]:
    """Ask for a path as it stands, without what a client library tidies up."""
    with closing(http.client.HTTPConnection(url.partition("//")[2], timeout=20)) as line:
        line.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            line.putheader(name.replace("_", "-"), value)
        if body is not None:
            line.putheader("content-length", str(len(body)))
        line.endheaders(None if body is None else body.encode())
        answer = line.getresponse()
        return answer.status, answer.read()


def test_no_route_gives_anything_without_log_in(dashboard: Dashboard) -> None:
    assert len(GUARDED) >= 11
    own = {"origin": dashboard.url, "content_type": "application/json"}
    for path in GUARDED:
        for method in METHODS:
            body = "{}" if method not in ("GET", "HEAD", "TRACE") else None
            status, answer = raw(dashboard.url, method, path, body, **own)
            assert status == 401, (method, path)
            assert answer in (b"", b'{"error":"Log in first.","start":false}'), (method, path)
        assert raw(dashboard.url, "GET", path, cookie="leakear_session=guess; __Host-leakear_session=x")[0] == 401
        assert raw(dashboard.url, "GET", path, authorization="Bearer t")[0] == 401
    assert handshake(dashboard.url, origin=dashboard.url) == 403


@pytest.mark.parametrize(
    "way", ["/{0}", "//{0}", "/./{0}", "/x/../{0}", "/{0}/", "/{0}%2f", "/{0}%00", "/{0};x", "/%2f{0}"]
)
def test_other_ways_to_write_a_path_lead_nowhere(dashboard: Dashboard, way: str) -> None:
    for path in GUARDED:
        for written in (path.upper(), path):
            status, answer = raw(dashboard.url, "GET", way.format(written.lstrip("/")))
            assert status in (301, 307, 400, 401, 404), (written, status)
            assert b"rows" not in answer


def test_no_path_leads_out_of_the_pages_files(dashboard: Dashboard) -> None:
    ana = Client(dashboard.url).log_in("ana")
    for path in CLIMBS:
        status, answer = raw(dashboard.url, "GET", path, cookie=ana.headers["cookie"])
        page = b'<div id="app"></div>' in answer
        assert status in (400, 404, 405) or page, (path, status)
        assert b"root:" not in answer
        assert b"import" not in answer


def test_no_route_takes_a_change_from_another_web_site(dashboard: Dashboard) -> None:
    ana = Client(dashboard.url).log_in("ana")
    assert {"/api/login", "/api/logout", "/api/nodes/a/a/forget"} <= set(CHANGING)
    for path in CHANGING:
        for headers in ELSEWHERE:
            assert ana.ask(path, {}, **headers)[0] in (403, 415), (path, headers)
    assert ana.ask("/api/me")[0] == 200, "still logged in"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_web_site_has_no_data_fetched(dashboard: Dashboard, site: str) -> None:
    """Behind a proxy that logs people in, the browser's cookie may go with a request of any page."""
    ana = Client(dashboard.url).log_in("ana")
    for path in GUARDED:
        assert ana.ask(path, sec_fetch_site=site)[0] == 403, path
        assert ana.ask(path, sec_fetch_site="same-origin")[0] != 403, path
    assert ana.ask("/", sec_fetch_site=site)[0] == 200, "a link to the page"
    cookie = ana.headers["cookie"]
    assert handshake(dashboard.url, origin=dashboard.url, cookie=cookie, **{"sec-fetch-site": site}) == 403


def test_a_log_in_takes_no_session_that_somebody_else_has_chosen(dashboard: Dashboard) -> None:
    chosen = "A" * 43
    stranger = Client(dashboard.url)
    status, _, headers = stranger.ask(
        "/api/login", {"name": "ana", "password": PASSWORD}, cookie=f"leakear_session={chosen}"
    )
    given = headers["set-cookie"].split(";")[0]
    assert status == 200
    assert chosen not in given
    assert stranger.ask("/api/me", cookie=f"leakear_session={chosen}")[0] == 401
    _, _, headers = stranger.ask("/api/login", {"name": "vera", "password": PASSWORD}, cookie=given)
    second = headers["set-cookie"].split(";")[0]
    assert second != given, "each log-in has a session of its own"
    assert json.loads(stranger.ask("/api/me", cookie=given)[1])["name"] == "ana"
    assert json.loads(stranger.ask("/api/me", cookie=second)[1])["name"] == "vera"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_and_weak_suites_are_refused(tmp_path: Path) -> None:
    page = Authority(tmp_path).issue("page")
    options = ("--certificate", str(page.certificate), "--key", str(page.key))
    with Dashboard("mqtt://127.0.0.1:1", tmp_path, *options) as made:
        host, port = made.url.partition("//")[2].split(":")
        for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            assert offered(host, int(port), old) is None
        assert offered(host, int(port), ssl.TLSVersion.TLSv1_3)
        taken = [name for name in suites() if offered(host, int(port), ssl.TLSVersion.TLSv1_2, name)]
        assert taken
        assert [name for name in taken if not re.match(r"ECDHE-.*(GCM|CHACHA20)", name)] == []
