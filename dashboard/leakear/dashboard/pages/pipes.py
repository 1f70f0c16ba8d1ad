"""Pipes and what was located on them: the page's data, and files for others."""

import asyncio
import csv
import io
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.history import Row
from leakear.dashboard.locate.pipes import MATERIALS
from leakear.dashboard.pages.body import Refused, json_object
from leakear.dashboard.pages.handlers import ChangeLimits, route
from leakear.dashboard.pipes.description import Described
from leakear.dashboard.pipes.jobs import Jobs
from leakear.dashboard.service import Service
from leakear.edge.messages.recordings import LONGEST_S, SHORTEST_S

BODY = 4096
"""bytes of a request at most"""
COLUMNS = (
    "asked", "heard", "cause", "asked_by", "state", "position_m", "interval_50_low_m", "interval_50_high_m",
    "interval_95_low_m", "interval_95_high_m", "quality", "score", "required", "refusal", "reason",
    "clock_uncertainty_s", "drift_ppm", "seconds", "id",
)  # fmt: skip


class PipesApi:
    """Handlers of /api/pipes and /api/locations."""

    def __init__(self, service: Service, limits: ChangeLimits) -> None:
        self._service, self._limits = service, limits

    @property
    def _jobs(self) -> Jobs:
        return self._service.locating.jobs

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            route("/api/pipes", self._limits.reading(self.pipes)),
            route("/api/pipes", self._limits.changing(self.add), "POST"),
            route("/api/pipes/{id}", self._limits.reading(self.pipe)),
            route("/api/pipes/{id}", self._limits.changing(self.change), "POST"),
            route("/api/pipes/{id}/remove", self._limits.changing(self.remove), "POST"),
            route("/api/pipes/{id}/locate", self._limits.changing(self.locate), "POST"),
            route("/api/pipes/{id}/locations.csv", self._limits.reading(self.table)),
            route("/api/certainties", self._limits.reading(self.certainties)),
            route("/api/locations/{id}", self._limits.reading(self.location)),
            route("/api/locations/{id}/report", self._limits.reading(self.report)),
            route("/api/locations/{id}/cancel", self._limits.changing(self.cancel), "POST"),
        ]

    async def pipes(self, _request: Request) -> Response:
        """Return all pipes, each with what was located last."""
        rows = await asyncio.to_thread(self._jobs.pipes.all)
        last = await asyncio.to_thread(self._jobs.locations.latest)
        shown = [row | {"last": self._live(last[row["id"]]) if row["id"] in last else None} for row in rows]
        return JSONResponse({"pipes": shown, "materials": list(MATERIALS)})

    async def add(self, request: Request) -> Response:
        """Store a new pipe."""
        described = Described.of(await json_object(request, BODY))
        row = await asyncio.to_thread(self._jobs.pipes.add, described, request.state.user.name)
        return self._changed(row)

    async def pipe(self, request: Request) -> Response:
        """Return a pipe and what was located on it, the newest first."""
        row = await self._row(request)
        found = await asyncio.to_thread(self._jobs.locations.of_pipe, row["id"])
        return JSONResponse({"pipe": row, "locations": [self._live(one) for one in found]})

    async def change(self, request: Request) -> Response:
        """Change a pipe."""
        row = await self._row(request)
        described = Described.of(await json_object(request, BODY))
        changed = await asyncio.to_thread(self._jobs.pipes.change, row["id"], described, request.state.user.name)
        return self._changed(changed or row)

    async def remove(self, request: Request) -> Response:
        """Remove a pipe with what was located on it."""
        row = await self._row(request)
        if self._jobs.of_pipe(row["id"]) is not None:
            raise Refused(409, "This pipe is being located: wait until that has ended, or cancel it.")
        await asyncio.to_thread(self._jobs.pipes.remove, row["id"], request.state.user.name)
        self._service.hub.broadcast({"t": "pipes"})
        return JSONResponse({"ok": True})

    async def locate(self, request: Request) -> Response:
        """Ask both nodes of a pipe for a recording, and locate."""
        row, body = await self._row(request), await json_object(request, BODY)
        seconds = body.get("seconds", 30)
        if not isinstance(seconds, int | float) or not SHORTEST_S <= seconds <= LONGEST_S:
            raise Refused(422, "A recording has 5 to 60 s.")
        job = await self._jobs.ask(row["id"], "person", request.state.user.name, seconds=float(seconds))
        return JSONResponse({"location": job})

    async def cancel(self, request: Request) -> Response:
        """End a job."""
        if not await self._jobs.cancel(request.path_params["id"], request.state.user.name):
            raise Refused(404, "This has ended already.")
        return JSONResponse({"ok": True})

    async def location(self, request: Request) -> Response:
        """Return a result with its curves and its pipe: also the file for other programs."""
        row = await self._location(request)
        curves = await asyncio.to_thread(self._jobs.locations.curves, row["id"])
        pipe = await asyncio.to_thread(self._jobs.pipes.get, row["pipe"])
        headers = _attached(f"leakear-{row['id']}.json") if "download" in request.query_params else {}
        return JSONResponse({"location": self._live(row), "curves": curves, "pipe": pipe}, headers=headers)

    async def report(self, request: Request) -> Response:
        """Return the page with all curves that the command writes, as a file: its style is inside it."""
        row = await self._location(request)
        page = await asyncio.to_thread(self._jobs.locations.report, row["id"])
        if page is None:
            raise Refused(404, "There is no report: nothing was correlated.")
        return Response(page, media_type="text/html", headers=_attached(f"leakear-{row['id']}.html"))

    async def table(self, request: Request) -> Response:
        """Return all that was located on a pipe as a table."""
        row = await self._row(request)
        found = await asyncio.to_thread(self._jobs.locations.of_pipe, row["id"])
        text = await asyncio.to_thread(_table, found)
        name = f"leakear-{row['node_a']}-{row['node_b']}.csv"
        return Response(text, media_type="text/csv", headers=_attached(name))

    async def certainties(self, _request: Request) -> Response:
        """Return what correlating says of recent alerts, by their id."""
        return JSONResponse({"certainties": await asyncio.to_thread(self._service.locating.certainties)})

    async def _row(self, request: Request) -> Row:
        row = await asyncio.to_thread(self._jobs.pipes.get, request.path_params["id"])
        if row is None:
            raise Refused(404, "This pipe is not known.")
        return row

    async def _location(self, request: Request) -> Row:
        row = await asyncio.to_thread(self._jobs.locations.get, request.path_params["id"])
        if row is None:
            raise Refused(404, "This location is not known.")
        return row

    def _live(self, row: Row) -> Row:
        """Return a stored job with how far it is now."""
        job = self._jobs.of_pipe(row["pipe"])
        return self._jobs.shown(job) if job is not None and job.row["id"] == row["id"] else row

    def _changed(self, row: Row) -> Response:
        self._service.hub.broadcast({"t": "pipes"})
        return JSONResponse({"pipe": row})


def _table(found: Iterable[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for row in found:
        result: dict[str, Any] = row["result"]
        cells = {**result, **row, "reason": row["reason"] or result.get("reason") or ""}
        for share in ("50", "95"):
            low, high = result.get(f"interval_{share}_m") or ("", "")
            cells |= {f"interval_{share}_low_m": low, f"interval_{share}_high_m": high}
        writer.writerow({name: _cell(value) for name, value in cells.items()})
    return out.getvalue()


def _cell(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _attached(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}
