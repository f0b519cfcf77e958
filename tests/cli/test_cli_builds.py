"""`build`: a command is run, watched and canceled."""

from dataclasses import replace

import httpx
import pytest

from cli_harness import Outcome, Shell
from rest_client import InProcess
from support import World
from watchword.cli import builds
from watchword.domain.fleet import Agent
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Build, Job
from watchword.services.context import LOCAL
from watchword.services.exchanging import Registration, register
from watchword.services.logs import add_chunk
from watchword.store.base import Page, Transaction


class Worker:
    """An agent that does one thing each time the watching command pauses."""

    def __init__(self, world: World, exit_status: str) -> None:
        self.world = world
        self.exit_status = exit_status
        self.agent = self._join()
        self.job: Job | None = None
        self.pauses = 0

    def _join(self) -> Agent:
        authority = self.world.authority
        value = self.world.first.agent_token.value.reveal()
        presented = self.world.run(authority.verifier.verify(value, (Kind.AGENT,), address="192.0.2.7"))
        asked = Registration(name="worker", version="3.100.0")
        joined = self.world.run(register(authority.context, authority.fleet, LOCAL, presented, asked))
        self.world.run(authority.fleet.connect(LOCAL, joined.agent.organization_id, joined.agent.id))
        return joined.agent

    def pause(self, _seconds: float) -> None:
        self.pauses += 1
        world, authority = self.world, self.world.authority
        if self.job is None:
            job_id = authority.dispatcher.ping(self.agent.id)
            assert job_id is not None
            self.job = world.run(authority.dispatcher.accept(LOCAL, self.agent.id, job_id)).job
            world.run(authority.finisher.start(LOCAL, self.job))
        elif self.pauses == 2:
            world.run(add_chunk(world.context, self.job, 1, 0, b"one\n\x1b_bk;t=17"))
        elif self.pauses == 3:
            world.run(add_chunk(world.context, self.job, 2, 14, b"00\x07two\n"))
        elif self.pauses == 4:
            world.run(add_chunk(world.context, self.job, 3, 21, b"three\x1b"))
            done = replace(self.job, exit_status=self.exit_status, finished_at=world.clock.now())
            world.run(authority.finisher.finish(LOCAL, done))


def watch(shell: Shell, exit_status: str) -> Outcome:
    worker = Worker(shell.world, exit_status)
    shell.patch.setattr(builds, "pause", worker.pause)
    return shell("build", "create", "--command", "make", "--watch")


@pytest.mark.parametrize(
    ("exit_status", "code"), [("0", 0), ("3", 3), ("255", 255), ("-1", 1), ("", 1), ("256", 1)]
)
def test_watch_ends_as_the_command_does(shell: Shell, exit_status: str, code: int) -> None:
    outcome = watch(shell, exit_status)
    assert (outcome.code, outcome.out) == (code, "one\ntwo\nthree\x1b")
    assert "job running on worker" in outcome.err


def test_watch_outlives_a_restart_of_the_server(shell: Shell) -> None:
    class Flaky(InProcess):
        calls = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            self.calls += 1
            if self.calls % 3 == 0 and "/jobs/" in str(request.url):
                raise httpx.ConnectError("restarting", request=request)
            return super().handle_request(request)

    worker = Worker(shell.world, "0")
    shell.transport = Flaky(shell.world)
    shell.patch.setattr(builds, "pause", worker.pause)
    outcome = shell("build", "create", "--command", "make", "--watch")
    assert (outcome.code, outcome.out) == (0, "one\ntwo\nthree\x1b")


def test_watch_gives_up_on_a_server_that_stays_away(shell: Shell) -> None:
    class Dead(InProcess):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if "/jobs/" in str(request.url):
                raise httpx.ConnectError("gone", request=request)
            return super().handle_request(request)

    shell.transport = Dead(shell.world)
    shell.patch.setattr(builds, "pause", lambda _: None)
    outcome = shell("build", "create", "--command", "make", "--watch")
    assert (outcome.code, "unreachable" in outcome.err) == (1, True)


def test_interrupted_watch_leaves_the_build(shell: Shell) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    shell.patch.setattr(builds, "pause", interrupt)
    outcome = shell("build", "create", "--command", "make", "--watch")
    assert outcome.code == 130
    assert "watchword build cancel 1" in outcome.err
    assert shell("build", "list", "--json").json[0]["state"] == "scheduled"


def test_canceled_build_is_no_success(shell: Shell) -> None:
    context = shell.world.context

    async def newest(tx: Transaction) -> Build:
        return (await tx.builds.builds(shell.world.first.organization.id, None, Page()))[0]

    def cancel(_seconds: float) -> None:
        build = shell.world.run(context.store.read(newest))
        shell.world.run(shell.world.authority.builder.cancel(LOCAL, build))

    shell.patch.setattr(builds, "pause", cancel)
    assert shell("build", "create", "--command", "make", "--watch").code == 1


def test_create_list_show_cancel(shell: Shell) -> None:
    words = [
        "--queue",
        "default",
        "--agents",
        "os=linux",
        "--env",
        "A=b=c",
        "--branch",
        "dev",
        "--message",
        "Hi",
    ]
    made = shell("build", "create", "--command", "-x", "--pipeline", "My App", *words, "--json").json
    assert (made["pipeline"]["slug"], made["branch"], made["message"]) == ("my-app", "dev", "Hi")
    job = made["jobs"][0]
    assert (job["command"], job["agent_query_rules"]) == ("-x", ["os=linux", "queue=default"])
    again = shell("build", "create", "--command", "y", "--pipeline", "My App")
    assert again.out.startswith("Build 2 of my-app is scheduled: http://")
    lines = shell("build", "list").out.splitlines()
    assert [line.split("\t")[:3] for line in lines[1:]] == [
        ["my-app", "2", "scheduled"],
        ["my-app", "1", "scheduled"],
    ]
    assert shell("build", "cancel", "2", "--pipeline", "my-app").out == "Build 2 is canceled.\n"
    assert len(shell("build", "list", "--state", "scheduled", "--json").json) == 1
    shown = shell("build", "show", "1", "--pipeline", "my-app").out
    assert "1 of my-app" in shown
    assert "admin@example.com" in shown
    assert shell("build", "show", "1", "--pipeline", "my-app", "--json").json["number"] == 1
    assert "No build found" in shell("build", "show", "9", "--pipeline", "my-app").err
    assert "No pipeline found" in shell("build", "cancel", "1").err


def test_logs_of_an_ended_build(shell: Shell) -> None:
    watch(shell, "0")
    assert shell("build", "show", "1", "--log").out == "one\ntwo\nthree\x1b"


def test_refused_words(shell: Shell) -> None:
    for words in (["--env", "A"], ["--agents", "=x"]):
        assert "invalid_pair" in shell("build", "create", "--command", "x", *words).err
    assert "invalid_name" in shell("build", "create", "--command", "x", "--pipeline", "!").err
    assert "unknown_queue" in shell("build", "create", "--command", "x", "--queue", "nowhere").err
    assert shell("build", "list", "--json").json == []
