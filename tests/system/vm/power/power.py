"""Cut the power of a virtual node at random moments of an upgrade or of a change of model, and see what it does then.

    python -m tests.system.vm.power.power --moments 20 --deb dist/deb/leakear-edge_…deb        (root; make test-power)

Debian with a real systemd in a virtual machine; the broker is outside. Each kind of work runs once: from 0.1 to this
version to a broken release that is taken back; a bad model sent from afar and taken back by its trial, on site, from
afar, by the guard. At random moments the disk is copied as a power cut would leave it (`guest`). Then each copy is
booted: the node must listen within a minute after the system is up, with a model that is whole, and no event may be
missing. Prints one line for each moment; exit 1 when one fails.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.broker import Broker, Subscriber, free_port
from tests.system.vm.power.disk import CACHE, make_disk
from tests.system.vm.power.guest import OUTSIDE, Guest, network
from tests.system.vm.power.work import EVENTS, Moment, record

WITHIN_S = 60.0
DELIVERY_S = 120.0
"""s for the events that waited and the node's answers, before the test gives up"""
MEMORY = 10e9
"""bytes free in memory from which on the disks lie there: the power of this machine stays on"""
MODELS = {"good", "worse", "worst", "deaf"}
HEAD = f"{'':9} {'moment':>8}  {'system up':>9}  {'listens':>8}  events: before, waiting, after  model"


def missing(events: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the numbers: a gap, or one number of two events."""
    ids: dict[int, str] = {}
    wrong = [
        f"{event['seq']} is two events" for event in events if ids.setdefault(event["seq"], event["id"]) != event["id"]
    ]
    known = sorted(ids)
    return wrong + [f"{n} is missing" for n in range(known[0], known[-1]) if n not in ids] if known else []


def ask(heard: Subscriber, command: str, **values: Any) -> Any:
    """Ask the node over MQTT; return its answer."""
    name = f"{command}-{time.monotonic()}"
    topic = f"leakear/vm/ear/cmd/{command}"
    heard.publish(topic, {"id": name, **values})

    def answer() -> Any:
        found = [message.json for message in heard.on(f"{topic}/result")]
        return next((one for one in found if one["id"] == name), None)

    return heard.wait_for(answer, f"answer to {command}", DELIVERY_S)


def model_wrong(heard: Subscriber) -> tuple[str, list[str]]:
    """Return which model is in use, and what is wrong with it."""
    listed = ask(heard, "model", action="list")["result"]["models"]
    (used,) = [one["id"] for one in listed if one["use"] == "in use"]
    check = ask(heard, "selftest")["result"]["checks"][0]
    wrong = [] if used in MODELS else [f"{used} is in use"]
    if not check["ok"]:
        wrong.append(f"its model: {check}")
    back = ask(heard, "model", action="rollback", to="factory")  # its event gets the next number
    return used, wrong if back["ok"] else [*wrong, back["error"]]


def judge(disk: Path, moment: Moment, work: str, port: int) -> bool:
    """Boot what the power cut left; print a line; True when all is well."""
    wrong: list[str] = []
    guest = None
    said = ""
    with Broker(persistence=True, host=OUTSIDE, port=port) as broker, Subscriber(broker, "leakear/#") as heard:
        try:
            guest = Guest(disk, moment.image)
            booted, listens = guest.wait("BOOTED"), guest.wait("LISTENS")
            waiting = set(guest.said("WAITING")[0][0].split()) - {"none"}

            def arrived() -> set[str]:
                return {message.json["id"] for message in heard.on(EVENTS)}

            model, wrong = model_wrong(heard) if work == "model" else ("", [])
            heard.wait_for(lambda: waiting <= arrived() and arrived() - waiting, f"{waiting} and one more", DELIVERY_S)
            after = [message.json for message in heard.on(EVENTS)]
            wrong += missing(moment.events + after)
            if listens - booted > WITHIN_S:
                wrong.append(f"it listens after more than {WITHIN_S:g} s")
            events = f"{len(moment.events):15}{len(waiting):9}{len(after):7}"
            said = f"{booted:7.1f} s  {listens - booted:+6.1f} s {events}  {model}"
        except AssertionError as error:
            wrong.append(str(error))
        finally:
            if guest is not None:
                guest.cut()
    load = f"load {os.getloadavg()[0]:.0f}"
    print(f"{work:9} {moment.after_s:6.1f} s  {said}  {load}  {moment.doing}  {wrong or 'ok'}", flush=True)
    return not wrong


def main() -> int:
    """Run the moments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--deb", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", choices=("software", "model"), action="append", help="default: both")
    args = parser.parse_args()
    works = args.work or ["software", "model"]
    shares = {"software": -(-args.moments * 3 // 5), "model": args.moments * 2 // 5}  # 12 and 8 of 20
    CACHE.mkdir(parents=True, exist_ok=True)
    began, failed, run = time.monotonic(), 0, 0
    network()
    memory_folder = "/dev/shm" if shutil.disk_usage("/dev/shm").free > MEMORY else CACHE
    with tempfile.TemporaryDirectory(prefix="leakear-power-", dir=memory_folder) as place:
        for work in works:
            port = free_port()
            count = shares[work] if len(works) > 1 else args.moments
            disk = make_disk(Path(place), work, args.deb, port)
            moments = record(disk, Path(place), work, count, args.seed, port)
            print(HEAD, flush=True)
            for moment in moments.kept:
                run += 1
                failed += not judge(disk, moment, work, port)
                moment.image.unlink()
    print(json.dumps({"moments": run, "failed": failed, "minutes": round((time.monotonic() - began) / 60, 1)}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
