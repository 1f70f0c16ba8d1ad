"""A JACK client that plays known noise and says when each frame was played.

    python -m bench.jack_noise SECONDS

First line: the frame number of the noise's first sample. Then, four times a second: the monotonic time in s of a frame,
and its number, by JACK's own line of frames over time.
"""

import ctypes
import sys
import time

import numpy as np

from tests.support.timed_microphones import noise

Process = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p)


def main() -> None:
    """Play until killed."""
    jack = ctypes.CDLL("libjack.so.0")
    jack.jack_client_open.restype = jack.jack_port_register.restype = jack.jack_port_get_buffer.restype = (
        ctypes.c_void_p
    )
    jack.jack_client_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
    jack.jack_port_register.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_ulong,
        ctypes.c_ulong,
    ]
    jack.jack_port_get_buffer.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    jack.jack_frames_to_time.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    jack.jack_get_time.restype = jack.jack_frames_to_time.restype = ctypes.c_uint64
    for name in ("jack_last_frame_time", "jack_activate"):
        getattr(jack, name).argtypes = [ctypes.c_void_p]
    jack.jack_last_frame_time.restype = ctypes.c_uint32
    jack.jack_set_process_callback.argtypes = [ctypes.c_void_p, Process, ctypes.c_void_p]
    client = jack.jack_client_open(b"noise", 0, None)
    port = jack.jack_port_register(client, b"out", b"32 bit float mono audio", 2, 0)
    sound, first = noise(float(sys.argv[1])), [-1]

    def process(count: int, _: object) -> int:
        frame = jack.jack_last_frame_time(client)
        if first[0] < 0:
            first[0] = frame
        part = sound[frame - first[0] : frame - first[0] + count]
        buffer = (ctypes.c_float * count).from_address(jack.jack_port_get_buffer(port, count))
        np.frombuffer(buffer, np.float32)[: len(part)] = part
        return 0

    callback = Process(process)
    jack.jack_set_process_callback(client, callback, None)
    jack.jack_activate(client)
    while first[0] < 0:
        time.sleep(0.01)
    print(first[0], flush=True)
    while True:
        time.sleep(0.25)
        before, there, after = time.monotonic(), jack.jack_get_time(), time.monotonic()
        frame = jack.jack_last_frame_time(client)
        played = (before + after) / 2 + (jack.jack_frames_to_time(client, frame) - there) * 1e-6
        print(played, frame, flush=True)


if __name__ == "__main__":
    main()
