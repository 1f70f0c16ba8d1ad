"""The recordings of a replay, one after the other as one stream of blocks."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.channels import Channel, Choice, described, each
from leakear.edge.audio.recordings import JoinedRecordings, channels
from leakear.edge.cli.replay.printer import Printer
from leakear.edge.errors import InputDataError
from leakear.edge.node.detector import Detector
from leakear.edge.texts import printable


@dataclass
class Reel:
    """The recordings as one stream; no window reaches from one into the next."""

    detector: Detector
    files: list[Path]
    repeat: int
    channel: Choice
    began: float
    """s since 1970"""
    printer: Printer
    refused: set[Path] = field(default_factory=set)

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of all files. A file that cannot be used is named, counted, and the reel goes on."""
        joined = JoinedRecordings(self.detector.pipeline.spec, self._new_recording, self.began, _say)
        for path in self.files:
            self.printer.file = path
            try:
                for channel in self._channels(path):
                    for _ in range(self.repeat):
                        yield from self._read(joined, path, channel)
            except InputDataError as error:
                self.refused.add(path)
                _say(str(error))

    def _channels(self, path: Path) -> list[Channel]:
        """Return the channels to hear; say which ones where there is a choice."""
        if not path.is_file():
            if self.channel == "all" or self.repeat > 1:
                raise InputDataError(f"{printable(path)}: a pipe can be read once only: leave --repeat and all out")
            return each(self.channel, 1)
        count = channels(path)
        if count > 1:
            _say(f"{printable(path)}: has {count} channels; heard: {described(self.channel)} (--channel N|mix|all)")
        return each(self.channel, count)

    def _new_recording(self, start: int) -> None:
        self.detector.pipeline.new_recording(start)  # a command may have put another pipeline in its place

    def _read(self, joined: JoinedRecordings, path: Path, channel: Channel) -> Iterator[Block]:
        spec = self.detector.model.info.spec
        origin, before = joined.position, self.detector.pipeline.windower.produced
        yield from joined.read(path, channel)
        if self.detector.pipeline.windower.produced == before:
            seconds = (joined.position - origin) / spec.sample_rate
            raise InputDataError(
                f"{printable(path)}: lasts {seconds:.1f} s, one window needs {spec.window_seconds:g} s; record longer"
            )


def _say(sentence: str) -> None:
    print(f"leakear-edge: {printable(sentence)}", file=sys.stderr)
