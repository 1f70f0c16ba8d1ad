"""`leakear-edge simulate-fleet`: many nodes with the real message code, over few processes."""

import argparse
import json
import multiprocessing
import resource
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from leakear.edge import command_line
from leakear.edge.errors import ConfigError, DeliveryError, LeakearError
from leakear.edge.messages.reports import Identity
from leakear.edge.mqtt.credentials import login
from leakear.edge.mqtt.options import MqttOptions
from leakear.edge.simulation.city import CityOptions
from leakear.edge.simulation.city_process import CityWork, work_city
from leakear.edge.simulation.node import FleetOptions, SimulatedNode

HELP = """\
Load a broker or a dashboard with simulated nodes: each has its own connection, its own durable outbox and the very
messages of a real node; only what they hear is made up.

  leakear-edge simulate-fleet --nodes 100 --broker localhost:1883 --seconds 600
  leakear-edge simulate-fleet --nodes 1000 --event-every 30 --json     last line: counts as JSON

  leakear-edge simulate-fleet --nodes 100000 --connections 20 --outage-every 120 --ids sent.txt     a city

With --connections the nodes share connections, which carries 100,000 of them on one machine; districts lose their
power or their network in turn, names occur twice, clocks are wrong. --ids lists the events that the broker has taken.

Prints how many are online, how many events were put and how many the broker has acknowledged. Exit code 69 when it
has not acknowledged all of them at the end.
"""
PER_PROCESS = 100
"""Nodes in one process: some eight descriptors each, and select(2) ends at 1024."""
RAMP_PER_S = 50.0
"""Nodes that appear in a second, over all processes."""
PAUSE_S = 0.01
"""Rest between two rounds over a process's nodes."""
Counts = dict[str, int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    positive = command_line.number(0, above=True)
    parser.add_argument("--nodes", type=command_line.whole(1), default=10, help="how many (10)")
    parser.add_argument(
        "--broker", type=_broker, default="localhost:1883", metavar="HOST[:PORT]", help="where to (localhost:1883)"
    )
    parser.add_argument("--seconds", type=command_line.number(0), default=0.0, help="how long; 0: until Ctrl-C (0)")
    parser.add_argument(
        "--sites", type=command_line.whole(0), default=0, help="how many sites they are spread over (one per 50)"
    )
    parser.add_argument("--event-every", type=positive, default=60.0, help="mean s between the events of a node (60)")
    parser.add_argument("--telemetry-every", type=positive, default=60.0, help="s between telemetry of a node (60)")
    parser.add_argument("--username", default="", help="user on the broker")
    parser.add_argument("--password-file", default="", help="file that holds the password")
    parser.add_argument("--homeassistant", action="store_true", help="introduce each node to Home Assistant")
    parser.add_argument(
        "--drain", type=command_line.number(0), default=30.0, help="s to wait at the end for acknowledgements (30)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of everything random (1)")
    _add_city(parser)
    parser.add_argument("--json", action="store_true", help="the last line is a JSON object with the counts")


def _add_city(parser: argparse.ArgumentParser) -> None:
    share, seconds = command_line.number(0, 1), command_line.number(0)
    city = parser.add_argument_group("a city, with --connections")
    city.add_argument("--connections", type=command_line.whole(0), default=0, help="shared by all nodes (0: one each)")
    city.add_argument("--processes", type=command_line.whole(1), default=2, help="that the nodes are spread over (2)")
    city.add_argument("--nights-within", type=seconds, default=3600.0, help="s in which all report a night (3600)")
    city.add_argument("--outage-every", type=seconds, default=0.0, help="s between two outages (0: none)")
    city.add_argument("--outage-seconds", type=seconds, default=60.0, help="how long an outage lasts (60)")
    city.add_argument("--outage-share", type=share, default=0.1, help="share of the sites that it hits (0.1)")
    city.add_argument("--repeated", type=share, default=0.0, help="share of the events that are sent twice (0)")
    city.add_argument("--twins", type=share, default=0.0, help="share of the names that two nodes have (0)")
    city.add_argument("--wrong-clocks", type=share, default=0.0, help="share of the nodes whose clock is wrong (0)")
    city.add_argument("--ids", type=Path, help="file for the ids of acknowledged events, one a line")


def _broker(text: str) -> tuple[str, int]:
    host, _, port = text.removeprefix("mqtt://").partition(":")
    if "@" in text:  # it may hold a password: it is not repeated
        raise argparse.ArgumentTypeError("write HOST or HOST:PORT; the user goes into --username")
    if not host or not (port or "1883").isdigit() or not 0 < int(port or 1883) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r}: write HOST or HOST:PORT")
    return host, int(port or 1883)


