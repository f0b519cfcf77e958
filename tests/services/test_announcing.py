"""Which events reach which webhooks, and what they say: each is written with what it tells of."""

from dataclasses import replace
from typing import Any

import pytest

from services.hook_scene import SECRET, HookScene
from services.scene import ADDRESS, AGENT_TOKENS, SESSIONS
from support import World
from watchword.domain.errors import Refused
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.notifications import BUILD_STATES
from watchword.domain.restrictions import Restrictions, parse_networks
from watchword.domain.steps import Document, Step, StepType
from watchword.domain.webhooks import AUDIT_HEAD, EVENTS, EVENTS_OF
from watchword.services import notifying
from watchword.services.accounts import create_organization
from watchword.services.builds import BuildRequest, create_pipeline
from watchword.services.context import LOCAL
from watchword.services.revoking import revoke
from watchword.services.sealing import Sealer
from watchword.services.teams import TeamRequest, create_team
from watchword.store.base import Transaction
from watchword.workers.headhooks import HeadHooks

URL = "https://hooks.example/here"


@pytest.fixture
def scene(world: World) -> HookScene:
    return HookScene(world)


def test_every_event_that_something_makes_is_one_that_can_be_asked_for() -> None:
    made = [word for words in EVENTS_OF.values() for word in words]
    assert set(made) <= set(EVENTS)
    assert len(set(EVENTS)) == len(EVENTS)


def test_an_agents_life_is_told(scene: HookScene) -> None:
    service = scene.hook(URL, *EVENTS)
    joined = scene.agent()
    scene.run(scene.authority.finisher.disconnect(LOCAL, joined.agent.id, AgentState.DISCONNECTED))
    second = scene.agent()
    context = scene.authority.context
    stop = scene.authority.controller.stop(LOCAL, scene.organization_id, second.agent.id, force=False)
    scene.run(stop)
    scene.run(scene.authority.finisher.disconnect(LOCAL, second.agent.id, AgentState.DISCONNECTED))
    third = scene.agent()
    scene.run(scene.authority.finisher.disconnect(LOCAL, third.agent.id, AgentState.LOST))
    assert scene.events_of(service) == [
        "ping",
        "agent.connected",
        "agent.disconnected",
        "agent.connected",
        "agent.stopping",
        "agent.stopped",
        "agent.disconnected",
        "agent.connected",
        "agent.lost",
    ]
    (body,) = scene.bodies(service, "agent.stopped")
    assert set(body) == {"event", "agent", "sender"}
    assert body["sender"] == {"id": scene.first.admin.id, "name": "Ada Admin"}
    assert body["agent"]["id"] == second.agent.id
    assert body["agent"]["connection_state"] == "stopped"
    assert scene.bodies(service, "agent.connected")[0]["agent"]["connection_state"] == "connected"
    assert context.announcer.wanted == {scene.organization_id: frozenset(EVENTS)}


def test_a_builds_life_is_told_in_order_and_as_it_was_then(scene: HookScene) -> None:
    service = scene.hook(URL, *(word for word in EVENTS if word.startswith(("build", "job"))))
    joined = scene.agent()
    build, (job,) = scene.build("true")
    accepted = scene.accept(joined, job)
    scene.start(accepted.job)
    scene.finish(accepted.job, "1")
    assert scene.events_of(service) == [
        "build.scheduled",
        "job.scheduled",
        "build.running",
        "job.started",
        "job.finished",
        "build.finished",
    ]
    bodies = [scene.bodies(service, event)[0] for event in scene.events_of(service)]
    states = [(body["build"]["state"], body.get("job", {}).get("state")) for body in bodies]
    assert states == [
        ("scheduled", None),
        ("scheduled", "scheduled"),
        ("running", None),
        ("running", "running"),
        ("running", "failed"),
        ("failed", None),
    ]
    assert all(body["pipeline"]["slug"] == "app" for body in bodies)
    assert all("jobs" not in body["build"] for body in bodies)
    assert bodies[3]["job"]["agent"]["id"] == joined.agent.id
    assert bodies[4]["job"]["exit_status"] == 1
    assert {body["build"]["id"] for body in bodies} == {build.id}


