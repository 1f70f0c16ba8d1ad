"""The page's data: history, alerts, commands, clips. Permissions are checked here, not in the page."""

import asyncio
import json
import tempfile
import time

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.accounts.users import LOCAL
from leakear.dashboard.cases.going import open_at
from leakear.dashboard.evidence.fetch import fetch_clip
from leakear.dashboard.evidence.manifest import write_zip
from leakear.dashboard.history import Row
from leakear.dashboard.pages.body import Refused, json_object
from leakear.dashboard.pages.handlers import BODY, ChangeLimits, key_of, number_of, operator_of, route, span_of, user_of
from leakear.dashboard.service import Service
from leakear.edge.messages.requests import REQUESTS

LONGEST_S = 3 * 366 * 86400.0
COMMANDS = ("identify", "status", "set", "calibrate", "selftest")
"""commands that the page may send; `clip`, `watch` and `model` have their own addresses"""


class Api:
    """Handlers of /api."""

    def __init__(self, service: Service, limits: ChangeLimits) -> None:
        self._service = service
        self._limits = limits

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            route("/api/me", self.me),
            route("/api/nodes/{site}/{node}/history", self._limits.reading(self.history)),
            route("/api/nodes/{site}/{node}/nights", self._limits.reading(self.nights)),
            route("/api/nodes/{site}/{node}/commands/{name}", self._limits.changing(self.command), "POST"),
            route("/api/nodes/{site}/{node}/forget", self._limits.changing(self.forget), "POST"),
            route("/api/alerts", self._limits.reading(self.alerts)),
            route("/api/alerts/{id}/acknowledge", self._limits.changing(self.acknowledge), "POST"),
            route("/api/alerts/{id}/verdict", self._limits.changing(self.verdict), "POST"),
            route("/api/alerts/{id}/clip", self._limits.reading(self.clip)),
            route("/api/alerts/{id}/fetch", self._limits.changing(self.fetch), "POST"),
            route("/api/export", self._limits.reading(self.export)),
        ]

    async def me(self, request: Request) -> Response:
        """Return the user, and the number of open alerts."""
        user = user_of(request)
        counts = await asyncio.to_thread(self._service.history.counts)
        about = {"name": user.name, "role": user.role, "local": user is LOCAL, "by_proxy": user.by_proxy}
        return JSONResponse({**about, "counts": counts, "line": self._service.connection_status()})

    async def history(self, request: Request) -> Response:
        """Return chart columns and events of a node for the last `seconds`."""
        key, now = key_of(request), time.time()
        since = now - min(max(number_of(request.query_params.get("seconds", "3600")), 60.0), LONGEST_S)
        series = await asyncio.to_thread(self._service.samples.series, key, since, now)
        events = await asyncio.to_thread(self._service.history.node_events, key, since)
        before = await asyncio.to_thread(self._service.history.state_before, key, since)
        unseen = await asyncio.to_thread(self._service.alerts.open_of, key)
        node = self._service.fleet.get(key)
        recent = node.recent(now) if node else None
        case = await asyncio.to_thread(self._service.cases.going, key)
        log = {"events": events, "before": before, "open": unseen}
        shown = case and {name: case[name] for name in ("id", "status", "assigned_to")}
        return JSONResponse({"since": since, "now": now, "series": series, "recent": recent, "case": shown, **log})

    async def nights(self, request: Request) -> Response:
        """Return the nights of a node for the last `days`, whether their level rises, and the alerts of that time."""
        days = min(max(number_of(request.query_params.get("days", "90")), 1.0), LONGEST_S / 86400)
        since = time.time() - days * 86400
        found = await asyncio.to_thread(self._service.history.nights.of_node, key_of(request), since)
        repairs = await asyncio.to_thread(self._service.cases.repairs, key_of(request), since)
        return JSONResponse({"since": since, "now": time.time(), "repairs": repairs, **found})

    async def command(self, request: Request) -> Response:
        """Send a command and return the node's answer."""
        user, key, name = operator_of(request), key_of(request), request.path_params["name"]
        if name not in COMMANDS:
            raise Refused(404, f"There is no command {name!a}.")
        values = await json_object(request, BODY)
        REQUESTS[name].from_json({**values, "id": "check"})  # refuse a wrong value before sending it
        await asyncio.to_thread(self._service.history.record_action, user.name, name, "/".join(key), json.dumps(values))
        answer = await self._service.commander.ask(key, name, values)
        return JSONResponse({"ok": answer.ok, "error": answer.error, "result": answer.result})

    async def forget(self, request: Request) -> Response:
        """Take a node out of service; `cleared`: the broker has deleted its retained messages."""
        user = operator_of(request)
        cleared = await self._service.forget(key_of(request), user.name)
        if cleared is None:
            raise Refused(404, "This node is not known.")
        return JSONResponse({"ok": True, "cleared": cleared})

    async def alerts(self, request: Request) -> Response:
        """Return one page of the log, and the cases that are open at its nodes."""
        query = request.query_params
        which, search = query.get("filter", "open"), query.get("search", "")[:100]
        span = span_of(request)
        rows = await asyncio.to_thread(self._service.alerts.page, which, search, query.get("before"), span=span)
        keys = {(row["site"], row["node"]) for row in rows}
        return JSONResponse({"rows": rows, "cases": await asyncio.to_thread(open_at, self._service.cases.engine, keys)})

    async def acknowledge(self, request: Request) -> Response:
        """Somebody has seen it."""
        user = operator_of(request)
        row = await asyncio.to_thread(self._service.alerts.acknowledge, request.path_params["id"], user.name)
        return self._changed(row)

    async def verdict(self, request: Request) -> Response:
        """Store what was found on site."""
        user, body = operator_of(request), await json_object(request, BODY)
        values = [str(body.get(name, "")) for name in ("verdict", "note", "material")]
        event_id = request.path_params["id"]
        row = await asyncio.to_thread(self._service.alerts.judge, event_id, user.name, *values)
        if row is not None:
            await self._service.raising.note_verdict(row)
        return self._changed(row)

    async def clip(self, request: Request) -> Response:
        """Return sound or picture of an event that was fetched."""
        family = request.query_params.get("family", "audio")
        found = await asyncio.to_thread(self._service.clips.path, request.path_params["id"], family)
        if family not in ("audio", "image") or found is None:
            raise Refused(404, "This clip is not here; fetch it from its node.")
        return FileResponse(found[0], media_type=found[1])

    async def fetch(self, request: Request) -> Response:
        """Fetch the clip of an event from its node."""
        user = operator_of(request)
        row = await asyncio.to_thread(self._service.alerts.get, request.path_params["id"])
        if row is None:
            raise Refused(404, "This alert is not known.")
        await asyncio.to_thread(self._service.history.record_action, user.name, "clip", row["id"])
        await fetch_clip(self._service.commander, self._service.clips, row)
        return self._changed(await asyncio.to_thread(self._service.alerts.get, row["id"]))

    async def export(self, request: Request) -> Response:
        """Return alerts that have a verdict, with their clips, for leakear-train."""
        operator_of(request)
        out = tempfile.NamedTemporaryFile(suffix=".zip")  # noqa: SIM115 - closed when it was sent
        count = await asyncio.to_thread(write_zip, self._service.alerts, self._service.clips, out)
        out.flush()
        headers = {"x-leakear-recordings": str(count)}
        name = time.strftime("leakear-field-%Y%m%d.zip", time.gmtime())
        done = BackgroundTask(out.close)
        return FileResponse(out.name, media_type="application/zip", filename=name, headers=headers, background=done)

    def _changed(self, row: Row | None) -> Response:
        if row is None:
            raise Refused(404, "This alert is not known.")
        self._service.hub.broadcast({"t": "alert", "row": row})
        return JSONResponse({"row": row})
