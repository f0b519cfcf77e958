"""An agent's way with artifacts, by the contract: announces, sends bytes, settles, searches, fetches."""

import hashlib
import http.client
import uuid
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from support import Answer, FakeAgent, LiveServer
from watchword.domain.pipelines import Build, Job
from watchword.domain.stepreading import read_document
from watchword.services.builds import BuildRequest, create_pipeline
from watchword.services.context import LOCAL
from watchword.store.base import Transaction


class Raw(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


def exchange(method: str, url: str, body: bytes = b"", **headers: str) -> Raw:
    """A request to an absolute address without any token, as agents send bytes."""
    split = urlsplit(url)
    connection = http.client.HTTPConnection(split.netloc, timeout=30)
    try:
        target = split.path + (f"?{split.query}" if split.query else "")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body, named)
        answer = connection.getresponse()
        return Raw(answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()})
    finally:
        connection.close()


def describe(path: str, data: bytes, **changes: Any) -> dict[str, Any]:
    """A file as agents announce it."""
    made = {
        "id": "",
        "job_id": "",
        "path": path,
        "absolute_path": f"/builds/{path}",
        "glob_path": "",
        "file_size": len(data),
        "sha1sum": hashlib.sha1(data).hexdigest(),
        "sha256sum": hashlib.sha256(data).hexdigest(),
        "content_type": "text/plain",
        "created_at": "0001-01-01T00:00:00Z",
    }
    return made | changes


def form_of(instructions: dict[str, Any], path: str, data: bytes) -> tuple[str, str, bytes]:
    """Address, content type and body of the form that agents make of instructions."""
    action = instructions["action"]
    split = urlsplit(action["url"])
    url = split._replace(path=action["path"]).geturl()
    lines = []
    for name, value in instructions["data"].items():
        shown = value.replace("${artifact:path}", path)
        lines.append(f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{shown}\r\n'.encode())
    name = path.replace("\\", "\\\\").replace('"', '\\"')
    head = f'form-data; name="{action["file_input"]}"; filename="{name}"'
    kind = "Content-Type: application/octet-stream"
    lines.append(f"--edge\r\nContent-Disposition: {head}\r\n{kind}\r\n\r\n".encode())
    return url, "multipart/form-data; boundary=edge", b"".join([*lines, data, b"\r\n--edge--\r\n"])


def _build(server: LiveServer, steps: object) -> tuple[Build, list[Job]]:
    """A build of steps as a pipeline document has them."""
    authority, first = server.authority, server.first

    async def work(tx: Transaction) -> tuple[Build, list[Job]]:
        owner = first.organization.id
        pipeline = await create_pipeline(
            authority.context, tx, LOCAL, owner, "app", cluster_id=first.cluster.id
        )
        document = read_document(steps)
        return await authority.builder.create_in(
            tx, LOCAL, pipeline, document, BuildRequest(), first.admin.id
        )

    async def create() -> tuple[Build, list[Job]]:
        made, jobs = await authority.context.store.write(work)
        authority.builder.announce(jobs)
        return made, jobs

    return server.run(create())


class Uploader:
    """A running job of a fresh build, and its agent."""

    def __init__(
        self, server: LiveServer, version: str = "3.137.0", name: str = "uploader", steps: object = None
    ) -> None:
        self.server = server
        self.build, _ = server.create_build("make") if steps is None else _build(server, steps)
        token = server.first.agent_token.value.reveal()
        self.agent = FakeAgent(server.url, token, version, name=name).connect()
        self.job = self.agent.accept()
        assert self.agent.on_job("PUT", f"/v3/jobs/{self.job}/start", {}).status == 200

    def announce(self, *files: dict[str, Any], batch: str = "", **fields: Any) -> Answer:
        body = {"id": batch or str(uuid.uuid4()), "upload_destination": "", "artifacts": list(files)}
        return self.agent.on_job("POST", f"/v3/jobs/{self.job}/artifacts", body | fields)

    def settle(self, *outcomes: dict[str, Any]) -> Answer:
        return self.agent.on_job("PUT", f"/v3/jobs/{self.job}/artifacts", {"artifacts": list(outcomes)})

    def upload(self, path: str, data: bytes, **changes: Any) -> str:
        """All steps of one file, by form; its id."""
        taken = self.announce(describe(path, data, **changes))
        assert taken.status == 201, taken
        (artifact_id,) = taken.body["artifact_ids"]
        url, kind, body = form_of(taken.body["upload_instructions"], path, data)
        assert exchange("POST", url, body, content_type=kind).status == 201
        assert self.settle({"id": artifact_id, "state": "finished"}).status == 200
        return str(artifact_id)

    def search(self, query: str = "%2A", **more: str) -> list[dict[str, Any]]:
        rest = "".join(f"&{name}={value}" for name, value in more.items())
        path = f"/v3/builds/{self.build.id}/artifacts/search?query={query}&state=finished{rest}"
        answer = self.agent.on_job("GET", path)
        assert answer.status == 200, answer
        found: list[dict[str, Any]] = answer.body
        return found
