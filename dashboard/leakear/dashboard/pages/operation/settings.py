"""Addresses of the page of settings: who is notified, a test message, and who did what."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.pages.handlers import ChangeLimits, number_of, operator_of, route, user_of
from leakear.dashboard.service import Service

ACTIONS = 200
"""rows of one page of the audit"""


class Settings:
    """Handlers of /api/settings and /api/actions."""

    def __init__(self, service: Service, limits: ChangeLimits) -> None:
        self._service, self._limits = service, limits

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            route("/api/settings", self._limits.reading(self.show)),
            route("/api/settings/test/{number}", self._limits.changing(self.test), "POST"),
            route("/api/actions", self._limits.reading(self.actions)),
        ]

    async def show(self, request: Request) -> Response:
        """Return what this dashboard was started with, without secrets."""
        options = self._service.options
        webhooks = await asyncio.to_thread(self._service.webhooks.states)
        return JSONResponse({
            "notify": self._service.notifier.states(), "webhooks": webhooks if user_of(request).operates else [],
            "language": options.language, "public_url": options.public_url,
            "stale_after": options.stale_after, "lost_after": options.lost_after,
            "health_report": str(options.health_report) if options.health_report else None,
            "keep_days": options.keep_events / 86400,
        })  # fmt: skip

    async def test(self, request: Request) -> Response:
        """Send a test message to one address."""
        user, number = operator_of(request), int(number_of(request.path_params["number"]))
        await asyncio.to_thread(self._service.history.record_action, user.name, "notify-test", str(number))
        return JSONResponse({"ok": await self._service.notifier.test(number, user.name)})

    async def actions(self, request: Request) -> Response:
        """Return who did what, the newest first."""
        before = request.query_params.get("before")
        last = int(min(max(number_of(before), 0.0), 2.0**31)) if before else None
        return JSONResponse({"rows": await asyncio.to_thread(self._service.history.actions, ACTIONS, last)})
