"""A PostgreSQL server of one's own in a temporary folder, for tests and bench: a socket, no network.

`fsync` is off unless asked for: what is tested for durability or measured says `durable=True`.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

USER = "postgres"
_WAIT_SECONDS = 60.0
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "deadlock_timeout": "100ms",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
# One user logs in with a password, all others by the socket alone.
_LOGINS = "local all keeper scram-sha-256\nlocal all all trust\n"


class Missing(Exception):
    """PostgreSQL is not installed."""


def programs() -> Path:
    """The folder of `initdb` and `postgres`, the newest one of Debian's.

    Raises:
        Missing: with what to do.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    beside = shutil.which("initdb")
    if found:
        return found[-1].parent
    if beside:
        return Path(beside).parent
    raise Missing("PostgreSQL is not installed; as root: apt-get install postgresql")


class Cluster:
    """A running server; its owner ends it with `close`, and it ends by itself when its owner dies."""

    def __init__(self, *, durable: bool = False, **settings: str) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._data = self._folder / "data"
        self._settings = _SETTINGS | ({} if durable else _NOT_DURABLE) | settings
        if os.getuid() == 0:
            shutil.chown(self._folder, USER, USER)
        # Its language sorts differently from bytes: what relies on the order of bytes must say so.
        self._call("initdb", "-D", self._data, "-U", USER, "-E", "UTF8", "-A", "trust", "--no-sync",
                   "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")  # fmt: skip
        (self._data / "pg_hba.conf").write_text(_LOGINS, encoding="ascii")
        self.start()

    def url(self, database: str, user: str = USER, password: str = "") -> str:
        """The address of a database."""
        login = f"{user}:{quote(password)}" if password else user
        return f"postgresql://{login}@/{database}?host={self._folder}"

    def start(self) -> None:
        """Start the server; returns when it answers. It ends with the thread that called this."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command: list[Path | str] = [
            self._programs / "postgres",
            "-D",
            self._data,
            "-k",
            self._folder,
            *options,
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._as_user(command, "--pdeathsig=INT"), cwd=self._folder, stdout=log, stderr=log
            )
        until = time.monotonic() + _WAIT_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                told = (self._folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start: {told[-2000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        asked: list[Path | str] = [self._programs / "pg_isready", "-q", "-U", USER, "-h", self._folder]
        return subprocess.run(asked, check=False).returncode == 0

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast` ends connections, `immediate` is a crash."""
        self._call("pg_ctl", "stop", "-D", self._data, "-m", mode, "-s")
        self._process.wait()

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run SQL as the superuser; its first column, bare."""
        asked: list[Path | str] = [self._programs / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        told: subprocess.CompletedProcess[str] = subprocess.run(
            [*asked, "-d", self.url(database)], input=text, check=True, capture_output=True, text=True
        )
        return told.stdout.strip()

    def dump(self, database: str) -> bytes:
        """Everything that a database holds, as SQL."""
        asked: list[Path | str] = [self._programs / "pg_dump", "-d", self.url(database)]
        return subprocess.run(asked, check=True, capture_output=True).stdout

    def close(self) -> None:
        """End it and remove its folder."""
        if self._process.poll() is None:
            self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _as_user(self, command: list[Path | str], *options: str) -> list[Path | str]:
        """Run a command as PostgreSQL's user where we are root, whom it refuses."""
        login = [f"--reuid={USER}", f"--regid={USER}", "--init-groups"] if os.getuid() == 0 else []
        return ["setpriv", *login, *options, *command] if login or options else command

    def _call(self, program: str, *arguments: Path | str) -> None:
        command = self._as_user([self._programs / program, *arguments])
        done = subprocess.run(command, check=False, capture_output=True, cwd=self._folder, text=True)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")