def test_a_waiting_build_that_is_canceled_is_told(scene: HookScene) -> None:
    service = scene.hook(URL, "job.finished", "build.finished")
    build, _ = scene.build("true", "true")
    scene.run(scene.authority.builder.cancel(LOCAL, build))
    assert sorted(scene.events_of(service)) == ["build.finished", "job.finished", "job.finished"]
    assert scene.bodies(service, "job.finished")[0]["job"]["state"] == "canceled"


def blocked_build(scene: HookScene, pipeline: str = "gated") -> str:
    """A build that waits at a gate; the gate's id."""
    context, first = scene.authority.context, scene.first
    document = Document(steps=(Step(type=StepType.BLOCK, label="go?", key="gate"),))

    async def work(tx: Transaction) -> str:
        found = await tx.builds.pipeline_by_slug(scene.organization_id, pipeline)
        made = found or await create_pipeline(
            context, tx, LOCAL, scene.organization_id, pipeline, cluster_id=first.cluster.id
        )
        build, _ = await scene.authority.builder.create_in(
            tx, LOCAL, made, document, BuildRequest(), first.admin.id
        )
        return (await tx.steps.of_build(scene.organization_id, build.id))[0].id

    return scene.run(context.store.write(work))


def unblock(scene: HookScene, gate: Any) -> None:
    context = scene.authority.context

    async def work(tx: Transaction) -> None:
        row = await tx.steps.find(scene.organization_id, gate)
        assert row is not None
        await scene.authority.attempts.unblock_in(tx, LOCAL, row, {}, scene.first.admin.id)

    scene.run(context.store.write(work))


def test_a_gate_and_who_opens_it_are_told(scene: HookScene) -> None:
    service = scene.hook(URL, "build.finished", "job.activated")
    unblock(scene, blocked_build(scene))
    assert scene.events_of(service) == ["build.finished", "job.activated", "build.finished"]
    first, second = scene.bodies(service, "build.finished")
    assert (first["build"]["state"], first["build"]["blocked"]) == ("passed", True)
    assert (second["build"]["state"], second["build"]["blocked"]) == ("passed", False)
    (activated,) = scene.bodies(service, "job.activated")
    assert activated["job"]["type"] == "manual"
    assert activated["job"]["unblocked_by"]["id"] == scene.first.admin.id


def test_outcomes_that_are_off_silence_their_event(scene: HookScene) -> None:
    def only(*names: str) -> dict[str, bool]:
        return {name: name in names for name in BUILD_STATES}

    events = ("build.finished", "job.activated", "build.running")
    services = {
        name: scene.hook(URL, *events, build_states=only(name))
        for name in ("build_passed", "build_fixed", "build_failed", "build_blocked", "job_activated")
    }
    joined = scene.agent()
    for exit_status in ("0", "1", "0", "0"):
        accepted = scene.running(joined)
        scene.finish(accepted.job, exit_status)
    unblock(scene, blocked_build(scene))
    told = {
        name: [event for event in scene.events_of(service) if event != "build.running"]
        for name, service in services.items()
    }
    assert told == {
        "build_passed": ["build.finished"] * 4,
        "build_fixed": ["build.finished"],
        "build_failed": ["build.finished"],
        "build_blocked": ["build.finished"],
        "job_activated": ["job.activated"],
    }
    assert all(scene.events_of(service).count("build.running") == 4 for service in services.values())


def test_scope_and_branches_narrow_pipelines_and_leave_agents_alone(scene: HookScene) -> None:
    scene.build("true")
    pipeline = scene.run(
        scene.world.store.read(lambda tx: tx.builds.pipeline_by_slug(scene.organization_id, "app"))
    )
    assert pipeline is not None
    events = ("build.scheduled", "agent.connected")
    context, asked = scene.authority.context, TeamRequest(name="Ops")
    team = scene.run(
        context.store.write(lambda tx: create_team(context, tx, LOCAL, scene.organization_id, asked, None))
    )
    cluster = scene.first.cluster.id
    services = {
        "mine": scene.hook(URL, *events, scope="some_projects", scope_uuids=(pipeline.id.upper(),)),
        "cluster": scene.hook(URL, *events, scope="some_clusters", scope_uuids=(cluster,)),
        "teams": scene.hook(URL, *events, scope="some_teams", scope_uuids=(team.id,)),
        "branch": scene.hook(URL, *events, branch_configuration="main release/*"),
        "not main": scene.hook(URL, *events, branch_configuration="!main"),
        "agents": scene.hook(URL, "agent.connected"),
    }
    assert services["mine"].scope_uuids == (pipeline.id,)
    scene.build("true")
    scene.agent()
    told = {name: scene.events_of(service) for name, service in services.items()}
    both, agents = ["build.scheduled", "agent.connected"], ["agent.connected"]
    assert told == {
        "mine": both,
        "cluster": both,
        "teams": agents,
        "branch": both,
        "not main": agents,
        "agents": agents,
    }


