"""Lengths in headers that are wrong, several sounds in a file, pipes, names: heard whole or refused."""

import io
import os
import shutil
import struct
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.edge.audio.decoder_messages import DecoderMessages
from leakear.edge.audio.sound_file import opened
from leakear.edge.errors import InputDataError
from tests.support.odd_recordings import RATE, sound, wav_headers

SOUND = sound(1.0)


def encoded(kind: str = "WAV", codec: str = "PCM_16", times: int = 1) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.tile(SOUND, (times, 1)), RATE, codec, format=kind)
    return buffer.getvalue()


def read(path: Path) -> tuple[np.ndarray, list[str]]:
    with opened(path) as file:
        frames = np.concatenate([chunk.frames for chunk in file.chunks()])
        return frames, file.notes


def test_every_header_of_a_recorder_is_read_to_the_end_or_refused(tmp_path: Path) -> None:
    for odd in wav_headers(tmp_path):
        if odd.whole is None:
            with pytest.raises(InputDataError, match=odd.path.name):
                read(odd.path)
        else:
            frames, notes = read(odd.path)
            assert len(frames) == 3 * RATE, odd
            assert np.allclose(frames, sound(), atol=1e-4), odd
            assert bool(notes) == (odd.fault in ("placeholder size", "size too small", "metadata cut off")), odd


@pytest.mark.parametrize(
    ("kind", "codec"),
    [("WAV", "PCM_16"), ("RF64", "PCM_16"), ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16"),
     ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("VOC", "PCM_16"),
     ("NIST", "PCM_16"), ("AVR", "PCM_16"), ("SVX", "PCM_16"), ("MAT5", "PCM_16"), ("SDS", "PCM_16")],
)  # fmt: skip
def test_a_cut_file_is_refused_whatever_its_container(tmp_path: Path, kind: str, codec: str) -> None:
    data = encoded(kind, codec)
    path = tmp_path / f"a.{kind}"
    path.write_bytes(data)
    assert len(read(path)[0]) > 0.9 * RATE
    path.write_bytes(data[: len(data) * 45 // 100])
    with pytest.raises(InputDataError, match=r"truncated|damaged"):
        read(path)


@pytest.mark.parametrize(
    ("kind", "codec", "whole"), [("OGG", "VORBIS", True), ("OGG", "OPUS", True), ("AU", "PCM_16", False)]
)
def test_an_ogg_file_may_state_an_end_a_little_behind_its_last_packet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, codec: str, whole: bool
) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded(kind, codec))
    frames = len(read(path)[0])
    monkeypatch.setattr(soundfile.SoundFile, "frames", property(lambda _: frames + 13))
    if whole:
        assert len(read(path)[0]) == frames
    else:
        with pytest.raises(InputDataError, match=f"header says {frames + 13} samples, the file has {frames};"):
            read(path)


@pytest.mark.parametrize(
    ("kind", "codec"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("AIFF", "PCM_16")]
)
def test_files_that_were_joined_are_read_to_their_end(tmp_path: Path, kind: str, codec: str) -> None:
    path = tmp_path / "two"
    path.write_bytes(encoded(kind, codec) + encoded(kind, codec))
    frames, notes = read(path)
    assert len(frames) == 2 * RATE
    assert any("several recordings" in note for note in notes)


