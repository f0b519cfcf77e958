"""Dagster+ on the console: tokens as the guide has them, permissions, deployments, roles."""

import re
from html import unescape

import pytest

from console_client import Console, new_person
from support import World
from watchword.domain.accounts import User
from watchword.domain.dagsteragents import AgentFault
from watchword.domain.deployments import Permitted
from watchword.domain.events import Action
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State, Token
from watchword.services.context import LOCAL
from watchword.services.dagsteragents import Heartbeat
from watchword.services.revealing import set_revealable
from watchword.store.base import EVERYTHING, Transaction

VALUE = re.compile(r"(?:agent:acme|user):[0-9a-f]{32}")


@pytest.fixture
def vi(world: World) -> User:
    return new_person(world, "vi@example.com")


@pytest.fixture
def member(world: World, vi: User) -> Console:
    made = Console(world)
    made.sign_in_as(vi)
    return made


def once(console: Console) -> str:
    found = re.search(r'name="once" value="([^"]+)"', console.last.text)
    assert found is not None
    return unescape(found[1])


def create(console: Console, path: str = "dagster/tokens") -> None:
    console.get(path)
    assert console.post(path, {"once": once(console)}).status_code == 303


def tokens(world: World, kind: Kind = Kind.DAGSTER_AGENT) -> list[Token]:
    organization = world.first.organization.id
    return list(
        world.run(
            world.context.store.read(lambda tx: tx.deployments.tokens(organization, kind, None, EVERYTHING))
        )
    )


def permitted(world: World, token: Token) -> Permitted:
    async def work(tx: Transaction) -> Permitted:
        return Permitted.of(await tx.deployments.grants(token.organization_id, token.id))

    return world.run(world.context.store.read(work))


def reveals(world: World) -> int:
    organization = world.first.organization.id
    events = world.run(world.context.store.read(lambda tx: tx.trail.latest(organization, 0, 100)))
    return sum(event.action is Action.TOKEN_REVEALED for event in events)


def test_one_click_makes_an_agent_token_whose_row_stands_first_and_whose_value_is_hidden(
    admin: Console, world: World
) -> None:
    create(admin)
    create(admin)
    admin.get("dagster/tokens")
    newest, oldest = (token.id for token in tokens(world))
    assert admin.last.text.index(newest) < admin.last.text.index(oldest)
    assert "Org Agent every deployment, branches included" in admin.text()
    assert not VALUE.search(admin.last.text)
    assert permitted(world, tokens(world)[0]).everything


def test_a_form_that_is_sent_again_makes_no_second_token(admin: Console, world: World) -> None:
    admin.get("dagster/tokens")
    fields = {"once": once(admin)}
    for _ in range(2):
        assert admin.post("dagster/tokens", fields).status_code == 303
    assert len(tokens(world)) == 1


def test_reveal_shows_one_value_in_one_answer_and_the_trail_has_it(admin: Console, world: World) -> None:
    create(admin)
    create(admin)
    token = tokens(world)[0]
    admin.get("dagster/tokens")
    fields = {"once": once(admin)}
    assert admin.post(f"dagster/tokens/agent/{token.id}/reveal", fields).status_code == 200
    found = VALUE.findall(admin.last.text)
    assert len(found) == 1
    assert reveals(world) == 1
    assert (
        world.run(world.authority.verifier.verify(found[0], (Kind.DAGSTER_AGENT,), address="192.0.2.1")).id
        == token.id
    )
    admin.post(f"dagster/tokens/agent/{token.id}/reveal", fields)
    assert not VALUE.search(admin.last.text)
    assert "no value is shown" in admin.text()
    assert reveals(world) == 1
    assert admin.get(f"dagster/tokens/agent/{token.id}/reveal").status_code == 303


def test_without_copies_the_value_stands_in_the_answer_that_made_it_and_nowhere_else(
    admin: Console, world: World
) -> None:
    create(admin)
    organization = world.first.organization.id
    world.run(set_revealable(world.context, LOCAL, organization, Kind.DAGSTER_AGENT, revealable=False))
    admin.get("dagster/tokens")
    assert "Reveal token" not in admin.text()
    answer = admin.post("dagster/tokens", {"once": once(admin)})
    assert answer.status_code == 200
    assert len(VALUE.findall(answer.text)) == 1
    assert "the one time" in admin.text()
    admin.get("dagster/tokens")
    assert not VALUE.search(admin.last.text)
    token = tokens(world)[1]
    assert admin.post(f"dagster/tokens/agent/{token.id}/reveal", {"once": once(admin)}).status_code == 422


def test_making_and_revealing_ask_for_a_fresh_proof(world: World) -> None:
    console = Console(world)
    console.sign_in_as(world.first.admin, fresh=False)
    for path in ("dagster/tokens", "dagster/tokens/user"):
        console.get(path)
        answer = console.post(path, {"once": "x"})
        assert answer.status_code == 200
        assert "proof" in answer.text
    assert tokens(world) == []


