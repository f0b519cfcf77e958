"""Secret managers on loopback: OpenBao's development server, and moto's in the place of AWS."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = "root-of-the-tests"


class Bao:
    """A development server; its key-value engine of version 2 is at `secret`."""

    def __init__(self, address: str) -> None:
        self.address = address

    @property
    def environ(self) -> dict[str, str]:
        return {"BAO_ADDR": self.address, "BAO_TOKEN": ROOT}

    def call(self, method: str, path: str, body: Any = None, token: str = ROOT) -> Any:
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            method=method,
            headers={"X-Vault-Token": token},
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            data = answer.read()
        return json.loads(data) if data else None

    def put(self, path: str, **fields: str) -> None:
        """Write a secret of version 2, below `secret`."""
        self.call("POST", f"secret/data/{path}", {"data": fields})


@contextlib.contextmanager
def bao_server(folder: Path) -> Iterator[Bao]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [str(Path(sys.executable).parent / "bao"), "server", "-dev", "-dev-no-store-token"]
    words += [f"-dev-root-token-id={ROOT}", f"-dev-listen-address=127.0.0.1:{port}"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with (
        (folder / "bao.log").open("wb") as log,
        subprocess.Popen(words, stdout=log, stderr=log, env=environ) as process,
    ):
        try:
            bao = Bao(f"http://127.0.0.1:{port}")
            _until_ready(bao, process, folder / "bao.log")
            yield bao
        finally:
            process.kill()


def _until_ready(bao: Bao, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            bao.call("GET", "secret/config")
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(log.read_text()) from None
            time.sleep(0.05)
        else:
            return
