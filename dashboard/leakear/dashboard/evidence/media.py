"""Checks what a node sends as evidence: sound (FLAC, WAV) and pictures (PNG), by their headers."""

import io
import wave

from leakear.edge.errors import InputDataError

LONGEST_S = 3600.0
"""of a recording"""
RATES = (1000, 384_000)
"""Hz, lowest and highest"""
WIDEST = 8192
"""pixels of a picture's side"""
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


def check(media_type: str, content: bytes) -> None:
    """Refuse a file that is not what its media type says. Raises InputDataError."""
    if media_type == "image/png":
        _check_picture(content)
    elif (content[:4] == b"fLaC") != (media_type == "audio/flac"):
        raise InputDataError(f"The node sent a clip that is not {media_type}.")
    else:
        measure(content)


def measure(content: bytes) -> tuple[int, float]:
    """Read sampling rate (Hz) and length (s) from a FLAC STREAMINFO block (RFC 9639) or a WAV header.

    Raises InputDataError for anything that is no such recording.
    """
    if content[:4] == b"fLaC" and len(content) > 42 and content[4] & 0x7F == 0:
        packed = int.from_bytes(content[18:26], "big")
        rate, count = packed >> 44, packed & (2**36 - 1)
    elif content[:4] == b"RIFF":
        rate, count = _wav(content)
    else:
        raise InputDataError("A clip is neither FLAC nor WAV; fetch it again from its node.")
    if not RATES[0] <= rate <= RATES[1] or not 0 < count <= rate * LONGEST_S:
        raise InputDataError("A clip has an impossible sampling rate or length; fetch it again from its node.")
    return rate, count / rate


def _wav(content: bytes) -> tuple[int, int]:
    try:
        with wave.open(io.BytesIO(content)) as sound:
            frame = sound.getnchannels() * sound.getsampwidth()
            return sound.getframerate(), min(sound.getnframes(), len(content) // max(1, frame))
    except (wave.Error, EOFError, ValueError, ZeroDivisionError) as error:
        raise InputDataError("A clip is damaged; fetch it again from its node.") from error


def _check_picture(content: bytes) -> None:
    width, height = (int.from_bytes(content[n : n + 4], "big") for n in (16, 20))
    if content[:16] != PNG or not 0 < width <= WIDEST or not 0 < height <= WIDEST:
        raise InputDataError("The node sent a picture that is not PNG, or far too large.")
