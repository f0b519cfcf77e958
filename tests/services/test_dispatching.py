"""Dispatching: which job is offered to whom, for how long, and who gets it."""

import pytest

from services.scene import Scene
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import TokenId
from watchword.domain.pipelines import JobState
from watchword.domain.tokens import State
from watchword.services.accounts import add_cluster, add_queue, delete_cluster
from watchword.services.builds import BuildRequest, CommandStep, create_pipeline
from watchword.services.context import LOCAL
from watchword.services.issuing import TokenRequest, issue_agent_token
from watchword.store.base import Transaction


def test_an_offer_is_repeated_until_it_is_accepted(scene: Scene) -> None:
    agent, job = scene.agent(), scene.one_job()
    for _ in range(5):
        assert scene.ping(agent) == job.id
        scene.forward(10)
    scene.accept(agent, job)
    assert scene.ping(agent) is None


def test_an_offer_holds_for_thirty_seconds_and_then_goes_elsewhere(scene: Scene) -> None:
    one, two = scene.agent(), scene.agent(name="two")
    job = scene.one_job()
    assert scene.ping(one) == job.id
    assert scene.ping(two) is None
    with pytest.raises(Conflict) as caught:
        scene.accept(two, job)
    assert caught.value.code == "job_taken"
    scene.forward(30)
    assert scene.ping(two) is None
    scene.forward(0.000_001)
    assert scene.ping(two) == job.id
    assert scene.ping(one) is None
    with pytest.raises(Conflict):
        scene.accept(one, job)
    assert scene.accept(two, job).job.agent_id == two.agent.id


def test_a_repeated_offer_holds_from_the_last_ping(scene: Scene) -> None:
    one, two = scene.agent(), scene.agent(name="two")
    job = scene.one_job()
    for _ in range(4):
        assert scene.ping(one) == job.id
        scene.forward(29)
        assert scene.ping(two) is None
    scene.forward(2)
    assert scene.ping(two) == job.id


def test_two_agents_are_offered_two_jobs(scene: Scene) -> None:
    agents = [scene.agent(name=f"agent {number}") for number in range(3)]
    _, jobs = scene.build("a", "b")
    assert [scene.ping(agent) for agent in agents] == [jobs[0].id, jobs[1].id, None]


def test_higher_priority_goes_first_then_age(scene: Scene) -> None:
    agent = scene.agent()
    late = scene.one_job()
    scene.forward(1)
    urgent = scene.one_job(priority=5)
    scene.forward(1)
    urgent_too = scene.one_job(priority=5)
    idle = scene.one_job(priority=-1)
    order = []
    for _ in range(4):
        job_id = scene.ping(agent)
        job = next(one for one in (late, urgent, urgent_too, idle) if one.id == job_id)
        order.append(job)
        scene.finish(scene.accept(agent, job).job)
    assert order == [urgent, urgent_too, late, idle]


@pytest.mark.parametrize(
    ("rules", "tags", "fits"),
    [
        ((), (), True),
        ((), ("os=linux",), True),
        (("os=linux",), ("os=linux", "x=y"), True),
        (("os=linux",), ("os=windows",), False),
        (("os=linux",), (), False),
        (("os=*",), ("os=anything",), True),
        (("os=*",), ("arch=arm",), False),
        (("os=linux", "gpu=true"), ("os=linux",), False),
        (("OS=linux",), ("os=linux",), False),
    ],
)
def test_a_job_goes_to_agents_with_its_tags(
    scene: Scene, rules: tuple[str, ...], tags: tuple[str, ...], *, fits: bool
) -> None:
    agent = scene.agent(tags=tags)
    job = scene.one_job(agents=rules)
    assert (scene.ping(agent) == job.id) is fits
    if not fits:
        with pytest.raises(NotFound):
            scene.accept(agent, job)


def test_each_queue_has_its_own_line(scene: Scene) -> None:
    scene.queue("gpu")
    plain, gpu = scene.agent(), scene.agent(name="gpu", tags=("queue=gpu",))
    job = scene.one_job(agents=("queue=gpu",))
    assert scene.ping(plain) is None
    with pytest.raises(NotFound):
        scene.accept(plain, job)
    assert scene.ping(gpu) == job.id
    other = scene.one_job()
    assert scene.ping(plain) == other.id


