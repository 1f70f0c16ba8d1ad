"""The web application: one page for all addresses, its files, its data, and its WebSocket.

All addresses in its answers are relative: a proxy may serve it below any path (decision 172).
"""

from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from leakear.dashboard.pages.access import Access
from leakear.dashboard.pages.api import Api
from leakear.dashboard.pages.cases import CasePages
from leakear.dashboard.pages.deploy import Deploy
from leakear.dashboard.pages.fleet import FleetPages
from leakear.dashboard.pages.gate import Gate
from leakear.dashboard.pages.handlers import ChangeLimits, root_of
from leakear.dashboard.pages.live import Live
from leakear.dashboard.pages.login import Login
from leakear.dashboard.pages.map import MapPages
from leakear.dashboard.pages.operation.metrics import Metrics
from leakear.dashboard.pages.operation.quiet import QuietPages
from leakear.dashboard.pages.operation.reports import Reports
from leakear.dashboard.pages.operation.settings import Settings
from leakear.dashboard.pages.pipes import PipesApi
from leakear.dashboard.service import Service

STATIC = Path(str(files("leakear.dashboard").joinpath("static")))
_PAGES = (
    "/", "/alerts", "/cases", "/cases/{id}", "/deploy", "/help", "/login", "/map", "/node/{site}/{node}", "/pipes",
    "/pipes/{id}", "/quiet", "/reports", "/settings",
)  # fmt: skip
PAGES = (*_PAGES, *(f"{path}/" for path in _PAGES[1:]))
"""addresses that all get the one page, which shows what its address says"""


class Assets(StaticFiles):
    """The page's files. The browser must ask each time whether they changed, so that an update is visible at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file with `cache-control: no-cache`."""
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = "no-cache"
        return answer


def build(service: Service) -> Starlette:
    """Make the application around a service."""
    options = service.options
    access = Access(service.users, options, service.start_token)

    index = (STATIC / "index.html").read_text(encoding="utf-8")

    async def page(request: Request) -> Response:
        return HTMLResponse(index.replace("{root}", root_of(request)), headers={"cache-control": "no-cache"})

    limits = ChangeLimits()
    routes = [
        Mount("/static", GZipMiddleware(Assets(directory=STATIC))),
        Route("/favicon.ico", lambda _request: FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")),
        *Login(service.users, access, service.tries, service.hub.relay).routes(),
        *Api(service, limits).routes(),
        *FleetPages(service, limits).routes(),
        *CasePages(service, limits).routes(),
        *Deploy(service, limits).routes(),
        *PipesApi(service, limits).routes(),
        *MapPages(service, limits).routes(),
        *QuietPages(service, limits).routes(),
        *Settings(service, limits).routes(),
        *Reports(service, limits).routes(),
        *Metrics(service).routes(),
        WebSocketRoute("/live", Live(service).serve),
        *(Route(path, page) for path in PAGES),
    ]
    gate = Middleware(Gate, access=access, options=options)
    made = Starlette(routes=routes, middleware=[gate])
    made.router.redirect_slashes = False  # it would redirect to an address that a proxy does not know
    return made
