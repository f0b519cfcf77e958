"""What people do with an agent, told of any agent: a server in its own process, a git repository, jobs."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from support import Client

WATCHWORD = [sys.executable, "-m", "watchword"]
PATIENCE = 90.0
GIT = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"]
ENDED = ("passed", "failed", "canceled")
PIPELINE = """
steps:
  - label: one
    key: one
    command: echo one >> {trace}
  - label: two
    key: two
    depends_on: one
    command: echo two >> {trace}
  - label: three
    key: three
    depends_on: [one, two]
    command: echo three >> {trace}; buildkite-agent meta-data get from-the-first >> {trace}
"""


def repository(folder: Path) -> Path:
    """A bare repository with one commit that holds a script and a pipeline."""
    work, bare = folder / "work", folder / "app.git"
    (work / ".buildkite").mkdir(parents=True)
    (work / "hello.sh").write_text("#!/bin/sh\necho hello from the checkout\n")
    (work / "hello.sh").chmod(0o755)
    for words in (["init", "-q", "."], ["add", "."], ["commit", "-q", "-m", "The first commit"]):
        subprocess.run([*GIT, *words], cwd=work, check=True, capture_output=True)
    subprocess.run([*GIT, "clone", "-q", "--bare", str(work), str(bare)], check=True, capture_output=True)
    return bare


class Story:
    """A server, an agent's command, and what can be asked of them.

    Args:
        folder: everything is written here.
        agent: the words that start the agent, flags of every kind after them.
        environment: what the server is told besides.
        path: folder of the `buildkite-agent` that jobs find; None where the agent brings its own.
    """

    def __init__(
        self,
        folder: Path,
        agent: Sequence[str],
        environment: Mapping[str, str] | None = None,
        path: Path | None = None,
    ) -> None:
        self.folder = folder
        self.agent_words = list(agent)
        self.server_environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **(environment or {})}
        places = [str(path)] if path is not None else []
        self.path = os.pathsep.join([*places, os.environ["PATH"]])
        self.credentials = folder / "credentials.json"
        self.repository = repository(folder)
        self.server: subprocess.Popen[bytes] | None = None
        self.agents: list[subprocess.Popen[bytes]] = []
        self.builds = folder / "builds"
        self.up()
        self.make_pipeline()

    # -- the server ------------------------------------------------------------------------------

    def up(self) -> None:
        listen = "127.0.0.1:0"
        if self.credentials.exists():
            listen = str(self.known()["url"]).removeprefix("http://")
        words = [*WATCHWORD, "up", "--no-agent", "--data", str(self.folder / "data"), "--listen", listen]
        with (self.folder / "server.log").open("ab") as output:
            self.server = subprocess.Popen(
                [*words, "--credentials", str(self.credentials)],
                stdout=output,
                stderr=output,
                env=self.server_environment,
                cwd=self.folder,
            )
        self.wait_for(self._answers)

    def kill_server(self) -> None:
        """-9."""
        assert self.server is not None
        self.server.kill()
        self.server.wait()
        self.server = None

    def _answers(self) -> bool:
        try:
            return self.credentials.exists() and self._client().call("GET", "/readyz").status == 200
        except OSError:
            return False

    def known(self) -> Mapping[str, Any]:
        document: dict[str, Any] = json.loads(self.credentials.read_text())
        return document

    def _client(self) -> Client:
        known = self.known()
        return Client(str(known["url"]), str(known["api_access_token"]), "Bearer")

    def rest(self, method: str, path: str, body: object = None) -> Any:
        headers = {"content-type": "application/json"} if body is not None else {}
        whole = f"/v2/organizations/{self.known()['organization']}/{path}"
        answer = self._client().call(method, whole, body, headers=headers)
        assert answer.status < 300, (method, path, answer)
        return answer.body

    # -- agents ----------------------------------------------------------------------------------

    def start(self, *flags: str) -> "subprocess.Popen[bytes]":
        environment = {
            "PATH": self.path,
            "HOME": str(self.folder),
            "BUILDKITE_AGENT_TOKEN": str(self.known()["agent_token"]),
        }
        words = [
            *self.agent_words,
            "--endpoint",
            f"{self.known()['url']}/v3",
            "--build-path",
            str(self.builds),
        ]
        with (self.folder / "agent.log").open("ab") as output:
            agent = subprocess.Popen(
                [*words, *flags], stdout=output, stderr=output, env=environment, cwd=self.folder
            )
        self.agents.append(agent)
        return agent

    def stop(self, agent: "subprocess.Popen[bytes]") -> int:
        agent.send_signal(signal.SIGTERM)
        return agent.wait(PATIENCE)

    def connected(self) -> list[Any]:
        return list(self.rest("GET", "agents?per_page=100"))

    # -- builds ----------------------------------------------------------------------------------

    def make_pipeline(self) -> None:
        body = {
            "name": "App",
            "repository": f"file://{self.repository}",
            "cluster_id": self.known()["cluster_id"],
        }
        self.rest("POST", "pipelines", body)

    def build(self, *commands: str, steps: Sequence[object] | None = None) -> Any:
        given = steps if steps is not None else [{"command": command} for command in commands]
        body = {"commit": "HEAD", "branch": "main", "message": "a story", "steps": given}
        return self.rest("POST", "pipelines/app/builds", body)

    def look(self, build: Any) -> Any:
        return self.rest("GET", f"pipelines/app/builds/{build['number']}")

    def ended(self, build: Any, state: str = "passed") -> Any:
        self.wait_for(lambda: self.look(build)["state"] in ENDED)
        found = self.look(build)
        assert found["state"] == state, (found["state"], self.log_of(found), self.agent_log())
        return found

    def log_of(self, build: Any) -> str:
        texts = []
        for job in build["jobs"]:
            if job.get("type") == "script":
                path = f"pipelines/app/builds/{build['number']}/jobs/{job['id']}/log"
                texts.append(str(self.rest("GET", path)["content"]))
        return "\n".join(texts)

    # -- patience --------------------------------------------------------------------------------

    def agent_log(self) -> str:
        path = self.folder / "agent.log"
        return path.read_text(errors="replace")[-6000:] if path.exists() else ""

    def wait_for(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            log = self.folder / "server.log"
            told = log.read_text(errors="replace")[-3000:] if log.exists() else ""
            assert time.monotonic() < deadline, (told, self.agent_log())
            time.sleep(0.05)

    def clear(self) -> None:
        """After a chapter, however it ended: no agent, no open build."""
        for agent in self.agents:
            if agent.poll() is None:
                agent.kill()
                agent.wait()
        self.agents.clear()
        for build in self.rest("GET", "pipelines/app/builds?per_page=100"):
            if build["state"] not in ENDED:
                self.rest("PUT", f"pipelines/app/builds/{build['number']}/cancel")

    def close(self) -> None:
        for agent in self.agents:
            if agent.poll() is None:
                agent.kill()
                agent.wait()
        if self.server is not None:
            self.server.terminate()
            self.server.wait(30)
        for name in ("server.log", "agent.log"):
            path = self.folder / name
            if path.exists():
                assert b"Traceback" not in path.read_bytes(), path.read_text()[-4000:]


# -- the chapters: each takes a story whose server runs and has no agent ------------------------------


def checkout(story: Story) -> None:
    """git checkout of a local repository, and a script of it."""
    agent = story.start()
    build = story.ended(story.build("./hello.sh && git log --oneline"))
    log = story.log_of(build)
    assert "hello from the checkout" in log
    assert "The first commit" in log
    assert story.stop(agent) == 0


def notes_and_artifacts(story: Story) -> None:
    """annotate; artifact upload, search, download; meta-data."""
    agent = story.start()
    script = """
