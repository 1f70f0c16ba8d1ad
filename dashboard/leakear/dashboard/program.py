"""Entry point of `leakear-dashboard`: its libraries are optional, and one that is missing is named."""

import importlib
import sys

from leakear.edge.command_line import missing


def main() -> int:
    """Run the command; return the exit status."""
    try:
        return int(importlib.import_module("leakear.dashboard.cli").main())
    except ModuleNotFoundError as error:
        sentence = missing(error, "dashboard")
        print(f"leakear-dashboard: {sentence}", file=sys.stderr)
        return sentence.exit_code
