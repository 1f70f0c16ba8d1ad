"""One training, from recordings to the run folder: `run` is what `leakear-train fit` calls.

It is not in `training/` because it also writes the report, and `training` must not import `evaluation`.
"""

import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from leakear.edge import files
from leakear.edge.errors import InputDataError
from leakear.train import runfolder
from leakear.train.data import dataset, features
from leakear.train.data.clips import Recipe
from leakear.train.data.dataset import Recording
from leakear.train.data.features import FeatureSet
from leakear.train.data.split import Split
from leakear.train.evaluation import comparison, run_report, scoring, trained_on
from leakear.train.evaluation.scoring import Scores
from leakear.train.networks.preset import Preset
from leakear.train.runfolder import CALIBRATION, HELDOUT, LABELS, Examples, Run, RunInfo
from leakear.train.training import checkpoint
from leakear.train.training.adaptation import SCRATCH, adapted, start_digest
from leakear.train.training.distributed import Cluster
from leakear.train.training.progress import BEST, Trained
from leakear.train.training.tensorboard import Board
from leakear.train.training.trainer import Schedule, predict, train
from leakear.train.work.jobs import Jobs

log = logging.getLogger(__name__)

UNKNOWN_THRESHOLD = 0.5
"""Of a network with nothing held out: its training gave both classes the same weight (decision 124)."""
_EXAMPLES = 100
"""Windows of each class kept in calibration.npz and heldout.npz at most."""
_EXAMPLE_BYTES = 128 << 20
"""Largest size of one of these files before compression; a window of the reference network takes 0.9 MB."""


@dataclass(frozen=True)
class Job:
    """What to train and on which recordings."""

    preset: Preset
    recipe: Recipe
    split: Split
    skipped: tuple[tuple[str, str], ...] = ()
    """(name, reason) of recordings that were already left out."""
    attribution: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    start: str = SCRATCH
    """`scratch`: train all weights; `factory` or a run folder: adapt that network (`training.adaptation`)."""
    added: tuple[Recording, ...] = ()
    """Made and given recordings without a leak to train on beside those of the split, without copies (`negatives`)."""

    @property
    def schedule(self) -> Schedule:
        """Number of epochs, batches and learning rate."""
        chosen = self.preset
        return Schedule(
            epochs=chosen.epochs,
            batch_size=chosen.batch_size,
            learning_rate=chosen.learning_rate,
            cosine=chosen.cosine,
            patience=chosen.patience if self.split.validation else 0,
            mixup=chosen.mixup,
            balance=chosen.balance,
            seed=self.recipe.seed,
        )

    @property
    def signature(self) -> str:
        """Digest of everything that must be equal before an interrupted training may be continued."""
        facts = {
            "preset": self.preset.name,
            "recipe": asdict(self.recipe),
            "schedule": asdict(self.schedule),
            "train": [r.sha256 for r in self.split.train],
            "validation": [r.sha256 for r in self.split.validation],
        }
        if self.start != SCRATCH or self.added:
            facts |= {"start": start_digest(self.start), "added": [r.sha256 for r in self.added]}
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def run(
    job: Job, output: Path, cluster: Cluster, *, cache: Path, jobs: Jobs | None = None, quiet: bool = False
) -> Run | None:
    """Train and write the run folder; an interrupted run of the same job continues, a finished one is returned.

    Returns None on workers other than the first: they only compute, the first one writes.
    """
    output.mkdir(parents=True, exist_ok=True)
    if cluster.chief and (done := _finished(output, job.signature)):
        return done
    own = features.build(job.split.train, job.recipe, cache, jobs=jobs)
    held_out = job.split.validation
    validation = features.build(held_out, job.recipe.plain, cache, jobs=jobs) if held_out else None
    for side in filter(None, (own, validation)):
        _require_usable(side)
    training = features.joined(own, features.build(job.added, job.recipe.plain, cache, jobs=jobs)) if job.added else own
    trained = _trained(job, output, cluster, training, validation, own=len(own), quiet=quiet)
    if not cluster.chief:
        cluster.meet()
        return None
    with files.replacing(output / "model.keras") as part:
        trained.model.save(part)
    validated = own.select(own.copy == 0) if validation is None else validation
    scores = _score(trained, validated, calibrated=validation is not None)
    runfolder.save_examples(output, CALIBRATION, _examples(training, job.recipe.seed))
    runfolder.save_examples(output, HELDOUT, _examples(validated, job.recipe.seed))
    threshold = scoring.threshold(scores) if validation is not None else UNKNOWN_THRESHOLD
    info = _info(job, output.name, trained, scores, threshold, own, validation)
    files.write(output / "split.json", json.dumps(job.split.to_json(), indent=1).encode())
    run_report.write(output, info, trained.history, scores, validated)
    runfolder.save_info(output, info)
    for name in (checkpoint.FILE, BEST):
        (output / name).unlink(missing_ok=True)
    cluster.meet()
    return runfolder.load_run(output)


