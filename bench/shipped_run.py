"""The run folder of the shipped model file, from the float weights in the repository: no training, three minutes.

    python -m bench.shipped_run ../shared/data runs/shipped
    leakear-convert runs/shipped -o again.tflite --name factory      # the shipped network again

Windows for calibrating int8 and for comparing it with float are drawn as `leakear-train factory` draws them; name,
scale, threshold and figures are those of the shipped file. `bench.int8_by_source` and `bench.conversion` read it.
"""

import argparse
import json
from pathlib import Path

from leakear.edge.model.tflite import FACTORY, Model
from leakear.train import runfolder, stderr_filter
from leakear.train.cli import factory
from leakear.train.data.features import default_cache
from leakear.train.data.split import split
from leakear.train.networks import factory as weights
from leakear.train.runfolder import RunInfo


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with hk-noise-loggers/ and background/")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder to write")
    parser.add_argument("--jobs", type=int, default=1, help="processes (1)")
    args = parser.parse_args()
    stderr_filter.load_tensorflow()
    args.run.mkdir(parents=True, exist_ok=True)
    info = shipped()
    sounds = args.data / "background" / "esc-10"
    data = factory.load(args.data / "hk-noise-loggers", sounds, default_cache(), info.seed, jobs=args.jobs)
    weights.load().save(args.run / "model.keras")
    factory.save_examples(data, args.run)
    everything = split(data.real.recordings, "none", info.seed)
    (args.run / "split.json").write_text(json.dumps(everything.to_json(), indent=1), encoding="utf-8")
    runfolder.save_info(args.run, info)


def shipped() -> RunInfo:
    """Return what the shipped file tells of the run that it was converted from."""
    info = Model.load(FACTORY).info
    raw = info.raw
    training = raw["training"]
    return RunInfo(
        name=raw["model"]["name"],
        created=training["created"],
        preset=training["preset"],
        spectrogram=info.spec,
        temperature=raw["temperature"],
        threshold=training["threshold"],
        decision={key: value for key, value in raw["decision"].items() if key != "threshold"},
        seed=training["seed"],
        split=training["split"],
        data=training["data"],
        metrics=raw["metrics"]["training"],
        licences=tuple(raw["licences"]),
        attribution=tuple(raw["attribution"]),
    )


if __name__ == "__main__":
    main()
