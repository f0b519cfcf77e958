"""What running jobs get of their cluster's secrets, what is written down, and what nobody gets."""

import contextlib
from dataclasses import replace
from typing import Any

import pytest

from services.scene import Scene
from support import World
from watchword.crypto.values import Secret
from watchword.domain.accounts import Cluster
from watchword.domain.errors import Conflict, NotFound, TooMany, WatchwordError
from watchword.domain.events import Action, Actor
from watchword.domain.pipelines import Job, JobState
from watchword.domain.ratelimits import RateLimits
from watchword.domain.secrets import ClusterSecret
from watchword.services.accounts import add_cluster
from watchword.services.builds import BuildRequest, CommandStep
from watchword.services.context import LOCAL, Caller
from watchword.services.secrets import create_secret
from watchword.store.base import Transaction

VALUE = "line one\nline two ü €"
CALLER = Caller(Actor("job", "j"), "192.0.2.1")


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def keep(scene: Scene, key: str, policy: str = "", cluster: Cluster | None = None) -> ClusterSecret:
    context, where = scene.authority.context, cluster or scene.first.cluster

    async def work(tx: Transaction) -> ClusterSecret:
        return await create_secret(context, tx, LOCAL, where, key, Secret(VALUE), policy=policy)

    return scene.run(context.store.write(work))


def running(scene: Scene, **request: Any) -> Job:
    """A job that an agent runs, of a build of `app`."""
    scene.build("true")
    joined = scene.agent(name=f"agent-{scene.world.clock.now()}")
    scene.world.clock.forward(1)
    authority, context = scene.authority, scene.authority.context

    async def work(tx: Transaction) -> list[Job]:
        pipeline = await tx.builds.pipeline_by_slug(scene.organization_id, "app")
        assert pipeline is not None
        asked = BuildRequest(**request)
        steps = (CommandStep(command="x"),)
        _, jobs = await authority.builder.create_in(tx, LOCAL, pipeline, steps, asked, scene.first.admin.id)
        return jobs

    jobs = scene.run(context.store.write(work))
    authority.builder.announce(jobs)
    scene.accept(joined, jobs[0])
    scene.start(scene.job(jobs[0]))
    return scene.job(jobs[0])


def read(scene: Scene, job: Job, key: str) -> str:
    return scene.run(scene.authority.job_secrets.read(CALLER, job, key))[1].reveal()


def refusal(scene: Scene, job: Job, key: str) -> WatchwordError:
    with pytest.raises(WatchwordError) as refused:
        read(scene, job, key)
    return refused.value


def test_a_running_job_gets_a_secret_by_its_key_in_any_case_and_it_is_written_down(scene: Scene) -> None:
    secret = keep(scene, "Deploy_KEY")
    job = running(scene)
    assert read(scene, job, "deploy_key") == VALUE
    (event,) = scene.events(Action.SECRET_READ)
    assert (event.subject_id, event.address) == (secret.id, "192.0.2.1")
    assert '"key":"Deploy_KEY"' in event.data
    assert job.id in event.data
    assert "line one" not in event.data
    found = scene.run(scene.world.store.read(lambda tx: tx.secrets.find(secret.organization_id, secret.id)))
    assert found is not None
    assert found.last_read_at == scene.world.clock.now()


def test_unknown_and_kept_back_are_one_answer_and_two_entries_of_the_trail(scene: Scene) -> None:
    keep(scene, "OTHER", "- pipeline_slug: other")
    job = running(scene)
    errors = [refusal(scene, job, key) for key in ("NONE", "OTHER", "no key at all")]
    assert {(type(error), error.message, error.code) for error in errors} == {
        (NotFound, "No secret found with this key, or this job may not have it.", "secret_refused")
    }
    trail = [event.data for event in scene.events(Action.SECRET_REFUSED)]
    assert ['"reason":"unknown"' in data for data in trail] == [True, False, True]
    assert '"reason":"policy"' in trail[1]
    assert "no key at all" not in trail[2]
    scene.run(scene.authority.ledger.flush())
    assert not scene.events(Action.SECRET_READ)