def _trained(
    job: Job,
    output: Path,
    cluster: Cluster,
    training: FeatureSet,
    validation: FeatureSet | None,
    *,
    own: int,
    quiet: bool,
) -> Trained:
    """Train or adapt a network; the first `own` rows of `training` are of a person's recordings."""
    if job.start != SCRATCH:
        return adapted(job.start, training, own)
    board = Board(output / "tensorboard") if cluster.chief else None
    return train(
        lambda: job.preset.build(job.recipe.spec.shape),
        training,
        validation,
        job.schedule,
        cluster,
        folder=output,
        signature=job.signature,
        on_epoch=board.epoch if board else None,
        quiet=quiet,
    )


def clear(output: Path) -> None:
    """Remove the files from which `run` would continue, or return, an earlier training; other files stay."""
    for name in (checkpoint.FILE, BEST, "run.json"):
        (output / name).unlink(missing_ok=True)
    shutil.rmtree(output / "tensorboard", ignore_errors=True)


def _finished(output: Path, signature: str) -> Run | None:
    if not (output / "run.json").is_file():
        return None
    done = runfolder.load_run(output)
    if done.info.training.get("signature") != signature:
        raise InputDataError(
            f"{output} holds a finished run of other recordings or options: give another --output, or --fresh"
        )
    log.info("%s is finished: nothing to do (--fresh trains again)", output)
    return done


def _require_usable(side: FeatureSet) -> None:
    for name, reason in side.skipped:
        log.warning("left out: %s: %s", name, reason)
    dataset.require_classes(side.readable, "one side of the split")


def _score(trained: Trained, validated: FeatureSet, *, calibrated: bool) -> Scores:
    """Score the held-out windows; the temperature is fitted to their files and is at least 1.

    Below 1 it would make the network more certain: a few files that are classified without error would make it so.
    """
    scores = Scores.of(validated, predict(trained.model, validated, quiet=False))
    if not calibrated:
        return scores
    files = scores.files()
    return replace(scores, temperature=max(1.0, scoring.calibrate(files.logits, files.targets)))


def _examples(side: FeatureSet, seed: int) -> Examples:
    """Draw equally many Leak and NoLeak windows, at most _EXAMPLES of each and _EXAMPLE_BYTES together."""
    rows, frames = side.recipe.spec.shape
    targets = side.targets
    each = min(_EXAMPLES, _EXAMPLE_BYTES // (2 * rows * frames), int(np.bincount(targets, minlength=2).min()))
    rng = np.random.default_rng(seed)
    chosen = np.sort(np.concatenate([rng.choice(np.flatnonzero(targets == t), each, replace=False) for t in (0, 1)]))
    names = side.names
    return Examples(side.read(chosen), targets[chosen], tuple(names[row] for row in chosen))


def _info(
    job: Job,
    name: str,
    trained: Trained,
    scores: Scores,
    threshold: float,
    training: FeatureSet,
    validation: FeatureSet | None,
) -> RunInfo:
    sides = {"train": training} | ({"validation": validation} if validation is not None else {})
    skipped = [*job.skipped, *(entry for side in sides.values() for entry in side.skipped)]
    metrics = scoring.metrics(scores, threshold) | {"on": "validation" if validation is not None else "training"}
    if validation is not None:
        metrics["comparison"] = comparison.compare(scores, threshold).to_json()
    return RunInfo(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        preset=job.preset.name,
        spectrogram=job.recipe.spec,
        temperature=scores.temperature,
        threshold=threshold,
        seed=job.recipe.seed,
        split=job.split.summary(),
        data={
            "sha256": dataset.digest([*job.split.train, *job.split.validation]),
            "files": {side: _count(r.label for r in part.readable) for side, part in sides.items()},
            "windows": {side: _count(LABELS[t] for t in part.targets) for side, part in sides.items()},
            "skipped": [{"path": path, "reason": reason} for path, reason in skipped],
            "added": _count(r.name.partition("/")[0] for r in job.added),
            trained_on.KEY: trained_on.digests(training.readable),
        },
        metrics=metrics,
        training=_training(job, trained),
        licences=job.licences,
        attribution=job.attribution,
    )


def _count(labels: Iterable[str]) -> dict[str, int]:
    return dict(Counter(labels))


def _training(job: Job, trained: Trained) -> dict[str, Any]:
    import keras
    import tensorflow as tf

    return {
        **asdict(job.schedule),
        "signature": job.signature,
        "start": job.start,
        "copies": job.recipe.copies,
        "augmentations": list(job.recipe.augmentations),
        "backgrounds": len(job.recipe.backgrounds),
        "windows": job.recipe.windows,
        "epochs_run": len(trained.history),
        "epoch_kept": trained.epoch + 1,
        "parameters": int(trained.model.count_params()),
        "seconds": round(sum(entry["seconds"] for entry in trained.history), 1),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
