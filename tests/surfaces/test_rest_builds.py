"""REST: agents, pipelines, builds, jobs, logs and annotations."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from rest_client import Rest, api_token
from support import MINUTE_US, World
from watchword.domain.accounts import Role
from watchword.domain.fleet import Agent
from watchword.domain.ids import JobId
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Job
from watchword.services.context import LOCAL
from watchword.services.exchanging import Registration, register
from watchword.services.logs import Note, add_chunk, annotate, set_meta_data

BUILD = "pipelines/adhoc/builds"


def join(world: World, name: str, *tags: str, connect: bool = True) -> Agent:
    authority = world.authority
    value = world.first.agent_token.value.reveal()
    presented = world.run(authority.verifier.verify(value, (Kind.AGENT,), address="192.0.2.7"))
    asked = Registration(
        name=name, hostname=f"{name}.local", os="linux", arch="amd64", version="3.100.0", build="1", tags=tags
    )
    joined = world.run(register(authority.context, authority.fleet, LOCAL, presented, asked))
    if connect:
        world.run(authority.fleet.connect(LOCAL, joined.agent.organization_id, joined.agent.id))
    return joined.agent


def adhoc(world: World, **body: Any) -> tuple[Rest, Any]:
    rest = Rest(world)
    assert rest("POST", "pipelines", json={"name": "adhoc"}).status_code == 201
    made = rest("POST", BUILD, json=body or {"command": "make test"})
    assert made.status_code == 201, made.text
    return rest, made.json()


def accept(world: World, build: Any, agent: Agent) -> Job:
    job_id = JobId(build["jobs"][0]["id"])
    accepted = world.run(world.authority.dispatcher.accept(LOCAL, agent.id, job_id))
    world.run(world.authority.finisher.start(LOCAL, accepted.job))
    return accepted.job


def finish(world: World, job: Job, exit_status: str) -> None:
    done = replace(job, exit_status=exit_status, finished_at=world.clock.now())
    world.run(world.authority.finisher.finish(LOCAL, done))


def test_agents(world: World) -> None:
    agent = join(world, "linux-1", "os=linux")
    join(world, "silent", connect=False)
    join(world, "linux-2")
    rest = Rest(world)
    listed = rest("GET", "agents/").json()
    assert [one["name"] for one in listed] == ["linux-1", "linux-2"]
    shown = listed[0]
    assert base64.b64decode(shown["graphql_id"]).decode() == f"Agent---{agent.id}"
    assert shown["connection_state"] == "connected"
    assert (shown["hostname"], shown["version"], shown["queue"]) == ("linux-1.local", "3.100.0", "default")
    assert shown["meta_data"] == ["os=linux", "queue=default"]
    assert shown["agent_token_id"] == world.first.agent_token.token.id
    assert shown["job"] is None
    assert shown["creator"]["email"] == "admin@example.com"
    assert rest("GET", f"agents/{agent.id}").json() == shown
    for query, names in (
        ("name=linux-2", ["linux-2"]),
        ("hostname=linux-1.local&version=3.100.0", ["linux-1"]),
        ("version=3.1", []),
        (f"cluster_queue_id={world.first.queue.id}&per_page=1&page=2", ["linux-2"]),
    ):
        assert [one["name"] for one in rest("GET", f"agents?{query}").json()] == names, query
    silent = rest("GET", f"agents/{join(world, 'other', connect=False).id}").json()
    assert (silent["connection_state"], silent["connected_at"]) == ("never_connected", None)


def test_pipeline_keeps_steps_as_text(world: World) -> None:
    rest = Rest(world)
    steps = [
        {"command": "make", "label": "Make", "agents": {"os": "linux"}, "env": {"A": "b"}, "priority": 3}
    ]
    made = rest("POST", "pipelines/", json={"name": "My App", "repository": "git@x:y", "steps": steps})
    assert made.status_code == 201
    pipeline = made.json()
    assert (pipeline["slug"], pipeline["cluster_id"]) == ("my-app", world.first.cluster.id)
    assert pipeline["steps"][0]["agent_query_rules"] == ["os=linux"]
    assert rest("GET", "pipelines/my-app").json() == pipeline
    text = pipeline["configuration"]
    copy = rest("POST", "pipelines", json={"name": "Copy", "configuration": text}).json()
    assert copy["configuration"] == text
    assert copy["steps"] == pipeline["steps"]
    assert [one["slug"] for one in rest("GET", "pipelines?name=my").json()] == ["my-app"]
    assert len(rest("GET", "pipelines").json()) == 2
    build = rest("POST", "pipelines/my-app/builds", json={"commit": "abc", "branch": "dev"}).json()
    job = build["jobs"][0]
    assert (job["command"], job["name"], job["priority"]) == ("make", "Make", {"number": 3})
    assert job["agent_query_rules"] == ["queue=default", "os=linux"]


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"name": ""}, 422, "invalid_name", "Name"),
        ({"name": "!!"}, 422, "invalid_slug", "slug"),
        ({"name": "x", "cluster_id": "y"}, 404, "not_found", "No cluster found"),
        ({"name": "x", "configuration": "steps: [1"}, 422, "invalid_yaml", "line"),
        ({"name": "x", "configuration": "{}"}, 422, "invalid_pipeline", "steps"),
        ({"name": "x", "configuration": "[]", "steps": []}, 422, "two_configurations", "both"),
        ({"name": "x", "steps": [{"command": "a"}, {"blok": "b"}]}, 422, "invalid_pipeline", "Step 2"),
        ({"name": "x", "steps": [{"label": "a"}]}, 422, "invalid_pipeline", "Step 1"),
        ({"name": "x", "steps": [{"command": "a", "priority": True}]}, 422, "invalid_pipeline", "priority"),
        ({"name": "x", "steps": [{"command": "a"}] * 501}, 422, "invalid_pipeline", "500"),
        ({"name": "x", "default_timeout_in_minutes": -1}, 422, "invalid_timeout", "minutes"),
        (
            {"name": "x", "default_timeout_in_minutes": 9, "maximum_timeout_in_minutes": 8},
            422,
            "invalid_timeout",
            "maximum",
        ),
    ],
)
def test_refused_pipelines(world: World, body: dict[str, Any], status: int, code: str, words: str) -> None:
    response = Rest(world)("POST", "pipelines", json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    told = response.json()
    if status == 422:
        assert told["message"] == "Validation Failed"
        (problem,) = told["errors"]
        assert set(problem) == {"field", "code"}
        assert problem["field"] in (*body, "configuration")
        assert words in problem["code"]
    else:
        assert words in told["message"]


def test_build_of_the_moment(world: World) -> None:
    agent = join(world, "linux-1")
    rest, build = adhoc(world, command="make test", message="Try", branch="dev", env={"A": "b"})
    assert (build["number"], build["state"], build["branch"]) == (1, "scheduled", "dev")
    assert build["creator"]["email"] == "admin@example.com"
    assert base64.b64decode(build["jobs"][0]["graphql_id"]).decode() == f"Job---{build['jobs'][0]['id']}"
    assert rest("GET", f"{BUILD}/1").json() == rest("GET", f"{BUILD}/{build['id']}").json() == build
    assert world.authority.dispatcher.ping(agent.id) == build["jobs"][0]["id"]
    job = accept(world, build, agent)
    world.run(set_meta_data(world.context, job, [("release", "1.2")]))
    finish(world, job, "3")
    ended = rest("GET", f"{BUILD}/1").json()
    assert (ended["state"], ended["meta_data"]) == ("failed", {"release": "1.2"})
    shown = ended["jobs"][0]
    assert (shown["state"], shown["exit_status"], shown["agent"]["name"]) == ("failed", 3, "linux-1")
    assert rest("GET", f"jobs/{job.id}").json() == rest("GET", f"{BUILD}/1/jobs/{job.id}").json() == shown


def test_builds_are_listed_newest_first(world: World) -> None:
    rest, _ = adhoc(world)
    for branch in ("a", "b", "b"):
        rest("POST", BUILD, json={"command": "x", "branch": branch})
    rest("PUT", f"{BUILD}/4/cancel")

    def numbers(path: str) -> list[int]:
        return [one["number"] for one in rest("GET", path).json()]

    assert numbers(BUILD) == numbers("builds") == [4, 3, 2, 1]
    assert numbers(f"{BUILD}?per_page=2&page=2") == [2, 1]
    assert numbers(f"{BUILD}?branch[]=a&branch[]=b") == [4, 3, 2]
    assert numbers("builds?branch=b&state=scheduled") == [3]
    assert numbers("builds?state=finished") == [4]
    assert numbers("builds?commit=nothing") == []
    assert rest("GET", "builds?exclude_jobs=true").json()[0]["jobs"] == []


def test_unknown_builds(world: World) -> None:
    rest, build = adhoc(world)
    rest("POST", "pipelines", json={"name": "other"})
    for number in ("2", "0", "-1", "x", "9" * 40, "¹", world.first.cluster.id):
        assert rest("GET", f"{BUILD}/{number}").json()["message"] == "No build found"
    assert rest("GET", f"pipelines/other/builds/{build['id']}").status_code == 404
    other = rest("POST", "pipelines/other/builds", json={"command": "x"}).json()
    assert rest("GET", f"{BUILD}/1/jobs/{other['jobs'][0]['id']}").json()["message"] == "No job found"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "no_steps"),
        ({"steps": []}, "no_steps"),
        ({"command": "  "}, "invalid_step"),
        ({"command": "x" * 65_537}, "invalid_command"),
        ({"command": "x", "steps": [{"command": "y"}]}, "two_configurations"),
        ({"command": "x", "env": {"BUILDKITE_AGENT_ACCESS_TOKEN": "y"}}, "protected_variable"),
        ({"command": "x", "env": {"A": 1}}, "invalid_body"),
        ({"command": "x", "branch": "b" * 256}, "invalid_body"),
        ({"steps": [{"command": "x", "agents": ["queue=nowhere"]}]}, "unknown_queue"),
        ({"steps": [{"command": "x", "plugin": []}]}, "invalid_pipeline"),
    ],
)
def test_refused_builds_leave_nothing(world: World, body: dict[str, Any], code: str) -> None:
    rest = Rest(world)
    rest("POST", "pipelines", json={"name": "adhoc"})
    response = rest("POST", BUILD, json=body)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert rest("GET", BUILD).json() == []
    assert world.authority.dispatcher.lines.waiting == {}


def test_repeated_build_runs_once(world: World) -> None:
    rest, _ = adhoc(world)
    headers = {"Idempotency-Key": "b"}
    answers = [rest("POST", BUILD, json={"command": "deploy"}, headers=headers) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert len(rest("GET", BUILD).json()) == 2
    assert sum(len(line) for line in world.authority.dispatcher.lines.waiting.values()) == 2


def test_cancel(world: World) -> None:
    rest, _ = adhoc(world)
    canceled = rest("PUT", f"{BUILD}/1/cancel").json()
    assert (canceled["state"], canceled["jobs"][0]["state"]) == ("canceled", "canceled")
    again = rest("PUT", f"{BUILD}/1/cancel")
    assert (again.status_code, again.json()["code"]) == (422, "build_ended")
    assert world.authority.dispatcher.lines.waiting == {}


def test_members_may_build(world: World) -> None:
    scopes = ("write_pipelines", "write_builds", "read_builds")
    rest = Rest(world, api_token(world, *scopes, role=Role.MEMBER, email="m@example.com").value)
    assert rest("POST", "pipelines", json={"name": "adhoc"}).status_code == 201
    build = rest("POST", BUILD, json={"command": "x"}).json()
    assert build["creator"]["email"] == "m@example.com"
    log = rest("GET", f"jobs/{build['jobs'][0]['id']}/log")
    assert log.json()["message"] == "Your access token doesn't have the read_build_logs scope"


def test_jobs_by_cursor(world: World) -> None:
    rest, build = adhoc(world, steps=[{"command": f"c{n}", "key": f"k{n}"} for n in range(5)])
    path = f"{BUILD}/1/jobs"
    ids = [job["id"] for job in build["jobs"]]
    first = rest("GET", f"{path}?per_page=2").json()
    assert [job["id"] for job in first["items"]] == ids[:2]
    assert "prev" not in first["links"]
    second = rest.http.get(first["links"]["next"])
    assert [job["id"] for job in second.json()["items"]] == ids[2:4]
    assert 'rel="next"' in second.headers["link"]
    third = rest.http.get(second.json()["links"]["next"]).json()
    assert [job["id"] for job in third["items"]] == ids[4:]
    assert "next" not in third["links"]
    back = rest.http.get(third["links"]["prev"]).json()
    assert [job["id"] for job in back["items"]] == ids[2:4]
    assert len(rest("GET", f"{path}?step_key=k3&state[]=scheduled").json()["items"]) == 1
    cursor = first["links"]["next"].partition("after=")[2].partition("&")[0]
    for query in (
        f"after={cursor}&before={cursor}",
        "after=!",
        "after=eHh4",
        "per_page=0",
        "per_page=101",
        "per_page=x",
    ):
        assert rest("GET", f"{path}?{query}").status_code == 400, query


def test_log_grows_and_never_changes(world: World) -> None:
    agent = join(world, "linux-1")
    rest, build = adhoc(world)
    job = accept(world, build, agent)
    path = f"{BUILD}/1/jobs/{job.id}/log"

    def part(start: int) -> bytes:
        response = rest("GET", f"{path}.txt", headers={"Range": f"bytes={start}-"})
        return response.content if response.status_code == 206 else b""

    assert rest("GET", f"{path}.txt", headers={"Range": "bytes=0-"}).status_code == 416
    world.run(add_chunk(world.context, job, 1, 0, b"one <b>\n"))
    world.run(add_chunk(world.context, job, 3, 12, b"three\n"))
    assert part(0) == b"one <b>\n"
    assert part(4) == b"<b>\n"
    assert part(8) == b""
    world.run(add_chunk(world.context, job, 2, 8, b"two\n"))
    assert part(8) == b"two\nthree\n"
    middle = rest("GET", f"{path}.txt", headers={"Range": "bytes=8-10"})
    assert (middle.content, middle.headers["content-range"]) == (b"two", "bytes 8-10/*")
    finish(world, job, "0")
    whole = rest("GET", f"{path}.txt")
    assert (whole.status_code, whole.content) == (200, b"one <b>\ntwo\nthree\n")
    assert whole.headers["content-type"].startswith("text/plain")
    tail = rest("GET", f"jobs/{job.id}/log.txt", headers={"Range": "bytes=12-"})
    assert tail.headers["content-range"] == "bytes 12-17/18"
    for odd in ("bytes=5-2", "lines=1-2", "bytes=x-"):
        assert rest("GET", f"{path}.txt", headers={"Range": odd}).status_code == 200
    shown = rest("GET", path).json()
    assert (shown["content"], shown["size"]) == ("one <b>\ntwo\nthree\n", 18)
    page = rest("GET", path, headers={"Accept": "text/html"})
    assert page.text.startswith("one &lt;b&gt;")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert rest("GET", path, headers={"Accept": "text/plain"}).content == whole.content


def test_annotations(world: World) -> None:
    agent = join(world, "linux-1")
    rest, build = adhoc(world)
    job = accept(world, build, agent)
    world.run(annotate(world.context, job, Note(body="<script>", context="a", style="info")))
    world.run(annotate(world.context, job, Note(body="b", context="b", priority=9, scope="job")))
    first, second = rest("GET", f"{BUILD}/1/annotations/?scope=all").json()
    assert (first["context"], first["job_id"], first["style"]) == ("b", job.id, None)
    assert (second["body_html"], second["job_id"]) == ("&lt;script&gt;", None)


def test_counts_of_a_token_are_shown(world: World) -> None:
    join(world, "one")
    world.clock.forward(MINUTE_US)
    rest = Rest(world)
    token = rest("GET", rest.tokens).json()[0]
    assert token["last_used_from"] == "192.0.2.7"
    assert token["last_used_at"] == "2027-01-15T08:00:00.000Z"
