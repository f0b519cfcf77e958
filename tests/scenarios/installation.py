"""`watchword up` as a newcomer runs it: the real command in a real process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WATCHWORD = [sys.executable, "-m", "watchword"]
PATIENCE = 60.0


class Installation:
    """`watchword up` in a folder of its own, on a database of any make."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *flags: str) -> None:
        self.folder = folder
        self.credentials = folder / "credentials.json"
        self.output = folder / "up.log"
        self.flags = flags
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "WATCHWORD_CREDENTIALS": str(self.credentials),
            **{f"WATCHWORD_{name.upper()}": value for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None

    def up(self) -> "Installation":
        command = [*WATCHWORD, "up", "--data", str(self.folder / "data"), "--listen", self.listen()]
        command += ["--credentials", str(self.credentials), *self.flags]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, env=self.environment, cwd=self.folder
            )
        self.wait_for(lambda: "Next, in another terminal" in self.output.read_text())
        return self

    def listen(self) -> str:
        if not self.credentials.exists():
            return "127.0.0.1:0"
        return str(self.known()["url"]).removeprefix("http://")

    def known(self) -> Mapping[str, Any]:
        document: dict[str, Any] = json.loads(self.credentials.read_text())
        return document

    def wait_for(self, holds: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, self.output.read_text()
            assert self.process is None or self.process.poll() is None, self.output.read_text()
            time.sleep(0.05)

    def run(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*WATCHWORD, *words],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if check:
            assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done

    def down(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.process = None
        return code
