"""One server for the tests of the client library; each test issues tokens of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from client.client_scene import Authority
from support import LiveServer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    folder: Path = tmp_path_factory.mktemp("authority")
    server = LiveServer(folder, trusted_proxies=("127.0.0.0/8",))
    yield Authority(server)
    server.close()
