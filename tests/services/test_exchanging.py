"""Exchanging: registrations, repeated ones, counted ones, and those that come to nothing."""

import asyncio

import pytest

from services.scene import SESSIONS, Scene
from watchword.domain.addresses import Block
from watchword.domain.errors import Forbidden, Invalid, Refused
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.restrictions import Restrictions
from watchword.domain.tokens import Reason
from watchword.services.context import LOCAL
from watchword.services.editing import edit_agent_token
from watchword.services.exchanging import Joined, Registration, register
from watchword.services.revoking import revoke
from watchword.store.base import Transaction


def test_a_registration_gives_a_session_of_the_tokens_cluster(scene: Scene) -> None:
    joined = scene.register(tags=("os=linux",))
    presented = scene.present(joined.value.reveal(), SESSIONS)
    assert presented.organization_id == scene.organization_id
    assert presented.holder.agent_id == joined.agent.id
    assert presented.holder.parent_id == scene.first.agent_token.token.id
    assert joined.agent.cluster_id == scene.first.cluster.id
    assert joined.agent.queue_id == scene.first.queue.id
    assert joined.agent.tags == ("os=linux", "queue=default")
    assert scene.row(joined.agent.id) == joined.agent


def test_a_counted_token_admits_as_many_agents_as_it_counts(scene: Scene) -> None:
    token = scene.token(max_uses=2)
    scene.agent(token, name="one")
    scene.agent(token, name="two")
    with pytest.raises(Refused) as caught:
        scene.register(token, name="three")
    assert caught.value.code == Reason.USED_UP
    assert scene.record(token.token).uses == 2


def test_of_many_at_once_a_one_time_token_admits_one(scene: Scene) -> None:
    token = scene.token(max_uses=1)
    presented = scene.present(token.value.reveal())

    async def scenario() -> list[Joined | BaseException]:
        context, fleet = scene.authority.context, scene.authority.fleet
        return await asyncio.gather(
            *(
                register(context, fleet, LOCAL, presented, Registration(name=f"agent {number}", hostname="h"))
                for number in range(64)
            ),
            return_exceptions=True,
        )

    answers = scene.run(scenario())
    assert sum(isinstance(answer, Joined) for answer in answers) == 1
    assert all(isinstance(answer, (Joined, Refused)) for answer in answers)
    assert scene.record(token.token).uses == 1
    assert len(scene.authority.fleet.agents) == 1


def test_a_repeated_registration_replaces_the_one_that_never_connected(scene: Scene) -> None:
    token = scene.token(max_uses=1)
    lost = scene.register(token, name="agent-%n")
    again = scene.register(token, name="agent-%n")
    assert again.replaced == lost.agent.id
    assert scene.row(lost.agent.id).state is AgentState.REPLACED
    assert scene.reason(lost.value.reveal()) == Reason.SESSION_ENDED
    assert scene.reason(again.value.reveal()) == ""
    assert scene.record(token.token).uses == 1
    assert set(scene.authority.fleet.agents) == {again.agent.id}
    scene.connect(again)
    with pytest.raises(Refused) as caught:  # a use is final on connect
        scene.register(token, name="agent-%n")
    assert caught.value.code == Reason.USED_UP
    assert scene.row(again.agent.id).state is AgentState.CONNECTED


@pytest.mark.parametrize("other", [{"name": "two"}, {"hostname": "elsewhere"}])
def test_another_name_or_host_is_another_agent(scene: Scene, other: dict[str, str]) -> None:
    token = scene.token(max_uses=1)
    scene.register(token)
    with pytest.raises(Refused) as caught:
        scene.register(token, **other)
    assert caught.value.code == Reason.USED_UP


def test_agents_of_an_uncounted_token_may_share_a_name(scene: Scene) -> None:
    """`--spawn 2` registers two agents of one name before either connects."""
    one, two = scene.register(), scene.register()
    assert two.replaced is None
    for joined in (one, two):
        scene.connect(joined)
        assert scene.row(joined.agent.id).state is AgentState.CONNECTED


def test_an_agent_that_never_connects_expires_and_gives_its_use_back(scene: Scene) -> None:
    token = scene.token(max_uses=1)
    joined = scene.register(token)
    scene.forward(359)
    scene.sweep()
    assert scene.row(joined.agent.id).state is AgentState.REGISTERED
    assert scene.record(token.token).uses == 1
    scene.forward(1)
    scene.sweep()
    assert scene.row(joined.agent.id).state is AgentState.REPLACED
    assert scene.reason(joined.value.reveal()) == Reason.SESSION_ENDED
    assert scene.record(token.token).uses == 0
    assert len(scene.events(Action.AGENT_EXPIRED)) == 1
    assert scene.agent(token, name="next").agent.counted


