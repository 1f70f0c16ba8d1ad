"""Addresses of reports: a month or a case as HTML or PDF, tables as CSV, visits as ICS, the health of the fleet."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.health.problems import to_json
from leakear.dashboard.i18n import LANGUAGES
from leakear.dashboard.pages.body import Refused
from leakear.dashboard.pages.handlers import ChangeLimits, root_of, route, span_of
from leakear.dashboard.reports.brand import Brand
from leakear.dashboard.reports.document import Document
from leakear.dashboard.reports.health import health_document
from leakear.dashboard.reports.hypertext import render_html
from leakear.dashboard.reports.paper import render_pdf
from leakear.dashboard.reports.source import Source
from leakear.dashboard.reports.tables import TABLES, table
from leakear.dashboard.reports.visits import calendar
from leakear.dashboard.service import Service


class Reports:
    """Handlers of /api/reports."""

    def __init__(self, service: Service, limits: ChangeLimits) -> None:
        self._service, self._limits = service, limits
        self._source = Source(service.history.engine)
        self._brand = Brand(service.options.brand_name, service.options.brand_logo)

    def routes(self) -> list[Route]:
        """Return the routes."""
        names = "|".join(TABLES)
        reading = self._limits.reading
        return [
            route("/api/reports/month", reading(self.month)),
            route("/api/reports/case/{id}", reading(self.case)),
            route("/api/reports/health", reading(self.health)),
            route("/api/reports/visits.ics", reading(self.visits)),
            *(route(f"/api/reports/{name}.csv", reading(self.table)) for name in names.split("|")),
        ]

    async def month(self, request: Request) -> Response:
        """Return the report of a month, `month=YYYY-MM`."""
        month, language = request.query_params.get("month", ""), _language(request)
        care = to_json(list(self._service.fleet))
        made = await asyncio.to_thread(self._source.month, month, language, self._brand, care)
        return await self._answer(request, made, f"leakear-{month}")

    async def case(self, request: Request) -> Response:
        """Return the report of a case."""
        case_id = request.path_params["id"]
        made = await asyncio.to_thread(self._source.case, case_id, _language(request), self._brand)
        if made is None:
            raise Refused(404, "This case is not known.")
        return await self._answer(request, made, f"leakear-case-{case_id[:13]}")

    async def health(self, request: Request) -> Response:
        """Return which nodes need care: as JSON, or with `format=html` or `pdf` what to do too."""
        care = to_json(list(self._service.fleet))
        if "format" not in request.query_params:
            return JSONResponse(care)
        made = health_document(care, time.time(), _language(request), self._brand)
        return await self._answer(request, made, "leakear-health")

    async def table(self, request: Request) -> Response:
        """Return a table as CSV."""
        name = request.url.path.rpartition("/")[2].removesuffix(".csv")
        text = await asyncio.to_thread(table, self._service.history.engine, name, span_of(request))
        return _file(text.encode("utf-8-sig"), "text/csv; charset=utf-8", f"leakear-{name}.csv")

    async def visits(self, _: Request) -> Response:
        """Return the open visits as a calendar."""
        cases = await asyncio.to_thread(self._service.cases.page, "open")
        content = calendar(cases, self._service.options.public_url, time.time())
        return _file(content, "text/calendar; charset=utf-8", "leakear-visits.ics")

    async def _answer(self, request: Request, made: Document, name: str) -> Response:
        if request.query_params.get("format") == "pdf":
            content = await asyncio.to_thread(render_pdf, made)
            return _file(content, "application/pdf", f"{name}.pdf")
        text = await asyncio.to_thread(render_html, made, sheet=f"{root_of(request)}static/css/report.css")
        return Response(text, media_type="text/html")


def _language(request: Request) -> str:
    language = request.query_params.get("language", "en")
    if language not in LANGUAGES:
        raise Refused(422, f"There is no language {language[:20]!a}: use {', '.join(LANGUAGES)}.")
    return language


def _file(content: bytes, kind: str, name: str) -> Response:
    return Response(content, headers={"content-type": kind, "content-disposition": f'attachment; filename="{name}"'})
