"""Every command whose work can last over ten seconds shows how far it is and the time left."""

from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from leakear.train import cli

OVER_EACH_FILE = ("listening", "comparing")
BARS = {
    "manifest": ("manifest DATA", ("reading",)),
    "inspect": ("inspect DATA -o OUT/a.html", OVER_EACH_FILE),
    "evaluate": ("evaluate DATA --minutes 0.2 --jobs 1", ("opening", "file")),
    "gain": ("gain DATA --simulated 1 --gain 6", ("opening", "reading", "simulating", "+6 dB")),
    "crossval": (
        "crossval DATA --baseline dbmin --bootstrap 5 -o OUT --jobs 1",
        (*OVER_EACH_FILE, "features", "levels", "cross-validations", "intervals"),
    ),
    "compare": (
        "compare DATA -o OUT --representation notebook-mel --seeds 1 --split file --network strided --epochs 1",
        ("opening", "reading", "notebook-mel pictures", "notebook-mel, strided, by file", "training"),
    ),
}
"""Command → its words and the titles (or units) of its bars."""
LONGER = ("fit", "simulate", "nodedays", "realdays", "realism", "factory", "score", "background")
"""Commands that take too long for this test; each has a bar over its sites, days, folds, steps or files."""


def test_every_command_is_in_one_of_the_lists() -> None:
    assert sorted([*BARS, *LONGER]) == sorted(cli.COMMANDS)


@pytest.mark.parametrize("command", [*BARS, "crossval --permute"])
def test_long_work_has_a_bar(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    name, permuted = command.split(maxsplit=1)[0], "--permute" in command
    table = ["path,label,site,fold"]
    for number, path in enumerate(sorted(folder.rglob("*.wav"))):
        table.append(
            f"{path.relative_to(folder)},{path.parent.name.partition('-')[0]},{path.name[:3]},{number % 24 // 2 % 3}"
        )
    (folder / "manifest.csv").write_text("\n".join(table))
    begun: list[str] = []
    begin = tqdm.__init__

    def noted(bar: Any, *args: Any, **named: Any) -> None:
        begin(bar, *args, **named)
        begun.append(named.get("desc") or (args[1] if len(args) > 1 else "") or named.get("unit", ""))

    monkeypatch.setattr(tqdm, "__init__", noted)
    words, bars = BARS[name]
    places = words.replace("DATA", str(folder)).replace("OUT", str(tmp_path / "out"))
    (tmp_path / "out").mkdir()
    cache = ["--cache", str(tmp_path / "cache")] if name in ("inspect", "evaluate", "crossval") else []
    assert cli.main([*places.split(), *cache, *(["--permute", "2"] if permuted else [])]) == 0
    assert set(bars) <= set(begun)
