"""Pictures of every page: `make pictures OUT=folder`. With each come its flaws; any makes the exit code 1.

python -m tests.dashboard.pictures.take FOLDER [NAME …]     only scenes whose names begin so
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from tests.dashboard.pictures.flaws import flaws
from tests.dashboard.pictures.scenes import LANGUAGES, Scene, empty, scenes, strangers, trouble
from tests.dashboard.pictures.shoot import show, views
from tests.dashboard.pictures.stage import Stage
from tests.support.harness import Browser


def take(page: Browser, stage: Stage, shown: Iterable[Scene], out: Path, wanted: list[str]) -> int:
    """Take each scene in each language, theme and width; return how many flaws were found."""
    count = 0
    for scene in shown:
        if wanted and not any(scene.name.startswith(name) for name in wanted):
            continue
        for language in LANGUAGES:
            show(page, stage, scene, language)
            for view in views(page, whole=True):
                page.driver.save_screenshot(str(out / f"{scene.name}-{language}-{view.name}.png"))
                found = flaws(page, language, view.width)
                count += len(found)
                for line in found:
                    print(f"{scene.name} {language} {view.name}: {line}", flush=True)
    return count


def main() -> int:
    """Take them all."""
    out, wanted = Path(sys.argv[1]), sys.argv[2:]
    out.mkdir(parents=True, exist_ok=True)
    with Stage() as stage:
        page = Browser(1280, 800)
        try:
            count = take(page, stage, strangers(stage), out, wanted)
            stage.log_in(page)
            count += take(page, stage, scenes(stage), out, wanted)
            count += take(page, stage, empty(stage), out, wanted)
            stage.cut()
            count += take(page, stage, trouble(stage), out, wanted)
        finally:
            page.quit()
    print(f"{len(list(out.glob('*.png')))} pictures in {out}; flaws: {count}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
