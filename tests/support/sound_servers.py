"""Real capture devices without hardware: PulseAudio's null sink monitor, and a JACK server that only does 48 kHz."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self


def need(*programs: str) -> None:
    """Skip the test where a program is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        import pytest  # not in the virtual machine

        pytest.skip(f"not installed here: {', '.join(missing)} (make system-packages)")


def until(ready: Callable[[], bool], what: str, timeout: float = 30) -> None:
    """Wait for something, or fail by its name."""
    deadline = time.monotonic() + timeout
    while not ready():
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout:g} s"
        time.sleep(0.05)


class Server:
    """A folder, an environment and the processes started in it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="leakear-sound-"))
        home = str(self.folder)
        self.env = {**os.environ, "HOME": home, "XDG_RUNTIME_DIR": home, "PULSE_RUNTIME_PATH": f"{home}/runtime"}
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self) -> None:
        """Start the server and return when it answers."""
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            process.terminate()  # JACK counts the servers that were killed, and starts no ninth
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a process that ends with the server."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)
        self._running.append(process)
        return process

    def ask(self, *command: str) -> str:
        """Run a short command and return what it prints; empty when it fails."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout if done.returncode == 0 else ""


class Pulse(Server):
    """PulseAudio with a null sink whose monitor is the microphone: what is played is heard."""

    def __init__(self) -> None:
        need("pulseaudio", "pactl", "paplay")
        super().__init__()
        self.env["PULSE_SERVER"] = f"unix:{self.folder}/socket"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, then plug the sink in."""
        native = f"module-native-protocol-unix socket={self.folder}/socket auth-anonymous=1"
        options = ("-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes")
        self._server = self.spawn("pulseaudio", *options, "-L", native)
        until(lambda: "Server Name" in self.ask("pactl", "info"), "start of PulseAudio")
        self.plug()

    def kill(self) -> None:
        """kill -9."""
        assert self._server
        self._server.send_signal(signal.SIGKILL)
        self._server.wait(10)
        (self.folder / "socket").unlink(missing_ok=True)

    def plug(self) -> None:
        """Load the null sink."""
        assert self.ask("pactl", "load-module", "module-null-sink", "sink_name=pipe", "rate=48000")

    def unplug(self) -> None:
        """Unload it in the middle of whatever is recorded."""
        self.ask("pactl", "unload-module", "module-null-sink")

    def play(self, wav: Path) -> subprocess.Popen[bytes]:
        """Play a recording into the microphone."""
        return self.spawn("paplay", "--device=pipe", str(wav))


class Jack(Server):
    """A JACK server with a sine, and an ALSA device `only48` that refuses every rate but 48 kHz."""

    def __init__(self) -> None:
        need("jackd", "jack_simple_client", "jack_lsp")
        super().__init__()
        self.name = f"leakear{os.getpid()}"
        self.env |= {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_AUDIO_RESERVATION": "1"}

    def start(self) -> None:
        """Start the server, a client that sounds, and describe the device to ALSA."""
        (self.folder / ".asoundrc").write_text(
            "pcm.only48 { type jack playback_ports { 0 system:playback_1 } "
            "capture_ports { 0 jack_simple_client:output1 } hint { show on description only48 } }\n"
        )
        self.spawn("jackd", "--no-realtime", "-n", self.name, "-d", "dummy", "-r", "48000", "-p", "1024")
        until(lambda: "system:capture_1" in self.ask("jack_lsp"), "start of JACK")
        self.spawn("jack_simple_client")
        until(lambda: "jack_simple_client:output1" in self.ask("jack_lsp"), "the sine")
