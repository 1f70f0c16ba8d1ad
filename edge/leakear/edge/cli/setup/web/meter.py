"""The live level of one microphone, for a page that asks again and again."""

import threading
import time
from contextlib import closing

from leakear.edge.audio.microphone import Device, Source
from leakear.edge.cli.setup import microphones
from leakear.edge.cli.setup.microphones import Level
from leakear.edge.errors import LeakearError

FORGOTTEN_S = 10.0
"""s without a question after which the microphone is closed"""


class Meter:
    """Listens in a thread of its own while somebody asks."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._device: str | None = None
        self._asked = 0.0  # monotonic s
        self._newest: Level | None = None

    def devices(self) -> list[Device]:
        """Return the microphones that are here now. Raises AudioError."""
        with self._lock:
            self._stop()
            self._source.refresh()
            return list(self._source.devices())

    def level(self, device: str) -> Level | None:
        """Return the newest level of a microphone, which is opened where it is not yet; None: none so far."""
        with self._lock:
            self._asked = time.monotonic()
            if self._device != device or self._thread is None or not self._thread.is_alive():
                self._stop()
                self._device, self._newest, self._ended = device, None, threading.Event()
                self._thread = threading.Thread(target=self._listen, args=(device, self._ended), daemon=True)
                self._thread.start()
            return self._newest

    def close(self) -> None:
        """Close the microphone."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = self._device = None

    def _listen(self, device: str, ended: threading.Event) -> None:
        try:
            with closing(microphones.levels(device, self._source)) as heard:
                for now in heard:
                    self._newest = now
                    if ended.is_set() or time.monotonic() - self._asked > FORGOTTEN_S:
                        return
        except LeakearError as error:
            self._newest = Level(None, "no_device", str(error))
