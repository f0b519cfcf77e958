"""The load generator: wrk, from loopback to loopback, always bounded in time."""

import os
import shutil
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.machine import HERE, LOAD_CPU, Unavailable, cpu_seconds, pinned

CONNECTIONS = 64
_SCRIPT = HERE / "load.lua"


@dataclass(frozen=True, slots=True)
class Load:
    """What one round measured."""

    requests: int
    seconds: float
    cpu: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def cost(self) -> float:
        """CPU microseconds per request."""
        return self.cpu / self.requests * 1e6


@dataclass(slots=True)
class Target:
    """A server under load: where it listens, its process, what is sent.

    Attributes:
        request: the raw request; `@@` in it stands for a value.
        values: file of values, one a line, all of one length.
        once: whether each value is sent once at most, over all rounds.
    """

    port: int
    pid: int
    request: Path
    values: Path | None = None
    once: bool = False
    sent: int = 0
    rounds: list[Load] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Median requests per second."""
        return statistics.median(load.rate for load in self.rounds)

    @property
    def cost(self) -> float:
        """Median CPU microseconds per request."""
        return statistics.median(load.cost for load in self.rounds)

    def show(self) -> str:
        """Both, for the table."""
        return f"{self.rate:,.0f} req/s\n{self.cost:,.1f} µs CPU"


def require() -> str:
    """The program; installed where that is possible.

    Raises:
        Unavailable: it is not here and cannot be installed.
    """
    found = shutil.which("wrk")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "wrk"], check=False, capture_output=True, timeout=180
        )
        found = shutil.which("wrk")
    if found is None:
        raise Unavailable("wrk is missing; install the Debian package wrk: apt-get install wrk")
    return found


def raw_request(
    path: Path, method: str, target: str, headers: Mapping[str, str], body: str = "", value_length: int = 0
) -> Path:
    """Write a raw request to a file; `value_length` is the length of what replaces `@@` in the body."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method != "GET":
        length = len(body) + (value_length - 2 if "@@" in body else 0)
        lines.append(f"Content-Length: {length}")
    path.write_text("\r\n".join(lines) + "\r\n\r\n" + body, encoding="ascii", newline="")
    return path


def drive(target: Target, seconds: int, *, keep: bool = True) -> Load:
    """One round.

    Raises:
        RuntimeError: an answer was no success, or wrk failed.
    """
    words = [
        *pinned(LOAD_CPU),
        *(require(), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(_SCRIPT)),
        f"http://127.0.0.1:{target.port}/",
        *("--", str(target.request), str(target.values or "-"), str(target.sent)),
        "once" if target.once else "cycle",
    ]
    before = cpu_seconds(target.pid)
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds + 60, check=False)
    spent = cpu_seconds(target.pid) - before
    result = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if result is None:
        raise RuntimeError(f"wrk failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    requests, duration, errors, p50, p99 = (int(word) for word in result.split()[1:])
    if errors or not requests:
        raise RuntimeError(
            f"{errors} of {requests} requests to port {target.port} failed: {done.stdout[-500:]}"
        )
    # What was sent and not answered when the round ended counts as sent.
    target.sent += requests + CONNECTIONS if target.once else 0
    load = Load(requests, duration / 1e6, spent, p50 / 1e3, p99 / 1e3)
    if keep:
        target.rounds.append(load)
    return load


def interleave(
    targets: Sequence[Target], rounds: int, seconds: int, tell: Callable[[str], None], *, warm: bool = True
) -> None:
    """Rounds of all targets in turn, each round after the other; first one that is not counted."""
    if warm:
        for target in targets:
            if not target.once:
                drive(target, 1, keep=False)
    for number in range(rounds):
        for target in targets:
            tell(f"round {number + 1} of {rounds}")
            drive(target, seconds)


def median_ratio(upper: Target, lower: Target, of: Callable[[Load], float]) -> float:
    """Median over the pairs of rounds of upper / lower."""
    pairs = zip(upper.rounds, lower.rounds, strict=True)
    return statistics.median(of(one) / of(other) for one, other in pairs)


def median_difference(upper: Target, lower: Target) -> float:
    """Median over the pairs of rounds of the difference in CPU microseconds per request."""
    pairs = zip(upper.rounds, lower.rounds, strict=True)
    return statistics.median(one.cost - other.cost for one, other in pairs)
