"""Lists of builds over REST: every filter of the contract, and the list over all organizations."""

from typing import Any

import pytest

from rest_client import Rest, api_token
from services.scene import Scene
from support import SECOND_US, World
from watchword.domain.accounts import Role
from watchword.domain.pipelines import Build
from watchword.services.accounts import create_organization
from watchword.services.builds import BuildRequest, CommandStep, create_pipeline
from watchword.services.context import LOCAL
from watchword.store.base import Transaction


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def build(world: World, **request: Any) -> Build:
    """A build of the pipeline `app`; a minute goes by."""
    context, first = world.context, world.first

    async def work(tx: Transaction) -> Build:
        pipeline = await tx.builds.pipeline_by_slug(first.organization.id, "app")
        if pipeline is None:
            pipeline = await create_pipeline(
                context, tx, LOCAL, first.organization.id, "app", cluster_id=first.cluster.id
            )
        steps = (CommandStep(command="true"),)
        create = world.authority.builder.create_in
        made, _ = await create(tx, LOCAL, pipeline, steps, BuildRequest(**request), first.admin.id)
        return made

    made = world.run(context.store.write(work))
    world.clock.forward(60 * SECOND_US)
    return made


def numbers(rest: Rest, query: str, path: str = "builds") -> list[int]:
    answer = rest("GET", f"{path}?{query}")
    assert answer.status_code == 200, answer.text
    return [one["number"] for one in answer.json()]


def test_builds_are_found_by_what_they_are(world: World) -> None:
    rest = Rest(world)
    build(world, branch="main", commit="a" * 40, meta_data={"release": "1"})  # 08:00
    build(world, branch="feature/x", commit="b" * 40, meta_data={"release": "2", "arch": "arm"})  # 08:01
    third = build(world, branch="feature/y", commit="c" * 40)  # 08:02
    world.run(world.authority.builder.cancel(LOCAL, third))
    bob = api_token(world, "read_builds", "write_builds", role=Role.MEMBER, email="b@example.com")
    made = Rest(world, bob.value)("POST", "pipelines/app/builds", json={"commit": "HEAD", "branch": "[x]"})
    if made.status_code != 201:  # the pipeline keeps no steps
        made = Rest(world, bob.value)(
            "POST", "pipelines/app/builds", json={"commit": "HEAD", "branch": "[x]", "command": "true"}
        )
    assert made.status_code == 201
    creator = made.json()["creator"]["id"]
    for query, found in (
        ("", [4, 3, 2, 1]),
        ("branch=main", [1]),
        ("branch[]=main&branch[]=feature/x", [2, 1]),
        ("branch=feature/*", [3, 2]),
        ("branch=*[x]*", [4]),
        ("branch=feature", []),
        (f"commit={'b' * 40}", [2]),
        (f"commit[]={'b' * 40}&commit[]={'a' * 40}", [2, 1]),
        ("commit=b", []),
        ("state=canceled", [3]),
        ("state[]=canceled&state[]=scheduled", [4, 3, 2, 1]),
        ("state=finished", [3]),
        ("state=passed", []),
        (f"creator={world.first.admin.id}", [3, 2, 1]),
        (f"creator={creator.upper()}", [4]),
        ("creator=nobody", []),
        ("created_from=2027-01-15T08:01:00Z", [4, 3, 2]),
        ("created_from=2027-01-15T08:01:00Z&created_to=2027-01-15T08:02:00Z", [2]),
        ("created_to=2027-01-15", []),
        ("finished_from=2027-01-15T08:03:00Z", [3]),
        ("finished_from=2027-01-15T08:03:01Z", []),
        ("meta_data[release]=2", [2]),
        ("meta_data[release]=1&meta_data[arch]=arm", []),
        ("meta_data[release]=2&meta_data[arch]=arm&branch=feature/x", [2]),
    ):
        assert numbers(rest, query) == found, query
        assert numbers(rest, query, "pipelines/app/builds") == found, query
        assert numbers(rest, query, "/v2/builds") == found, query
    assert rest("GET", "builds?created_from=yesterday").json()["code"] == "invalid_time"


def test_jobs_and_pipeline_can_be_left_out(world: World) -> None:
    rest = Rest(world)
    build(world)
    (whole,) = rest("GET", "builds").json()
    (bare,) = rest("GET", "builds?exclude_jobs=true&exclude_pipeline=true").json()
    assert bare == {**whole, "jobs": [], "pipeline": None}
    assert whole["pipeline"]["slug"] == "app"
    assert len(whole["jobs"]) == 1


def test_pages_too_deep_are_refused(world: World) -> None:
    rest = Rest(world)
    for path in ("builds", "/v2/builds"):
        answer = rest("GET", f"{path}?page=201&per_page=100")
        assert (answer.status_code, answer.json()["code"]) == (400, "too_deep")
        assert rest("GET", f"{path}?page=200&per_page=100").json() == []


def test_all_organizations_are_those_that_the_token_reaches(world: World) -> None:
    build(world)
    build(world)
    other = world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    assert Rest(world, other.api_token.value)("GET", "/v2/builds").json() == []
    rest = Rest(world)
    first = rest("GET", "/v2/builds?page=1&per_page=1")
    assert [one["number"] for one in first.json()] == [2]
    assert 'rel="next"' in first.headers["link"]
    assert numbers(rest, "page=2&per_page=1", "/v2/builds") == [1]
    assert Rest(world, api_token(world, "read_agents").value)("GET", "/v2/builds").status_code == 403


def test_failed_jobs_of_a_build_are_retried_together(world: World, scene: Scene) -> None:
    rest = Rest(world)
    made, jobs = scene.build("one", "two", "three")
    agent = scene.agent()
    for job, status in zip(jobs, ("1", "0", "2"), strict=True):
        accepted = scene.accept(agent, job)
        scene.start(accepted.job)
        scene.finish(accepted.job, status)
    path = f"pipelines/app/builds/{made.number}/retry_failed_jobs"
    wrong = rest("PUT", path, json={"states": "failed,nonsense"})
    assert (wrong.status_code, wrong.json()["message"]) == (
        400,
        "Invalid states: nonsense. Valid states are canceled, expired, failed, soft_failed, timed_out.",
    )
    none = rest("PUT", path, json={"states": ["canceled"]})
    assert (none.status_code, none.json()["retried_jobs_count"], none.json()["state"]) == (202, 0, "failed")
    answer = rest("PUT", path)
    assert (answer.status_code, answer.json()["retried_jobs_count"]) == (202, 2)
    assert answer.json()["state"] in ("scheduled", "running")
    assert sorted(job["command"] for job in answer.json()["jobs"] if job["retries_count"]) == ["one", "three"]
    assert scene.ping(agent) is not None
    assert rest("PUT", path, json={"states": ""}).json()["retried_jobs_count"] == 0
    assert rest("PUT", "pipelines/app/builds/99/retry_failed_jobs").status_code == 404
