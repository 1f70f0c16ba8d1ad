"""`leakear-dashboard ingest`: a worker that stores what nodes send, one of several."""

import logging
import re
import signal
import threading
from dataclasses import replace

from leakear.dashboard.cli import Parser, add_broker, add_database, broker_options
from leakear.dashboard.history import History
from leakear.dashboard.history.tables import open_database
from leakear.dashboard.ingest.worker import Worker
from leakear.dashboard.server.log_limit import LogLimit
from leakear.edge.errors import ConfigError

NAME = r"[A-Za-z0-9_-]{1,32}"
DESCRIPTION = """Takes its share of what nodes send and stores it, for a dashboard with --ingest elsewhere.

Needs PostgreSQL and a broker with MQTT 5. Start one worker for each name; the broker keeps the share of a worker
that is away until it is started again. See docs/CITY.md.
"""


def run(words: list[str]) -> int:
    """Run the command; return the exit status."""
    top = Parser("leakear-dashboard ingest", description=DESCRIPTION)
    top.add_argument("--name", default="1", help="name of this worker, the same at each start (default 1)")
    top.add_argument("--leave", action="store_true", help="store what waits for this worker, and give up its share")
    add_database(top)
    add_broker(top.add_argument_group("broker"))
    args = top.parse_args(words)
    if re.fullmatch(NAME, args.name) is None:
        raise ConfigError(f"--name is {args.name!a}: use 1 to 32 letters, digits, '_' or '-'.")
    if args.mqtt_version == "3.1.1":
        raise ConfigError("--mqtt-version is 3.1.1: a share of a subscription needs MQTT 5.")
    if not args.database.startswith("postgresql+psycopg://"):
        raise ConfigError("Ingest workers need PostgreSQL: write --database postgresql+psycopg://USER@HOST/NAME.")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogLimit())
    engine = open_database(args.database)
    broker = replace(broker_options(args), version="5")
    worker = Worker(engine, broker, History(engine).ingest_group(), args.name, leaving=args.leave)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    worker.run(ended, lambda: print(f"worker {args.name}: ready", flush=True))
    print(f"worker {args.name}: {'left' if args.leave and not ended.is_set() else 'stopped'}", flush=True)
    return 0
