"""Runs the web server around the service."""

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn
from sqlalchemy import Engine

from leakear.dashboard.broker.connection import BrokerOptions
from leakear.dashboard.history import History
from leakear.dashboard.options import ServeOptions, load_pair, refuse_open_access
from leakear.dashboard.pages.app import build
from leakear.dashboard.server.alone import alone
from leakear.dashboard.server.connections import LimitedProtocol, Listener, most_connections
from leakear.dashboard.server.log_limit import LogLimit
from leakear.dashboard.service import Service
from leakear.edge.errors import ConfigError

SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""of TLS 1.2, the oldest that Python's servers speak; older versions of uvicorn take suites without encryption"""


def serve(options: ServeOptions, broker: BrokerOptions, engine: Engine) -> int:
    """Serve until a signal ends it; prints the address once it listens."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogLimit())
    if not options.ingest_here and engine.driver != "psycopg":
        raise ConfigError("--ingest elsewhere needs PostgreSQL: write --database postgresql+psycopg://USER@HOST/NAME.")
    if options.certificate:
        chain, key = ("--certificate", options.certificate), ("--key", options.key)
        load_pair(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), chain, key)
    with alone(engine):
        return asyncio.run(_serve(options, broker, engine))


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would raise the signal again while data is still being saved."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield

    def end_on_signals(self) -> None:
        """Let SIGINT and SIGTERM shut the server down."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.handle_exit, number, None)


async def _serve(options: ServeOptions, broker: BrokerOptions, engine: Engine) -> int:
    named = replace(broker, client_id=History(engine).client_id())
    service = Service(options, named, engine)
    has_users = service.users.any()
    refuse_open_access(options, has_users)
    listener = _listen(options)
    scheme = "https" if options.certificate else "http"
    host = f"[{options.host}]" if ":" in options.host else options.host
    protocol = type("Protocol", (LimitedProtocol,), {"listener": listener})
    config = uvicorn.Config(
        build(service), http=protocol, log_config=None, access_log=False, proxy_headers=False, ws_max_size=16384,
        ws_max_queue=4, ssl_certfile=options.certificate, ssl_keyfile=options.key, ssl_ciphers=SUITES,
        timeout_graceful_shutdown=3, server_header=False,
    )  # fmt: skip
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    server = _Server(config)
    server.end_on_signals()
    token = "" if has_users or options.proxy else f"?token={service.start_token}"
    print(f"{scheme}://{host}:{listener.getsockname()[1]}/{token}", flush=True)
    await _both(service, server, listener)
    return 0


async def _both(service: Service, server: uvicorn.Server, listener: socket.socket) -> None:
    """Run service and pages. They end together: a page without its service would show a fleet without alarms."""
    work = asyncio.create_task(service.run())
    web = asyncio.create_task(server.serve([listener]))
    await asyncio.wait({work, web}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    work.cancel()
    await asyncio.gather(web, work, return_exceptions=True)
    for task in (web, work):
        if not task.cancelled():
            task.result()


def _listen(options: ServeOptions) -> Listener:
    """Bind before the server starts, so that port 0 works and a used port gives one sentence."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = Listener(family)
    listener.most = most_connections()
    listener.exempt = options.proxy.addresses if options.proxy else frozenset()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
        listener.listen(128)  # clients may connect as soon as the address is printed
    except OSError as error:
        raise ConfigError(f"--listen {options.host}:{options.port} cannot be used: {error.strerror}.") from error
    return listener
