"""Formats of phones that libsndfile does not know (AAC in MP4, AMR, WebM), decoded by ffmpeg where it is installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from leakear.edge.audio.containers import ogg, riff, whole
from leakear.edge.audio.containers.views import Part, SoundError

_KINDS = {
    b"\x1a\x45\xdf\xa3": "WebM or Matroska",
    b"#!AMR": "AMR",
    whole.ASF: "WMA",
    b"wvpk": "WavPack",
    b"MAC ": "Monkey's Audio",
    b"TTA1": "TTA",
}


def kind(head: bytes) -> str | None:
    """Return the name of a format that ffmpeg must decode, from a file's first 64 bytes; None: it need not."""
    if head[:4] == b"OggS" and (head[28:33] == b"\x7fFLAC" or head[28:33] == b"Speex"):
        return "FLAC in Ogg" if head[29:33] == b"FLAC" else "Speex"
    if head[4:8] == b"ftyp":
        return "MP4 or M4A"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC"
    return next((name for mark, name in _KINDS.items() if head.startswith(mark)), None)


@contextmanager
def decoded(path: Path, file: BinaryIO, name: str, end: int) -> Iterator[Part]:
    """Decode a file with ffmpeg, and yield the sound that comes out of it. Raises SoundError.

    `name`: what `kind` returned. A damaged packet ends the decoding with an error instead of a gap.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise SoundError(
            f"is {name}, which needs ffmpeg: install it (sudo apt-get install ffmpeg), or convert the file to WAV"
        )
    whole.check(file, name, end)
    if name in ("FLAC in Ogg", "Speex") and len(ogg.parts(file, 0, end)) > 1:
        raise SoundError(whole.SEVERAL)
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(_command(program, path), stdout=subprocess.PIPE, stderr=said) as process:
            assert process.stdout is not None
            part = None
            try:
                part = riff.piped(cast("BinaryIO", process.stdout))
                yield part
            except SoundError:
                if process.wait() == 0:
                    raise
            finally:
                if part and part.stream and not part.stream.ended:  # only the beginning was wanted
                    process.kill()
                    process.stdout.close()
        if (part is None or (part.stream and part.stream.ended)) and (process.returncode or said.tell()):
            raise _refused(said, name) from None


def _command(program: str, path: Path) -> list[str | bytes]:
    how = "-nostdin -v error -xerror -err_detect explode -protocol_whitelist file,pipe -i"
    sound = "-map 0:a:0 -c:a pcm_f32le -f wav -"
    return [program, *how.split(), b"file:" + os.fsencode(path), *sound.split()]


def _refused(said: BinaryIO, name: str) -> SoundError:
    said.seek(0)
    lines = said.read(2000).decode(errors="replace").strip().splitlines() or ["no reason given"]
    why = lines[0].rpartition("] ")[2][:160]
    return SoundError(f"cannot be read whole as {name} (ffmpeg: {why}); copy it again, or convert it to WAV")
