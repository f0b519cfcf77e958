"""`twine` and `pip`, unmodified, against a whole server: tokens let them in, and stop when they end."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from package_scene import API, Shop, wheel
from support import MINUTE_US, FakeClock, LiveServer

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def shop(tmp_path: Path, clock: FakeClock) -> Iterator[Shop]:
    server = LiveServer(tmp_path, clock)
    made = Shop(server)
    yield made
    made.close()
    server.close()


class Clients:
    """The two command lines, with a home of their own that holds no settings."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop = shop
        self.folder = folder
        self.wheel = folder / wheel()[0]
        self.wheel.write_bytes(wheel()[1])

    def _run(self, *arguments: str, **environment: str) -> Done:
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "NO_PROXY": "127.0.0.1", **environment}
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            env=kept,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def twine(self, value: str) -> Done:
        address = f"{self.shop.server.url}{self.shop.path}/"
        plain = ("--non-interactive", "--disable-progress-bar", "--verbose", "--repository-url", address)
        named = {"TWINE_USERNAME": "buildkite", "TWINE_PASSWORD": value}
        return self._run("twine", "upload", *plain, str(self.wheel), **named)

    def pip(self, value: str, to: str) -> Done:
        split = urlsplit(self.shop.server.url)
        index = f"{split.scheme}://buildkite:{value}@{split.netloc}{self.shop.path}/simple/"
        plain = ("--isolated", "--no-input", "--no-cache-dir", "--no-deps", "--disable-pip-version-check")
        where = ("--target", str(self.folder / to), "--trusted-host", split.netloc, "--retries", "0")
        return self._run("pip", "install", *plain, "--index-url", index, *where, "Tiny")


def together(*calls: Callable[[], Done]) -> list[Done]:
    """What clients that run side by side come to."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [one.result() for one in [pool.submit(call) for call in calls]]


def test_packages_go_in_and_out_by_tokens_that_live(shop: Shop, clock: FakeClock, tmp_path: Path) -> None:
    clients = Clients(shop, tmp_path)
    token = shop.token()
    reads, writes = shop.temporary("read"), shop.temporary("write")

    sent = clients.twine(writes)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    for got in together(lambda: clients.pip(token["token"], "one"), lambda: clients.pip(reads, "two")):
        assert got.returncode == 0, got.stdout + got.stderr
    for name in ("one", "two"):
        assert (tmp_path / name / "tiny.py").read_text() == "ANSWER = 42\n"

    clients.wheel.write_bytes(wheel(text="ANSWER = 43\n")[1])
    refused = clients.twine(writes)
    assert refused.returncode != 0
    assert "File already exists" in refused.stdout + refused.stderr

    shop.admin.delete(f"{API}/{shop.slug}/tokens/{token['id']}").raise_for_status()
    clock.forward(5 * MINUTE_US)
    clients.wheel.write_bytes(wheel()[1])
    ended = together(
        lambda: clients.pip(token["token"], "three"),
        lambda: clients.pip(reads, "four"),
        lambda: clients.twine(writes),
    )
    assert [one.returncode != 0 for one in ended] == [True] * 3
