"""Models that came over MQTT: verified, staged, on trial, confirmed or rolled back.

`models/ledger.json` alone says which model is in use, and it is replaced atomically: after a power cut it is the old
model or the new one. When the disk refuses the file, that is a fault: the node goes on with what is true already, and
refuses what somebody asks for. A bundle must be signed, must compute its golden vector here, and must be newer than any
that was in use before, so that an old signed bundle cannot be sent again.
"""

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from leakear.edge import files
from leakear.edge.errors import LeakearError, ModelError
from leakear.edge.model import bundle, signature
from leakear.edge.model.bundle import BundleInfo
from leakear.edge.model.tflite import FACTORY, Model, ModelOptions
from leakear.edge.mqtt.dispatcher import CommandRefused

log = logging.getLogger(__name__)

TRIAL_STARTS = 2
"""Starts of the daemon during a trial after which the model before it comes back."""
FAULT = "model_ledger"


@dataclass(frozen=True)
class Ledger:
    """What `ledger.json` holds."""

    configured: str = ""
    """hash of the configured model's network when the installed one took its place"""
    installed: str = ""
    """file name of the model in use; empty: the configured one"""
    previous: str = ""
    """file name of the one before it; empty: the configured one"""
    staged: str = ""
    """file name of the verified model that waits"""
    trial: bool = False
    starts: int = 0
    """starts of the daemon during the trial"""
    newest: float = 0.0
    """when the newest model that was ever in use was created, s since 1970"""


