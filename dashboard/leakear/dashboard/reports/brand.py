"""Name and logo at the head of reports."""

from dataclasses import dataclass
from pathlib import Path

from leakear.dashboard.reports.document import Picture
from leakear.edge import texts
from leakear.edge.errors import ConfigError

LARGEST = 2**20
"""bytes of a logo"""
KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True)
class Brand:
    """Whose report it is."""

    name: str = "leakear"
    logo: Path | None = None

    def picture(self) -> Picture | None:
        """Return the logo. Raises ConfigError for a file that is none."""
        if self.logo is None:
            return None
        try:
            content = texts.content(self.logo, LARGEST)
        except OSError as error:
            raise ConfigError(f"--brand-logo {self.logo} cannot be read: {error.strerror}.") from error
        kind = next((kind for start, kind in KINDS.items() if content.startswith(start)), None)
        if kind is None or len(content) > LARGEST:
            raise ConfigError(f"--brand-logo {self.logo} is no PNG or JPEG of at most {LARGEST >> 10} KiB.")
        return Picture(content, kind, self.name)