def test_tokens_are_told_without_their_values(scene: HookScene) -> None:
    service = scene.hook(URL, "token.created", "token.revoked")
    issued = scene.token()
    context = scene.authority.context
    scene.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, issued.token, None, "leaked")))
    assert scene.events_of(service) == ["token.created", "token.revoked"]
    created, revoked = (scene.bodies(service, event)[0] for event in scene.events_of(service))
    assert created["token"]["id"] == issued.token.id
    assert (created["token"]["kind"], created["token"]["state"]) == ("agent", "active")
    assert (revoked["token"]["state"], revoked["token"]["ended_reason"]) == ("revoked", "leaked")
    for delivery in scene.deliveries(service):
        assert issued.value.reveal() not in delivery.body
        assert issued.token.digest.hex() not in delivery.body
        assert SECRET not in delivery.body


def test_a_unit_that_fails_tells_nothing(scene: HookScene) -> None:
    service = scene.hook(URL, "token.created")
    context = scene.authority.context

    async def work(tx: Transaction) -> None:
        await context.record(
            tx,
            LOCAL,
            next(action for action in EVENTS_OF if action == "token.created"),
            scene.organization_id,
            ("token", scene.first.agent_token.token.id),
        )
        raise ValueError("the unit fails")

    with pytest.raises(ValueError, match="the unit fails"):
        scene.run(context.store.write(work))
    assert scene.events_of(service) == []


