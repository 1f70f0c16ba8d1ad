"""Ctrl-C, kill -9 and a full disk: the same command continues, redoes nothing that was done, and nothing is damaged."""

import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.train import cli
from leakear.train.cli.model import evaluate
from leakear.train.data.collection import survey
from leakear.train.evaluation import cross_validation
from tests.support.sounds import record

Capture = pytest.CaptureFixture[str]
PROGRAM = [sys.executable, "-c", "import sys; from leakear.train.cli import main; sys.exit(main())"]


def interrupted_after(count: int, work: Callable[..., object], calls: list[object]) -> Callable[..., object]:
    """Return `work` that notes its calls, and gets Ctrl-C instead of the next one; 0: never."""

    def one(*args: object, **named: object) -> object:
        if count and len(calls) == count:
            raise KeyboardInterrupt
        calls.append(args[0])
        return work(*args, **named)

    return one


def test_the_survey_continues(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    words = ["inspect", str(folder), "-o", str(tmp_path / "a.html"), "--cache", str(tmp_path / "cache"), "--jobs", "1"]
    heard, first, then = survey._heard, list[object](), list[object]()
    monkeypatch.setattr(survey, "_heard", interrupted_after(10, heard, first))
    assert cli.main(words) == 130
    assert "the same command continues where this one stopped" in capsys.readouterr().err
    monkeypatch.setattr(survey, "_heard", interrupted_after(0, heard, then))
    assert cli.main(words) == 0
    assert (len(first), len(then)) == (10, 14)
    assert not set(map(str, first)) & set(map(str, then))


def test_evaluate_continues_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    for number in range(4):
        noise = 0.1 * np.random.default_rng(number).standard_normal(11 * 22050)
        path = tmp_path / "data" / ("Leak" if number % 2 else "NoLeak") / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise, 22050)
    words = ["evaluate", str(tmp_path / "data"), "--minutes", "0.5", "--jobs", "1", "--cache"]
    assert cli.main([*words, str(tmp_path / "one")]) == 0
    whole = capsys.readouterr().out
    work, first, then = evaluate.record, list[object](), list[object]()
    monkeypatch.setattr(evaluate, "record", interrupted_after(2, work, first))
    assert cli.main([*words, str(tmp_path / "two")]) == 130
    capsys.readouterr()
    next((tmp_path / "two" / "evaluated").iterdir()).write_bytes(b"damaged")
    monkeypatch.setattr(evaluate, "record", interrupted_after(0, work, then))
    assert cli.main([*words, str(tmp_path / "two")]) == 0
    assert capsys.readouterr().out == whole
    assert len(then) == 3  # two were left, and the damaged one


def test_crossval_continues_and_says_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    sites(folder)
    words = ["crossval", str(folder), "--baseline", "dbmin", "--baseline", "rms", "--draws", "2", "--bootstrap", "20"]
    words += ["-o", str(tmp_path / "out"), "--cache"]
    assert cli.main([*words, str(tmp_path / "one")]) == 0
    whole = capsys.readouterr().out
    work, first, then = cross_validation.run, list[object](), list[object]()
    monkeypatch.setattr(cross_validation, "run", interrupted_after(4, work, first))
    assert cli.main([*words, str(tmp_path / "two")]) == 130
    capsys.readouterr()
    monkeypatch.setattr(cross_validation, "run", interrupted_after(0, work, then))
    assert cli.main([*words, str(tmp_path / "two")]) == 0
    assert capsys.readouterr().out == whole
    assert len(then) == 2


def words_of(command: str, folder: Path, cache: Path) -> list[str | Path]:
    """Return a command line that keeps what it has done in `cache`; what it says does not depend on where that is."""
    words: list[str | Path] = [*PROGRAM, command, folder, "--cache", cache, "--jobs", "1"]
    return (
        words
        + {
            "crossval": ["--baseline", "dbmin", "--draws", "2", "--bootstrap", "20", "-o", folder.parent / "out"],
            "evaluate": ["--minutes", "0.5", "--json", folder.parent / "result.json"],
            "inspect": ["-o", folder.parent / "report.html"],
        }[command]
    )


def sites(folder: Path) -> None:
    table = ["path,label,site,fold"]
    for path in sorted(folder.rglob("*.wav")):
        label, site = path.parent.name.partition("-")[0], path.name[:3]
        table.append(f"{path.relative_to(folder)},{label},{site},{int(site[1:]) // 2 % 3}")
    (folder / "manifest.csv").write_text("\n".join(table))


def kept(cache: Path) -> dict[str, tuple[int, bytes]]:
    """Return what is kept: name → (time of writing, content); what a killed process began has a name with a dot."""
    found = {str(path.relative_to(cache)): path for path in cache.rglob("*") if path.is_file()}
    return {
        name: (path.stat().st_mtime_ns, path.read_bytes())
        for name, path in found.items()
        if path.suffix in (".json", ".npz") and not path.name.startswith(".")
    }


