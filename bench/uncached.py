"""Serve an installation whose cache of live tokens keeps nothing: every request reads the store."""

import argparse
import asyncio
import signal
from pathlib import Path
from typing import Any

import uvloop

from watchword.app import Application
from watchword.settings import load


class Forgetful(dict[bytes, Any]):
    """A cache that keeps the values in `kept` and counts what it was asked for."""

    def __init__(self, kept: frozenset[bytes]) -> None:
        super().__init__()
        self._kept = kept
        self.hits = 0
        self.misses = 0

    def get(self, key: bytes, default: Any = None) -> Any:
        found = super().get(key, default)
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    def __setitem__(self, key: bytes, value: Any) -> None:
        if key in self._kept:
            super().__setitem__(key, value)


async def serve(data: Path, listen: str, kept: frozenset[bytes]) -> None:
    # The ledger's writes depend on how many tokens are used, not on how many are stored.
    settings = load(environment={}, given={"data": data, "listen": listen, "flush_interval": 3600})
    application = await Application.open(settings)
    cache = Forgetful(kept)
    application.authority.verifier._cache = cache  # noqa: SLF001 - the point of this program
    application.meter.gauge("bench_cache_hits", "Found in the cache.", lambda: cache.hits)
    application.meter.gauge("bench_cache_misses", "Read from the store.", lambda: cache.misses)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, application.stop)
    try:
        await application.serve()
    finally:
        await application.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--keep", action="append", default=[], help="digest (hex) that the cache may keep")
    given = parser.parse_args()
    uvloop.run(serve(given.data, given.listen, frozenset(bytes.fromhex(text) for text in given.keep)))


if __name__ == "__main__":
    main()