def test_a_policy_looks_at_the_build_and_not_at_the_branch_of_a_fork(scene: Scene) -> None:
    keep(scene, "MAIN", "- pipeline_slug: app\n  build_branch: main\n  cluster_queue_key: default\n")
    assert read(scene, running(scene, branch="main"), "MAIN") == VALUE
    assert refusal(scene, running(scene, branch="topic"), "MAIN").code == "secret_refused"
    fork = {"id": "1", "base": "main", "repository": "https://git.example.com/mallory/app"}
    assert refusal(scene, running(scene, branch="main", pull_request=fork), "MAIN").code == "secret_refused"
    assert refusal(scene, running(scene, branch="main", tag="main"), "MAIN").code == "secret_refused"


def test_the_creator_and_the_agents_tags_count(scene: Scene) -> None:
    keep(scene, "ADA", "- build_creator: ADMIN@example.com\n")
    keep(scene, "LINUX", "- agent_tag: os=linux\n")
    job = running(scene)
    assert read(scene, job, "ADA") == VALUE
    assert refusal(scene, job, "LINUX").code == "secret_refused"


def test_no_job_gets_a_secret_of_another_cluster(scene: Scene, world: World) -> None:
    other = world.run(
        world.store.write(lambda tx: add_cluster(world.context, tx, LOCAL, scene.organization_id, "Other"))
    )
    keep(scene, "FOREIGN", cluster=other)
    assert refusal(scene, running(scene), "FOREIGN").code == "secret_refused"


def test_a_job_gets_secrets_between_its_start_and_its_end_alone(scene: Scene) -> None:
    keep(scene, "A")
    job = running(scene)
    assert read(scene, replace(job, state=JobState.CANCELING), "A") == VALUE  # its last hooks
    for state in (JobState.ACCEPTED, JobState.FINISHED, JobState.CANCELED):
        with pytest.raises(Conflict, match="while it runs"):
            read(scene, replace(job, state=state), "A")


def test_a_sealed_copy_on_another_row_opens_for_nobody(scene: Scene) -> None:
    one, two = keep(scene, "ONE"), keep(scene, "TWO")
    scene.run(scene.world.store.write(lambda tx: tx.secrets.save(replace(one, sealed=two.sealed))))
    job = running(scene)
    assert refusal(scene, job, "ONE").code == "secret_sealed"
    assert read(scene, job, "TWO") == VALUE
    (event,) = scene.events(Action.SECRET_REFUSED)
    assert '"reason":"secret_sealed"' in event.data


def test_one_job_may_ask_so_often_and_another_still_may(scene: Scene) -> None:
    scene.configure(rate_limits=RateLimits(job_secrets=3))
    keep(scene, "A")
    job, other = running(scene), running(scene)
    for key in ("A", "NONE", "A"):
        with contextlib.suppress(NotFound):
            read(scene, job, key)
    with pytest.raises(TooMany) as refused:
        read(scene, job, "A")
    assert 0 < refused.value.retry_after <= 60
    assert read(scene, other, "A") == VALUE
    scene.forward(61)
    assert read(scene, job, "A") == VALUE


def test_keys_that_differ_in_case_alone_are_one_key(scene: Scene) -> None:
    keep(scene, "Key")
    with pytest.raises(Conflict, match="already exists"):
        keep(scene, "KEY")


@pytest.mark.parametrize("value", ["a\0b", "half \ud800", ""])
def test_a_value_is_text_that_can_be_sent(scene: Scene, value: str) -> None:
    context = scene.authority.context
    with pytest.raises(WatchwordError) as refused:
        scene.run(
            context.store.write(
                lambda tx: create_secret(context, tx, LOCAL, scene.first.cluster, "A", Secret(value))
            )
        )
    assert refused.value.code == "invalid_secret_value"
