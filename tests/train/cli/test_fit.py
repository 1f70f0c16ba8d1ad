"""The command line as a person meets it."""

import subprocess
import sys
from pathlib import Path

import pytest

from leakear.train import cli, runfolder
from tests.support.sounds import record


def fit(*words: object) -> int:
    return cli.main(["fit", *map(str, words)])


NEW = ("--from", "scratch", "--simulated", 0)
QUICK = ("--epochs", 1, "--copies", 0, "--site-pattern", r"(s\d+)-", "--jobs", 1, *NEW)


def test_fit_makes_a_run_folder(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Leak-Metal" / "s01-broken.wav").write_bytes(b"RIFF....")
    output = tmp_path / "run"
    code = fit(folder, "-o", output, "--cache", tmp_path / "cache", "--attribution", "me", "--fold-column", "x", *QUICK)
    said = capsys.readouterr().out
    assert code == 0
    assert "left out: Leak-Metal/s01-broken.wav" in said
    assert "1 recording left out" in said
    assert f"leakear-convert {output}" in said
    run = runfolder.load_run(output)
    assert (run.info.preset, run.info.attribution, run.info.split["by"]) == ("compact", ("me",), "site")
    assert run.info.training["epochs"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--split", "site"), "give --manifest"),
        (("--manifest", "nowhere.csv"), "nowhere.csv"),
        (("--site-pattern", r"(s\d+)-", "--fold", "3"), "fold 3"),
        (("--split", "file", "--background", "nowhere"), "nowhere"),
    ],
)
def test_unusable_input_gives_one_sentence_and_exit_code_65(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert fit(folder, *words) == 65
    error = capsys.readouterr().err.strip()
    assert error.startswith("leakear-train: ")
    assert said in error
    assert len(error.splitlines()) == 1


def test_why_recordings_are_left_out_is_said_before_a_split_fails(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in list(folder.rglob("*.wav"))[2:]:
        path.write_bytes(b"RIFF....")
    for kind in ("Leak-Metal", "NoLeak-Metal"):
        record(folder / kind / "good.wav", leak=kind == "Leak-Metal")
    assert fit(folder, "--split", "file", "--cache", tmp_path, *NEW) == 65
    caught = capsys.readouterr()
    assert "left out: Leak-Metal/s" in caught.out
    assert "too few recordings to split by file: " in caught.err


def test_a_bad_background_ends_no_training(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sounds = tmp_path / "sounds"
    record(sounds / "rain.wav", leak=False, seed=9)
    (sounds / "bad.wav").write_bytes(b"RIFF....")
    (sounds / "._rain.wav").write_bytes(b"junk")
    words = ("-o", tmp_path / "run", "--cache", tmp_path / "cache", "--background", sounds, *QUICK)
    assert fit(folder, *words) == 0
    said = capsys.readouterr().out
    assert "background not used: bad.wav: " in said
    assert "background not used: ._rain.wav: is hidden" in said
    assert runfolder.load_run(tmp_path / "run").info.data["added"] == {"given": 1}


def test_a_class_without_recordings_gives_exit_code_65(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Leak").mkdir()
    assert fit(tmp_path) == 65
    assert "class NoLeak" in capsys.readouterr().err


def test_wrong_usage_gives_exit_code_2_and_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as wrong:
        cli.main(["fit"])
    assert wrong.value.code == 2
    with pytest.raises(SystemExit) as helped:
        cli.main(["--help"])
    assert helped.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in cli.COMMANDS)
    assert "examples:" in text


def test_every_command_has_a_help_text(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.COMMANDS:
        with pytest.raises(SystemExit) as helped:
            cli.main([name, "--help"])
        assert helped.value.code == 0, name
        assert "--" in capsys.readouterr().out


def test_fit_continues_after_it_was_killed(folder: Path, tmp_path: Path) -> None:
    """A real process, really killed once its first epochs are on disk."""
    output = tmp_path / "run"
    words = ["fit", str(folder), "-o", str(output), "--cache", str(tmp_path / "cache"), "--site-pattern", r"(s\d+)-"]
    command = [sys.executable, "-c", "import sys; from leakear.train.cli import main; sys.exit(main())", *words]
    command += ["--epochs", "200", "--copies", "0", "--jobs", "1", *map(str, NEW)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    for line in process.stderr:
        if "epoch 3/" in line:
            break
    process.kill()
    process.communicate(timeout=60)
    kept = (output / "history.csv").read_text().splitlines()
    assert 3 <= len(kept) < 200
    assert not (output / "run.json").exists()
    again = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert again.stderr
    first = next(line for line in again.stderr if "epoch " in line)
    again.kill()
    again.communicate(timeout=60)
    assert int(first.split("epoch ")[1].split("/")[0]) >= len(kept) - 1


def test_class_folders_without_sites_train_without_a_figure(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    words = ("--epochs", 1, "--copies", 0, "--jobs", 1, "--cache", tmp_path / "cache", *NEW)
    assert fit(folder, "-o", output, *words) == 0
    said = capsys.readouterr().out
    assert "no recording is held out: a split by site needs the site of every recording" in said
    assert "Nothing was held out: no figure can be given" in said
    assert "accuracy" not in said, "of recordings that were trained on"
    run = runfolder.load_run(output)
    assert (run.info.split["by"], run.info.threshold) == ("none", 0.5)
    assert "comparison" not in run.info.metrics


def test_few_recordings_of_several_sites_adapt_the_factory_network_and_are_judged_on_what_is_held_out(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = tmp_path / "held"
    for kind in ("Leak-Metal", "NoLeak-Metal"):
        (held / kind).mkdir(parents=True)
        for path in sorted((folder / kind).glob("s0[0-3]-*")):
            path.rename(held / kind / path.name)
    words = ("-o", tmp_path / "run", "--cache", tmp_path / "cache", "--jobs", 1, "--copies", 0, "--simulated", 2)
    assert fit(folder, "--hold-out", held, "--site-pattern", r"(s\d+)-", *words) == 0
    said = capsys.readouterr().out
    assert "| yours | 1.000 | 1.000 | 4 of 4 | 0 of 4 |" in said
    assert "Deploy " in said
    run = runfolder.load_run(tmp_path / "run")
    assert run.info.training["start"] == "factory"
    assert run.info.data["added"] == {"made": 2}
    assert len(run.info.data["sounds"]) == 16
    assert run.info.metrics["comparison"]["leaks"] == 4
    assert "| yours |" in (run.path / "comparison.md").read_text()
    assert "Yours and the factory model" in (run.path / "report.html").read_text()


def test_a_recording_cannot_train_and_be_held_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(folder, "--hold-out", folder, *NEW) == 65
    assert "which is trained on: take it from one" in capsys.readouterr().err