def main(args: argparse.Namespace) -> int:
    """Run the fleet."""
    options = _options(args)
    names = list(_names(args.nodes, args.sites or -(-args.nodes // 50)))
    shares = [names[start : start + PER_PROCESS] for start in range(0, len(names), PER_PROCESS)]
    with tempfile.TemporaryDirectory(prefix="leakear-fleet-") as folder:
        counts = _city(names, options, args) if args.connections else _run(shares, options, Path(folder), args)
    print(json.dumps(counts) if args.json else _sentence(counts))
    if counts["acknowledged"] < counts["put"]:
        raise DeliveryError(f"{counts['put'] - counts['acknowledged']} of {counts['put']} events were not acknowledged")
    return 0


def _options(args: argparse.Namespace) -> FleetOptions:
    try:
        login(args.username, "", args.password_file)  # what cannot be read is said here, once
    except ConfigError as error:
        said = str(error).replace("mqtt.password_file", "--password-file").replace("mqtt.username", "--username")
        raise ConfigError(said) from None
    host, port = args.broker
    mqtt = MqttOptions(
        host=host, port=port, username=args.username, password_file=args.password_file, reconnect_last_s=10
    )
    return FleetOptions(mqtt, args.event_every, args.telemetry_every, args.homeassistant, args.drain)


def _names(nodes: int, sites: int) -> Iterator[Identity]:
    for number in range(nodes):
        yield Identity(f"sim-{number % sites:03}", f"node-{number:04}")


def _city(names: Sequence[Identity], fleet: FleetOptions, args: argparse.Namespace) -> Counts:
    """Run the nodes of a city in a few processes; give the sums of their last counts."""
    city = CityOptions(
        args.event_every, args.telemetry_every, args.nights_within, args.outage_every, args.outage_seconds,
        args.outage_share, args.repeated, args.twins, args.wrong_clocks,
    )  # fmt: skip
    if args.ids:
        _empty(args.ids)
    count = min(args.processes, args.connections, len(names))
    sizes = [args.connections // count + (number < args.connections % count) for number in range(count)]
    by_site = sorted(names, key=lambda who: who.site)

    def part(number: int) -> Sequence[Identity]:
        return by_site[number * len(names) // count : (number + 1) * len(names) // count]

    given = [
        (part(number), CityWork(fleet, city, sizes[number], args.seconds, args.seed + number, args.ids))
        for number in range(count)
    ]
    return _all(work_city, given, args)


def _empty(path: Path) -> None:
    try:
        path.write_text("")
    except OSError as error:
        raise ConfigError(f"--ids {path} cannot be written: {error.strerror}.") from error


def _run(shares: Sequence[Sequence[Identity]], options: FleetOptions, folder: Path, args: argparse.Namespace) -> Counts:
    """Run a process for each share."""
    given = [
        (share, options, folder, args.seconds, args.seed + 1000 * number, len(shares))
        for number, share in enumerate(shares)
    ]
    return _all(work, given, args)


def _all(target: Callable[..., None], given: Sequence[tuple[object, ...]], args: argparse.Namespace) -> Counts:
    """Start a process for each of `given`, show progress, give the sums of their last counts."""
    context = multiprocessing.get_context("spawn")
    workers = []
    for arguments in given:
        mine, theirs = context.Pipe(duplex=False)
        worker = context.Process(target=target, args=(*arguments, theirs), daemon=True)
        worker.start()
        theirs.close()
        workers.append((worker, mine))

    def end(*_received: object) -> None:
        for worker, _ in workers:
            worker.terminate()

    for ending in (signal.SIGINT, signal.SIGTERM):  # the end of this process stops every node in order
        signal.signal(ending, end)
    latest: list[Counts] = [{} for _ in workers]
    ended = [False] * len(workers)
    while not all(ended):
        for number, (_, pipe) in enumerate(workers):
            ended[number] = ended[number] or not _read(pipe, latest, number)
        if not args.json and sys.stdout.isatty():
            print(_sentence(_sum(latest)), end="\r", flush=True)
        time.sleep(0.5)
    for worker, _ in workers:
        worker.join()
        if (worker.exitcode or 0) > 0:
            raise LeakearError("a process of simulated nodes failed; what it said stands above")
    return _sum(latest)


def _read(pipe: Connection, latest: list[Counts], number: int) -> bool:
    """Take the newest counts of a worker; False once it has ended."""
    try:
        while pipe.poll():
            latest[number] = pipe.recv()
    except EOFError:
        return False
    return True


def _sum(counts: Sequence[Counts]) -> Counts:
    total: Counter[str] = Counter({"nodes": 0, "online": 0, "put": 0, "acknowledged": 0, "reconnects": 0})
    for one in counts:
        total.update(one)
    return dict(total)


def _sentence(counts: Counts) -> str:
    return (
        f"{counts['online']} of {counts['nodes']} nodes online, {counts['put']} events put, "
        f"{counts['acknowledged']} acknowledged, {counts['reconnects']} reconnects"
    )


def work(
    share: Sequence[Identity],
    options: FleetOptions,
    folder: Path,
    seconds: float,
    seed: int,
    processes: int,
    pipe: Connection,
) -> None:
    """Run one process's nodes for `seconds` (0: until a signal), then wait for the last acknowledgements."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    threading.stack_size(512 * 1024)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    place = folder / f"worker-{seed}"
    place.mkdir()
    nodes = [SimulatedNode(name, options, place, seed + index) for index, name in enumerate(share)]
    began = time.monotonic()
    started = _live(nodes, lambda now: stopping.is_set() or (0 < seconds <= now - began), processes, pipe)
    waits = time.monotonic() + options.drain_s
    while any(node.outbox.depth for node in started) and time.monotonic() < waits:
        for node in started:
            node.link.pump()
        time.sleep(PAUSE_S)
    pipe.send(_counts(nodes))
    for node in started:
        node.stop()


def _live(
    nodes: list[SimulatedNode], is_over: Callable[[float], bool], processes: int, pipe: Connection
) -> list[SimulatedNode]:
    """Start the nodes one after the other and step them until it is over; gives those that were started."""
    began = reported = time.monotonic()
    started: list[SimulatedNode] = []
    while not is_over(now := time.monotonic()):
        while len(started) < min(len(nodes), 1 + (now - began) * RAMP_PER_S / processes):
            nodes[len(started)].start(now)
            started.append(nodes[len(started)])
        for node in started:
            node.step(now)
        if now - reported >= 1:
            reported = now
            pipe.send(_counts(nodes))
        time.sleep(PAUSE_S)
    return started


def _counts(nodes: Sequence[SimulatedNode]) -> Counts:
    return {
        "nodes": len(nodes),
        "online": sum(node.link.connected for node in nodes),
        "put": sum(node.outbox.counters["put"] for node in nodes),
        "acknowledged": sum(node.outbox.counters["put"] - node.outbox.depth for node in nodes),
        "reconnects": sum(node.link.reconnects for node in nodes),
    }
