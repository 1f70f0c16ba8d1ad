"""A real nginx before a dashboard: it serves it below a path, and writes down what it was asked for."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import pytest

from tests.support.broker import free_port
from tests.support.server import Server

# As the nginx documentation has it for WebSockets; the trailing slashes take the prefix away.
LOCATION = """
    location {prefix}/ {{
      proxy_pass {target}/;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      {headers}
    }}"""
CONFIG = """
daemon off;
user {user};
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {site}
}}
"""
SITE = """
  server {{
    listen 127.0.0.1:{port};
    {locations}
    location / {{ return 404; }}
  }}"""


class Nginx(Server):
    """One nginx with the given prefixes: prefix → (address of a dashboard, headers that are added)."""

    def __init__(
        self, prefixes: dict[str, tuple[str, dict[str, str]]], source: str | None = None, site: str | None = None
    ) -> None:
        """`source`: address from which it asks the dashboards; `site`: blocks of one's own, listening at `{port}`."""
        self.program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if self.program is None:
            pytest.skip("nginx is not installed: apt-get install nginx-light")
        self.folder = Path(tempfile.mkdtemp(prefix="leakear-nginx-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        locations = "".join(
            LOCATION.format(
                prefix=prefix,
                target=target,
                headers="".join(f'proxy_set_header {n} "{v}";' for n, v in headers.items()),
            )
            for prefix, (target, headers) in prefixes.items()
        )
        locations += f"proxy_bind {source};" if source else ""
        user = "nobody nogroup" if os.geteuid() == 0 else "nobody"
        blocks = site or SITE.format(port="{port}", locations=locations)
        text = CONFIG.format(folder=self.folder, user=user, site=blocks.replace("{port}", str(self.port)))
        (self.folder / "nginx.conf").write_text(text)

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*.log"))

    def asked(self) -> list[str]:
        """Paths of all requests so far."""
        return [line.split('"')[1].split()[1] for line in (self.folder / "access.log").read_text().splitlines()]

    def __enter__(self) -> Self:
        assert self.program is not None
        with (self.folder / "start.log").open("ab") as log:
            command = [self.program, "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "error.log")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.wait_for((self.folder / "pid").exists, "listening nginx")
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)
