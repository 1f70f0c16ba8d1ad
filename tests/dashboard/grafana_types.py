"""The Grafana dashboard against Grafana's own TypeScript types: `make check-grafana`.

    python grafana_types.py FOLDER      # one with @grafana/schema and typescript installed by npm

Grafana itself is in no package index that this project installs from; this tells a misspelt field, no more.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.places import ROOT

BOARDS = [ROOT / "examples" / "grafana" / name for name in ("dashboard.json", "health.json")]
ENUMS = {"mode": {"absolute": "ThresholdsMode.Absolute"}, "type": {"value": "MappingType.ValueToText"}}
"""what TypeScript wants by name"""
PLUGIN = ("definition", "rawQuery", "rawSql", "format", "editorMode", "expr", "legendFormat", "instant", "range")
"""fields of the data sources, which the dashboard's own types leave open or do not know"""


def typescript(value: Any, key: str = "") -> str:
    """A value as a literal."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{typescript(v, k)}" for k, v in value.items() if k not in PLUGIN) + "}"
    if isinstance(value, list):
        return "[" + ",".join(typescript(item) for item in value) + "]"
    return ENUMS.get(key, {}).get(value, json.dumps(value)) if isinstance(value, str) else json.dumps(value)


def main(folder: Path) -> int:
    names = "Dashboard, MappingType, ThresholdsMode"
    boards = ", ".join(typescript(json.loads(board.read_text())) for board in BOARDS)
    (folder / "check.ts").write_text(
        f"import {{ {names} }} from '@grafana/schema';\nexport const boards: Dashboard[] = [{boards}];\n"
    )
    options = ["--noEmit", "--strict", "--skipLibCheck", "--moduleResolution", "node", "--target", "es2020"]
    done = subprocess.run([folder / "node_modules" / ".bin" / "tsc", *options, folder / "check.ts"], check=False)
    print("fits Grafana's types" if done.returncode == 0 else "does not fit Grafana's types")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
