"""Commands of the documents that are carried out, in the order of the document, in a folder of their own."""

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tests.support.places import ROOT
from tests.support.sounds import record

FACTORY = ROOT / "edge/leakear/edge/model/factory.tflite"
RATE = 22050


@dataclass(frozen=True)
class Step:
    """One command as a document shows it."""

    text: str
    says: str = ""
    """part of what it prints"""
    codes: tuple[int, ...] = (0,)
    """exit codes that are right on any machine"""
    makes: str = ""
    """file that is there afterwards"""
    before: Callable[[Path], object] | None = None
    """what the document tells the reader to do before it"""


@dataclass(frozen=True)
class Story:
    """Commands that follow each other."""

    prepare: Callable[[Path], object]
    """puts the reader's own files into the folder"""
    steps: tuple[Step, ...]
    slow: bool = False
    needs: str = ""
    """program of others; the story is skipped where it is not installed"""


def recordings(folder: Path) -> None:
    """Ten recordings of each class, RECORDINGS/SITE-TAKE.wav, and one more, night.wav."""
    for number in range(20):
        leak = bool(number % 2)
        record(folder / "RECORDINGS" / f"s{number // 4}-{number}.wav", leak=leak, seconds=12, seed=number, rate=RATE)
    record(folder / "night.wav", leak=False, seconds=25, seed=99, rate=RATE)


def fill_in(folder: Path) -> None:
    """Fill in label and site, as the reader does in a spreadsheet program."""
    table = folder / "table.csv"
    text = table.read_text(encoding="utf-8-sig")
    separator = ";" if ";" in text.splitlines()[0] else ","
    rows = list(csv.DictReader(text.splitlines(), delimiter=separator))
    for row in rows:
        site, _, number = Path(row["path"]).stem.partition("-")
        row |= {"site": site, "label": "Leak" if int(number) % 2 else "NoLeak"}
    with table.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


def model(folder: Path) -> None:
    """Put a model file under each name that the documents use."""
    for name in ("mine.tflite", "leak.tflite", "new.tflite"):
        shutil.copy(FACTORY, folder / name)


def nights(folder: Path) -> None:
    """Sixty nights of three loggers, one of which rises."""
    random = np.random.default_rng(1)
    lines = ["logger,date,level,spread"]
    for day in range(60):
        date = np.datetime64("2023-03-01") + day
        for logger in range(3):
            level = 15 + random.normal() + (15 if logger == 0 and day >= 40 else 0)
            lines.append(f"L{logger},{date},{level:.1f},{5 + random.random():.1f}")
    for name in ("levels.csv", "export.csv"):
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def pair(folder: Path) -> None:
    """Two simulated recordings at the ends of a steel pipe of 84 m."""
    from leakear.train.simulator.pairs import Case, render

    case = Case.draw(1, "steel", length=84.0, snr_db=10.0, seconds=10.0)
    for name, sound in zip(("A.wav", "B.wav"), render(case), strict=True):
        soundfile.write(folder / name, sound, case.rate, subtype="PCM_24")


def database(folder: Path) -> None:
    """Make the database of a dashboard that has run."""
    from leakear.dashboard.history.tables import open_database

    open_database(f"sqlite:///{folder}/leakear-dashboard.sqlite").dispose()


def checkout(folder: Path) -> None:
    """Work in a checkout."""
    (folder / "examples").symlink_to(ROOT / "examples")


def evaluated(folder: Path) -> None:
    """Put labelled recordings into class folders."""
    for number in range(4):
        record(folder / "recordings" / ("Leak", "NoLeak")[number % 2] / f"{number}.wav", leak=number % 2 == 0,
               seconds=12, seed=number, rate=RATE)  # fmt: skip


def nothing(folder: Path) -> None:
    """Leave the folder empty."""


_FIT = "leakear-train fit RECORDINGS --manifest table.csv -o run"
_INSPECT = Step(
    "leakear-train inspect RECORDINGS --manifest table.csv", "Leak", makes="RECORDINGS.html", before=fill_in
)
_REPLAY = Step("leakear-edge replay --model mine.tflite night.wav", "windows")

STORIES = {
    "a look at recordings": Story(
        recordings, (Step("leakear-train manifest RECORDINGS > table.csv", "20 recordings"), _INSPECT)
    ),
    "the same in Portuguese": Story(
        recordings, (Step("leakear-train manifest RECORDINGS --separator ';' > table.csv", "20 recordings"), _INSPECT)
    ),
    "a model of one's own": Story(
        recordings,
        (
            Step("leakear-train manifest RECORDINGS > table.csv"),
            _INSPECT,
            Step(_FIT, "next: leakear-convert run", makes="run/report.html"),
            Step("leakear-convert run -o mine.tflite", makes="mine.tflite"),
            _REPLAY,
        ),
        slow=True,
    ),
    "a recording through the node": Story(lambda folder: (recordings(folder), model(folder)), (_REPLAY,)),
    "a node without a microphone or with one": Story(nothing, (Step("leakear-edge devices", codes=(0, 1)),)),
    "signing": Story(
        model,
        (
            Step("leakear-convert inspect leak.tflite", "factory"),
            Step("leakear-convert sign --new-key acme", makes="acme.public.pem"),
            Step("leakear-convert sign leak.tflite --key acme.private.pem"),
            Step("leakear-convert sign new.tflite --key acme.private.pem"),
        ),
    ),
    "nights of any logger": Story(
        nights,
        (
            Step("leakear-dashboard nights levels.csv", "1 logger has a lasting rise"),
            Step("leakear-dashboard nights export.csv --budget 0.3 --report rises.html --json", makes="rises.html"),
        ),
    ),
    "the report of a month": Story(
        database, (Step("leakear-dashboard report november.pdf --month 2026-11", makes="november.pdf"),)
    ),
    "locating": Story(
        pair,
        (
            Step(
                "leakear-dashboard locate A.wav B.wav --length 84 --material steel --diameter 114 --wall 4 "
                "--report leak.html",
                "m from A",
                makes="leak.html",
            ),
        ),
    ),
    "a certificate authority": Story(
        nothing,
        (
            Step(
                'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=our CA" '
                "-keyout ca.key -out ca.pem",
                makes="ca.pem",
            ),
            Step(
                'openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=broker.example" -keyout '
                "broker.key | openssl x509 -req -CA ca.pem -CAkey ca.key -days 825 -out broker.crt -extfile "
                '<(echo "subjectAltName=DNS:broker.example")',
                makes="broker.crt",
            ),
        ),
        needs="openssl",
    ),
    "a cluster's script": Story(checkout, (Step("python examples/cluster/slurm.py --render", "#SBATCH"),)),
    "alerts on recordings": Story(
        evaluated, (Step("leakear-train evaluate recordings/ --json alerts.json", makes="alerts.json"),)
    ),
    "the events of simulated days": Story(
        nothing, (Step("leakear-train simulate sim --sites 4 --clips 0 --days 2", makes="sim"),), slow=True
    ),
}
