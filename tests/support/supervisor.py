"""What an add-on sees of Home Assistant's Supervisor: `GET /services/mqtt`, with the token of the add-on.

Answers as supervisor/api/services.py and api/utils.py of home-assistant/supervisor (2026) make them: `{"result": "ok",
"data": …}` with the fields of services/modules/mqtt.py, or `{"result": "error", "message": …}` with status 400 while no
add-on provides a broker.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "0123456789abcdef"


class Supervisor:
    """A server on loopback; `broker` None: nobody provides one."""

    def __init__(self, broker: dict[str, Any] | None, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.broker = broker
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, answer = outer.answer(self.path, self.headers.get("Authorization", ""))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(address, Handler)
        host, port = self.server.server_address[:2]
        self.host = f"{host!s}:{port}"

    def answer(self, path: str, authorization: str) -> tuple[int, dict[str, Any]]:
        self.asked += 1
        if authorization != f"Bearer {TOKEN}":
            return 401, {"result": "error", "message": "Unauthorized"}
        if path != "/services/mqtt":
            return 404, {"result": "error", "message": "Service does not exist"}
        if self.broker is None:
            return 400, {"result": "error", "message": "Service not enabled"}
        service = {"ssl": False, "protocol": "3.1.1", "addon": "core_mosquitto", **self.broker}
        return 200, {"result": "ok", "data": service}

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