mkdir -p out/deep && printf 'the artifact' > out/deep/a.txt && printf 'b' > out/b.log
buildkite-agent annotate 'All **well**' --style success --context result
buildkite-agent meta-data set release 1.2.3
test "$(buildkite-agent meta-data get release)" = 1.2.3
buildkite-agent meta-data exists release
! buildkite-agent meta-data exists nothing
buildkite-agent artifact upload 'out/**/*'
buildkite-agent artifact search 'out/*'
mkdir -p back && buildkite-agent artifact download 'out/*' back/
cmp out/deep/a.txt back/out/deep/a.txt && cmp out/b.log back/out/b.log
buildkite-agent artifact shasum out/b.log
"""
    build = story.ended(story.build(script))
    (note,) = story.rest("GET", f"pipelines/app/builds/{build['number']}/annotations")
    assert note["context"] == "result"
    found = story.rest("GET", f"pipelines/app/builds/{build['number']}/artifacts")
    assert sorted(one["path"] for one in found) == ["out/b.log", "out/deep/a.txt"]
    assert story.look(build)["meta_data"]["release"] == "1.2.3"
    assert story.stop(agent) == 0


def upload_of_three_steps(story: Story) -> None:
    """pipeline upload of three steps with depends_on: they run in that order, whoever runs them."""
    trace = story.folder / "trace"
    agent = story.start("--spawn", "3")
    document = story.folder / "three.yml"
    document.write_text(PIPELINE.format(trace=trace))
    upload = f"buildkite-agent meta-data set from-the-first yes && buildkite-agent pipeline upload {document}"
    build = story.ended(story.build(upload))
    assert trace.read_text().split() == ["one", "two", "three", "yes"]
    assert [job["step_key"] for job in build["jobs"]][1:] == ["one", "two", "three"]
    assert story.stop(agent) == 0


def cancelled_while_running(story: Story) -> None:
    """A job that runs is cancelled; its command is told by a signal."""
    agent = story.start()
    told = story.folder / "told"
    script = f"trap 'echo told > {told}; exit 1' TERM; echo > {story.folder / 'begun'}; sleep 60 & wait"
    build = story.build(script)
    story.wait_for((story.folder / "begun").exists)
    story.rest("PUT", f"pipelines/app/builds/{build['number']}/cancel")
    ended = story.ended(build, "canceled")
    assert ended["jobs"][0]["state"] == "canceled"
    assert told.exists()
    assert story.stop(agent) == 0


def spawned(story: Story) -> None:
    """--spawn 5: five jobs that wait for each other end."""
    agent = story.start("--spawn", "5")
    meet = story.folder / "meet"
    meet.mkdir()
    script = f"""cd {shlex.quote(str(meet))} && touch $BUILDKITE_JOB_ID
