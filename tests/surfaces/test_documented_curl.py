"""The commands of the vendor's pages on tokens, clusters, queues and agents, by the real `curl`.

A row is a documented command with only host and ids changed: method, path, and the documented keys with
values of the same kind. One is not here: a queue of hosted agents, which need machines that the vendor
runs.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from support import FakeAgent, FakeClock, LiveServer

# The pages' expiries lie ahead of this moment: 2024-06-01.
WHEN_WRITTEN_US = 1_717_200_000_000_000


@dataclass(frozen=True)
class Row:
    """One documented command.

    Attributes:
        path: below the organization, or from the root where it begins with a slash; names in braces
            are ids that earlier rows gave.
        body: what `-d` carries; None where there is none.
        status: what it gets.
        keep: the name under which the id of what was made is known to later rows.
        typed: whether the command names the type of its body.
    """

    method: str
    path: str
    body: str | None = None
    status: int = 200
    keep: str = ""
    typed: bool = field(default=True)


CLUSTER = """{
  "name": "Fleet",
  "description": "Where our builds run",
  "emoji": ":rocket:",
  "color": "#FFE0F1"%s
}"""
TOKENS, QUEUES, SECRETS = (f"clusters/{{cluster}}/{noun}" for noun in ("tokens", "queues", "secrets"))
NETWORKS = '"allowed_ip_addresses": "192.0.2.0/24 198.51.100.12"'

PAGES: dict[str, list[Row]] = {
    "the current access token": [Row("GET", "/v2/access-token")],
    "the current user": [Row("GET", "/v2/user")],
    "the root": [Row("GET", "/", typed=False)],
    "meta": [Row("GET", "/v2/meta", typed=False)],
    "organizations": [Row("GET", "/v2/organizations"), Row("GET", "")],
    "rate limits": [Row("GET", "rate_limit")],
    "emojis": [Row("GET", "emojis")],
    "clusters": [
        Row("GET", "clusters"),
        # The page has a comma after the last value.
        Row("POST", "clusters", CLUSTER % ",", 201, "cluster"),
        Row("GET", "clusters/{cluster}"),
        Row("PUT", "clusters/{cluster}", '{ "name": "Fleet" }'),
        Row("DELETE", "clusters/{cluster}", status=204),
    ],
    "queues": [
        Row("POST", "clusters", CLUSTER % "", 201, "cluster"),
        Row("POST", QUEUES, '{ "key": "default", "description": "Where jobs go" }', 201, "queue"),
        Row("GET", QUEUES),
        Row("GET", QUEUES + "/{queue}"),
        Row("PUT", QUEUES + "/{queue}", '{ "description": "Where jobs go first" }'),
        Row("POST", QUEUES + "/{queue}/pause_dispatch", '{ "dispatch_paused_note": "We look into it" }'),
        Row("POST", QUEUES + "/{queue}/resume_dispatch"),
        Row("DELETE", QUEUES + "/{queue}", status=204),
    ],
    "agent tokens": [
        Row("POST", "clusters", CLUSTER % "", 201, "cluster"),
        Row(
            "POST",
            TOKENS,
            '{ "description": "Windows", "expires_at": "2025-01-01T00:00:00Z",'
            ' "allowed_ip_addresses": "192.0.2.0/24" }',
            201,
            "token",
        ),
        Row("GET", TOKENS),
        Row("GET", TOKENS + "/{token}"),
        Row(
            "PUT",
            TOKENS + "/{token}",
            '{ "description": "Windows", "expires_at": "2025-01-01T00:00:00Z",'
            ' "allowed_ip_addresses": "192.0.2.0/24" }',
        ),
        Row("DELETE", TOKENS + "/{token}", status=204),
    ],
    "managing agent tokens": [
        Row("POST", "clusters", CLUSTER % "", 201, "cluster"),
        Row(
            "POST",
            TOKENS,
            '{\n "description": "For staging",\n "expires_at": "2026-01-01T00:00:00Z",\n'
            ' "allowed_ip_addresses": "0.0.0.0/0"\n}',
            201,
            "token",
        ),
        Row("PUT", TOKENS + "/{token}", '{ "description": "For staging", ' + NETWORKS + " }"),
        Row("PUT", TOKENS + "/{token}", "{ " + NETWORKS + " }"),
        Row("DELETE", TOKENS + "/{token}", status=204),
    ],
    "managing clusters": [
        Row("POST", "clusters", CLUSTER % "", 201, "cluster"),
        Row("POST", "pipelines", '{"name": "App", "repository": "git@example.com:app.git"}', 201),
        Row("GET", "pipelines"),
        Row("PATCH", "pipelines/app", '{ "cluster_id": "{cluster}" }'),
    ],
    "maintainers": [
        Row("POST", "clusters", CLUSTER % "", 201, "cluster"),
        Row("POST", "teams", '{ "name": "Platform" }', 201, "team"),
        Row("POST", "clusters/{cluster}/maintainers", '{ "team": "{team}" }', 201, "maintainer"),
        Row("GET", "clusters/{cluster}/maintainers"),
        Row("GET", "clusters/{cluster}/maintainers/{maintainer}"),
        Row("DELETE", "clusters/{cluster}/maintainers/{maintainer}", status=204),
        # As the page prints it, which deletes the cluster.
        Row("DELETE", "clusters/{cluster}", status=204),
    ],
    "secrets": [
        Row("POST", "clusters", CLUSTER % "", 201, "cluster"),
        Row(
            "POST",
            SECRETS,
            '{\n "key": "DEPLOY_KEY",\n "value": "open sesame",\n "description": "Lets us deploy",\n'
            ' "policy": "- pipeline_slug: app\\n  build_branch: main"\n}',
            201,
            "secret",
        ),
        Row("GET", SECRETS),
        Row("GET", SECRETS + "/{secret}"),
        Row(
            "PUT",
            SECRETS + "/{secret}",
            '{\n "description": "Lets us release",\n'
            ' "policy": "- pipeline_slug: app\\n  build_branch: production"\n}',
        ),
        Row("PUT", SECRETS + "/{secret}/value", '{"value": "close sesame"}'),
        Row("DELETE", SECRETS + "/{secret}", status=204),
        Row("GET", "clusters/{cluster}/network_ranges"),
    ],
    "agents": [
        Row("GET", "agents"),
        Row("GET", "agents/{agent}"),
        Row(
            "PUT",
            "agents/{agent}/pause",
            '{\n "note": "We look at the machine",\n "timeout_in_minutes": 60\n}',
            204,
        ),
        Row("PUT", "agents/{agent}/resume", "{}", 204),
        Row("PUT", "agents/{agent}/stop", '{\n "force": true\n}', 204),
    ],
    "the end of the current access token": [Row("DELETE", "/v2/access-token", status=204)],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path_factory.mktemp("curl"), FakeClock(WHEN_WRITTEN_US))
    yield made
    made.close()


def curl(server: LiveServer, row: Row, known: dict[str, str]) -> tuple[int, bytes]:
    """Run a command as it is documented, in a shell, with the token in a variable; status and body."""
    path = row.path if row.path.startswith("/") else f"/v2/organizations/acme/{row.path}".rstrip("/")
    body = row.body
    for name, value in known.items():
        path = path.replace(f"{{{name}}}", value)
        body = body.replace(f"{{{name}}}", value) if body is not None else None
    lines = [
        'curl -sS -w "\\n%{http_code}" -H "Authorization: Bearer $TOKEN"',
        f'-X {row.method} "{server.url}{path}"',
    ]
    if row.body is not None or (row.typed and row.method == "POST"):
        lines.append('-H "Content-Type: application/json"')
    if body is not None:
        lines.append(f"-d '{body}'")
    token = server.first.api_token.value.reveal()
    done = subprocess.run(
        ["sh", "-c", " \\\n  ".join(lines)],
        capture_output=True,
        check=True,
        timeout=30,
        env={"TOKEN": token, "PATH": "/usr/bin:/bin"},
    )
    content, _, status = done.stdout.rpartition(b"\n")
    return int(status), content


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_page_work(server: LiveServer, page: str) -> None:
    known: dict[str, str] = {}
    if page == "agents":
        agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
        known["agent"] = agent.registered.body["id"]
    for row in PAGES[page]:
        status, content = curl(server, row, known)
        assert status == row.status, (row, content)
        answer: Any = json.loads(content) if content else None
        assert (answer is None) == (status == 204), (row, content)
        if row.keep:
            known[row.keep] = answer["id"]
            asked = json.loads((row.body or "{}").replace('",\n}', '"\n}'))
            shown = {name: answer[name] for name in asked if name in answer}
            for unseen in ("value", "team"):
                asked.pop(unseen, None)
            assert shown == asked, row
    if page.startswith("the end"):
        assert curl(server, Row("GET", "/v2/user"), {})[0] == 401
