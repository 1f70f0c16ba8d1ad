"""Exports alerts that have a verdict, with their clips, in the format that `leakear-train` reads."""

import csv
import hashlib
import io
import logging
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from leakear.dashboard.alerting.alerts import Alerts
from leakear.dashboard.evidence.clips import Clips
from leakear.dashboard.evidence.media import measure
from leakear.dashboard.history import Row
from leakear.dashboard.history.verdicts import Verdict
from leakear.edge.errors import InputDataError

log = logging.getLogger(__name__)
COLUMNS = ("path", "label", "material", "site", "date", "sample_rate", "seconds", "sha256", "fold")
LABELS = {Verdict.LEAK: "Leak", Verdict.FALSE_ALARM: "NoLeak"}
FOLDS = 5
EPOCH = (1980, 1, 1, 0, 0, 0)
"""the same clips make the same archive, byte for byte"""


def write_zip(alerts: Alerts, clips: Clips, out: IO[bytes]) -> int:
    """Write manifest.csv and the clips it names into a ZIP archive; return the number of recordings.

    A clip that cannot be read is left out, with a line in the log.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    count = 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for row in alerts.judged():
            found = clips.path(row["id"], "audio")
            if found is None:
                continue
            try:
                content = clips.read(found[0])
                line = manifest_line(row, found[0], content)
            except InputDataError as error:
                log.warning("%s is left out of the export: %s", found[0].name, error)
                continue
            archive.writestr(zipfile.ZipInfo(str(line["path"]), EPOCH), content)
            table.writerow(line)
            count += 1
        archive.writestr(zipfile.ZipInfo("manifest.csv", EPOCH), text.getvalue())
    return count


def manifest_line(row: Row, path: Path, content: bytes) -> dict[str, str | int | float]:
    """Return the manifest row of a recording. `site` is site/node: recordings of one sensor share a fold."""
    label = LABELS[Verdict(row["verdict"])]
    spot = f"{row['site']}/{row['node']}"
    rate, seconds = measure(content)
    return {
        "path": f"{label}/{row['site']}_{row['node']}_{row['id']}{path.suffix}",
        "label": label,
        "material": row["material"],
        "site": spot,
        "date": datetime.fromtimestamp(row["happened"], UTC).strftime("%Y%m%d"),
        "sample_rate": rate,
        "seconds": round(seconds, 3),
        "sha256": hashlib.sha256(content).hexdigest(),
        "fold": int(hashlib.sha256(spot.encode()).hexdigest(), 16) % FOLDS,
    }