def test_agents_are_shown_as_their_heartbeats_describe_them_and_named_before_a_revocation(
    admin: Console, member: Console, world: World
) -> None:
    create(admin)
    (token,) = tokens(world)
    admin.get("dagster/tokens")
    admin.post(f"dagster/tokens/agent/{token.id}/reveal", {"once": once(admin)})
    value = VALUE.findall(admin.last.text)[0]
    admin.get("dagster/agents")
    assert "No agent was heard of" in admin.text()
    fleet, before = world.authority.dagster_fleet, world.authority.dagster_fleet.pulse(token.organization_id)
    guest = world.run(world.authority.dagster_door.enter(value, LOCAL))
    heartbeat = Heartbeat("prod", "a-1", "eu <b>", "ProcessUserCodeLauncher", ("",), {"version": "1.13.27"})
    fleet.heard(guest, [heartbeat], [AgentFault(world.clock.now(), "it <i>broke</i>")])
    admin.get("dagster/agents")
    assert "eu <b> a-1 ● RUNNING 1.13.27" in admin.text()
    assert "it <i>broke</i>" in admin.text()
    assert f'href="/organizations/acme/dagster/tokens/agent/{token.id}"' in admin.last.text
    assert fleet.pulse(token.organization_id) != before
    admin.get(f"dagster/tokens/agent/{token.id}/revoke")
    assert "1 agent runs with it now: eu <b>, version 1.13.27" in admin.text()
    member.get("dagster/agents")
    assert "RUNNING" in member.text()
    assert token.id not in member.last.text
    running = fleet.pulse(token.organization_id)
    world.clock.forward(91_000_000)
    admin.get("dagster/agents")
    assert "NOT_RUNNING" in admin.text()
    assert fleet.pulse(token.organization_id) != running


def test_the_pencil_changes_the_description(admin: Console, world: World) -> None:
    create(admin)
    (token,) = tokens(world)
    admin.post(f"dagster/tokens/agent/{token.id}/description", {"description": "for  eu-west"})
    assert tokens(world)[0].description == "for eu-west"
    assert "for eu-west" in admin.get("dagster/tokens").text


def test_single_deployments_are_chosen_only_while_org_agent_is_off(admin: Console, world: World) -> None:
    create(admin)
    (token,) = tokens(world)
    path = f"dagster/tokens/agent/{token.id}"
    admin.post("dagster/deployments", {"name": "staging"})
    staging = re.findall(r'name="deployment" value="([^"]+)"', admin.get(path).text)[1]
    assert re.search(r"<fieldset[^>]* disabled", admin.last.text)
    admin.post(path, {"org_agent": "1", "listed": "1", "deployment": staging})
    assert permitted(world, token) == Permitted(everything=True)
    admin.post(path, {})  # off, and the disabled choices send nothing
    assert permitted(world, token) == Permitted()
    assert not re.search(r"<fieldset[^>]* disabled", admin.get(path).text)
    admin.post(path, {"listed": "1", "deployment": staging, "branches": "1"})
    assert permitted(world, token) == Permitted(False, True, frozenset({staging}))
    admin.get("dagster/tokens")
    assert "staging, all branch deployments" in admin.text()
    admin.post(path, {"listed": "1"})
    assert permitted(world, token) == Permitted()
    admin.get("dagster/tokens")
    assert "No deployment" in admin.text()


def test_a_revocation_is_confirmed_shows_its_callers_and_leaves_the_row_with_who_and_when(
    admin: Console, world: World
) -> None:
    create(admin)
    (token,) = tokens(world)
    admin.get("dagster/tokens")
    admin.post(f"dagster/tokens/agent/{token.id}/reveal", {"once": once(admin)})
    value = VALUE.findall(admin.last.text)[0]
    verifier, kinds = world.authority.verifier, (Kind.DAGSTER_AGENT,)
    world.run(verifier.verify(value, kinds, address="192.0.2.77", agent="dagster-cloud"))
    path = f"dagster/tokens/agent/{token.id}"
    assert f'href="/organizations/acme/{path}/revoke"' in admin.get(path).text
    admin.get(f"{path}/revoke")
    assert "192.0.2.77" in admin.text()
    assert admin.post(f"{path}/revoke", {}).status_code == 422
    assert admin.post(f"{path}/revoke", {"sure": "1", "reason": "left the building"}).status_code == 303
    assert tokens(world)[0].state is State.REVOKED
    assert tokens(world)[0].ended_reason == "left the building"
    admin.get("dagster/tokens")
    assert f"Revoked moments ago by {world.first.admin.name}" in admin.text()
    assert "Reveal token" not in admin.text()
    assert admin.post(path, {}).status_code == 422
    assert permitted(world, token).everything


