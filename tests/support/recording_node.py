"""A node made of messages that answers `cmd/record` and `cmd/clip` with one end of a simulated pair."""

import base64
import hashlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
import soundfile

from leakear.edge.messages.recordings import Recording, RecordResult
from leakear.edge.messages.reports import CommandResult, parse_utc
from leakear.edge.messages.requests import PART_BYTES
from leakear.edge.messages.timing import ClockBound, SampleClock
from tests.support.harness import FakeNode


def flac(samples: np.ndarray, rate: int) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.clip(samples, -1, 1), rate, format="FLAC", subtype="PCM_16")
    return out.getvalue()


class RecordingNode(FakeNode):
    """`sound`: what it has recorded whenever it is asked; `late_s`: by how much its first sample is late."""

    def __init__(self, port: int, node: str, sound: bytes, rate: int, *, late_s: float = 0.0) -> None:
        self.sound, self.rate, self.late_s = sound, rate, late_s
        self.recordings: dict[str, Recording] = {}
        self.refusal: str | None = None
        """sentence with which it refuses to record"""
        self.polls = 1
        """times it says `recording` before it has kept one"""
        self.lost: set[int] = set()
        """parts that get lost once"""
        self.damaged = False
        super().__init__(port, node)
        self.answers = self.answer

    def answer(self, name: str, request: dict[str, Any]) -> list[CommandResult]:
        if name == "clip":
            return self._parts(request)
        if name != "record":
            return []
        if self.refusal is not None and request["action"] == "start":
            return [CommandResult(id=request["id"], ok=False, result={}, error=self.refusal)]
        if request["action"] == "list":
            return self._said(request, *self.recordings.values())
        known = self.recordings.get(request["recording"])
        if request["action"] == "start" and known is None:
            known = self._made(request)
        elif request["action"] == "cancel":
            self.recordings.pop(request["recording"], None)
        elif known is not None and known.state == "recording":
            self.polls -= 1
            known = known if self.polls >= 0 else self.kept(known)
        if known is None:
            return [
                CommandResult(
                    id=request["id"], ok=False, result={}, error=f"There is no recording {request['recording']}: …"
                )
            ]
        return self._said(request, known)

    def _made(self, request: dict[str, Any]) -> Recording:
        made = Recording(
            id=request["recording"], trigger="command", state="recording", start=request["start"],
            seconds=request["seconds"], heard_s=1.0, rate=self.rate,
        )  # fmt: skip
        self.recordings[made.id] = made
        return made

    def kept(self, known: Recording, **changes: Any) -> Recording:
        start = parse_utc(known.start) + self.late_s
        made = replace(
            known, state="kept", heard_s=known.seconds, start_s=start, uncertainty_s=0.0005,
            clock=ClockBound(source="chrony", bound_s=0.0004), gain_db=0.0, level_dbfs=-50.0, device="Simulated",
            sample_clock=SampleClock(drift_ppm=0.0, drift_uncertainty_ppm=1.0, uncertainty_s=0.0003),
            device_rate=48000, size=len(self.sound), parts=-(-len(self.sound) // PART_BYTES),
            sha256=hashlib.sha256(self.sound).hexdigest(),
        )  # fmt: skip
        self.recordings[known.id] = replace(made, **changes)
        return self.recordings[known.id]

    def _said(self, request: dict[str, Any], *recordings: Recording) -> list[CommandResult]:
        return [CommandResult(id=request["id"], ok=True, result=RecordResult(recordings=recordings).to_dict())]

    def _parts(self, request: dict[str, Any]) -> list[CommandResult]:
        pieces = [self.sound[at : at + PART_BYTES] for at in range(0, len(self.sound), PART_BYTES)]
        wanted = [part for part in request["wanted"] if part not in self.lost]
        self.lost -= set(request["wanted"])
        made = []
        for part in wanted:
            data = pieces[part][::-1] if self.damaged else pieces[part]
            result = {"event_id": request["event_id"], "part": part, "parts": len(pieces), "media_type": "audio/flac"}
            made.append(
                CommandResult(id=request["id"], ok=True, result=result | {"data": base64.b64encode(data).decode()})
            )
        return made
