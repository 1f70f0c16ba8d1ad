"""Every other format of libsndfile: finds headers that promise more than the file holds.

libsndfile cuts the length in a header down to the size of the file. So the header alone is shown to it once as the
beginning of a far longer file: if it then finds more sound, the file has lost its end.
"""

from typing import BinaryIO

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
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise SoundError(f"cannot be read as sound ({reason(error)}); use WAV, FLAC or Ogg Vorbis") from None
    promised = [_frames(View(file, start, end - start, zeros=zeros)) for zeros in _MORE]
    if kind != "RAW" and promised[0] == promised[1] and frames < promised[0] < 1 << 40:
        raise truncated(f"{promised[0] / rate:.1f} s", f"{frames / rate:.1f} s")
    return Part(View(file, start, end - start))


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
