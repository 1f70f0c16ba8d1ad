"""Every command in README.md and docs/ exists; what can be carried out anywhere is carried out."""

import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.docs.commands import Command, commands
from tests.docs.programs import wrong
from tests.docs.stories import STORIES, Step
from tests.support.places import ROOT

ROOT_NEEDED = "needs root and changes the system: tests/system do it in containers"
ENVIRONMENT = "installs from a package index: make does it for the tests"
HOURS = "takes many minutes or hours"
DATA = "needs recordings that are not in the repository"
PULSE = "needs a sound server: tests/docs/test_recording_as_microphone.py"
PARSED = {
    "make demo*": ENVIRONMENT + ", tests/edge/simulation and tests/dashboard/test_demo.py run what it starts",
    "make test": "would run itself",
    "make packages-deb*": HOURS + ", as root: make test-packages",
    "make packages-wheel": "fetches build tools from a package index: tests/edge/test_boundaries.py builds one",
    "make nodedays": HOURS,
    "make nights": DATA,
    "cd leakear": "the reader's folder",
    "git clone *": "ADDRESS is the reader's",
    "python3 -m venv *": ENVIRONMENT,
    "pip install *": ENVIRONMENT,
    "sudo *": ROOT_NEEDED,
    "apt-get install *": ROOT_NEEDED,
    "install -m *": ROOT_NEEDED,
    "systemctl *": ROOT_NEEDED,
    "systemd/broker *": ROOT_NEEDED + " (tests/system/test_broker_files.py)",
    "leakear-update *": ROOT_NEEDED + " (make test-packages)",
    "echo *sudo tee *": ROOT_NEEDED,
    "ssh -L *": "needs the reader's two machines",
    "export MQTT_PASSWORD=*": "the reader's secret",
    "mosquitto_*": "need a node that listens: tests/system/test_chain.py",
    "leakear-edge listen*": "needs a microphone, ends by Ctrl-C: tests/edge/cli/test_ear_commands.py",
    "leakear-edge simulate-fleet *": "needs a broker: tests/edge/simulation/test_city.py",
    "leakear-edge deploy *": "needs a broker with nodes: tests/edge/cli/test_deploy.py",
    "leakear-edge rollback *": "needs a broker with nodes: tests/edge/cli/test_deploy.py",
    "leakear-edge setup --yes --config *": "needs a broker: tests/edge/cli/setup/test_terminal.py",
    "leakear-edge replay --config try/try.toml *": "needs a broker: make test-first-alert",
    "kill %1": "ends what the reader started: make test-first-alert",
    "deactivate && *": "takes away what the reader made: make test-first-alert",
    "cd try && leakear-dashboard --broker *": "runs until it is stopped: make test-first-alert",
    "leakear-dashboard --broker *": "runs until it is stopped: tests/dashboard/test_browser.py",
    "leakear-dashboard --ingest elsewhere *": "runs until it is stopped: tests/dashboard/ingest",
    "leakear-dashboard ingest *": "runs until it is stopped: tests/dashboard/ingest",
    "leakear-dashboard retention --partition *": "needs an older PostgreSQL database: tests/dashboard/retention",
    "leakear-dashboard user add *": "asks for a password at a terminal: tests/dashboard/test_access.py",
    "leakear-dashboard export *": "needs judged alerts: tests/dashboard/test_alerts_page.py",
    "leakear-dashboard report health.txt *": "needs a dashboard that ran: tests/dashboard/operation",
    "leakear-dashboard report case.html *": "needs a case: tests/dashboard/reports",
    "* leakear-dashboard report *": "a line of crontab: tests/dashboard/reports",
    "leakear-train fit field": "needs the export of judged alerts",
    "leakear-train nodedays *": HOURS,
    "leakear-train realdays *": DATA,
    "leakear-train crossval *": DATA,
    "leakear-train background *": DATA,
    "leakear-train realism *": DATA,
    "leakear-train simulate sim --sites 200 *": HOURS,
    "leakear-train score s3://*": "needs a bucket: tests/train/archive",
    "leakear-convert RUN *": "takes minutes: tests/convert/test_command.py",
    "leakear-convert runs/shipped *": "needs bench.shipped_run first: tests/convert/test_command.py",
    "leakear-convert my.keras *": "needs the reader's network: tests/convert/test_source.py",
    "dask *": "runs until it is stopped: tests/train/work",
    "python examples/cluster/slurm.py --jobs *": "needs SLURM",
    "pactl *": PULSE,
    "while paplay *": PULSE,
    "export PULSE_SOURCE=*": PULSE,
    "leakear-edge listen --device pulse *": PULSE,
    "python -m bench.*": HOURS,
}
"""command (with * for anything) → why it is only parsed; one that stands neither here nor in STORIES fails"""

