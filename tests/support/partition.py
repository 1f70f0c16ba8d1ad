"""A network namespace of its own behind a cable that tests can pull: real packets, a real firewall."""

import os
import subprocess
from pathlib import Path
from typing import Self

import pytest


class Partition:
    """Two network namespaces on a cable that can be pulled (`pull`) or made to swallow everything (`swallow`)."""

    def __init__(self) -> None:
        number = os.getpid() % 250
        self.name = f"leakear{number}"
        self.here, self.there = f"10.213.{number}.1", f"10.213.{number}.2"

    def __enter__(self) -> Self:
        near, far = f"{self.name}a", f"{self.name}b"
        made = subprocess.run(["ip", "netns", "add", self.name], check=False, capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"network namespaces need root: {made.stderr.strip()}")
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self.name)
        _ip("addr", "add", f"{self.here}/24", "dev", near)
        _ip("link", "set", near, "up")
        _ip("-n", self.name, "addr", "add", f"{self.there}/24", "dev", far)
        _ip("-n", self.name, "link", "set", far, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=False)

    def pull(self) -> None:
        _ip("-n", self.name, "link", "set", f"{self.name}b", "down")

    def plug(self) -> None:
        _ip("-n", self.name, "link", "set", f"{self.name}b", "up")

    def swallow(self) -> None:
        """Half open: both ends believe in the connection, nothing passes."""
        rules = "add table ip t; add chain ip t c { type filter hook input priority 0; policy drop; }"
        _ip("netns", "exec", self.name, "nft", rules)

    def load(self, rules: Path) -> None:
        """Load a file of firewall rules, or skip the test where there is no firewall."""
        made = subprocess.run(
            ["ip", "netns", "exec", self.name, "nft", "-f", rules], check=False, capture_output=True, text=True
        )
        if "rror" in made.stderr and ("not supported" in made.stderr or "No such file" in made.stderr):
            pytest.skip(f"nft does not work here (apt-get install nftables): {made.stderr.strip()}")
        assert made.returncode == 0, made.stderr

    def let_through(self) -> None:
        _ip("netns", "exec", self.name, "nft", "delete table ip t")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
