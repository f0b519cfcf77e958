"""`make soak`: no checksum holds by chance in 10 GB of installed packages and random text.

Half is what the machine has installed, half random text with near misses, made in memory from seeds. It may
be stopped and goes on where it was (`bench/results/soak.json`). Shape-only findings are counted apart.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from scan_planting import MIB, noise
from watchword.scan.content import Reader
from watchword.scan.encodings import Decoder
from watchword.scan.findings import Finding, Proof
from watchword.scan.looking import Look
from watchword.scan.tree import scan_tree

GB = 1_000_000_000
STATE = Path(__file__).parent / "results" / "soak.json"
FOLDERS = (sys.prefix, "/usr", "/opt", "/var/lib", sys.base_prefix)
PIECE = 16 * MIB


class Enough(Exception):
    """As many bytes were read as were asked for."""


class Counter:
    def __init__(self, most: int) -> None:
        self.size = 0
        self._most = most

    def read(self, files: int, size: int) -> None:
        del files
        self.size += size
        if self.size >= self._most:
            raise Enough

    def trouble(self, name: str, why: str) -> None:
        """What cannot be read is no noise."""


def installed(look: Look, most: int) -> tuple[int, list[Finding]]:
    counter = Counter(most)
    found: list[Finding] = []
    seen: list[Path] = []
    try:
        for folder in map(Path, FOLDERS):
            if folder.is_dir() and not any(folder.is_relative_to(other) for other in seen):
                seen.append(folder)
                before = {str(each) for each in seen[:-1]}
                skip = lambda path, _folder, before=before: path in before  # noqa: E731
                found.extend(scan_tree([str(folder)], look, jobs=2, skip=skip, watcher=counter))
    except Enough:
        pass
    return counter.size, found


def pieces(first: int, most: int) -> Iterator[int]:
    yield from range(first, -(-most // PIECE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=10.0)
    parser.add_argument("--fresh", action="store_true", help="forget what was done before")
    asked = parser.parse_args()
    most = int(asked.gb * GB)
    state = {"installed": 0, "random": 0, "checksum": 0, "shape": 0, "gb": asked.gb}
    if STATE.exists() and not asked.fresh and (old := json.loads(STATE.read_text()))["gb"] == asked.gb:
        state = old
    look = Look(decoders=(Decoder(),))
    if not state["installed"]:
        state["installed"], found = installed(look, most // 2)
        for one in found:
            state["checksum" if one.hit.proof is Proof.CHECKSUM else "shape"] += 1
            if one.hit.proof is Proof.CHECKSUM:
                print(f"a checksum holds: {one.place} {one.fingerprint}")
        save(state)
    print(f"installed packages: {state['installed'] / GB:.2f} GB")
    reader = Reader(look)
    began, start = time.perf_counter(), state["random"]
    for seed in pieces(state["random"], most - state["installed"]):
        for hit in reader.hits(noise(seed, PIECE)):
            state["checksum" if hit.proof is Proof.CHECKSUM else "shape"] += 1
            if hit.proof is Proof.CHECKSUM:
                print(f"a checksum holds: seed {seed}, offset {hit.start}")
        state["random"] = seed + 1
        if seed % 16 == 15:
            save(state)
            rate = (seed + 1 - start) * PIECE / MIB / (time.perf_counter() - began)
            print(f"random text: {(seed + 1) * PIECE / GB:.2f} GB, {rate:.0f} MiB/s", flush=True)
    save(state)
    total = state["installed"] + state["random"] * PIECE
    print(f"{total / GB:.2f} GB: {state['checksum']} checksums hold by chance, {state['shape']} shapes only")
    sys.exit(state["checksum"] > 0 or total < most)


def save(state: dict[str, float]) -> None:
    STATE.parent.mkdir(exist_ok=True)
    STATE.write_text(json.dumps(state))


if __name__ == "__main__":
    main()