for _ in $(seq 600); do test "$(ls | wc -l)" -ge 5 && exit 0; sleep 0.1; done; exit 1"""
    build = story.ended(story.build(*[script] * 5))
    names = {job["agent"]["name"] for job in build["jobs"]}
    assert len(names) == 5
    assert story.stop(agent) == 0


def acquired(story: Story) -> None:
    """--acquire-job runs the job that it names, and no other."""
    build = story.build("echo first", "echo named")
    other, named = build["jobs"]
    agent = story.start("--acquire-job", named["id"])
    assert agent.wait(PATIENCE) == 0
    states = {job["id"]: job["state"] for job in story.look(build)["jobs"]}
    assert states == {other["id"]: "scheduled", named["id"]: "passed"}
    again = story.start("--acquire-job", named["id"])
    assert again.wait(PATIENCE) == 27, "a job that has ended cannot be acquired"
    story.rest("PUT", f"pipelines/app/builds/{build['number']}/cancel")


def one_job_and_gone(story: Story) -> None:
    """--disconnect-after-job: one job of two."""
    build = story.build("echo one", "echo two")
    agent = story.start("--disconnect-after-job")
    assert agent.wait(PATIENCE) == 0
    states = sorted(job["state"] for job in story.look(build)["jobs"])
    assert states == ["passed", "scheduled"]
    story.wait_for(lambda: not story.connected())
    story.rest("PUT", f"pipelines/app/builds/{build['number']}/cancel")


def graceful_end(story: Story) -> None:
    """One SIGTERM: the running job ends well, then the agent leaves; nothing else is begun."""
    agent = story.start()
    go = story.folder / "go"
    begun = story.folder / "begun-well"
    build = story.build(f"touch {begun}; while ! test -e {go}; do sleep 0.1; done; echo well", "echo never")
    story.wait_for(begun.exists)
    agent.send_signal(signal.SIGTERM)
    time.sleep(1)
    assert agent.poll() is None
    go.touch()
    assert agent.wait(PATIENCE) == 0
    states = [job["state"] for job in story.look(build)["jobs"]]
    assert states == ["passed", "scheduled"]
    story.wait_for(lambda: not story.connected())
    story.rest("PUT", f"pipelines/app/builds/{build['number']}/cancel")


def server_killed(story: Story, seconds: float) -> None:
    """The server dies under running and waiting jobs and comes back: each ran once, none is lost."""
    agent = story.start("--spawn", "2")
    ran = story.folder / "ran"
    ran.mkdir()
    go = story.folder / "go-on"
    script = f"echo run >> {ran}/$BUILDKITE_JOB_ID; while ! test -e {go}; do sleep 0.1; done; echo done"
    build = story.build(*[script] * 6)
    story.wait_for(lambda: len(list(ran.iterdir())) == 2)
    story.kill_server()
    time.sleep(seconds / 2)
    go.touch()
    time.sleep(seconds / 2)
    story.up()
    ended = story.ended(build)
    assert sorted(path.name for path in ran.iterdir()) == sorted(job["id"] for job in ended["jobs"])
    assert {path.read_text() for path in ran.iterdir()} == {"run\n"}
    assert story.stop(agent) == 0


def by_stream_alone(story: Story) -> None:
    """--ping-mode stream-only: an agent that never asks hears of each build, before and after it came."""
    before = story.build("echo before")
    agent = story.start("--ping-mode", "stream-only")
    story.ended(before)
    for number in range(3):
        story.ended(story.build(f"echo {number}"))
    (listed,) = story.connected()
    story.rest("PUT", f"agents/{listed['id']}/stop", {"force": False})
    assert agent.wait(PATIENCE) == 0


IDENTITY = """
set -- --audience bao --lifetime 60 --claim pipeline_id,queue_key --aws-session-tag job_id
token=$(buildkite-agent oidc request-token "$@")
test "$(printf %s "$token" | tr -cd . | wc -c)" -eq 2
echo "the token is $token"
if buildkite-agent oidc request-token --claim nothing; then exit 1; fi
cat > narrow.yml <<'YML'
steps:
  - label: narrow
    command:
      - buildkite-agent annotate narrow --context narrow
      - if buildkite-agent oidc request-token --audience bao; then exit 1; fi
      - if buildkite-agent meta-data set release 2; then exit 1; fi
    job_token: { rights: [annotate] }
YML
buildkite-agent pipeline upload narrow.yml
"""


def identity_tokens(story: Story) -> None:
    """oidc request-token, hidden in the log; an uploaded step whose token may do less."""
    agent = story.start()
    build = story.ended(story.build(IDENTITY))
    log = story.log_of(build)
    assert "the token is [REDACTED]" in log
    assert "eyJ" not in log
    for said in ("There is no claim", "lacks the right oidc", "lacks the right meta_data:write"):
        assert said in log, log
    (note,) = story.rest("GET", f"pipelines/app/builds/{build['number']}/annotations")
    assert note["context"] == "narrow"
    assert story.stop(agent) == 0


CHAPTERS: dict[str, Callable[[Story], None]] = {
    "checkout": checkout,
    "notes and artifacts": notes_and_artifacts,
    "upload of three steps": upload_of_three_steps,
    "identity tokens": identity_tokens,
    "cancelled while running": cancelled_while_running,
    "spawn 5": spawned,
    "acquire": acquired,
    "disconnect after job": one_job_and_gone,
    "graceful end": graceful_end,
    "by stream alone": by_stream_alone,
    "server killed": lambda story: server_killed(story, 4),
}
