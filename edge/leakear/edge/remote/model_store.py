"""The models of a node: verified, staged, on trial beside the one in use, put to use, returned to.

`models/ledger.json` alone says which model is in use, and it is replaced atomically: after a power cut it is the old
model or the new one. When the disk refuses the file, that is a fault: the node goes on with what is true already, and
refuses what somebody asks for. A bundle must be signed, must compute its golden vector here, and must be newer than any
that was in use before, so that an old signed bundle cannot be sent again. A person may return to a model that was in
use here, and to the factory model: that needs no file from outside.
"""

import hashlib
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from leakear.edge.errors import LeakearError, ModelError
from leakear.edge.model import bundle, signature
from leakear.edge.model.bundle import BundleInfo
from leakear.edge.model.tflite import FACTORY as FACTORY_FILE
from leakear.edge.model.tflite import Model, ModelOptions
from leakear.edge.mqtt.dispatcher import CommandRefused
from leakear.edge.remote import ledger as ledger_file
from leakear.edge.remote.ledger import CONFIGURED, FACTORY, Ledger

log = logging.getLogger(__name__)

UNPROVEN_STARTS = 2
"""Starts of the daemon in which a new model scored too few windows, after which it is given up."""
FAULT, UNREAD = "model_ledger", "model_file"


class ModelStore:
    """The models of one node."""

    def __init__(self, folder: Path, options: ModelOptions) -> None:
        self.folder, self._options = folder, options
        self.ledger = ledger_file.read(self._ledger_path)
        self.faults: dict[str, str] = {}
        """name → sentence, of what is wrong with the ledger now"""

    @property
    def _ledger_path(self) -> Path:
        return self.folder / "ledger.json"

    @property
    def path(self) -> Path:
        """The file in use."""
        return self.file(self.ledger.installed)

    def file(self, name: str) -> Path:
        """Return the file of a model that the ledger names."""
        if name == CONFIGURED:
            return self._options.file
        return FACTORY_FILE if name == FACTORY else self.folder / name

    # ---- start

    def load(self) -> Model:
        """Load the model to start with. One that does not load, or crashes, is given up for the one before it."""
        if self.ledger.installed and self._configured() != self.ledger.configured:
            sentence = "The configured model has changed: it replaces the one that was installed over MQTT."
            log.info("%s", sentence)
            self._note(Ledger(newest=self.ledger.newest, untold=sentence))
        if self.ledger.watched or self.ledger.candidate:
            counted = self._note(replace(self.ledger, starts=self.ledger.starts + 1))
            if self.ledger.starts > UNPROVEN_STARTS:
                self._give_up("the daemon did not survive it")
            elif not counted:  # else a model that crashes the daemon would be tried for ever
                self._give_up("its starts cannot be counted on this disk")
        while True:
            try:
                return self.reload()
            except ModelError as error:
                if not self.ledger.installed:
                    raise
                self._give_up_installed(str(error))

    def survived(self) -> None:
        """Note that a new model has scored enough windows in this run: a crash that follows is not counted."""
        if self.ledger.starts:
            self._note(replace(self.ledger, starts=0))

    def _give_up(self, why: str) -> None:
        """Give up the new model: the one on trial, else the one in use."""
        if self.ledger.candidate:
            log.error("the model on trial was given up: %s", why)
            self.refuse(f"The model on trial was given up: {why}.")
        else:
            self._give_up_installed(why)

    def _give_up_installed(self, why: str) -> None:
        sentence = f"The installed model was given up for the one before it: {why}"
        log.error("%s", sentence)
        self._note(self.ledger.fallen_back(untold=sentence))

    def _configured(self) -> str:
        """Hash of the configured model; one that cannot be read is no reason to drop an installed one that can."""
        try:
            return _flatbuffer_hash(self._options.file)
        except ModelError as error:
            sentence = f"The installed model goes on, though the configured one cannot be read: {error}"
            log.error("%s", sentence)  # noqa: TRY400
            self.ledger = replace(self.ledger, untold=sentence)
            return self.ledger.configured

    # ---- models that wait

    def stage(self, data: bytes, current: BundleInfo) -> Model:
        """Verify a bundle and keep it as the staged model. Raises ModelError, CommandRefused or OSError."""
        if not self._options.public_key:
            raise CommandRefused("This node takes no model over MQTT: it has no [model] public_key to check one with.")
        signature.check_seal(data, self._options.public_key, "the bundle", needed=True)
        info = bundle.parse(data, "the bundle").info
        created = created_at(info)
        if created <= max(self.ledger.newest, created_at(current)):
            raise CommandRefused(
                f"{info.model_id} is not newer than a model that was in use here: it is refused as an update. "
                "To return to a model that was in use here: leakear-edge rollback."
            )
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.tflite"  # the same network may come with another threshold
        if name == self.ledger.candidate:  # else it would still wait here when its trial has refused it
            raise still_on_trial(current.model_id)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            bundle.write(self.folder / f"new-{name}", data)
            model = self.read(self.folder / f"new-{name}")
            (self.folder / f"new-{name}").replace(self.folder / name)
            self._write(replace(self.ledger, staged=name))
        except OSError:
            if name not in self.ledger.kept:
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
            return self.read(self.folder / self.ledger.staged)
        except LeakearError:
            self.discard()
            raise

    def discard(self) -> None:
        """Drop the staged model."""
        self._note(replace(self.ledger, staged=""))

    def models(self) -> list[tuple[str, BundleInfo, str]]:
        """Return name, description and use of each model that this node may use; the one in use comes first.

        Files that cannot be read are left out.
        """
        now = self.ledger
        uses = dict.fromkeys((now.staged,), "staged") | dict.fromkeys((now.candidate,), "on trial")
        uses.pop("", None)
        uses = {now.installed: "in use", **uses}
        for name in (*now.before, CONFIGURED, FACTORY):
            uses.setdefault(name, {CONFIGURED: "configured", FACTORY: "factory"}.get(name, "before"))
        if self._options.file == FACTORY_FILE and now.installed != FACTORY:  # one file, one entry
            uses.pop(FACTORY)
        found = []
        for name, use in uses.items():
            with suppress(ModelError):
                found.append((name, bundle.read(self.file(name)).info, use))
        return found

    # ---- trial

    def begin_trial(self, sentence: str) -> None:
        """Put the staged model on trial, beside the one in use. OSError: nothing has changed."""
        waiting = self.ledger.staged
        self._write(
            replace(self.ledger, candidate=waiting, staged="", watched=False, tried=False, starts=0, untold=sentence)
        )

    def refuse(self, sentence: str) -> None:
        """End the trial badly: the candidate is gone. It was never in use, so the same file may be sent again."""
        self._note(replace(self.ledger, candidate="", starts=0, untold=sentence))

    def promote(self, sentence: str, created: float) -> None:
        """Put the candidate to use; it is watched. `created`: when that model was made, s since 1970.

        OSError: nothing has changed.
        """
        self._use(self.ledger.candidate, sentence, created, tried=True, candidate="")

    def install(self, sentence: str, created: float) -> None:
        """Put the staged model to use without a trial; it is watched. OSError: nothing has changed."""
        self._use(self.ledger.staged, sentence, created, tried=False, staged="")

    def settle(self, sentence: str) -> None:
        """End the time of being watched well."""
        self._note(replace(self.ledger, watched=False, tried=False, starts=0, untold=sentence))

    def fall_back(self, sentence: str) -> None:
        """Note that the model before is in use again, from memory. A fault: the next start cannot read its file."""
        self._note(self.ledger.fallen_back(untold=sentence))
        try:
            self.reload()
        except ModelError as error:
            self.faults[UNREAD] = (
                f"the model in use cannot be read again ({error}): it goes on from memory, but the next start would"
                " fail. Put its file back, then run the self-test."
            )
            log.error("%s", self.faults[UNREAD])  # noqa: TRY400

    def return_to(self, name: str, sentence: str) -> None:
        """Use a model again that a person has chosen; a trial ends. OSError: nothing has changed."""
        self._write(self.ledger.in_use(name, configured=self._base(), candidate="", untold=sentence))

    def _use(self, name: str, sentence: str, created: float, *, tried: bool, **changes: str) -> None:
        newest = max(self.ledger.newest, created)
        base = self._base()
        self._write(
            self.ledger.in_use(
                name, configured=base, newest=newest, watched=True, tried=tried, untold=sentence, **changes
            )
        )

    def _base(self) -> str:
        """Hash of the configured model, as long as another one is in its place."""
        return self.ledger.configured if self.ledger.installed else _flatbuffer_hash(self._options.file)

    # ---- events

    def told(self) -> None:
        """Note that the last change is an event now."""
        if self.ledger.untold:
            self._note(replace(self.ledger, untold=""))

    # ---- files

    def reload(self) -> Model:
        """Load the model in use once more; its hash, signature and golden vector are checked again."""
        model = self.read(self.path)
        self.faults.pop(UNREAD, None)
        return model

    def read(self, path: Path) -> Model:
        """Load a file with the options of this node. Raises ModelError."""
        return Model.configured(replace(self._options, path=str(path)))

    def maintain(self) -> None:
        """Try again to write what the disk refused."""
        if FAULT in self.faults:
            self._note(self.ledger)

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
                f"{self._ledger_path} cannot be written ({error.strerror}): a restart uses the one before it."
                " Make room on the disk or make it writable."
            )
            log.error("%s", self.faults[FAULT])

    def _write(self, ledger: Ledger) -> None:
        """Write durably which model is in use, then delete the files that are no longer needed."""
        ledger_file.write(self._ledger_path, ledger)
        if ledger.installed != self.ledger.installed:
            self.faults.pop(UNREAD, None)
        self.ledger = ledger
        self.faults.pop(FAULT, None)
        for path in self.folder.glob("*.tflite"):
            if path.name not in ledger.kept and not path.name.startswith("new-"):
                with suppress(OSError):  # a file too many does no harm; the next write tries again
                    path.unlink(missing_ok=True)


def still_on_trial(in_use: str) -> CommandRefused:
    """Return the refusal of a model that comes while one is on trial beside the model in use."""
    return CommandRefused(f"A model is still on trial: wait until that ends, or end it: roll back to {in_use}.")


def created_at(info: BundleInfo) -> float:
    """When a model was created, s since 1970; 0 when its file does not contain it."""
    try:
        moment = datetime.fromisoformat(str(info.raw["model"]["created"]))
    except (KeyError, TypeError, ValueError):
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _flatbuffer_hash(path: Path) -> str:
    return bundle.read(path).info.flatbuffer_sha256