class ModelStore:
    """The models of one node."""

    def __init__(self, folder: Path, options: ModelOptions) -> None:
        self.folder, self._options = folder, options
        self.ledger = self._read()
        self.returned = ""
        """sentence why the installed model was given up at this start; empty: it was not"""
        self.faults: dict[str, str] = {}
        """name → sentence, of what is wrong with the ledger now"""

    @property
    def path(self) -> Path:
        """The file in use."""
        return self.folder / self.ledger.installed if self.ledger.installed else self._options.file

    def load(self) -> Model:
        """Load the model to start with. An installed one that does not load, or crashes, is given up for the last."""
        if self.ledger.installed and self._configured() != self.ledger.configured:
            log.info("the configured model has changed: it replaces the one that was installed over MQTT")
            self._note(replace(Ledger(), newest=self.ledger.newest))
        if self.ledger.trial:
            counted = self._note(replace(self.ledger, starts=self.ledger.starts + 1))
            if self.ledger.starts > TRIAL_STARTS:
                self._give_up("the daemon did not survive it")
            elif not counted:  # else a model that crashes the daemon would be tried for ever
                self._give_up("its starts cannot be counted on this disk")
        while True:
            try:
                return self.reload()
            except ModelError as error:
                if not self.ledger.installed:
                    raise
                self._give_up(str(error))

    def stage(self, data: bytes, current: BundleInfo) -> Model:
        """Verify a bundle and keep it as the staged model. Raises ModelError, CommandRefused or OSError."""
        if not self._options.public_key:
            raise CommandRefused("This node takes no model over MQTT: it has no [model] public_key to check one with.")
        signature.check_seal(data, self._options.public_key, "the bundle", needed=True)
        info = bundle.parse(data, "the bundle").info
        created = created_at(info)
        if created <= max(self.ledger.newest, created_at(current)):
            raise CommandRefused(f"{info.model_id} is not newer than a model that was in use here: it is refused.")
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.tflite"  # the same network may come with another threshold
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            bundle.write(self.folder / f"new-{name}", data)
            model = self._load(self.folder / f"new-{name}")
            (self.folder / f"new-{name}").replace(self.folder / name)
            self._write(replace(self.ledger, staged=name))
        except OSError:
            if name not in {self.ledger.installed, self.ledger.previous, self.ledger.staged}:
                (self.folder / name).unlink(missing_ok=True)
            raise
        finally:
            (self.folder / f"new-{name}").unlink(missing_ok=True)
        return model

    def staged(self) -> Model | None:
        """Load the staged model; None: there is none. Raises LeakearError when it cannot be loaded, and drops it."""
        if not self.ledger.staged:
            return None
        try:
            return self._load(self.folder / self.ledger.staged)
        except LeakearError:
            self.discard()
            raise

    def discard(self) -> None:
        """Drop the staged model."""
        self._note(replace(self.ledger, staged=""))

    def install(self, model: Model) -> None:
        """Put the staged model to trial: from now on a restart uses it as well. OSError: nothing has changed."""
        now = self.ledger
        base = now.configured if now.installed else _flatbuffer_hash(self._options.file)
        newest = max(now.newest, created_at(model.info))
        self._write(Ledger(base, now.staged, now.installed, "", trial=True, newest=newest))

    def confirm(self) -> None:
        """End the trial well."""
        self._note(replace(self.ledger, trial=False, starts=0, previous=""))

    def roll_back(self) -> Model:
        """End the trial badly: the model before it is in use again."""
        self._note(self._before())
        return self.reload()

    def maintain(self) -> None:
        """Try again to write what the disk refused."""
        if self.faults:
            self._note(self.ledger)

    def _configured(self) -> str:
        """Hash of the configured model; one that cannot be read is no reason to drop an installed one that can."""
        try:
            return _flatbuffer_hash(self._options.file)
        except ModelError as error:
            self.returned = f"The installed model goes on, though the configured one cannot be read: {error}"
            log.error("%s", self.returned)  # noqa: TRY400
            return self.ledger.configured

    def _before(self) -> Ledger:
        """Ledger without the installed model; `newest` stays, so that it cannot come back."""
        return replace(self.ledger, installed=self.ledger.previous, previous="", trial=False, starts=0)

    def _give_up(self, why: str) -> None:
        self.returned = f"The installed model was given up for the one before it: {why}"
        log.error("%s", self.returned)
        self._note(self._before())

    def reload(self) -> Model:
        """Load the model in use once more; its hash, signature and golden vector are checked again."""
        return self._load(self.path)

    def _load(self, path: Path) -> Model:
        """Load a file; with a key set, all but the factory model, which came with this software, must be signed."""
        key = self._options.public_key if path != FACTORY else ""
        return Model.configured(replace(self._options, path=str(path), public_key=key))

    def _read(self) -> Ledger:
        try:
            return Ledger(**json.loads((self.folder / "ledger.json").read_bytes()))
        except FileNotFoundError:
            return Ledger()
        except (OSError, ValueError, TypeError) as error:
            log.warning("%s is unreadable (%s): the configured model is used", self.folder / "ledger.json", error)
            return Ledger()

    def _note(self, ledger: Ledger) -> bool:
        """Write what is true already. False, and a fault: the disk refuses, and it holds only until a restart."""
        try:
            self._write(ledger)
        except OSError as error:
            self.ledger = ledger
            self._refused(error)
            return False
        return True

    def _refused(self, error: OSError) -> None:
        if FAULT not in self.faults:
            self.faults[FAULT] = (
                f"{self.folder / 'ledger.json'} cannot be written ({error.strerror}): a restart uses the one before it."
                " Make room on the disk or make it writable."
            )
            log.error("%s", self.faults[FAULT])

    def _write(self, ledger: Ledger) -> None:
        """Write durably which model is in use, then delete the files that are no longer needed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files.write(self.folder / "ledger.json", json.dumps(asdict(ledger)).encode(), mode=0o644)
        self.ledger = ledger
        self.faults.pop(FAULT, None)
        kept = {ledger.installed, ledger.previous, ledger.staged}
        for path in self.folder.glob("*.tflite"):
            if path.name not in kept and not path.name.startswith("new-"):
                with suppress(OSError):  # a file too many does no harm; the next write tries again
                    path.unlink(missing_ok=True)


def created_at(info: BundleInfo) -> float:
    """When a model was created, s since 1970; 0 when its file does not contain it."""
    try:
        moment = datetime.fromisoformat(str(info.raw["model"]["created"]))
    except (KeyError, TypeError, ValueError):
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _flatbuffer_hash(path: Path) -> str:
    return bundle.read(path).info.flatbuffer_sha256
