"""Ask the real tflite-runtime 2.14 for the newest version it knows of every operator, and write the table.

    LEAKEAR_LEGACY_PYTHON=… python -m bench.legacy_operators

The converter refuses by this table what would not load there, also on a machine without that runtime. The table is
measured, not copied: a model that merely lists an operator code is refused by a runtime that does not know it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder

from leakear.convert.verifying import runtimes
from leakear.convert.verifying.legacy import TABLE
from leakear.edge.model import bundle
from tests.support.places import TINY

NEWEST_TRIED = 20
PROBE = """
import sys
from tflite_runtime.interpreter import Interpreter
for path in sys.stdin.read().split():
    try:
        Interpreter(model_path=path)
        print(path, 1)
    except ValueError:
        print(path, 0)
"""


def listing(base: Any, code: int, version: int) -> bytes:
    """Return the base model with one more operator code, which nothing uses."""
    extra = schema.OperatorCodeT()
    extra.builtinCode, extra.deprecatedBuiltinCode, extra.version = code, min(code, 127), version
    known = base.operatorCodes
    base.operatorCodes = [*known, extra]
    builder = Builder(1024)
    builder.Finish(base.Pack(builder), b"TFL3")
    base.operatorCodes = known
    return bytes(builder.Output())


def main() -> int:
    """Probe, write, print."""
    legacy = next(runtime for runtime in runtimes.known() if runtime.role == "legacy")
    if not legacy.present:
        print(legacy.absent_reason, file=sys.stderr)
        return 1
    flatbuffer = bundle.read(TINY).flatbuffer
    base = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    with tempfile.TemporaryDirectory() as folder:
        for code in names:
            for number in range(1, NEWEST_TRIED + 1):
                Path(folder, f"{code}-{number}").write_bytes(listing(base, code, number))
        paths = "\n".join(str(path) for path in sorted(Path(folder).iterdir()))
        done = subprocess.run([legacy.python, "-c", PROBE], input=paths, capture_output=True, text=True, check=True)
    known: dict[str, int] = {}
    for path, loads in (line.split() for line in done.stdout.splitlines()):
        code, number = map(int, Path(path).name.split("-"))
        if loads == "1":
            known[names[code]] = max(known.get(names[code], 0), number)
    TABLE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(known)} operators, e.g. FULLY_CONNECTED up to version {known['FULLY_CONNECTED']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