@pytest.mark.parametrize("command", ["crossval", "evaluate", "inspect"])
def test_killed_again_and_again_it_says_the_same_and_redoes_nothing(folder: Path, tmp_path: Path, command: str) -> None:
    """Each time it is killed when some more files were kept, wherever it then is."""
    for path in sorted(folder.rglob("*.wav"))[:: 2 if command == "crossval" else 3]:
        path.unlink()  # a site with one recording is enough
    sites(folder)
    whole = subprocess.run(words_of(command, folder, tmp_path / "one"), capture_output=True, check=True).stdout
    cache = tmp_path / "two"
    for more, how in ((1, signal.SIGKILL), (3, signal.SIGINT), (8, signal.SIGKILL)):
        before = kept(cache)
        process = subprocess.Popen(words_of(command, folder, cache), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while process.poll() is None and len(kept(cache)) < len(before) + more:
            time.sleep(0.01)
        process.send_signal(how)
        said = process.communicate()[1].decode()
        assert "Traceback" not in said
        assert before.items() <= kept(cache).items(), "what was done is done once"
    before = kept(cache)
    done = subprocess.run(words_of(command, folder, cache), capture_output=True, check=True)
    assert done.stdout == whole
    assert before
    assert before.items() <= kept(cache).items()
    assert {name: content for name, (_, content) in kept(cache).items()}.keys() == kept(tmp_path / "one").keys()


def test_a_manifest_onto_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    record(tmp_path / "data" / "a.wav", leak=True)
    with Path("/dev/full").open("wb") as full:
        words = [*PROGRAM, "manifest", tmp_path / "data"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    said = done.stderr.decode().strip().splitlines()
    assert said[-1] == (
        "leakear-train: writing failed: No space left on device; free some space, and run the same command again"
    )
    assert len(said) <= 2


@pytest.mark.parametrize("limit", [50_000, 200_000])
def test_a_disk_that_fills_up_damages_nothing(folder: Path, tmp_path: Path, limit: int) -> None:
    """Larger files cannot be written, then they can: features and weights, or only what comes later."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    words = [*PROGRAM, "fit", folder, "--split", "file", "--from", "scratch", "--simulated", "0", "--epochs", "1"]
    words += ["--copies", "0", "--jobs", "1", "-o", tmp_path / "run", "--cache", tmp_path / "cache"]
    full = subprocess.run(words, preexec_fn=limited, capture_output=True, text=True, check=False)
    assert full.returncode == 1
    assert "Traceback" not in full.stderr
    assert re.search(r"leakear-train: .*File too large", full.stderr.strip().splitlines()[-1])
    assert not (tmp_path / "run" / "run.json").exists()
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    assert (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize(
    ("command", "limit", "result"),
    [
        ("crossval", 100, "out/crossval.json"),
        ("crossval", 20_000, "out/crossval.json"),
        ("evaluate", 100, "result.json"),
        ("evaluate", 4_000, "result.json"),
        ("inspect", 100, "report.html"),
        ("inspect", 20_000, "report.html"),
    ],
)
def test_on_a_full_disk_it_says_so_and_the_next_run_completes(
    folder: Path, tmp_path: Path, command: str, limit: int, result: str
) -> None:
    """Nothing can be kept, then all but the result. What was kept is whole: the next run changes none of it."""
    sites(folder)
    words = words_of(command, folder, tmp_path / "cache")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    full = subprocess.run(words, preexec_fn=limited, capture_output=True, text=True, check=False)
    said = full.stderr.strip().splitlines()
    assert full.returncode == 1
    assert re.match(r"leakear-train: .*File too large", said[-1])
    assert "Traceback" not in full.stderr
    assert not (tmp_path / result).exists()
    assert not list(tmp_path.rglob(".*")), "no half of a file stays"
    before = kept(tmp_path / "cache")
    assert bool(before) == (limit > 100)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert before.items() <= kept(tmp_path / "cache").items()
    assert (tmp_path / result).exists()


def test_features_killed_at_any_moment_are_those_of_one_run(folder: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from leakear.train.data import dataset, features\n"
        "from leakear.train.data.clips import Recipe; from tests.support.sounds import SMALL\n"
        "found, _ = dataset.fingerprint(dataset.load(Path(sys.argv[1])))\n"
        "made = features.build(found, Recipe(SMALL), Path(sys.argv[2]), jobs=1)\n"
        "import numpy as np; print(made.read(range(len(made))).sum(), len(made))\n"
    )
    words = [sys.executable, "-c", script, str(folder)]
    whole = subprocess.run([*words, str(tmp_path / "one")], capture_output=True, check=True).stdout
    killed, moment = 0, 0.05
    while True:
        process = subprocess.Popen([*words, str(tmp_path / "two")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            out, _ = process.communicate(timeout=moment)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed, moment = killed + 1, 1.3 * moment
    assert killed
    assert out == whole
