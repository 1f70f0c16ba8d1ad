"""`leakear-dashboard export`: writes the clips of judged alerts as an archive that leakear-train takes."""

from pathlib import Path

from leakear.dashboard.alerting.alerts import Alerts
from leakear.dashboard.cli import Parser, add_database
from leakear.dashboard.evidence.clips import Clips
from leakear.dashboard.evidence.manifest import write_zip
from leakear.dashboard.history import History
from leakear.dashboard.history.tables import open_database
from leakear.edge import files
from leakear.edge.errors import ConfigError, InputDataError


def run(words: list[str]) -> int:
    """Run the command; return the exit status."""
    top = Parser("leakear-dashboard export", description="Exports clips of alerts with a verdict, for leakear-train.")
    top.add_argument("file", type=Path, help="ZIP archive to write")
    add_database(top)
    args = top.parse_args(words)
    files.file(args.file, "the archive")
    if args.file.is_symlink():
        raise ConfigError(f"{args.file} is a symbolic link: name the file itself.")
    engine = open_database(args.database, make=False)
    with files.replacing(args.file) as part, part.open("wb") as out:
        count = write_zip(Alerts(engine, History(engine)), Clips(engine, args.clips, 0), out)
        if not count:
            raise InputDataError("No alert was judged that has a clip: there is nothing to export.")
    print(f"{count} recordings in {args.file}")
    return 0
