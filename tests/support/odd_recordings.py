"""Recordings as odd programs and accidents leave them: what was written, and what a reader may do with it."""

import io
import struct
import subprocess
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE = 8000
SECONDS = 3.0


@dataclass(frozen=True)
class Odd:
    """One file of the corpus."""

    path: Path
    container: str
    fault: str
    """`none`, or what was done to it"""
    whole: Path | None = None
    """The file that holds all of the sound, for a second decoder; None: it must be refused"""
    times: int = 1
    """How often the sound of `whole` is in it"""


def sound(seconds: float = SECONDS, channels: int = 1, rate: int = RATE) -> np.ndarray:
    rng = np.random.default_rng(7)
    return np.clip(0.1 * rng.standard_normal((round(seconds * rate), channels)), -0.9, 0.9).astype(np.float32)


def run(*words: object, feed: bytes | None = None) -> bytes | None:
    """Run a program; None when it refuses."""
    done = subprocess.run([str(word) for word in words], input=feed, capture_output=True, check=False, timeout=600)
    return done.stdout if done.returncode == 0 else None


SUBTYPES = ("PCM_16", "PCM_24", "FLOAT", "ULAW", "MS_ADPCM", "IMA_ADPCM", "GSM610", "ALAC_16", "VORBIS", "OPUS",
            "MPEG_LAYER_III", "DOUBLE", "PCM_U8", "G721_32")  # fmt: skip


def by_soundfile(folder: Path) -> Iterator[Odd]:
    for kind in soundfile.available_formats():
        if kind in ("RAW", "SD2"):
            continue
        for subtype in dict.fromkeys([soundfile.default_subtype(kind), *SUBTYPES]):
            path = folder / f"sf-{subtype}.{kind.lower()}"
            try:
                if soundfile.check_format(kind, subtype):
                    soundfile.write(path, sound(), RATE, subtype, format=kind)
            except (soundfile.SoundFileError, ValueError):
                path.unlink(missing_ok=True)
                continue
            if path.exists():
                yield Odd(path, kind, "none", path)
    path = folder / "sf-stereo.wav"
    soundfile.write(path, sound(channels=2), RATE)
    yield Odd(path, "WAV", "none", path)


def by_sox(folder: Path, plain: Path) -> Iterator[Odd]:
    for kind in ("wav", "aiff", "au", "flac", "ogg", "voc", "caf", "w64", "mp3", "aifc", "sph", "ircam", "paf", "avr"):
        path = folder / f"sox.{kind}"
        if run("sox", plain, path) is not None:
            yield Odd(path, kind.upper(), "none", path)
    for kind in ("wav", "aiff", "au", "flac", "ogg", "mp3"):  # into a pipe, sox writes broken W64 and CAF
        data = run("sox", plain, "-t", kind, "-")
        if data:
            path = folder / f"sox-piped.{kind}"
            path.write_bytes(data)
            yield Odd(path, kind.upper(), "piped", plain)


def by_ffmpeg(folder: Path, plain: Path) -> Iterator[Odd]:
    kinds = ("wav", "w64", "aiff", "au", "caf", "flac", "ogg", "opus", "mp3", "m4a", "webm", "mka", "aac", "amr", "3gp",
             "wv", "tta", "wma", "mp4", "mp2")  # fmt: skip
    for kind in kinds:
        path = folder / f"ffmpeg.{kind}"
        rate = ("-ar", "8000", "-ac", "1") if kind in ("amr", "3gp") else ("-ar", "48000") if kind == "opus" else ()
        if run("ffmpeg", "-v", "error", "-y", "-i", plain, *rate, path) is not None:
            yield Odd(path, kind.upper(), "none", path)
    for kind, name in (("wav", "wav"), ("au", "au"), ("aiff", "aiff"), ("flac", "flac"), ("ogg", "ogg"), ("mp3", "mp3"),
                       ("matroska", "mka"), ("adts", "aac"), ("caf", "caf")):  # fmt: skip
        data = run("ffmpeg", "-v", "error", "-i", plain, "-f", kind, "-")
        if data:
            path = folder / f"ffmpeg-piped.{name}"
            path.write_bytes(data)
            yield Odd(path, name.upper(), "piped", path)
    for words, name in ((("-rf64", "always"), "rf64"), (("-write_bext", "1", "-metadata", "description=x"), "bext")):
        path = folder / f"ffmpeg-{name}.wav"
        if run("ffmpeg", "-v", "error", "-y", "-i", plain, *words, path) is not None:
            yield Odd(path, "RF64" if name == "rf64" else "WAV", "none", path)


def by_flac(folder: Path, plain: Path) -> Iterator[Odd]:
    for number, words in enumerate((("-0",), ("-8",), ("--ogg",), ("--no-padding",), ("--lax", "-b", "8192"))):
        path = folder / f"flac-{number}.{'oga' if words == ('--ogg',) else 'flac'}"
        if run("flac", "-s", "-f", *words, "-o", path, plain) is not None:
            yield Odd(path, "OGG" if path.suffix == ".oga" else "FLAC", "none", plain)
    data = run("flac", "-s", "-c", "-", feed=plain.read_bytes())
    if data:
        path = folder / "flac-stdin.flac"
        path.write_bytes(data)
        yield Odd(path, "FLAC", "unknown length", plain)


def by_wave(folder: Path) -> Iterator[Odd]:
    for width in (1, 2, 3, 4):
        path = folder / f"wave-{width}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(width)
            file.setframerate(RATE)
            noise = np.random.default_rng(width).integers(0, 256, round(RATE * SECONDS) * width, np.uint8)
            file.writeframes(noise.tobytes())
        yield Odd(path, "WAV", "none", path)


