"""Scanners as commands: ours and its peers, what each looks for, and runs of them that are timed."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.machine import CPUS, Unavailable, python

# What ripgrep and grep look for: less than ours, which also knows what Dagster's tokens look like, and which
# says of each find its family and whether its checksum holds.
PATTERN = "bk(ua|aa|aj|ar|ct|pt|pat|ps|tx)_[A-Za-z0-9_.=+/-]{20,}"
RULES = ("buildkite-service-token", "buildkite-user-access-token")

_OFF = ("AVX512F", "AVX512VL", "AVX512BW", "AVX512F_Usable", "AVX512VL_Usable", "AVX512BW_Usable")
NO_AVX512 = "glibc.cpu.hwcaps=" + ",".join(f"-{name}" for name in _OFF)


@dataclass(frozen=True, slots=True)
class Run:
    """What a run took: seconds by the clock, and of processors; and how many lines it wrote."""

    wall: float
    cpu: float
    lines: int


@dataclass(slots=True)
class Scanner:
    """A command that scans.

    Attributes:
        looks_for: in words.
        cores: how many it may use.
    """

    name: str
    command: Sequence[str]
    looks_for: str
    cores: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    passing: tuple[int, ...] = (0,)
    runs: list[Run] = field(default_factory=list)

    def run(self, output: Path) -> Run:
        """Run it once.

        Raises:
            RuntimeError: it failed; the text has what it said.
        """
        with output.open("wb") as written, output.with_suffix(".err").open("wb") as said:
            began = time.perf_counter()
            process = subprocess.Popen(
                [*_on(self.cores), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=said,
                env={**_surroundings(), **self.environment},
            )
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        lines = output.read_bytes().count(b"\n")
        # Values were planted: a scanner that tells nothing did not scan.
        if process.returncode not in self.passing or not lines:
            text = output.with_suffix(".err").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"{self.name} ended with {process.returncode}:\n{text[-2000:]}")
        return Run(wall, used.ru_utime + used.ru_stime, lines)

    def show(self, size: int) -> str:
        """Medians of its runs in words."""
        wall = statistics.median(run.wall for run in self.runs)
        cpu = statistics.median(run.cpu for run in self.runs)
        lines = self.runs[-1].lines
        return f"{self.name}\n{size / 1e6 / wall:,.0f} MB/s, {wall:.2f} s, CPU {cpu:.2f} s\n{lines:,} lines"


def _surroundings() -> dict[str, str]:
    """This process's environment, but that Python may keep what it compiled, as it does for its users.

    The first run, which does not count, then compiles; otherwise each run would.
    """
    return {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _on(cores: int) -> list[str]:
    """Words that keep a command on so many cores."""
    if shutil.which("taskset") is None or len(CPUS) < cores:
        raise Unavailable(f"It needs taskset and {cores} cores.")
    return ["taskset", "-c", ",".join(map(str, CPUS[:cores]))]


def interleave(scanners: Sequence[Scanner], rounds: int, folder: Path, tell: Callable[[str], None]) -> None:
    """Run scanners in turn, once before it counts, so that files lie in memory and rules are compiled."""
    for number in range(rounds + 1):
        for scanner in scanners:
            tell(f"round {number} of {rounds}, {scanner.name}")
            run = scanner.run(folder / "output")
            if number:
                scanner.runs.append(run)


def ratio(ours: Scanner, peer: Scanner, of: Callable[[Run], float]) -> float:
    """Median over the rounds of how many times the peer's is ours."""
    return statistics.median(of(theirs) / of(mine) for mine, theirs in zip(ours.runs, peer.runs, strict=True))


def ours(path: Path, cores: int, *, git: bool = False, more: bool = False, plain: bool = False) -> Scanner:
    """Our command, from the start of Python to its end.

    Args:
        path: what is scanned.
        cores: cores and processes.
        git: whether it is a history.
        more: whether encodings and archives are looked into.
        plain: whether the C library has to do without AVX-512.
    """
    words = python("-m", "watchword", "scan", str(path), "--jobs", str(cores))
    words += ["--archive"] if more else ["--no-decode"]
    words += ["--git"] if git else []
    looks_for = "all families, and tells family, proof, fingerprint and place"
    more_of = "; also in base64, UTF-16, escapes, archives" if more else ""
    environment = {"GLIBC_TUNABLES": NO_AVX512} if plain else {}
    return Scanner("watchword scan", words, looks_for + more_of, cores, environment, (1,))


def ripgrep(path: Path, cores: int, *, text: bool = False) -> Scanner:
    """Ripgrep over everything, binary files too; with `text` it takes them for text, which is faster."""
    name = f"ripgrep -uuu {'-a ' if text else ''}-j{cores}"
    words = [_tool("rg"), *name.split()[1:], "-o", "--no-config", PATTERN, str(path)]
    return Scanner(name, words, PATTERN, cores)


def grep(path: Path, *, plain: bool = False) -> Scanner:
    """GNU grep over everything, as bytes."""
    environment = {"LC_ALL": "C", **({"GLIBC_TUNABLES": NO_AVX512} if plain else {})}
    return Scanner("GNU grep", ["grep", "-raoE", PATTERN, str(path)], PATTERN, 1, environment)


def kingfisher(path: Path, folder: Path, cores: int, *, more: bool = False) -> Scanner:
    """Kingfisher with its rules for Buildkite alone; nothing is validated over the network."""
    words = [_tool("kingfisher"), "scan", str(path), "--no-validate", "--no-update-check", "--quiet"]
    words += ["--format", "jsonl", "--no-dedup", "--jobs", str(cores)]
    for rule in RULES:
        words += ["--rule", f"betterleaks.{rule}"]
    if not more:
        words += ["--no-base64", "--no-extract-archives"]
    environment = {"KF_RULE_CACHE_DIR": str(folder / "kingfisher")}
    looks_for = "its rules for Buildkite" + (", base64 and archives" if more else "")
    return Scanner(f"kingfisher -j{cores}", words, looks_for, cores, environment, (0, 200))


def betterleaks(path: Path, cores: int, *, git: bool = False, more: bool = False) -> Scanner:
    """Betterleaks with its rules for Buildkite alone; nothing is validated over the network."""
    words = [_tool("betterleaks"), "git" if git else "filesystem", str(path), "--no-banner", "--jsonl"]
    words += ["--isolate-rule", ",".join(RULES), "--log-level", "error"]
    if not more:
        words += ["--max-decode-depth=0", "--max-archive-depth=0"]
    looks_for = "its rules for Buildkite" + (", decoded, archives" if more else "")
    return Scanner("betterleaks", words, looks_for, cores, {"GOMAXPROCS": str(cores)}, (0, 1))


def _tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    if beside.exists():
        return str(beside)
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"There is no {name}: uv sync --group bench")
    return found
