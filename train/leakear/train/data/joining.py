"""Joins names into groups: names that are joined, directly or through others, have one root."""

from collections.abc import Iterator


class Joined:
    """Names in groups."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        """Yield every name that was joined or asked for."""
        return iter(list(self._parent))

    def root(self, name: str) -> str:
        """Return the name that stands for the group of a name: itself, where it was joined with none."""
        while self._parent.setdefault(name, name) != name:
            name = self._parent[name]
        return name

    def join(self, name: str, other: str) -> None:
        """Put the group of a name into that of another one, whose root stands for both then."""
        self._parent[self.root(name)] = self.root(other)
