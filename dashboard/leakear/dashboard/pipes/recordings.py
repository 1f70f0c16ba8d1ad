"""One node's recording: asked for with `cmd/record`, waited for, fetched in parts with `cmd/clip`, verified."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from leakear.dashboard.broker.answers import NoAnswer
from leakear.dashboard.broker.commander import Commander
from leakear.dashboard.evidence import media
from leakear.dashboard.evidence.clips import Assembly
from leakear.dashboard.fleet import Key
from leakear.edge.errors import InputDataError
from leakear.edge.messages.recordings import LONGEST_S, Recording, RecordResult
from leakear.edge.messages.reports import CommandResult, utc_text
from leakear.edge.messages.requests import PART_BYTES

log = logging.getLogger(__name__)

RATE_HZ = 11025
"""Hz of the files: pipes carry nothing above 3500 Hz to both ends"""
LARGEST = 8 * 2**20
"""bytes of one recording at most"""
HIGHEST_HZ = 96_000
"""Hz, rate of a file at most"""
LOOSEST_S, LOOSEST_PPM = 10.0, 300.0
"""s and ppm by which a node's clock and its sound device may be wrong: what nobody means costs gigabytes to search"""
POLL_S = 1.0
WRITING_S = 150.0
"""s after its last sample within which a recording must be kept"""
AT_ONCE = 64
"""parts of one request"""
FETCH_S = 1800.0
"""s that fetching one recording may take"""
EMPTY = 6
"""requests in a row that brought no part, after which fetching ends"""
LONGEST_PAUSE_S = 30.0
PASSED = "The start has passed"
BUSY = "This node is sending other clips"


