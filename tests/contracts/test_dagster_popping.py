"""Work of Dagster agents is handed out once, whoever asks at once, on every database (contract §6)."""

import asyncio
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_scene import ADDRESS, DagsterScene
from support import World
from watchword.domain.deployments import GrantScope
from watchword.domain.events import SYSTEM
from watchword.services.context import Caller
from watchword.services.dagsterdoor import Guest
from watchword.services.issuing import Issued
from watchword.services.workitems import Popped, enqueue_in

NAMES = ("prod", "staging", "f00d")
QUEUES = ("", "gpu")
# Who asks, for which deployments, for branches, in which queues, for how much.
polls = st.tuples(
    st.integers(0, 2),
    st.lists(st.sampled_from((*NAMES, "nowhere")), max_size=3),
    st.booleans(),
    st.none() | st.lists(st.sampled_from((None, "gpu")), max_size=2),
    st.none() | st.integers(0, 3),
)
rounds = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(QUEUES)), max_size=5),
        st.lists(polls, max_size=5),
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture
def scene(world: World) -> DagsterScene:
    made = DagsterScene(world)
    made.agent_token()
    made.deployment("f00d", base=made.deployment("staging"))
    return made


@pytest.fixture
def cast(scene: DagsterScene) -> list[Guest]:
    """All of it; one deployment; that and branches."""
    branches = scene.limited("staging")
    scene.grant(branches, GrantScope.ALL_BRANCH_DEPLOYMENTS)
    return [enter(scene, one) for one in (scene.agent_token(), scene.limited("staging"), branches)]


def enter(scene: DagsterScene, issued: Issued) -> Guest:
    door = scene.world.authority.dagster_door
    return scene.world.run(door.enter(issued.value.reveal(), Caller(SYSTEM, ADDRESS)))


Poll = tuple[int, list[str], bool, list[str | None] | None, int | None]
Round = tuple[list[tuple[str, str]], list[Poll]]


def deserves(guest: Guest, asked: Poll, got: Popped) -> bool:
    """Whether an agent asked for a piece of work and may serve its deployment."""
    _, names, branches, queues, _ = asked
    deployment = got.deployment
    served = queues is None or got.item.queue in {queue or "" for queue in queues}
    wanted = deployment.name in names if deployment.full else branches
    return served and wanted and guest.serves(deployment.name) == deployment


@given(plan=rounds)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_each_piece_goes_to_one_who_asked_and_may_and_none_is_lost(
    scene: DagsterScene,
    cast: list[Guest],
    plan: list[Round],
) -> None:
    authority, world = scene.world.authority, scene.world
    queued: list[str] = []
    taken: Counter[str] = Counter()

    async def queue(name: str, of: str) -> None:
        deployment = cast[0].place.deployments[name]
        item = await authority.context.store.write(
            lambda tx: enqueue_in(authority.context, tx, deployment, "PING_LOCATION", queue=of)
        )
        queued.append(item.id)

    async def poll(asked: Poll) -> None:
        who, names, branches, queues, limit = asked
        found = await authority.work_desk.pop(cast[who], names, branches=branches, queues=queues, limit=limit)
        assert all(deserves(cast[who], asked, one) for one in found)
        counts = Counter(one.deployment.name for one in found)
        assert limit is None or max(counts.values(), default=0) <= limit
        taken.update(one.item.id for one in found)

    async def play() -> None:
        for added, asked in plan:
            await asyncio.gather(*(queue(*one) for one in added), *(poll(one) for one in asked))
        before = -1
        while before != (before := len(taken)):
            await poll((0, ["prod", "staging"], True, None, None))

    world.run(play())
    assert taken == Counter(queued)
    assert authority.work_desk.idle(scene.organization.id)
