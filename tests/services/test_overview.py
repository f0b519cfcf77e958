"""Overview: what needs attention, what agents and jobs do, what happened in the last day and month."""

import pytest

from services.rotation_scene import API, AWAY, HOME, Rotations
from services.scene import Scene
from services.search_scene import Searcher, administrator, member
from support import MINUTE_US, SECOND_US
from watchword.domain.errors import Forbidden
from watchword.domain.fleet import Order
from watchword.domain.tokens import DAY_US
from watchword.domain.use import HOUR_US
from watchword.services.context import LOCAL
from watchword.services.fleet import LOST_AFTER_US
from watchword.services.house import House
from watchword.services.overview import Activity, AgentFigures, JobFigures, Overview
from watchword.services.revoking import revoke


@pytest.fixture
def admin(scene: Scene) -> Searcher:
    return administrator(scene)


def look(admin: Searcher) -> Overview:
    return admin.scene.run(admin.scene.authority.overseer.look(admin.access()))


def concerns(admin: Searcher) -> dict[str, list[str]]:
    return {each.name: [found.token.id for found in each.first] for each in look(admin).concerns}


def day(scene: Scene) -> Activity:
    overseer = scene.authority.overseer
    return scene.run(scene.world.store.read(lambda tx: overseer.last_day_in(tx, scene.organization_id)))


def month(scene: Scene) -> Activity:
    overseer = scene.authority.overseer
    return scene.run(scene.world.store.read(lambda tx: overseer.last_month_in(tx, scene.organization_id)))


def jobs(scene: Scene) -> JobFigures:
    overseer = scene.authority.overseer
    return scene.run(scene.world.store.read(lambda tx: overseer.jobs_in(tx, scene.organization_id)))


def test_what_needs_attention_is_grouped_the_most_pressing_first(scene: Scene, admin: Searcher) -> None:
    own = scene.first.api_token.token.id
    assert concerns(admin) == {"over_broad": [own]}
    days = {
        number: scene.token(expires_in=number * DAY_US / SECOND_US).token.id for number in (100, 101, 110)
    }
    scene.world.clock.forward(99 * DAY_US + HOUR_US)
    found = look(admin)
    first = scene.first.agent_token.token.id
    assert concerns(admin) == {
        "expires_in_1_day": [days[100]],
        "expires_in_7_days": [days[101]],
        "expires_in_30_days": [days[110]],
        "over_broad": [own],
        "never_used": [first, own, *days.values()][:5],
    }
    assert found.inspected == 5
    assert [each.count for each in found.concerns] == [1, 1, 1, 1, 5]


def test_a_revocation_shows_at_once_and_the_clock_within_a_minute(scene: Scene, admin: Searcher) -> None:
    issued, context = scene.token(), scene.authority.context
    assert look(admin).inspected == 3
    scene.token()
    assert look(admin).inspected == 3, "a fresh token needs no attention: what was found is kept"
    scene.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, issued.token, None)))
    assert look(admin).inspected == 3
    scene.token()
    scene.world.clock.forward(MINUTE_US)
    assert look(admin).inspected == 4


def test_only_who_may_see_all_tokens_sees_what_is_wrong_with_them(scene: Scene) -> None:
    one = member(scene)
    with pytest.raises(Forbidden):
        look(one)


def test_incidents_and_rotations_under_way(scene: Scene, admin: Searcher) -> None:
    rotations = Rotations(scene)
    old, shared = rotations.api_token(), scene.token()
    new = rotations.start(old.token)
    rotations.reason(new, HOME, API)
    scene.world.clock.forward(10 * MINUTE_US)
    rotations.reason(old, AWAY, API)
    for name in ("one", "two", "three"):
        scene.agent(shared, name=name)
    started = rotations.start(shared.token)
    found = look(admin)
    assert list(found.incidents) == rotations.incidents() != []
    (under_way,) = found.rotations
    assert (under_way.rotation, under_way.predecessor) == (started.rotation, scene.record(shared.token))
    assert under_way.progress == rotations.standing(shared.token).progress
    assert (under_way.progress.left, under_way.progress.moved) == (3, 0)


def test_agents_by_what_they_do(scene: Scene) -> None:
    overseer, fleet = scene.authority.overseer, scene.authority.fleet
    joined = {name: scene.agent(name=name) for name in ("idle", "busy", "paused", "stopping", "silent")}
    scene.register(name="joining")
    scene.running(joined["busy"])
    fleet.agents[joined["paused"].agent.id].order = Order(until=1)
    fleet.agents[joined["stopping"].agent.id].order = Order(stop=True)
    scene.forward(150)
    for name, each in joined.items():
        if name != "silent":
            fleet.heartbeat(each.agent.id)
    figures = overseer.agents(scene.organization_id)
    assert figures == AgentFigures(1, 1, 1, 1, 1, 1)
    assert figures.total == 6


def test_jobs_by_what_they_wait_for(scene: Scene) -> None:
    assert jobs(scene) == JobFigures()
    agent = scene.agent()
    scene.running(agent)
    scene.build("one", "two")
    assert jobs(scene) == JobFigures(running=1, scheduled=2)


def test_registrations_and_refusals_are_counted_by_the_hour(scene: Scene) -> None:
    scene.agent(name="one")
    scene.forward(3600)
    scene.agent(name="two")
    scene.agent(name="three")
    context = scene.authority.context
    issued = scene.token()
    scene.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, issued.token, None)))
    for _ in range(3):
        assert scene.reason_from(issued.value.reveal(), "192.0.2.1") == "token_revoked"
    assert scene.reason_from("bkct_MTA.nothing", "192.0.2.1") == "token_malformed"
    found = day(scene)
    assert found.registrations == (*[0] * 22, 1, 2)
    assert found.refusals == {"token_revoked": (*[0] * 23, 3)}
    scene.run(scene.authority.flush())
    scene.run(scene.authority.flush())
    assert day(scene) == found
    assert scene.authority.context.tally.unwritten(scene.organization_id) == []
    assert month(scene).registrations[-1] + month(scene).registrations[-2] == 3
    scene.world.restart()
    assert day(scene) == found


def test_lost_agents_are_counted(scene: Scene) -> None:
    scene.agent(name="one")
    scene.world.clock.forward(LOST_AFTER_US)
    scene.sweep()
    assert sum(day(scene).lost) == 1


def test_what_cannot_be_written_is_kept(scene: Scene) -> None:
    scene.agent()
    tally = scene.authority.context.tally
    before = tally.unwritten(scene.organization_id)
    scene.run(scene.world.store.close())
    with pytest.raises(Exception, match="shutting down"):
        scene.run(tally.flush(scene.world.store))
    assert tally.unwritten(scene.organization_id) == before != []


def test_counts_go_after_sixty_days(scene: Scene) -> None:
    def hours() -> list[int]:
        owner = scene.organization_id
        found = scene.run(scene.world.store.read(lambda tx: tx.tallies.since(owner, 0)))
        return [each.hour for each in found]

    scene.agent(name="one")
    scene.run(scene.authority.flush())
    first = hours()
    scene.world.clock.forward(60 * DAY_US)
    scene.agent(name="two")
    scene.run(scene.authority.flush())
    house = House(scene.authority.context)
    scene.run(house.keep())
    assert first == [hours()[0]]
    assert len(hours()) == 2
    scene.world.clock.forward(HOUR_US)
    scene.run(house.keep())
    assert len(hours()) == 1
