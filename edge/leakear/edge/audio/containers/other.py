"""Every other format of libsndfile: finds headers that promise more than the file holds.

libsndfile cuts the length in a header down to the size of the file. So the header alone is shown to it once as the
beginning of a far longer file: if it then finds more sound, the file has lost its end.
"""

from typing import BinaryIO

from leakear.edge.audio.containers import rare
from leakear.edge.audio.containers.views import Part, SoundError, View, truncated

_MORE = (1 << 32, 1 << 33)
"""Zero bytes that are pretended to follow."""


def parts(file: BinaryIO, start: int, end: int) -> Part:
    """Return the sound from `start` on. Raises SoundError."""
    import soundfile

    view = View(file, start, end - start)
    try:
        with soundfile.SoundFile(view) as sound:
            frames, rate, kind = sound.frames, sound.samplerate, sound.format
            channels, subtype = sound.channels, sound.subtype
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise SoundError(f"cannot be read as sound ({reason(error)}); use WAV, FLAC or Ogg Vorbis") from None
    stop = rare.end_of_sound(file, end) if start == 0 else None
    if stop is not None and stop > end:
        raise truncated(f"{stop} bytes", str(end))
    promised = [_frames(View(file, start, end - start, zeros=zeros)) for zeros in _MORE]
    if kind != "RAW" and promised[0] == promised[1] and frames < promised[0] < 1 << 40:
        raise truncated(f"{promised[0] / rate:.1f} s", f"{frames / rate:.1f} s")
    sounding = frames * channels * _WIDTH.get(subtype, 1 << 20)
    if promised[0] == promised[1] == frames and end - start - sounding > _BEHIND and (stop is None or stop < end):
        raise SoundError(f"holds {end - start - sounding} bytes behind its sound; convert it with sox or ffmpeg")
    return Part(View(file, start, end - start), [NO_LENGTH] if kind in _ENDLESS else [])


_ENDLESS = ("IRCAM", "PAF", "PVF")
"""Formats without a length."""
NO_LENGTH = "its format does not say how long it is: a missing end cannot be noticed"
_WIDTH = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
"""Bytes of a sample."""
_BEHIND = 8192
"""Most bytes that header and trailer of such a file need."""


def _frames(view: View) -> int:
    import soundfile

    try:
        with soundfile.SoundFile(view) as sound:
            return int(sound.frames)
    except (soundfile.SoundFileError, RuntimeError):
        return -1


def reason(error: Exception) -> str:
    """Return what libsndfile says, without the name of the Python object that it was given."""
    return str(getattr(error, "error_string", "") or error).rstrip(".")