@pytest.mark.parametrize("connected", [False, True])
def test_a_use_comes_back_only_from_an_agent_that_never_connected(scene: Scene, *, connected: bool) -> None:
    token = scene.token(max_uses=1)
    joined = scene.agent(token) if connected else scene.register(token)
    scene.run(scene.authority.finisher.disconnect(LOCAL, joined.agent.id, AgentState.DISCONNECTED))
    assert scene.record(token.token).uses == int(connected)


def test_connecting_again_changes_nothing(scene: Scene) -> None:
    joined = scene.agent()
    before = scene.row(joined.agent.id)
    scene.forward(10)
    scene.connect(joined)
    scene.world.restart()
    scene.connect(joined)
    after = scene.row(joined.agent.id)
    assert (after.state, after.connected_at) == (AgentState.CONNECTED, before.connected_at)
    assert len(scene.events(Action.AGENT_CONNECTED)) == 1


def test_a_connect_after_the_end_opens_nothing(scene: Scene) -> None:
    joined = scene.register()
    scene.run(scene.authority.finisher.disconnect(LOCAL, joined.agent.id, AgentState.DISCONNECTED))
    scene.connect(joined)
    assert scene.row(joined.agent.id).state is AgentState.DISCONNECTED
    assert scene.authority.fleet.agents == {}
    assert scene.reason(joined.value.reveal()) == Reason.SESSION_ENDED


@pytest.mark.parametrize(
    ("restrictions", "tags", "admitted"),
    [
        (Restrictions(queue="gpu"), (), False),
        (Restrictions(queue="gpu"), ("queue=default",), False),
        (Restrictions(queue="gpu"), ("queue=gpu",), True),
        (Restrictions(queue="default"), (), True),
        (Restrictions(tags=("os=linux",)), (), False),
        (Restrictions(tags=("os=linux",)), ("os=linux", "x=y"), True),
        (Restrictions(tags=("os=linux", "x=y")), ("os=linux",), False),
        (Restrictions(queue="gpu", tags=("os=linux",)), ("queue=gpu",), False),
    ],
)
def test_a_narrowed_token_admits_what_it_names(
    scene: Scene, restrictions: Restrictions, tags: tuple[str, ...], *, admitted: bool
) -> None:
    scene.queue("gpu")
    token = scene.token(restrictions=restrictions)
    if admitted:
        scene.agent(token, tags=tags)
        return
    with pytest.raises(Forbidden):
        scene.register(token, tags=tags)
    assert scene.authority.fleet.agents == {}


def test_a_session_keeps_the_networks_of_its_token(scene: Scene) -> None:
    token = scene.token(restrictions=Restrictions((Block.parse("192.0.2.0/24"),)))
    joined = scene.agent(token)
    verifier = scene.authority.verifier
    scene.run(verifier.verify(joined.value.reveal(), SESSIONS, address="192.0.2.9"))
    for address in ("198.51.100.1", "2001:db8::1", None):
        with pytest.raises(Refused) as caught:
            scene.run(verifier.verify(joined.value.reveal(), SESSIONS, address=address))
        assert caught.value.code == Reason.NETWORK_BLOCKED


@pytest.mark.parametrize("change", ["revoke", "edit", "expire"])
def test_a_change_between_check_and_registration_wins(scene: Scene, change: str) -> None:
    token = scene.token(expires_in=3600)
    presented = scene.present(token.value.reveal())
    context = scene.authority.context

    async def work(tx: Transaction) -> None:
        if change == "revoke":
            await revoke(context, tx, LOCAL, token.token, None)
        elif change == "edit":
            await edit_agent_token(context, tx, LOCAL, token.token, None, "198.51.100.0/24")

    scene.run(context.store.write(work))
    if change == "expire":
        scene.forward(3600)
    with pytest.raises(Refused):
        scene.run(register(context, scene.authority.fleet, LOCAL, presented, Registration(name="late")))
    assert scene.authority.fleet.agents == {}
    assert scene.record(token.token).uses == 0


def test_a_revoked_token_leaves_its_connected_agents_alone(scene: Scene) -> None:
    token = scene.token()
    joined = scene.agent(token)
    context = scene.authority.context
    scene.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, token.token, None, "rotated")))
    assert scene.reason(token.value.reveal(), (token.token.kind,)) == Reason.REVOKED
    assert scene.reason(joined.value.reveal()) == ""
    job = scene.one_job()
    assert scene.ping(joined) == job.id


@pytest.mark.parametrize(
    "registration",
    [
        {"tags": ("queue=nope",)},
        {"tags": ("queue=",)},
        {"tags": ("queue=default", "queue=gpu")},
        {"tags": ("",)},
        {"name": "x" * 256},
        {"hostname": "x" * 256},
    ],
)
def test_an_unacceptable_registration_takes_no_use(scene: Scene, registration: dict[str, object]) -> None:
    token = scene.token(max_uses=1)
    with pytest.raises(Invalid):
        scene.register(token, **registration)
    assert scene.record(token.token).uses == 0