def by_arecord(folder: Path) -> Iterator[Odd]:
    """ALSA's null device: silence, in the containers that arecord writes."""
    for kind in ("wav", "au", "voc"):
        path = folder / f"arecord.{kind}"
        if run("arecord", "-q", "-D", "null", "-d", "1", "-f", "S16_LE", "-r", "8000", "-t", kind, path) is not None:
            yield Odd(path, kind.upper(), "none", path)


def mutations(folder: Path, whole: Odd) -> Iterator[Odd]:
    """Cuts, joins and additions of one whole file."""
    data = whole.path.read_bytes()
    stem = f"{whole.path.stem}-{whole.path.suffix[1:]}"
    for percent in (2, 45, 99):
        path = folder / f"{stem}-cut{percent}{whole.path.suffix}"
        path.write_bytes(data[: len(data) * percent // 100])
        yield Odd(path, whole.container, f"cut to {percent} %")
    path = folder / f"{stem}-twice{whole.path.suffix}"
    path.write_bytes(data + data)
    yield Odd(path, whole.container, "two in one", whole.whole, 2)


def wav_headers(folder: Path) -> Iterator[Odd]:
    """Headers of WAV files as killed recorders, pipes and odd programs leave them."""
    buffer = io.BytesIO()
    soundfile.write(buffer, sound(), RATE, "PCM_16", format="WAV")
    plain = buffer.getvalue()
    at = plain.index(b"data")
    body, fmt = plain[at + 8 :], plain[12:36]
    source = folder / "header-none.wav"
    source.write_bytes(plain)

    def made(name: str, data: bytes, fault: str, whole: Path | None = source) -> Odd:
        path = folder / f"header-{name}.wav"
        path.write_bytes(data)
        return Odd(path, "WAV", fault, whole)

    for size in (0, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0x7FFFFFDB, 0xFFFFFFFF, 0xFFFFFFDB, 0xFFFFF000, 0x7F000000):
        data = plain[: at + 4] + struct.pack("<I", size) + body
        yield made(f"{size:08x}", data, "placeholder size")
    yield made("wrapped", plain[: at + 4] + struct.pack("<I", 8000) + body, "size too small")
    yield made("too-long", plain[: at + 4] + struct.pack("<I", len(body) + 2000) + body, "size too large", None)
    odd = b"note" + struct.pack("<I", 5) + b"hello"
    yield made("no-pad", plain[:12] + fmt + odd + b"data" + struct.pack("<I", len(body)) + body, "no pad byte")
    yield made("pad", plain[:12] + fmt + odd + b"\0data" + struct.pack("<I", len(body)) + body, "odd chunk")
    yield made("riff-0", plain[:4] + bytes(4) + plain[8:], "RIFF size 0")
    yield made("zeros-behind", plain + bytes(40000), "reserved space behind")
    yield made("list-behind", plain + b"LIST" + struct.pack("<I", 4) + b"INFO", "metadata behind")
    yield made("list-cut", plain + b"LIST" + struct.pack("<I", 400) + b"INFO", "metadata cut off")
    yield made("id3-behind", plain + b"ID3\x03" + bytes(200), "tag behind")
    yield made("junk-first", plain[:12] + b"JUNK" + struct.pack("<I", 3000) + bytes(3000) + plain[12:], "large header")
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, len(plain) + 36, len(body), 0, 0)
    for magic in (b"BW64", b"RF64"):
        head = magic + b"\xff\xff\xff\xffWAVE" + ds64 + fmt + b"data\xff\xff\xff\xff"
        yield made(magic.decode(), head + body, f"{magic.decode()} header")
        yield made(f"{magic.decode()}-cut", head + body[:9000], f"{magic.decode()} cut", None)
    yield made("nothing", plain[: at + 4] + bytes(4), "no samples", None)
    yield made("no-data", plain[:36], "no data chunk", None)
    yield made("empty", b"", "empty", None)
    yield made("text", b"hello " * 100, "text", None)


def corpus(folder: Path) -> list[Odd]:
    """Write the corpus; what a missing program would write is absent."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = folder / "plain.wav"
    soundfile.write(plain, sound(), RATE, "PCM_16")
    writers: tuple[Callable[[], Iterator[Odd]], ...] = (
        lambda: by_soundfile(folder),
        lambda: by_sox(folder, plain),
        lambda: by_ffmpeg(folder, plain),
        lambda: by_flac(folder, plain),
        lambda: by_wave(folder),
        lambda: by_arecord(folder),
    )
    whole = [odd for write in writers for odd in write()]
    pcm = ("wav", "aiff", "au", "caf", "flac", "rf64", "w64", "voc", "nist", "ircam", "paf", "avr", "htk", "svx",
           "mat4", "mat5", "pvf", "sds")  # fmt: skip
    named = {f"sf-PCM_16.{kind}" for kind in pcm} | {"sf-VORBIS.ogg", "sf-OPUS.ogg", "sf-MPEG_LAYER_III.mp3"}
    named |= {"sf-MS_ADPCM.wav", "sf-GSM610.wav", "sf-ALAC_16.caf", "flac-0.flac", "flac-1.flac"}
    by_ffmpeg_only = ("m4a", "mka", "mp3", "ogg", "aac", "amr", "3gp", "webm", "wv", "tta", "wma", "mp4", "mp2", "opus")
    named |= {f"ffmpeg.{kind}" for kind in by_ffmpeg_only}
    chosen = [odd for odd in whole if odd.path.name in named]
    return [*whole, *(bad for odd in chosen for bad in mutations(folder, odd)), *wav_headers(folder)]
