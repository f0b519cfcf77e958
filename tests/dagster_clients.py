"""The real clients of Dagster+, pinned, in an environment of their own that is made once and kept.

Nothing of them stands in this environment: they would bring a hundred packages. `WATCHWORD_DAGSTER_CLIENTS`
names an environment that has them already; otherwise uv, or pip without it, makes one in the user's cache.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = ("dagster-cloud==1.13.27", "dagster-cloud-cli==1.13.27", "dagster-dg-cli==1.13.27")
_NAMED = "WATCHWORD_DAGSTER_CLIENTS"
# Requests to anywhere else end here: nothing listens.
_NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str


def environment() -> Path:
    """The environment of the clients, made where it is missing."""
    named = os.environ.get(_NAMED)
    if named:
        return Path(named)
    seed = "\n".join((*REQUIREMENTS, sys.version)).encode()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "watchword-tests"
    folder = cache / f"dagster-{hashlib.sha256(seed).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder)
            (folder / "made").touch()
    return folder


def _make(folder: Path) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv:
        _call(uv, "venv", "-q", "--python", sys.executable, str(folder))
        # Compiled here, on all cores: each of the first processes would compile thousands of modules.
        install = ("pip", "install", "-q", "--compile-bytecode")
        _call(uv, *install, "--python", str(folder / "bin" / "python"), *REQUIREMENTS)
    else:
        _call(sys.executable, "-m", "venv", str(folder))
        _call(str(folder / "bin" / "pip"), "install", "-q", *REQUIREMENTS)


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, (
        f"{done.stderr}\nWithout a network: {_NAMED}=FOLDER, an environment with these."
    )


class Home:
    """A folder in which clients keep what they keep, and nothing of the person who runs the tests.

    Clients without an address would ask a public host, and show it the token: one is always set, and whatever
    is not loopback goes nowhere.
    """

    def __init__(self, folder: Path, url: str, token: str = "", organization: str = "acme") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.bin = environment() / "bin"
        (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        self.variables = {
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "DAGSTER_HOME": str(folder),
            "DG_CLI_CONFIG": str(folder / "dg.toml"),
            "DAGSTER_CLOUD_CLI_CONFIG": str(folder / "cloud.yaml"),
            "DAGSTER_CLOUD_URL": url,
            "DAGSTER_CLOUD_ORGANIZATION": organization,
            "HTTP_PROXY": _NOWHERE,
            "HTTPS_PROXY": _NOWHERE,
            "NO_PROXY": "127.0.0.1,localhost",
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "PYTHONWARNINGS": "ignore",
        }
        if token:
            self.variables["DAGSTER_CLOUD_API_TOKEN"] = token

    def start(
        self, *command: str, more: Mapping[str, str] | None = None, text: str = ""
    ) -> "subprocess.Popen[str]":
        """Start a client; its first word is looked up in the environment."""
        process = subprocess.Popen(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.folder,
            env={**self.variables, **(more or {})},
            stdin=subprocess.PIPE if text else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if text and process.stdin is not None:
            process.stdin.write(text)
            process.stdin.flush()
        return process

    def run(self, *command: str, more: Mapping[str, str] | None = None, timeout: float = 60) -> Ran:
        """Run a client to its end."""
        process = self.start(*command, more=more)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        return Ran(process.returncode, out, err)


def wait_for(done: Callable[[], object], seconds: float = 30) -> None:
    """Wait until a call answers something true."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)
