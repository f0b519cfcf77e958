"""Narrower job tokens over the wire: each route asks for its right, and who asked for less has less."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from support import Client, FakeAgent, LiveServer
from watchword.domain.events import Action
from watchword.domain.ids import JobId, uuid7
from watchword.domain.jobpolicies import JobPolicy
from watchword.domain.jobrights import JobRight
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL

# What each route that takes job tokens asks for; nothing where no job could run without it.
ROUTES: dict[str, str] = {
    "PUT /v3/jobs/{job_id}/start": "",
    "GET /v3/jobs/{job_id}": "",
    "POST /v3/jobs/{job_id}/chunks": "",
    "POST /v3/jobs/{job_id}/header_times": "",
    "PUT /v3/jobs/{job_id}/finish": "",
    "PUT /v3/jobs/{job_id}": "job:update",
    "PUT /v3/jobs/{job_id}/promise_failure": "job:update",
    "POST /v3/jobs/{job_id}/annotations": "annotate",
    "DELETE /v3/jobs/{job_id}/annotations/{name...}": "annotate",
    "POST /v3/jobs/{job_id}/data/set": "meta_data:write",
    "POST /v3/jobs/{job_id}/data/set-batch": "meta_data:write",
    "POST /v3/jobs/{job_id}/data/get": "meta_data:read",
    "POST /v3/jobs/{job_id}/data/exists": "meta_data:read",
    "POST /v3/jobs/{job_id}/data/keys": "meta_data:read",
    "POST /v3/builds/{build_id}/data/get": "meta_data:read",
    "POST /v3/builds/{build_id}/data/exists": "meta_data:read",
    "POST /v3/builds/{build_id}/data/keys": "meta_data:read",
    "POST /v3/jobs/{job_id}/artifacts": "artifacts:write",
    "PUT /v3/jobs/{job_id}/artifacts": "artifacts:write",
    "GET /v3/builds/{build_id}/artifacts/search": "artifacts:read",
    "POST /v3/jobs/{job_id}/pipelines": "pipeline_upload",
    "GET /v3/jobs/{job_id}/pipelines/{upload_id}": "pipeline_upload",
    "POST /v3/steps/{step}/export": "steps:read",
    "PUT /v3/steps/{step}": "steps:write",
    "POST /v3/steps/{step}/cancel": "steps:write",
    "POST /v3/builds/{build_id}/cancel": "build:cancel",
    "POST /v3/jobs/{job_id}/oidc/tokens": "oidc",
    "GET /v3/jobs/{job_id}/secrets": "secrets",
    "POST /v3/jobs/{job_id}/repository_access_token": "repository_token",
    "POST /v3/jobs/{job_id}/github_code_access_token": "repository_token",
    "GET /v3/cache_registries/{slug}": "caches",
    "POST /v3/cache_registries/{slug}/peek": "caches",
    "PUT /v3/cache_registries/{slug}/store": "caches",
    "PUT /v3/cache_registries/{slug}/commit": "caches",
    "POST /v3/cache_registries/{slug}/retrieve": "caches",
    "POST /v3/cache_registries/{slug}/expire": "caches",
    "POST /v3/pause": "agent_control",
    "POST /v3/resume": "agent_control",
    "POST /v3/stop": "agent_control",
}
BODIES: dict[str, Any] = {
    "PUT /v3/jobs/{job_id}/finish": {"exit_status": "0"},
    "PUT /v3/jobs/{job_id}": {"timeout": "20"},
    "PUT /v3/jobs/{job_id}/promise_failure": {"exit_status": 1},
    "POST /v3/jobs/{job_id}/annotations": {"body": "x"},
    "POST /v3/jobs/{job_id}/data/set": {"key": "k", "value": "v"},
    "POST /v3/jobs/{job_id}/data/set-batch": {"items": []},
    "POST /v3/jobs/{job_id}/artifacts": {"id": "x", "artifacts": []},
    "PUT /v3/jobs/{job_id}/artifacts": {"artifacts": []},
    "POST /v3/jobs/{job_id}/pipelines": {"uuid": "u", "pipeline": {"steps": []}},
    "POST /v3/jobs/{job_id}/repository_access_token": {"repo_url": "https://example.com/r.git"},
    "POST /v3/jobs/{job_id}/github_code_access_token": {"repo_url": "https://example.com/r.git"},
    "POST /v3/steps/{step}/export": {},
    "PUT /v3/steps/{step}": {"attribute": "label", "value": "x"},
    "POST /v3/steps/{step}/cancel": {},
}
LAST = ("POST /v3/builds/{build_id}/cancel", "PUT /v3/jobs/{job_id}/finish")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("server"))
    yield live
    live.close()


class Worker(FakeAgent):
    """An agent that runs a job whose token has some rights."""

    def __init__(self, server: LiveServer, rights: list[str] | None = None, token: str = "") -> None:
        build, _ = server.create_build("true")
        value = token or server.first.agent_token.value.reveal()
        super().__init__(server.url, value, name=f"worker-{build.number}")
        self.connect()
        self.build = build.id
        self.job = self.offered()
        asked = None if rights is None else {"token_rights": rights}
        answer = self.call("PUT", f"/v3/jobs/{self.job}/accept", asked)
        assert answer.status == 200, answer
        self.job_token = answer.body["token"]
        self.on_job("PUT", f"/v3/jobs/{self.job}/start", {})

    def knock(self, route: str) -> Any:
        method, path = route.split(" ")
        path = path.replace("{job_id}", self.job).replace("{build_id}", self.build)
        path = (
            path.replace("{name...}", "default")
            .replace("{upload_id}", "u")
            .replace("{step}", "nokey")
            .replace("{slug}", "~")
        )
        if path.endswith("/chunks"):
            path += "?sequence=1&offset=0&size=0"
        return self.on_job(method, path, BODIES.get(route, {"key": "k"} if "/data/" in route else None))

    def leave(self) -> None:
        self.on_job("PUT", f"/v3/jobs/{self.job}/finish", {"exit_status": "0"})
        self.call("POST", "/v3/disconnect")


@pytest.fixture
def other(server: LiveServer) -> Iterator[Worker]:
    made = Worker(server)
    yield made
    made.leave()


def missing(answer: Any) -> str:
    code = answer.body["code"] if isinstance(answer.body, dict) and "code" in answer.body else ""
    return code.partition("job_right_missing.")[2] if answer.status == 403 else ""


def test_every_route_of_job_tokens_names_its_right(server: LiveServer) -> None:
    named = {
        route.name: str(route.right)
        for route in server.application.routes.routes
        if route.path.startswith("/v3/") and any(kind.value == "job" for kind in route.kinds)
    }
    assert named == ROUTES
    across = {JobRight.CROSS_JOB_READ, JobRight.CROSS_JOB_WRITE}
    assert {*named.values(), *across} - {""} <= set(JobRight)


@pytest.mark.parametrize("right", [right.value for right in JobRight])
def test_a_token_without_a_right_is_refused_on_its_routes_and_on_no_other(
    server: LiveServer, right: str
) -> None:
    rest = [one.value for one in JobRight if one != right]
    worker = Worker(server, rest)
    found = {route: missing(worker.knock(route)) for route in ROUTES if route not in LAST}
    found |= {route: missing(worker.knock(route)) for route in LAST}
    worker.leave()
    assert found == {route: needed if needed == right else "" for route, needed in ROUTES.items()}


def test_a_token_without_any_right_still_runs_its_job(server: LiveServer) -> None:
    worker = Worker(server, [])
    assert {missing(worker.knock(route)) for route in ROUTES if ROUTES[route]} == {*ROUTES.values()} - {""}
    assert worker.on_job("GET", f"/v3/jobs/{worker.job}").status == 200
    assert worker.on_job("PUT", f"/v3/jobs/{worker.job}/finish", {"exit_status": "0"}).status == 200
    worker.leave()


def test_an_unknown_right_is_refused_at_the_accept(server: LiveServer) -> None:
    server.create_build("true")
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal(), name="typo").connect()
    job = agent.offered()
    answer = agent.call("PUT", f"/v3/jobs/{job}/accept", {"token_rights": ["odic"]})
    assert (answer.status, answer.body["code"]) == (422, "unknown_right")
    agent.finish(agent.accept())
    agent.call("POST", "/v3/disconnect")


def test_introspection_says_what_a_job_token_may_do(server: LiveServer) -> None:
    worker = Worker(server, ["oidc", "annotate"])
    api = Client(server.url, server.first.api_token.value.reveal(), "Bearer")
    said = api.call(
        "POST",
        "/oauth/introspect",
        f"token={worker.job_token}",
        headers={"content-type": "application/x-www-form-urlencoded"},
    ).body
    worker.leave()
    assert said["active"]
    assert said["scope"] == "annotate oidc"
    store, owner = server.authority.context.store, server.first.organization.id
    events = server.run(store.read(lambda tx: tx.audit.events(owner, 0, 10_000)))
    accepted = [
        each for each in events if each.action is Action.JOB_ACCEPTED and each.subject_id == worker.job
    ]
    assert '"token_rights":["annotate","oidc"]' in accepted[0].data


def upload(worker: Worker, *steps: Any) -> None:
    body = {"uuid": uuid7(1, bytes(10)), "pipeline": {"steps": list(steps)}}
    assert worker.on_job("POST", f"/v3/jobs/{worker.job}/pipelines", body).status == 200


def rights_of(server: LiveServer, build_id: Any, label: str) -> str:
    store, owner = server.authority.context.store, server.first.organization.id
    found = server.run(store.read(lambda tx: tx.builds.jobs(owner, build_id)))
    return next(job.rights for job in found if job.label == label)


def test_uploaded_steps_have_no_right_that_the_uploader_lacks(server: LiveServer) -> None:
    worker = Worker(server, ["pipeline_upload", "annotate", "build:cancel"])
    upload(
        worker,
        {"command": "true", "label": "all"},
        {"command": "true", "label": "some", "job_token": {"rights": ["oidc", "annotate"]}},
        {"command": "true", "label": "none", "job_token": {"rights": []}},
    )
    found = {label: rights_of(server, worker.build, label) for label in ("all", "some", "none")}
    assert worker.on_job("POST", f"/v3/builds/{worker.build}/cancel").status == 200
    worker.leave()
    assert found == {
        "all": "run annotate build:cancel pipeline_upload",
        "some": "run annotate",
        "none": "run",
    }


# -- other jobs of the cluster ---------------------------------------------------------------------


def writes(other: Worker) -> dict[str, tuple[str, str, Any]]:
    job = f"/v3/jobs/{other.job}"
    batch = uuid7(2, bytes(10))
    file = {"path": "f", "file_size": 1, "sha1sum": "a" * 40, "absolute_path": "/f", "glob_path": "f"}
    return {
        "annotation": ("POST", f"{job}/annotations", {"body": "x", "context": "c"}),
        "removal": ("DELETE", f"{job}/annotations/c", None),
        "value": ("POST", f"{job}/data/set", {"key": "k", "value": "from another"}),
        "values": ("POST", f"{job}/data/set-batch", {"items": [{"key": "l", "value": "v"}]}),
        "artifacts": ("POST", f"{job}/artifacts", {"id": batch, "artifacts": [file]}),
    }


def reads(other: Worker) -> dict[str, tuple[str, str, Any]]:
    return {
        "job's": ("POST", f"/v3/jobs/{other.job}/data/get", {"key": "k"}),
        "build's": ("POST", f"/v3/builds/{other.build}/data/keys", None),
        "artifacts": ("GET", f"/v3/builds/{other.build}/artifacts/search?query=*", None),
    }


def answers(worker: Worker, calls: dict[str, tuple[str, str, Any]]) -> dict[str, Any]:
    return {name: worker.on_job(*call) for name, call in calls.items()}


def test_a_job_reads_and_writes_what_other_jobs_of_its_cluster_have(
    server: LiveServer, other: Worker
) -> None:
    worker = Worker(server)
    assert {each.status for each in answers(worker, writes(other)).values()} <= {200, 201}
    assert (
        other.on_job("POST", f"/v3/jobs/{other.job}/data/get", {"key": "k"}).body["value"] == "from another"
    )
    assert {each.status for each in answers(worker, reads(other)).values()} == {200}
    store, owner = server.authority.context.store, server.first.organization.id
    events = server.run(store.read(lambda tx: tx.audit.events(owner, 0, 10_000)))
    found = [
        each for each in events if each.action is Action.JOB_WROTE_ACROSS and each.subject_id == other.job
    ]
    assert len(found) == len(writes(other))
    assert all(each.actor_id == worker.job for each in found)
    worker.leave()


def test_a_token_without_the_right_reaches_its_own_job_alone(server: LiveServer, other: Worker) -> None:
    across = {JobRight.CROSS_JOB_READ, JobRight.CROSS_JOB_WRITE}
    worker = Worker(server, [right.value for right in JobRight if right not in across])
    assert {missing(each) for each in answers(worker, writes(other)).values()} == {"cross_job_write"}
    assert {missing(each) for each in answers(worker, reads(other)).values()} == {"cross_job_read"}
    assert {each.status for each in answers(worker, writes(worker)).values()} <= {200, 201}
    assert {each.status for each in answers(worker, reads(worker)).values()} == {200}
    worker.leave()


def test_one_switch_keeps_jobs_from_writing_across(server: LiveServer, other: Worker) -> None:
    worker = Worker(server)
    store, owner = server.authority.context.store, server.first.organization.id
    build = server.run(store.read(lambda tx: tx.builds.build(owner, other.build)))
    assert build is not None
    for pipeline in ("", build.pipeline_id):
        off = JobPolicy(owner, pipeline, cross_job_writes=False)
        server.run(store.write(lambda tx, off=off: tx.job_policies.save(off)))  # type: ignore[misc]
        found = answers(worker, writes(other))
        read, own = answers(worker, reads(other)), answers(worker, writes(worker))
        on = JobPolicy(owner, pipeline)
        server.run(store.write(lambda tx, on=on: tx.job_policies.save(on)))  # type: ignore[misc]
        assert {each.body["code"] for each in found.values()} == {"cross_job_writes_off"}
        assert {each.status for each in (*read.values(), *own.values())} <= {200, 201, 404}
        assert {each.status for each in own.values()} <= {200, 201}
    worker.leave()


def test_what_is_not_of_the_cluster_is_refused_like_what_never_was(server: LiveServer, other: Worker) -> None:
    context = server.authority.context
    foreign = server.run(create_organization(context, LOCAL, "other", "Other", "o@example.com", "Oda"))
    job = server.job(other.job)
    jobs = [
        replace(job, id=JobId(uuid7(3, bytes(10))), organization_id=foreign.organization.id),
        replace(job, id=JobId(uuid7(4, bytes(10))), cluster_id=foreign.cluster.id),
        replace(job, id=JobId(uuid7(5, bytes(10))), cluster_id=None),
    ]
    for each in jobs:
        server.run(context.store.write(lambda tx, each=each: tx.builds.add_job(each)))  # type: ignore[misc]
    worker = Worker(server)
    target = Worker.__new__(Worker)
    target.build = other.build
    for name in (*[each.id for each in jobs], uuid7(6, bytes(10)), "no-id", other.job.upper()):
        target.job = name
        for call in writes(target).values():
            answer = worker.on_job(*call)
            assert (answer.status, answer.body["code"]) == (403, "token_other_job"), name
    worker.leave()


def test_a_job_that_has_ended_writes_nothing_across(server: LiveServer, other: Worker) -> None:
    worker = Worker(server)
    worker.leave()
    assert {each.body["code"] for each in answers(worker, writes(other)).values()} == {"job_finished"}


def test_other_jobs_are_not_started_logged_ended_or_impersonated(server: LiveServer, other: Worker) -> None:
    worker = Worker(server)
    own_alone = [
        ("PUT", "start", {}),
        ("GET", "", None),
        ("POST", "chunks?sequence=1&offset=0&size=0", None),
        ("PUT", "finish", {"exit_status": "1"}),
        ("PUT", "promise_failure", {"exit_status": 1}),
        ("PUT", "", {"timeout": "1"}),
        ("POST", "pipelines", {"uuid": "x", "pipeline": {"steps": []}}),
        ("POST", "oidc/tokens", {}),
        ("GET", "secrets?key=k", None),
    ]
    for method, path, body in own_alone:
        answer = worker.on_job(method, f"/v3/jobs/{other.job}/{path}".rstrip("/"), body)
        assert (answer.status, answer.body["code"]) == (403, "token_other_job"), path
    worker.leave()


def test_a_step_says_what_its_token_may_do_and_old_agents_sessions_are_held_to_it(server: LiveServer) -> None:
    api = Client(server.url, server.first.api_token.value.reveal(), "Bearer")
    step = {"command": "true", "job_token": {"rights": ["annotate"]}}
    pipeline = {
        "name": "narrow",
        "repository": "git@example.com:x.git",
        "cluster_id": server.first.cluster.id,
        "configuration": json.dumps({"steps": [step, step]}),
    }
    assert api.call("POST", "/v2/organizations/acme/pipelines", pipeline).status == 201
    path = "/v2/organizations/acme/pipelines/narrow/builds"
    assert api.call("POST", path, {"commit": "HEAD", "branch": "main"}).status == 201
    for version in ("3.137.0", "3.38.0"):
        value = server.first.agent_token.value.reveal()
        agent = FakeAgent(server.url, value, version, name=f"of-{version}").connect()
        job = agent.accept()
        on_job = f"/v3/jobs/{job}"
        assert agent.on_job("PUT", f"{on_job}/start", {}).status == 200
        assert agent.on_job("POST", f"{on_job}/annotations", {"body": "x"}).status == 200
        for method, rest, body, right in (
            ("POST", "data/set", {"key": "k", "value": "v"}, "meta_data:write"),
            ("POST", "pipelines", {"uuid": "u", "pipeline": {"steps": []}}, "pipeline_upload"),
        ):
            assert missing(agent.on_job(method, f"{on_job}/{rest}", body)) == right
        agent.finish(job)
        agent.call("POST", "/v3/disconnect")