class NodeRefuses(InputDataError):  # noqa: N818 - it is an expected result, not a failure
    """A node does not do its part; the sentence is the node's own."""

    def __init__(self, key: Key, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


@dataclass(frozen=True)
class Taken:
    """A recording that is here."""

    key: Key
    about: Recording
    """kept: `start_s` and `uncertainty_s` are known"""
    content: bytes
    """FLAC"""


class NodeRecordings:
    """The recordings of one node."""

    def __init__(self, commander: Commander, key: Key) -> None:
        self._commander = commander
        self.key = key

    async def start(self, recording: str, start: float, seconds: float) -> Recording:
        """Ask for a recording; asked again once when no answer comes, which changes nothing. Raises NodeRefuses."""
        values = {"recording": recording, "start": utc_text(start), "seconds": seconds, "rate": RATE_HZ}
        try:
            return self._one(recording, await self._ask({"action": "start", **values}))
        except NoAnswer:
            try:
                return self._one(recording, await self._ask({"action": "start", **values}))
            except NoAnswer as error:
                raise NodeRefuses(self.key, str(error)) from error

    async def kept(self, about: Recording, end: float, heard: Callable[[Key, float], None]) -> Recording:
        """Ask how far it is until it is kept. `end`: POSIX s of its last sample. Raises NodeRefuses."""
        while about.state != "kept":
            if about.state == "failed":
                raise NodeRefuses(self.key, about.reason or "The recording failed without a reason.")
            if time.time() > end + WRITING_S:
                raise NodeRefuses(self.key, "The recording was not finished in time.")
            await asyncio.sleep(POLL_S)
            with suppress(NoAnswer):  # asked again until the time is over
                about = self._one(about.id, await self._ask({"action": "status", "recording": about.id}))
                heard(self.key, about.heard_s)
        return about

    async def nightly(self) -> list[Recording]:
        """Return the kept recordings of the nights, the newest first. Raises NodeRefuses and NoAnswer."""
        found = self._read(await self._ask({"action": "list"}))
        return [one for one in found if one.trigger == "night" and one.state == "kept"]

    async def cancel(self, recording: str) -> None:
        """Delete a recording, or plan it no more; nothing happens where that is not possible."""
        with suppress(InputDataError):
            await self._ask({"action": "cancel", "recording": recording})

    async def fetch(self, about: Recording, came: Callable[[Key, float], None]) -> Taken:
        """Fetch a kept recording, as often as it takes; `came` is told the share. Raises NodeRefuses."""
        try:
            async with asyncio.timeout(FETCH_S):
                return await self._fetched(about, came)
        except TimeoutError as error:
            raise NodeRefuses(self.key, f"The recording did not arrive within {FETCH_S / 60:.0f} min.") from error

    async def _fetched(self, about: Recording, came: Callable[[Key, float], None]) -> Taken:
        size, start_s = _checked(self.key, about)
        assembly = Assembly(about.id)
        count, empty = -(-size // PART_BYTES), 0
        while wanted := [part for part in range(count) if part not in assembly.parts][:AT_ONCE]:
            before = len(assembly.parts)
            reason = await self._parts(assembly, wanted, lambda: came(self.key, len(assembly.parts) / count))
            empty = empty + 1 if len(assembly.parts) == before else 0
            if empty >= EMPTY:
                raise NodeRefuses(self.key, reason)
            if empty:
                await asyncio.sleep(min(2.0**empty, LONGEST_PAUSE_S))
        content = assembly.content
        if len(content) != size or hashlib.sha256(content).hexdigest() != about.sha256:
            raise NodeRefuses(self.key, "The recording arrived damaged: locate again.")
        _check_sound(self.key, content)
        log.debug("%s: recording %s from %.6f is here", self.key, about.id, start_s)
        return Taken(self.key, about, content)

    async def _parts(self, assembly: Assembly, wanted: list[int], came: Callable[[], None]) -> str:
        """Ask for some parts; return why no more came. Raises NodeRefuses unless asking again may help."""

        def take(answer: CommandResult) -> bool:
            if not answer.ok:
                raise NodeRefuses(self.key, answer.error or "The node refuses without a reason.")
            before = len(assembly.parts)
            assembly.add(answer.result)
            if len(assembly.parts) > before:  # a part twice is nothing new for the pages
                came()
            return all(part in assembly.parts for part in wanted)

        try:
            await self._commander.ask_all(
                self.key, "clip", {"event_id": assembly.event_id, "media": "audio", "wanted": wanted}, take
            )
        except NoAnswer as error:
            return str(error)
        except NodeRefuses as error:
            if not str(error).startswith(BUSY):
                raise
            return str(error)
        except InputDataError as error:
            raise NodeRefuses(self.key, str(error)) from error
        return ""

    async def _ask(self, values: dict[str, Any]) -> CommandResult:
        answer = await self._commander.ask(self.key, "record", values)
        if not answer.ok:
            raise NodeRefuses(self.key, answer.error or "The node refuses without a reason.")
        return answer

    def _one(self, recording: str, answer: CommandResult) -> Recording:
        found = [one for one in self._read(answer) if one.id == recording]
        if len(found) != 1:
            raise NodeRefuses(self.key, "The node answered with another recording than it was asked for.")
        return found[0]

    def _read(self, answer: CommandResult) -> tuple[Recording, ...]:
        try:
            return RecordResult.from_json(answer.result).recordings
        except InputDataError as error:
            raise NodeRefuses(self.key, "The node's answer about its recordings cannot be read.") from error


def common_slot(
    a: list[Recording], b: list[Recording], since: float, until: float
) -> tuple[Recording, Recording] | None:
    """Return the recordings of one slot of the night at both nodes, the quietest one. Times: POSIX s of the slots."""
    others = {one.start: one for one in b}
    pairs = [(one, others[one.start]) for one in a if one.start in others and since <= (one.start_s or 0.0) <= until]
    return min(pairs, key=lambda pair: sum(one.level_dbfs or 0.0 for one in pair), default=None)


def _checked(key: Key, about: Recording) -> tuple[int, float]:
    """Return size and start of a kept recording. Raises NodeRefuses."""
    size = about.size
    if size is None or about.sha256 is None or about.start_s is None or about.uncertainty_s is None:
        raise NodeRefuses(key, "The node does not say all that is needed of its recording.")
    if size > LARGEST:
        raise NodeRefuses(key, f"The recording is larger than {LARGEST >> 20} MiB.")
    ppm = 0.0 if about.sample_clock is None else about.sample_clock.drift_uncertainty_ppm
    if about.uncertainty_s > LOOSEST_S or ppm > LOOSEST_PPM:
        raise NodeRefuses(key, "The node does not know the time of its samples: look at its clock.")
    return size, about.start_s


def _check_sound(key: Key, content: bytes) -> None:
    """Refuse what is no FLAC file of at most a minute. Raises NodeRefuses."""
    try:
        media.check("audio/flac", content)
        rate, seconds = media.measure(content)
    except InputDataError as error:
        raise NodeRefuses(key, str(error)) from error
    if rate > HIGHEST_HZ or seconds > LONGEST_S + 1:
        raise NodeRefuses(key, "The recording is longer or finer than what was asked for.")
