"""What real agents sent, replayed: each recording is one agent's life with one job (see the README there)."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import Answer, Client, LiveServer

RECORDINGS = sorted((Path(__file__).parent / "recordings").glob("*.json"))
# The real agent's registration answer crashes it where one of these is absent or 0 (traps 1, 2).
POSITIVE = ("ping_interval", "job_status_interval", "heartbeat_interval")


class Replay:
    """Plays a recording against a server, with this server's tokens and ids in place of the recorded."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.names = {"{agent_token}": server.first.agent_token.value.reveal()}
        self.accepted: dict[str, Any] = {}

    def fill(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(name, value)
        return text

    def play(self, fact: dict[str, Any]) -> Answer:
        headers = {name: self.fill(value) for name, value in fact["headers"].items()}
        headers.pop("content-length", None)
        content = b""
        if "gzip" in fact:
            content = gzip.compress(fact["gzip"].encode())
        elif "body" in fact:
            body = fact["body"]
            content = (body if isinstance(body, str) else self.fill(json.dumps(body)) + "\n").encode()
        # The recording's text is shorter or longer than what was sent, where a path was replaced in it.
        query = re.sub(r"size=\d+", f"size={len(fact.get('gzip', '').encode())}", fact.get("query", ""))
        path = self.fill(fact["path"]) + (f"?{query}" if query else "")
        return Client(self.server.url).call(fact["method"], path, content, headers=headers)

    def learn(self, path: str, answer: Answer) -> None:
        body = answer.body
        if answer.status != 200:
            return
        if path.endswith("/register"):
            assert all(body[name] > 0 for name in POSITIVE)
            self.names["{session_token}"] = body["access_token"]
        elif path.endswith("/accept"):
            self.accepted = body
            assert body["chunks_max_size_bytes"] > 0
            assert all(isinstance(value, str) for value in body["env"].values())
            if "token" in body:
                self.names["{job_token}"] = body["token"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """As those were that the recordings were made against: with streams off, so that new agents poll."""
    live = LiveServer(tmp_path, ping_streams=0)
    yield live
    live.close()


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recorded_agent_gets_the_answers_it_got(server: LiveServer, path: Path) -> None:
    recording = json.loads(path.read_text())
    build, (job,) = server.create_build("echo hello")
    replay = Replay(server)
    replay.names |= {"{job}": job.id, "{build}": build.id}
    for fact in recording["exchange"]:
        answer = replay.play(fact)
        assert answer.status == fact["status"], (fact["method"], fact["path"], answer.body)
        replay.learn(fact["path"], answer)
    ended = server.job(job.id)
    assert (ended.state, ended.exit_status) == ("finished", "0")
    # An agent older than 3.39 has no job token and works on its session token.
    assert ("token" in replay.accepted) == (recording["version"] != "v3.38.0")
    assert replay.accepted["env"]["BUILDKITE_PULL_REQUEST"] == "false"


def test_recordings_cover_old_and_new_agents() -> None:
    versions = {json.loads(path.read_text())["version"].split(".")[0] for path in RECORDINGS}
    assert versions == {"v3", "v4"}
    assert any(path.stem == "agent-v3.38.0" for path in RECORDINGS)
