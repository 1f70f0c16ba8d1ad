"""GET /metrics, for Prometheus with a token, and for who has logged in.

Asking from this machine gives no right: behind a proxy on this machine everybody does so (decision 75).
"""

import asyncio
import hmac

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.metrics.exposition import exposition
from leakear.dashboard.service import Service

TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Handler of /metrics."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """Return the route."""
        return [Route("/metrics", self.show)]

    async def show(self, request: Request) -> Response:
        """Return the figures, or 401 for who may not read them."""
        if not self._allowed(request):
            asked = {"www-authenticate": 'Bearer realm="the token of --metrics-token"'}
            return JSONResponse({"error": "Log in first.", "start": False}, 401, asked)
        counts = await asyncio.to_thread(self._service.history.counts)
        return Response(exposition(self._service, counts), headers={"content-type": TYPE})

    def _allowed(self, request: Request) -> bool:
        if request.state.user is not None:
            return True
        token = self._service.options.metrics_token
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return token is not None and hmac.compare_digest(given.encode(), token.encode())
