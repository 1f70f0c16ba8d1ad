"""`leakear-edge devices`: which microphones are there, and what to write into the configuration for each."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from leakear.edge.audio.microphone import Device, SoundDeviceSource, running_rates

HELP = """\
List the capture devices, with the names that stay the same after a reboot.

  leakear-edge devices            for people
  leakear-edge devices --json     for programs

Put the name, a part of it, the card id or the USB id into [audio] device.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(args: argparse.Namespace) -> int:
    """Print the devices; 1 when there is none."""
    devices = SoundDeviceSource().devices()
    if args.json:
        print(json.dumps({"devices": [asdict(device) for device in devices], "running": list(running_rates())}))
    else:
        print("\n".join(_lines(devices)))
    return 0 if devices else 1


def _lines(devices: Sequence[Device]) -> Sequence[str]:
    if not devices:
        return ["no capture device is present: plug the microphone in, then look at `arecord -l`"]
    width = max(len(device.name) for device in devices)
    lines = []
    for number, device in enumerate(devices):
        ids = " ".join(f"{kind} {value}" for kind, value in (("card", device.card_id), ("usb", device.usb_id)) if value)
        note = "through a sound server, which resamples" if device.server else ids
        mark = "*" if number == 0 else " "
        lines.append(f"{mark} {device.name:{width}}  {device.channels:3} ch  {device.rate} Hz  {note}".rstrip())
    lines.append("* = taken when [audio] device is empty")
    lines += [f"now running: {text}" for text in running_rates()]
    return lines
