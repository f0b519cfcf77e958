"""The command line in process: its requests go to the world's own REST application."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from rest_client import BASE, InProcess
from support import World
from watchword.cli import client as client_module
from watchword.cli import main as main_module
from watchword.cli.client import Credentials

_APP = main_module.app


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs commands as a person would, with the credentials that `up` wrote."""

    def __init__(
        self, world: World, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[bytes]
    ) -> None:
        self.world = world
        self.patch = patch
        self.transport = InProcess(world)
        self.transport.address = "192.0.2.50"
        self._capture = capture
        patch.chdir(folder)
        for name in ("CREDENTIALS", "URL", "TOKEN", "ORGANIZATION", "CLUSTER"):
            patch.delenv(f"WATCHWORD_{name}", raising=False)
        patch.setattr(client_module, "open_http", self._open)
        self.value = world.first.api_token.value.reveal()
        self.write(folder / "watchword-data" / "credentials.json")

    def write(self, path: Path, **changes: str) -> Path:
        first = self.world.first
        document = {
            "url": BASE,
            "rest_url": BASE,
            "organization": "acme",
            "cluster_id": first.cluster.id,
            "queue": "default",
            "api_access_token": self.value,
            **changes,
        }
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document))
        return path

    def _open(self, credentials: Credentials) -> httpx.Client:
        headers = {"Authorization": f"Bearer {credentials.token.reveal()}"}
        return httpx.Client(transport=self.transport, base_url=credentials.url, headers=headers)

    def __call__(self, *words: str) -> Outcome:
        # Cyclopts warns of reading the test runner's own command line, so the words are passed on.
        self.patch.setattr(main_module, "app", lambda: _APP(list(words)))
        code = 0
        try:
            main_module.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        out, err = self._capture.readouterr()
        outcome = Outcome(code, out.decode(), err.decode())
        assert self.value not in outcome.out + outcome.err
        return outcome
