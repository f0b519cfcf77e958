"""REST: builds of steps as clients see and move them: YAML, waits, blocks, retries, rebuilds, time-outs."""

from dataclasses import replace
from typing import Any

from rest_client import Rest
from support import World
from watchword.domain.ids import JobId
from watchword.domain.kinds import Kind
from watchword.services.context import LOCAL
from watchword.services.exchanging import Registration, register

YAML = """\
# kept as it is written
env: { A: b }
steps:
  - command: make
    key: make
  - wait
  - block: "Release?"
    key: release
  - command: deploy
"""


def run_first(world: World, build: Any, exit_status: str, name: str = "one") -> None:
    """An agent runs the first job that may run."""
    authority = world.authority
    value = world.first.agent_token.value.reveal()
    presented = world.run(authority.verifier.verify(value, (Kind.AGENT,), address="192.0.2.7"))
    joined = world.run(
        register(
            authority.context,
            authority.fleet,
            LOCAL,
            presented,
            Registration(name=name, hostname=name, version="3.100.0"),
        )
    )
    world.run(authority.fleet.connect(LOCAL, joined.agent.organization_id, joined.agent.id))
    job_id = next(job["id"] for job in build["jobs"] if job["state"] == "scheduled")
    accepted = world.run(authority.dispatcher.accept(LOCAL, joined.agent.id, JobId(job_id)))
    world.run(authority.finisher.start(LOCAL, accepted.job))
    ended = replace(accepted.job, exit_status=exit_status, finished_at=world.clock.now())
    world.run(authority.finisher.finish(LOCAL, ended))


def states(build: Any) -> list[tuple[str, str]]:
    return [(job["type"], job["state"]) for job in build["jobs"]]


def test_a_pipeline_of_yaml_is_run_blocked_unblocked_retried_and_rebuilt(world: World) -> None:
    rest = Rest(world)
    made = rest("POST", "pipelines", json={"name": "app", "configuration": YAML})
    assert made.status_code == 201, made.text
    assert made.json()["configuration"] == YAML
    assert [step["type"] for step in made.json()["steps"]] == ["script", "waiter", "manual", "script"]
    asked = {
        "author": {"name": "Al", "email": "al@example.com"},
        "pull_request_id": 7,
        "meta_data": {"k": "v"},
    }
    build = rest("POST", "pipelines/app/builds", json=asked).json()
    assert (build["author"]["name"], build["pull_request"]["id"], build["meta_data"]) == (
        "Al",
        "7",
        {"k": "v"},
    )
    assert states(build) == [
        ("script", "scheduled"),
        ("waiter", "waiting"),
        ("manual", "waiting"),
        ("script", "waiting"),
    ]
    at = "pipelines/app/builds/1"
    gate, script = build["jobs"][2]["id"], build["jobs"][0]["id"]
    assert rest("PUT", f"{at}/jobs/{gate}/unblock").status_code == 422
    assert rest("PUT", f"{at}/jobs/{script}/unblock").json()["message"] == "This job type cannot be unblocked"
    assert rest("PUT", f"{at}/jobs/{script}/retry").status_code == 400
    run_first(world, build, "1")
    assert rest("GET", at).json()["state"] == "failed"
    again = rest("PUT", f"jobs/{script}/retry").json()
    assert (again["state"], again["retries_count"], again["retry_source"]["job_id"]) == (
        "scheduled",
        1,
        script,
    )
    build = rest("GET", at).json()
    assert (build["state"], build["finished_at"], len(build["jobs"])) == ("running", None, 4)
    run_first(world, build, "0", "two")
    build = rest("GET", at).json()
    assert (build["state"], build["blocked"]) == ("passed", True)
    assert states(build)[2:] == [("manual", "blocked"), ("script", "waiting")]
    unblocked = rest("PUT", f"{at}/jobs/{gate}/unblock", json={"fields": {"version": "1"}}).json()
    assert (unblocked["state"], unblocked["unblocked_by"]["name"]) == ("unblocked", "Ada Admin")
    build = rest("GET", f"{at}?include_retried_jobs=true").json()
    assert (build["state"], build["meta_data"]["version"], len(build["jobs"])) == ("running", "1", 5)
    assert build["jobs"][0]["retried_in_job_id"] == again["id"]
    run_first(world, build, "0", "three")
    assert rest("GET", at).json()["state"] == "passed"
    rebuilt = rest("PUT", f"{at}/rebuild").json()
    assert (rebuilt["number"], rebuilt["rebuilt_from"]["number"]) == (2, 1)
    assert states(rebuilt)[0] == ("script", "scheduled")


def test_a_job_is_reprioritized_until_an_agent_has_it(world: World) -> None:
    rest = Rest(world)
    rest("POST", "pipelines", json={"name": "app"})
    build = rest("POST", "pipelines/app/builds", json={"command": "x"}).json()
    job = f"jobs/{build['jobs'][0]['id']}/reprioritize"
    assert rest("PUT", job, json={"priority": 5}).json()["priority"] == {"number": 5}
    assert rest("PUT", job, json={"priority": "5"}).json()["message"] == "Priority must be an integer"
    run_first(world, build, "0")
    assert rest("PUT", job, json={"priority": 6}).status_code == 422


def test_a_pipeline_is_updated_in_part(world: World) -> None:
    rest = Rest(world)
    made = rest("POST", "pipelines", json={"name": "app", "env": {"A": "b"}}).json()
    changed = rest("PATCH", "pipelines/app", json={"maximum_timeout_in_minutes": 9, "configuration": YAML})
    assert changed.status_code == 200, changed.text
    assert changed.json()["env"] == made["env"] == {"A": "b"}
    assert (changed.json()["maximum_timeout_in_minutes"], len(changed.json()["steps"])) == (9, 4)
    assert rest("GET", "pipelines/app").json() == changed.json()
    for body in ({"default_timeout_in_minutes": 10}, {"configuration": "steps: ["}, {"name": ""}):
        assert rest("PATCH", "pipelines/app", json=body).status_code == 422
    assert rest("GET", "pipelines/app").json() == changed.json()
    assert rest("PATCH", "pipelines/none", json={}).status_code == 404