def test_clustered_and_unclustered_agents_do_not_share_jobs(scene: Scene) -> None:
    clustered = scene.agent()
    loose = scene.agent(scene.token(unclustered=True), name="loose")
    job, loose_job = scene.one_job(), scene.one_job(unclustered=True)
    assert scene.ping(loose) == loose_job.id
    assert scene.ping(clustered) == job.id
    with pytest.raises(NotFound):
        scene.accept(loose, job)
    with pytest.raises(NotFound):
        scene.accept(clustered, loose_job)


def test_an_unclustered_agent_serves_the_queue_it_names(scene: Scene) -> None:
    token = scene.token(unclustered=True)
    plain = scene.agent(token, name="plain")
    deploy = scene.agent(token, name="deploy", tags=("queue=deploy",))
    job = scene.one_job(unclustered=True, agents=("queue=deploy",))
    assert scene.ping(plain) is None
    assert scene.ping(deploy) == job.id


def test_an_agent_that_is_not_connected_is_offered_nothing(scene: Scene) -> None:
    agent, job = scene.register(), scene.one_job()
    assert scene.ping(agent) is None
    with pytest.raises(Conflict) as caught:
        scene.accept(agent, job)
    assert caught.value.code == "agent_not_connected"
    scene.connect(agent)
    assert scene.ping(agent) == job.id


def test_an_agent_that_asks_to_be_ignored_is_offered_nothing(scene: Scene) -> None:
    agent, job = scene.agent(ignore_in_dispatches=True), scene.one_job()
    assert scene.ping(agent) is None
    scene.world.restart()
    assert scene.ping(agent) is None
    assert scene.accept(agent, job).job.agent_id == agent.agent.id  # it may still take one by itself


def test_an_agent_can_be_ignored_from_a_finish_on(scene: Scene) -> None:
    agent = scene.agent()
    scene.finish(scene.running(agent).job, ignore_agent=True)
    waiting = scene.one_job()
    assert scene.ping(agent) is None
    scene.world.restart()
    assert scene.ping(agent) is None
    other = scene.agent(name="other")
    assert scene.ping(other) == waiting.id


def test_a_restart_rebuilds_the_lines(scene: Scene) -> None:
    one, two = scene.agent(), scene.agent(name="two")
    held = scene.accept(one, scene.one_job())
    low, high = scene.one_job(), scene.one_job(priority=3)
    ended = scene.finish(scene.running(two).job)
    scene.world.restart()
    assert set(scene.authority.dispatcher.held) == {held.job.id}
    assert scene.ping(one) is None
    assert scene.ping(two) == high.id
    scene.finish(scene.accept(two, high).job)
    assert scene.ping(two) == low.id
    assert scene.job(ended).state is JobState.FINISHED
    again = scene.accept(one, held.job)
    assert again.value == held.value


def test_a_restart_forgets_offers(scene: Scene) -> None:
    one, two = scene.agent(), scene.agent(name="two")
    job = scene.one_job()
    assert scene.ping(one) == job.id
    scene.world.restart()
    assert scene.ping(two) == job.id


def test_accepting_again_gives_the_same_answer_until_the_job_starts(scene: Scene) -> None:
    agent, job = scene.agent(), scene.one_job()
    first = scene.accept(agent, job)
    scene.forward(3)
    second = scene.accept(agent, job)
    assert (second.value, second.env, second.job) == (first.value, first.env, first.job)
    assert len(scene.events(Action.JOB_ACCEPTED)) == 1
    scene.start(first.job)
    with pytest.raises(Conflict):
        scene.accept(agent, job)


def test_an_agent_holds_one_job(scene: Scene) -> None:
    agent = scene.agent()
    _, (one, two) = scene.build("a", "b")
    scene.accept(agent, one)
    with pytest.raises(Conflict) as caught:
        scene.accept(agent, two)
    assert caught.value.code == "agent_busy"
    assert scene.job(two).state is JobState.SCHEDULED


