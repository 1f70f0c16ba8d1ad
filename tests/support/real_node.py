"""The daemon itself, ten times as fast as life, with evidence that may leave the site.

    python -m tests.support.real_node PORT STATE_FOLDER

Standard input says what it hears from now on: `quiet`, `leak` or `deaf`, one word a line.
"""

import signal
import sys

from leakear.edge.compose import open_node
from leakear.edge.settings import Settings
from tests.support.paced_node import TrueClock, Words, sound
from tests.support.places import DATA


def main() -> None:
    """Run until SIGTERM."""
    port, folder = int(sys.argv[1]), sys.argv[2]
    settings = Settings.from_mapping(
        {
            "node": {"site": "hill", "name": "pit-7", "state_dir": folder, "telemetry_s": 5},
            "model": {"path": str(DATA / "tiny.tflite")},
            "decision": {"span_s": 60, "confirm_s": 30, "clear_s": 30, "noisy_s": 60},
            "mqtt": {"host": "127.0.0.1", "port": port, "keepalive_s": 5},
            "evidence": {"enabled": True, "min_free_mb": 0},
            "commands": {"allow_clip": True},
        },
        environment={},
    )
    with open_node(settings, TrueClock()) as node:
        signal.signal(signal.SIGTERM, lambda *_: node.stop())
        node.run(sound(Words()))


if __name__ == "__main__":
    main()
