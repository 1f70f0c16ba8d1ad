"""What the MP3 decoder says of damage: it writes to standard error and goes on, without an error."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_ITS_OWN = re.compile(rb"^(\[.*libmpg123|Note: |Warning: ).*$", re.MULTILINE)
_DAMAGE = re.compile(rb"^(?:\[.*libmpg123.* error: |Note: Illegal Audio-MPEG-Header)", re.MULTILINE)


class DecoderMessages:
    """Counts the damaged places of which the decoder complains."""

    def __init__(self) -> None:
        self.damaged = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the decoder's messages back inside the block; what other threads write is passed on."""
        sys.stderr.flush()
        try:
            ours = os.dup(2)
        except OSError:  # closed: nobody reads it
            yield
            return
        with tempfile.TemporaryFile() as said:
            os.dup2(said.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(ours, 2)
                os.close(ours)
                said.seek(0)
                self._count(said.read())

    def _count(self, said: bytes) -> None:
        self.damaged += len(_DAMAGE.findall(said))
        others = b"".join(line for line in said.splitlines(keepends=True) if not _ITS_OWN.match(line))
        if others:
            os.write(2, others)