ALL = commands()
IN_BLOCKS = sorted({c.text: c for c in ALL if c.whole}.values(), key=lambda c: c.place)
RUN = {step.text for story in STORIES.values() for step in story.steps}


@pytest.mark.parametrize("document", sorted({command.place.partition(":")[0] for command in ALL}))
def test_every_command_exists(document: str) -> None:
    found = [
        f"{command.place}: {command.text}\n    {said}"
        for command in ALL
        if command.place.startswith(document + ":")
        for call in command.calls
        if (said := wrong(call, whole=command.whole))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("command", IN_BLOCKS, ids=lambda c: c.place)
def test_every_command_is_carried_out_or_has_a_reason_why_not(command: Command) -> None:
    assert command.text in RUN or any(fnmatchcase(command.text, pattern) for pattern in PARSED), (
        f"{command.place} shows {command.text!r}: add it to STORIES in tests/docs/stories.py, "
        "or to PARSED in tests/docs/test_commands.py with the reason why it is only parsed"
    )


def test_what_is_carried_out_is_still_shown() -> None:
    shown = {command.text for command in IN_BLOCKS}
    assert not RUN - shown
    named = {path for reason in PARSED.values() for path in re.findall(r"\btests/[\w/.]+\w", reason)}
    assert not [path for path in named if not (ROOT / path).exists()]
    assert not [pattern for pattern in PARSED if not any(fnmatchcase(text, pattern) for text in shown - RUN)]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if story.slow else name for name, story in STORIES.items()]
)
def test_carried_out(name: str, tmp_path: Path) -> None:
    story = STORIES[name]
    if story.needs and not shutil.which(story.needs):
        pytest.skip(f"{story.needs} is not installed: apt-get install {story.needs}")
    story.prepare(tmp_path)
    for step in story.steps:
        carry_out(step, tmp_path)


def carry_out(step: Step, folder: Path) -> None:
    if step.before:
        step.before(folder)
    parts = [str(ROOT), *(str(ROOT / part) for part in ("edge", "train", "convert", "dashboard"))]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(parts),
        "HOME": str(folder),
    }
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {step.text}"], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode in step.codes, f"{step.text}: exit code {done.returncode}\n{said}"
    assert step.says in said, said
    assert "Traceback" not in said
    assert not step.makes or (folder / step.makes).exists(), said


@pytest.mark.parametrize(
    "call",
    [
        "leakear-edge chek",
        "leakear-train fit RECORDINGS --no-such-option",
        "leakear-train nodedays --days many --out days",
        "leakear-dashboard nights a.csv --buget 1",
        "leakear-dashboard --listen 0.0.0.0:80",
        "make demoo",
        "make demo KEP=1",
        "python -m bench.nothing",
        "pip install '.[everything]'",
        "systemd/install --undo",
        "sudo systemd/broker add-clock a",
        "leakear-update forth",
    ],
)
def test_a_wrong_command_is_noticed(call: str) -> None:
    assert any(wrong(words, whole=True) for words in Command("x:1", call, whole=True).calls)