@pytest.mark.parametrize("job_id", ["0196601b-5a71-7e95-bca8-06343a2b9079", "", "'; DROP TABLE jobs; --"])
def test_a_job_that_is_not_there_is_not_accepted(scene: Scene, job_id: str) -> None:
    agent, job = scene.agent(), scene.one_job()
    object.__setattr__(job, "id", job_id)
    with pytest.raises(NotFound):
        scene.accept(agent, job)


def test_a_build_of_a_deleted_cluster_is_refused(scene: Scene) -> None:
    """Its jobs would wait in the line of the organization's unclustered agents."""
    context, admin = scene.authority.context, scene.first.admin.id
    loose = scene.agent(scene.token(unclustered=True), name="loose")

    async def work(tx: Transaction) -> None:
        cluster = await add_cluster(context, tx, LOCAL, scene.organization_id, "Short-lived")
        await add_queue(context, tx, LOCAL, cluster, "default")
        pipeline = await create_pipeline(
            context, tx, LOCAL, scene.organization_id, "orphan", cluster_id=cluster.id
        )
        await delete_cluster(context, tx, LOCAL, cluster, admin)
        steps = (CommandStep(command="true", agents=("queue=default",)),)
        await scene.authority.builder.create_in(tx, LOCAL, pipeline, steps, BuildRequest(), admin)

    with pytest.raises(Invalid) as caught:
        scene.run(context.store.write(work))
    assert caught.value.code == "unknown_cluster"
    assert scene.ping(loose) is None


def test_a_cluster_is_deleted_with_tokens_in_every_state(scene: Scene) -> None:
    context, admin = scene.authority.context, scene.first.admin.id

    async def work(tx: Transaction) -> list[TokenId]:
        cluster = await add_cluster(context, tx, LOCAL, scene.organization_id, "Short-lived")
        ids = []
        for number in range(3):
            request = TokenRequest(
                organization_id=scene.organization_id, cluster_id=cluster.id, description=f"token {number}"
            )
            ids.append((await issue_agent_token(context, tx, LOCAL, request, admin)).token.id)
        await tx.tokens.end(scene.organization_id, ids[0], State.REVOKED, 1, None, "")
        await tx.tokens.end(scene.organization_id, ids[1], State.SUPERSEDED, 1, None, "")
        await delete_cluster(context, tx, LOCAL, cluster, admin)
        return ids

    async def states(tx: Transaction) -> list[State | None]:
        found = [await tx.tokens.find(scene.organization_id, token_id) for token_id in made]
        return [token.state if token is not None else None for token in found]

    made = scene.run(context.store.write(work))
    assert scene.run(context.store.read(states)) == [State.REVOKED, State.SUPERSEDED, State.REVOKED]


def test_offers_are_each_of_another_job_and_repeated_to_their_agents(scene: Scene) -> None:
    agents = [scene.agent(name=f"agent-{number}") for number in range(8)]
    _, jobs = scene.build(*(f"echo {number}" for number in range(8)))
    first = [scene.ping(agent) for agent in agents]
    assert first == [job.id for job in jobs]
    assert [scene.ping(agent) for agent in reversed(agents)] == first[::-1]


def test_a_job_of_higher_priority_replaces_an_offer_and_frees_the_other_job(scene: Scene) -> None:
    one, two = scene.agent(), scene.agent(name="two")
    _, (usual,) = scene.build("usual")
    assert scene.ping(one) == usual.id
    _, (urgent,) = scene.build("urgent", priority=5)
    assert scene.ping(one) == urgent.id
    assert scene.ping(two) == usual.id
    assert scene.ping(one) == urgent.id


def test_a_job_that_was_released_comes_back_once(scene: Scene) -> None:
    one, two = scene.agent(), scene.agent(name="two")
    job = scene.one_job()
    lines = scene.authority.dispatcher.lines
    for _ in range(3):
        assert scene.ping(one) == job.id
        lines.enqueue(job)
    assert scene.ping(two) == job.id
    assert scene.ping(one) is None