def test_another_organization_hears_nothing(scene: HookScene) -> None:
    context = scene.authority.context
    other = scene.run(create_organization(context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    theirs = scene.hook(URL, *EVENTS[1:], organization_id=other.organization.id)
    scene.agent()
    scene.build("true")
    scene.token()
    assert scene.events_of(theirs) == []


def test_a_disabled_or_deleted_webhook_hears_nothing(scene: HookScene) -> None:
    service = scene.hook(URL, "agent.connected")
    wanted = scene.authority.context.announcer.wanted
    assert wanted
    scene.switch(service, enabled=False)
    assert not wanted
    scene.agent()
    assert scene.events_of(service) == []
    scene.switch(service, enabled=True)
    scene.agent()
    assert scene.events_of(service) == ["agent.connected"]
    context = scene.authority.context
    scene.run(context.store.write(lambda tx: notifying.delete_in(context, tx, LOCAL, service)))
    assert not wanted
    scene.agent()
    assert scene.deliveries(service) == []


def test_what_is_wanted_is_known_again_after_a_restart(scene: HookScene) -> None:
    service = scene.hook(URL, "agent.connected")
    scene.world.restart()
    scene.prepare()
    scene.agent()
    assert scene.events_of(service) == ["agent.connected"]


def test_without_a_webhook_nothing_is_looked_up(scene: HookScene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any) -> None:
        raise AssertionError("nobody asked for this")

    monkeypatch.setattr(type(scene.authority.context.announcer), "announce", never)
    joined = scene.agent()
    scene.finish(scene.running(joined).job)


def test_an_event_that_cannot_be_said_stops_nothing_and_is_counted(
    scene: HookScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = scene.hook(URL, "agent.connected")

    async def broken(*_: Any) -> Any:
        raise KeyError("no such field")

    monkeypatch.setattr(scene.authority.context.announcer, "renderer", broken)
    joined = scene.agent()
    assert scene.row(joined.agent.id).state is AgentState.CONNECTED
    assert scene.deliveries(service) == []
    assert scene.service(service).dropped == 1


def test_too_many_that_wait_are_counted_and_not_kept(
    scene: HookScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchword.services.announcing.MAX_WAITING", 2)
    service = scene.hook(URL, "token.created")
    for _ in range(4):
        scene.token()
    assert len(scene.deliveries(service)) == 2
    assert scene.service(service).dropped == 2


def test_a_payload_of_ones_own_is_published(scene: HookScene) -> None:
    service = scene.hook(URL, AUDIT_HEAD)
    deaf = scene.hook(URL, "ping")
    context = scene.authority.context
    head = {"head": {"sequence": 7}}

    async def work(tx: Transaction) -> int:
        return await notifying.publish(context, tx, scene.organization_id, AUDIT_HEAD, head)

    assert scene.run(context.store.write(work)) == 1
    (body,) = scene.bodies(service, AUDIT_HEAD)
    assert body == {"event": AUDIT_HEAD, **head, "sender": body["sender"]}
    assert scene.events_of(deaf) == ["ping"]
    assert replace(scene.service(service), dropped=0) == scene.service(service)


def test_an_agent_token_used_from_elsewhere_is_told_once_an_hour(scene: HookScene) -> None:
    service = scene.hook(URL, "cluster_token.registration_blocked", "agent.blocked")
    issued = scene.token(restrictions=Restrictions(networks=parse_networks("198.51.100.0/24")))
    for _ in range(3):
        assert scene.reason(issued.value.reveal(), AGENT_TOKENS) == "token_network_blocked"
        scene.sweep()
    assert scene.events_of(service) == ["cluster_token.registration_blocked"]
    (body,) = scene.bodies(service, "cluster_token.registration_blocked")
    assert set(body) == {"event", "blocked_ip", "cluster_token", "sender"}
    assert body["blocked_ip"] == ADDRESS
    assert body["cluster_token"]["id"] == issued.token.id
    assert "token" not in body["cluster_token"]
    assert issued.value.reveal() not in scene.deliveries(service)[0].body
    scene.forward(3600)
    scene.reason(issued.value.reveal(), AGENT_TOKENS)
    scene.sweep()
    assert len(scene.deliveries(service)) == 2
    assert len(scene.events(Action.TOKEN_REGISTRATION_BLOCKED)) == 2


def test_an_agent_that_speaks_from_elsewhere_is_told(scene: HookScene) -> None:
    service = scene.hook(URL, "cluster_token.registration_blocked", "agent.blocked")
    issued = scene.token(restrictions=Restrictions(networks=parse_networks(f"{ADDRESS}/32")))
    joined = scene.agent(issued)
    verify = scene.authority.verifier.verify
    with pytest.raises(Refused):
        scene.run(verify(joined.value.reveal(), SESSIONS, address="203.0.113.99"))
    scene.sweep()
    assert scene.events_of(service) == ["agent.blocked"]
    (body,) = scene.bodies(service, "agent.blocked")
    assert set(body) == {"event", "blocked_ip", "agent", "cluster_token", "sender"}
    assert (body["blocked_ip"], body["agent"]["id"]) == ("203.0.113.99", joined.agent.id)
    assert body["cluster_token"]["id"] == issued.token.id


def test_a_promise_to_fail_is_told_with_its_reason(scene: HookScene) -> None:
    service = scene.hook(URL, "job.promised_exit_status")
    accepted = scene.running(scene.agent())
    scene.run(scene.authority.runner.promise_failure(LOCAL, accepted.job, 7, "a test failed"))
    (body,) = scene.bodies(service, "job.promised_exit_status")
    assert (body["promised_exit_status"], body["reason"]) == ("7", "a test failed")
    assert body["job"]["id"] == accepted.job.id


def test_heads_of_the_trail_are_told_to_those_who_ask(scene: HookScene) -> None:
    service = scene.hook(URL, AUDIT_HEAD)
    context = scene.authority.context
    sealer = Sealer(context, [HeadHooks(context)])
    scene.run(sealer.seal())
    (body,) = scene.bodies(service, AUDIT_HEAD)
    head = scene.run(scene.world.store.read(lambda tx: tx.trail.head(scene.organization_id)))
    assert head is not None
    assert body["head"]["sequence"] == head.sequence
    assert body["head"]["link"] == head.link.hex()
