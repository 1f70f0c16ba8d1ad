"""What a node sends when it is asked for evidence."""

import base64
import io
import math
import struct
import wave
from typing import Any

from leakear.edge.messages.reports import CommandResult
from tests.support.harness import done


def sound() -> bytes:
    """Three seconds of two tones, 22050 Hz."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 22050, 0, "NONE", ""))
        values = (int(9000 * math.sin(n / 9) + 5000 * math.sin(n / 2)) for n in range(3 * 22050))
        file.writeframes(b"".join(struct.pack("<h", value) for value in values))
    return out.getvalue()


def answer_with_clip(name: str, request: dict[str, Any], content: bytes = b"") -> Any:
    """What a node sends when it is asked for evidence: in parts, the last part first."""
    if name != "clip":
        return done(request)
    if request["media"] == "picture":
        return [CommandResult(id=request["id"], ok=False, error="There is no picture.", result={})]
    content = content or sound()
    parts = [content[n : n + 48 * 1024] for n in range(0, len(content), 48 * 1024)]
    head = {
        "event_id": request["event_id"],
        "parts": len(parts),
        "media_type": "audio/flac" if content[:4] == b"fLaC" else "audio/wav",
    }
    results = [head | {"part": n, "data": base64.b64encode(part).decode()} for n, part in enumerate(parts)]
    return [CommandResult(id=request["id"], ok=True, result=result) for result in reversed(results)]


def refusal(request: dict[str, Any]) -> Any:
    return CommandResult(id=request["id"], ok=False, error="This site does not let sound leave it.", result={})
