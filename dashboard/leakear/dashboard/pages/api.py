"""The page's data: history, alerts, commands, clips. Permissions are checked here, not in the page."""

import asyncio
import math
import tempfile
import time
from collections.abc import Awaitable, Callable

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.accounts.throttle import Budgets
from leakear.dashboard.accounts.users import LOCAL, User
from leakear.dashboard.fetch import fetch_clip
from leakear.dashboard.fleet import Key
from leakear.dashboard.history import Row
from leakear.dashboard.manifest import write_zip
from leakear.dashboard.pages.body import Refused, json_object, usable
from leakear.dashboard.service import Service
from leakear.edge.errors import ConfigError, InputDataError
from leakear.edge.messages.reports import Identity
from leakear.edge.messages.requests import REQUESTS

LONGEST_S = 3 * 366 * 86400.0
COMMANDS = ("identify", "status", "set", "calibrate", "selftest")
"""commands that the page may send; `clip` and `watch` have their own addresses, a model is not sent by a browser"""
BODY = 16 * 1024
"""bytes of a request at most"""
CHANGES, CHANGES_PER_S = 60.0, 1.0
"""requests of a user that change something: so many at once, then so many a second"""

Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """Handlers of /api."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._budgets = Budgets(CHANGES, CHANGES_PER_S)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            _route("/api/me", self.me),
            _route("/api/nodes/{site}/{node}/history", self.history),
            _route("/api/nodes/{site}/{node}/commands/{name}", self._changing(self.command), "POST"),
            _route("/api/nodes/{site}/{node}/forget", self._changing(self.forget), "POST"),
            _route("/api/alerts", self.alerts),
            _route("/api/alerts/{id}/acknowledge", self._changing(self.acknowledge), "POST"),
            _route("/api/alerts/{id}/verdict", self._changing(self.verdict), "POST"),
            _route("/api/alerts/{id}/clip", self.clip),
            _route("/api/alerts/{id}/fetch", self._changing(self.fetch), "POST"),
            _route("/api/export", self.export),
        ]

    async def me(self, request: Request) -> Response:
        """Return the user, and the number of open alerts."""
        user = _user(request)
        counts = await asyncio.to_thread(self._service.history.counts)
        about = {"name": user.name, "role": user.role, "local": user is LOCAL}
        return JSONResponse({**about, "counts": counts, "line": self._service.connection_status()})

    async def history(self, request: Request) -> Response:
        """Return chart columns and events of a node for the last `seconds`."""
        key, now = _key(request), time.time()
        since = now - min(max(_number(request.query_params.get("seconds", "3600")), 60.0), LONGEST_S)
        series = await asyncio.to_thread(self._service.samples.series, key, since, now)
        events = await asyncio.to_thread(self._service.history.node_events, key, since)
        before = await asyncio.to_thread(self._service.history.state_before, key, since)
        recent = self._service.recent(key, now)
        return JSONResponse(
            {"since": since, "now": now, "series": series, "events": events, "before": before, "recent": recent}
        )

    async def command(self, request: Request) -> Response:
        """Send a command and return the node's answer."""
        user, key, name = _operator(request), _key(request), request.path_params["name"]
        if name not in COMMANDS:
            raise Refused(404, f"There is no command {name!a}.")
        values = await json_object(request, BODY)
        REQUESTS[name].from_json({**values, "id": "check"})  # refuse a wrong value before sending it
        await asyncio.to_thread(self._service.history.record_action, user.name, name, "/".join(key), str(values))
        answer = await self._service.commander.ask(key, name, values)
        return JSONResponse({"ok": answer.ok, "error": answer.error, "result": answer.result})

    async def forget(self, request: Request) -> Response:
        """Take a node out of service."""
        user = _operator(request)
        if not await self._service.forget(_key(request), user.name):
            raise Refused(404, "This node is not known.")
        return JSONResponse({"ok": True})

    async def alerts(self, request: Request) -> Response:
        """Return one page of the log."""
        query = request.query_params
        which, search = query.get("filter", "open"), query.get("search", "")[:100]
        rows = await asyncio.to_thread(self._service.alerts.page, which, search, query.get("before"))
        return JSONResponse({"rows": rows})

    async def acknowledge(self, request: Request) -> Response:
        """Somebody has seen it."""
        user = _operator(request)
        row = await asyncio.to_thread(self._service.alerts.acknowledge, request.path_params["id"], user.name)
        return self._changed(row)

    async def verdict(self, request: Request) -> Response:
        """Store what was found on site."""
        user, body = _operator(request), await json_object(request, BODY)
        values = [str(body.get(name, "")) for name in ("verdict", "note", "material")]
        event_id = request.path_params["id"]
        row = await asyncio.to_thread(self._service.alerts.judge, event_id, user.name, *values)
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
        user = _operator(request)
        row = await asyncio.to_thread(self._service.alerts.get, request.path_params["id"])
        if row is None:
            raise Refused(404, "This alert is not known.")
        await asyncio.to_thread(self._service.history.record_action, user.name, "clip", row["id"])
        await fetch_clip(self._service.commander, self._service.clips, row)
        return self._changed(await asyncio.to_thread(self._service.alerts.get, row["id"]))

    async def export(self, request: Request) -> Response:
        """Return alerts that have a verdict, with their clips, for leakear-train."""
        _operator(request)
        out = tempfile.NamedTemporaryFile(suffix=".zip")  # noqa: SIM115 - closed when it was sent
        count = await asyncio.to_thread(write_zip, self._service.alerts, self._service.clips, out)
        out.flush()
        headers = {"x-leakear-recordings": str(count)}
        name = time.strftime("leakear-field-%Y%m%d.zip", time.gmtime())
        done = BackgroundTask(out.close)
        return FileResponse(out.name, media_type="application/zip", filename=name, headers=headers, background=done)

    @staticmethod
    def reading(path: str, handler: Handler) -> Route:
        """Return a route of another module that changes nothing."""
        return _route(path, handler)

    def changing(self, path: str, handler: Handler) -> Route:
        """Return a route of another module that changes something: for operators, each only so often."""
        return _route(path, self._changing(handler), "POST")

    def _changing(self, handler: Handler) -> Handler:
        """Return a handler that a user may call only so often."""

        async def limited(request: Request) -> Response:
            if not self._budgets.take(_operator(request).name, time.monotonic()):
                raise Refused(429, "Too many requests: wait a moment.")
            return await handler(request)

        return limited

    def _changed(self, row: Row | None) -> Response:
        if row is None:
            raise Refused(404, "This alert is not known.")
        self._service.hub.broadcast({"t": "alert", "row": row})
        return JSONResponse({"row": row})


def _route(path: str, handler: Handler, method: str = "GET") -> Route:
    """Return a route whose errors become JSON answers with a sentence."""

    async def answered(request: Request) -> Response:
        try:
            _check_address(request)
            return await handler(request)
        except Refused as error:
            return JSONResponse({"error": str(error)}, error.status)
        except (InputDataError, ConfigError) as error:
            return JSONResponse({"error": str(error)}, 422)

    return Route(path, answered, methods=[method])


def _check_address(request: Request) -> None:
    """Refuse characters that a database refuses. Raises Refused."""
    if not all(usable(str(text)) for text in (*request.path_params.values(), *request.query_params.values())):
        raise Refused(422, "The address has characters that no name has.")


def _user(request: Request) -> User:
    user: User = request.state.user
    return user


def _operator(request: Request) -> User:
    user = _user(request)
    if not user.operates:
        raise Refused(403, "Your role may view, not operate.")
    return user


def _key(request: Request) -> Key:
    who = Identity(request.path_params["site"], request.path_params["node"])
    return who.site, who.node


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refused(422, f"{text[:40]!a} is not a number.")
    return number