def test_flac_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    data = bytearray(encoded("FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path = tmp_path / "streamed.flac"
    path.write_bytes(data)
    assert len(read(path)[0]) == RATE


def test_a_flac_whose_header_says_too_little_is_read_to_its_end(tmp_path: Path) -> None:
    data = bytearray(encoded("FLAC"))
    data[22:26] = struct.pack(">I", 100)
    path = tmp_path / "wrapped.flac"
    path.write_bytes(data)
    frames, notes = read(path)
    assert len(frames) == RATE
    assert "read to its end" in notes[0]


@pytest.mark.parametrize("kind", ["WAV", "AU", "FLAC"])
def test_a_pipe_is_read_as_it_comes(tmp_path: Path, kind: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(encoded(kind, times=3),))
    writer.start()
    frames, _ = read(pipe)
    writer.join()
    assert np.allclose(frames, np.tile(SOUND, (3, 1)), atol=1e-4)


def test_a_pipe_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(encoded()[:9000],))
    writer.start()
    with pytest.raises(InputDataError, match="truncated"):
        read(pipe)
    writer.join()


def test_a_name_may_be_any_bytes(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/S\xe3o\x1b[31m.wav"))
    path.write_bytes(encoded())
    assert len(read(path)[0]) == RATE
    path.write_bytes(b"no sound")
    with pytest.raises(InputDataError) as refused:
        read(path)
    assert "S\\udce3o\\x1b[31m.wav" in str(refused.value)


@pytest.mark.parametrize("what", ["folder", "device"])
def test_what_is_no_file_is_refused(tmp_path: Path, what: str) -> None:
    with pytest.raises(InputDataError):
        read(tmp_path if what == "folder" else Path("/dev/zero"))


def test_a_long_recording_needs_no_more_memory(tmp_path: Path) -> None:
    """4.2 GB of sound behind a header that wrapped at 4 GiB; the file is sparse."""
    path, length = tmp_path / "long.wav", 4_200_000_000
    head = bytearray(encoded()[:44])
    head[40:44] = struct.pack("<I", length - (1 << 32) if length >= 1 << 32 else 0xFFFFFFFF)
    with path.open("wb") as file:
        file.write(head)
        file.seek(44 + length - 2)
        file.write(b"\1\0")
    with opened(path) as file:
        assert file.seconds == length / 2 / RATE
        first = next(file.chunks())
    assert len(first.frames) == RATE


def test_what_libsndfile_does_not_know_is_decoded_or_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "voice.m4a"
    path.write_bytes(b"\0\0\0\x18ftypM4A " + bytes(100))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputDataError, match="needs ffmpeg: install it"):
        read(path)


def test_replay_reads_standard_input_and_says_which_channel_is_heard(tmp_path: Path) -> None:
    import sys

    path = tmp_path / "two.wav"
    soundfile.write(path, np.tile(0.05 * np.random.default_rng(1).standard_normal((22050 * 11, 1)), (1, 2)), 22050)
    command = [sys.executable, "-m", "leakear.edge.cli", "replay", "--json"]
    heard = subprocess.run([*command, "-"], input=path.read_bytes(), capture_output=True, check=True)
    assert heard.stdout.count(b'"type": "window"') == 1
    heard = subprocess.run([*command, "--channel", "all", str(path)], capture_output=True, check=True)
    assert heard.stdout.count(b'"type": "window"') == 2
    assert b"has 2 channels; heard: each channel by itself" in heard.stderr


def test_a_damaged_lame_header_is_told(tmp_path: Path) -> None:
    """It says how much a decoder cuts off the ends: a changed bit costs sound."""
    path, data = tmp_path / "a.mp3", bytearray(encoded("MP3", "MPEG_LAYER_III"))
    path.write_bytes(data)
    whole, notes = read(path)
    assert not notes
    tag = data.index(b"LAME")
    for place, bit in ((21, 1), (21, 4), (22, 2), (23, 5)):
        path.write_bytes(data[: tag + place] + bytes([data[tag + place] ^ 1 << bit]) + data[tag + place + 1 :])
        frames, notes = read(path)
        assert notes == ["its Info header is damaged: some of its beginning or end may be missing"], (place, bit)
        assert len(frames) <= len(whole) + 4096


def test_damage_that_the_mp3_decoder_meets_is_told_in_a_note(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The decoder itself writes to standard error, and goes on."""
    data = encoded("MP3", "MPEG_LAYER_III", 3)
    path, rng, told = tmp_path / "a.mp3", np.random.default_rng(4), 0
    whole = None
    for _ in range(20):
        at = int(rng.integers(len(data) // 2, len(data) - 40))
        path.write_bytes(data[:at] + rng.bytes(3) + data[at + 3 :])
        try:
            frames, notes = read(path)
        except InputDataError:
            continue
        whole = len(frames) if whole is None else whole
        assert len(frames) == whole
        told += notes == ["its MP3 decoder met damage: some of the sound is not as it was recorded"]
    assert told
    assert not capfd.readouterr().err


def test_what_others_write_while_an_mp3_is_decoded_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    messages = DecoderMessages()
    with messages.held():
        os.write(2, b"[src/libmpg123/layer3.c:f():1] error: dequantization failed!\nsent 3 events\n")
    assert messages.damaged == 1
    assert capfd.readouterr().err == "sent 3 events\n"


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("kind", ["wma", "tta", "m4a", "oga"])
def test_what_ffmpeg_would_read_in_part_is_refused(tmp_path: Path, kind: str) -> None:
    plain, path = tmp_path / "plain.wav", tmp_path / f"a.{kind}"
    plain.write_bytes(encoded())
    codec = ("-c:a", "flac") if kind == "oga" else ()
    subprocess.run(["ffmpeg", "-v", "error", "-i", plain, *codec, path], check=True)
    data = path.read_bytes()
    assert len(read(path)[0]) > 0.9 * RATE
    path.write_bytes(data * 2)
    with pytest.raises(InputDataError, match="one after the other"):
        read(path)
    path.write_bytes(data[: len(data) * 9 // 10])
    with pytest.raises(InputDataError, match="truncated"):
        read(path)


@pytest.mark.parametrize("kind", ["IRCAM", "PAF", "PVF"])
def test_a_format_without_a_length_is_read_with_a_note(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(encoded(kind))
    assert read(path)[1] == ["its format does not say how long it is: a missing end cannot be noticed"]
