"""`make demo KEEP=1 [PORT=8080]`: a broker, five simulated nodes and the dashboard, all on loopback, until Ctrl-C."""

import argparse
import getpass
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from leakear.dashboard import demo_fleet
from leakear.edge.command_line import whole

SCRIPT = """Five simulated nodes: after 15 s meter-pit-02 warns, after 30 s it reports a leak; after 50 s meter-pit-03
loses its microphone; after 70 s pump-house-02 loses its network. Ctrl-C ends the demo. The page:"""


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def elsewhere(port: int) -> str:
    """Say how the page is reached from another machine: it listens on loopback alone, and asks for no password."""
    machine = f"{getpass.getuser()}@{socket.gethostname()}"
    return (
        f"From another machine: ssh -N -L {port}:127.0.0.1:{port} {machine}   there, then open the same address there."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run until the dashboard ends."""
    from iotcore import Broker

    parser = argparse.ArgumentParser(prog="make demo KEEP=1", description=__doc__)
    parser.add_argument("--port", type=whole(0, 65535), default=0, help="of the page (0: a free one)")
    page = parser.parse_args(argv).port or free_port()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the dashboard ends too
    port, stop = free_port(), threading.Event()
    broker = f"mqtt://127.0.0.1:{port}"
    with TemporaryDirectory(prefix="leakear-demo-") as folder, Broker(port=port, listen="127.0.0.1"):
        nodes = threading.Thread(target=demo_fleet.run, args=(broker, 1.0, stop))
        nodes.start()
        print(f"{elsewhere(page)}\n{SCRIPT}", flush=True)
        command = [
            sys.executable, "-m", "leakear.dashboard.cli", "--broker", broker, "--listen", f"127.0.0.1:{page}",
            "--database", f"sqlite:///{Path(folder) / 'demo.sqlite'}", "--clips", str(Path(folder) / "clips"),
            "--stale-after", "10", "--lost-after", "5",
        ]  # fmt: skip
        try:
            return subprocess.run(command, check=False).returncode
        except KeyboardInterrupt:
            return 0
        finally:
            stop.set()
            nodes.join()


if __name__ == "__main__":
    sys.exit(main())