def test_members_have_their_own_tokens_and_nothing_of_agents_or_others(
    admin: Console, member: Console, world: World
) -> None:
    create(admin)
    create(admin, "dagster/tokens/user")
    (agent,), (theirs,) = tokens(world), tokens(world, Kind.DAGSTER_USER)
    assert member.get("dagster/tokens").headers["location"].endswith("/dagster/tokens/user")
    create(member, "dagster/tokens/user")
    member.get("dagster/tokens/user")
    assert "Manage tokens for" not in member.text()
    assert theirs.id not in member.last.text
    for path in (f"agent/{agent.id}", f"agent/{agent.id}/revoke", f"agent/{agent.id}/rotate"):
        assert member.get(f"dagster/tokens/{path}").status_code == 403
    for path in (f"user/{theirs.id}", f"user/{theirs.id}/revoke"):
        assert member.get(f"dagster/tokens/{path}").status_code == 404
    assert member.get(f"dagster/tokens/user?user={world.first.admin.id}").status_code == 403
    assert member.post("dagster/deployments", {"name": "mine"}).status_code == 403
    assert member.get("dagster/roles").status_code == 403


def test_an_administrator_lists_and_revokes_anothers_tokens_and_no_more(
    admin: Console, member: Console, vi: User, world: World
) -> None:
    create(member, "dagster/tokens/user")
    (token,) = tokens(world, Kind.DAGSTER_USER)
    admin.get(f"dagster/tokens/user?user={vi.id}")
    assert token.id in admin.last.text
    assert "+ Create user token" not in admin.text()
    assert "Reveal token" not in admin.text()
    assert "pencil" not in admin.last.text
    fields = {"once": "x", "description": "taken"}
    for verb in ("reveal", "description"):
        assert admin.post(f"dagster/tokens/user/{token.id}/{verb}", fields).status_code == 403
    answer = admin.post(f"dagster/tokens/user/{token.id}/revoke", {"sure": "1"})
    assert answer.headers["location"].startswith(f"/organizations/acme/dagster/tokens/user?user={vi.id}")
    assert tokens(world, Kind.DAGSTER_USER)[0].state is State.REVOKED
    member.get("dagster/tokens/user")
    assert "Revoked moments ago by" in member.text()


def test_the_owner_alone_reveals_a_user_token(member: Console, world: World) -> None:
    create(member, "dagster/tokens/user")
    (token,) = tokens(world, Kind.DAGSTER_USER)
    member.get("dagster/tokens/user")
    answer = member.post(f"dagster/tokens/user/{token.id}/reveal", {"once": once(member)})
    assert len(VALUE.findall(answer.text)) == 1
    member.get(f"dagster/tokens/user/{token.id}")
    assert "prod viewer view, own tokens" in member.text()


def test_a_rotation_is_started_finished_and_aborted(admin: Console, world: World) -> None:
    create(admin)
    (token,) = tokens(world)
    path = f"dagster/tokens/agent/{token.id}/rotate"
    admin.get(path)
    assert admin.post(path, {"once": once(admin), "days": "7 weeks"}).status_code == 422
    assert admin.post(path, {"once": once(admin), "days": "1"}).status_code == 303
    successor = tokens(world)[0]
    admin.get(path)
    assert "Both values work" in admin.text()
    admin.post(f"{path}/abort", {})
    assert tokens(world)[0].state is State.REVOKED
    admin.get(path)
    admin.post(path, {"once": once(admin), "days": "1"})
    assert admin.post(f"{path}/finish", {}).status_code == 303
    states = {one.id: one.state for one in tokens(world)}
    assert states[token.id] is State.SUPERSEDED
    assert states[successor.id] is State.REVOKED


def test_a_deployments_end_says_first_what_breaks(admin: Console, world: World, vi: User) -> None:
    create(admin)
    (token,) = tokens(world)
    admin.post("dagster/deployments", {"name": "staging"})
    assert admin.post("dagster/deployments", {"name": "Staging"}).status_code == 422
    assert admin.post("dagster/deployments", {"name": "staging"}).status_code == 422
    path = f"dagster/tokens/agent/{token.id}"
    staging = re.findall(r'name="deployment" value="([^"]+)"', admin.get(path).text)[1]
    admin.post(path, {})
    admin.post(path, {"listed": "1", "deployment": staging})
    admin.post("dagster/roles", {"user": vi.id, "deployment": staging, "role": "editor"})
    admin.get("dagster/roles")
    assert "staging: editor" in admin.text()
    admin.get("dagster/deployments/staging/delete")
    assert "loses its permission, its last one" in admin.text()
    assert "Vi loses the role editor" in admin.text()
    assert admin.post("dagster/deployments/staging/delete", {"confirm": "prod"}).status_code == 422
    assert admin.post("dagster/deployments/staging/delete", {"confirm": "staging"}).status_code == 303
    assert permitted(world, token) == Permitted()
    assert admin.get("dagster/deployments/staging/delete").status_code == 404


def test_roles_are_set_and_an_administrators_stays(admin: Console, world: World, vi: User) -> None:
    create(admin)
    assert (
        admin.post("dagster/roles", {"user": vi.id, "deployment": "", "role": "launcher"}).status_code == 303
    )
    admin.get("dagster/roles")
    assert "All branch deployments: launcher" in admin.text()
    own = {"user": world.first.admin.id, "deployment": "", "role": "viewer"}
    assert admin.post("dagster/roles", own).status_code == 422
    for role in ("organization_admin", "king"):
        assert admin.post("dagster/roles", {"user": vi.id, "deployment": "", "role": role}).status_code == 422
