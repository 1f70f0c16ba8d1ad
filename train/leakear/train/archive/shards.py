"""A shard: up to some hundred recordings through the node's pipeline, a row each, in one Parquet file.

A file is there whole or not at all, and carries the key of its plan. A recording that cannot be heard is a row with
the reason in `error`: nothing is left out.
"""

import logging
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

from leakear.edge import files
from leakear.edge.decision.rule import DecisionRule, rule_from
from leakear.edge.errors import InputDataError
from leakear.edge.model.tflite import Model
from leakear.edge.pipeline import Pipeline, Result
from leakear.edge.texts import printable
from leakear.train.archive.plan import Item, Plan
from leakear.train.data.repeated import repeated
from leakear.train.work import identity, tasks
from leakear.train.work.jobs import Jobs

log = logging.getLogger(__name__)

KEY = b"leakear"
"""Key of the file's metadata under which the plan's key stands."""


def schema() -> Any:
    """Return the columns of the results."""
    import pyarrow as pa

    return pa.schema(
        [
            ("path", pa.string()),  # relative to the archive
            ("site", pa.string()),
            ("date", pa.string()),
            ("bytes", pa.int64()),
            ("windows", pa.int32()),  # of 10 s; a shorter recording is repeated to one
            ("scored", pa.int32()),  # windows in which a leak could be heard
            ("on", pa.int32()),  # windows whose score and level reach the model's limits
            ("score", pa.float32()),  # median P(leak) of the scored windows
            ("score_max", pa.float32()),
            ("scores", pa.list_(pa.float32())),  # P(leak) of each window; null: not scored
            ("level_dbfs", pa.float32()),  # median
            ("dbmin_dbfs", pa.float32()),  # median of the windows' quietest moments
            ("faults", pa.list_(pa.string())),  # that a node would name
            ("error", pa.string()),  # why it could not be heard; null: it was
        ]
    )


def score(plan: Plan, jobs: Jobs) -> Iterator[int]:
    """Score every shard that is not there yet; yield how many recordings are done, those of before first."""
    waiting = [number for number in range(plan.shards) if not _there(plan, number)]
    yield plan.recordings - sum(plan.size(number) for number in waiting)
    alike = [plan.wanted.out, plan.wanted.model]
    if waiting and plan.wanted.archive.local:
        alike.append(Path(plan.wanted.archive.url) / plan.items(waiting[0])[0].name)
    for _, count in tasks.unordered(Shard(plan), waiting, jobs, files=alike):
        yield count
    for part in plan.wanted.out.glob(".part-*"):
        part.unlink(missing_ok=True)  # of processes that were killed


class Shard:
    """Scores a shard of a plan by its number; returns how many recordings it holds."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __call__(self, number: int) -> int:
        """Do it."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        plan = self._plan
        model = _model(plan.wanted.model, identity.digest(plan.wanted.model))
        rule = rule_from(model.info.decision, {})
        rows = [_row(plan, item, model, rule) for item in plan.items(number)]
        table = pa.Table.from_pylist(rows, schema().with_metadata({KEY: plan.key}))
        with files.replacing(plan.path(number)) as part:
            pq.write_table(table, part)
        return len(rows)


@lru_cache(maxsize=1)
def _model(path: Path, _digest: str) -> Model:
    """Load a model file once in each process."""
    return Model.load(path)


def _there(plan: Plan, number: int) -> bool:
    """Tell whether a shard of this plan is there and whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = plan.path(number)
    try:
        with pq.ParquetFile(path) as file:
            ours = file.schema_arrow.metadata.get(KEY) == plan.key.encode()
            return bool(ours and file.metadata.num_rows == plan.size(number))
    except FileNotFoundError:
        return False
    except (pa.ArrowException, OSError, AttributeError):
        log.warning("%s is damaged and is computed again", path)
        return False


def _row(plan: Plan, item: Item, model: Model, rule: DecisionRule) -> dict[str, Any]:
    row = {"path": printable(item.name), "site": item.site, "date": item.date, "bytes": item.size}
    with_path = Path(item.name)
    try:
        with plan.wanted.archive.recording(item.name) as path:
            with_path = path
            return row | _heard(path, plan, model, rule)
    except InputDataError as error:
        return row | {"error": str(error).removeprefix(f"{printable(with_path)}: ")}
    except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:  # one of millions
        return row | {"error": printable(f"could not be scored ({type(error).__name__}: {error})")}


def _heard(path: Path, plan: Plan, model: Model, rule: DecisionRule) -> dict[str, Any]:
    spec = model.info.spec
    pipeline = Pipeline(model, spec, rule)
    results: list[tuple[float | None, float, float]] = []
    faults: set[str] = set()
    on = 0
    for block in repeated(path, spec, spec.window_seconds, plan.wanted.channel):
        for result in pipeline.push(block):
            if result.health is None:
                continue
            results.append((result.score, result.health.level_dbfs, result.health.l05))
            faults.update(result.health.faults)
            on += _is_on(result, rule)
    scores = [score for score, _, _ in results if score is not None]
    return {
        "windows": len(results),
        "scored": len(scores),
        "on": on,
        "score": median(scores) if scores else None,
        "score_max": max(scores, default=None),
        "scores": [score for score, _, _ in results],
        "level_dbfs": median(level for _, level, _ in results) if results else None,
        "dbmin_dbfs": median(quiet for _, _, quiet in results) if results else None,
        "faults": sorted(faults),
    }


def _is_on(result: Result, rule: DecisionRule) -> bool:
    score, quiet = result.trusted
    return score is not None and quiet is not None and score >= rule.threshold and quiet >= rule.level_gate_dbfs
