"""Dagster+ over REST: tokens with their permissions, rotation, revocation, deployments, roles, agents."""

from typing import Any

import pytest

from rest_client import Rest, api_token
from support import World
from watchword.crypto.values import Secret, digest, mint_dagster
from watchword.domain.accounts import Role
from watchword.domain.kinds import Kind
from watchword.domain.scopes import ALL_SCOPES
from watchword.services.context import LOCAL

ADDRESS = "192.0.2.7"


@pytest.fixture
def rest(world: World) -> Rest:
    return Rest(world)


@pytest.fixture
def member(world: World, rest: Rest) -> Rest:
    token = api_token(world, *ALL_SCOPES, role=Role.MEMBER, email="vi@example.com")
    return Rest(world, token.value, transport=rest.transport)


def made(rest: Rest, path: str, body: dict[str, Any] | None = None, status: int = 201) -> Any:
    answer = rest("POST", f"dagster/{path}", json=body or {})
    assert answer.status_code == status, answer.text
    return answer.json()


def got(rest: Rest, path: str) -> Any:
    answer = rest("GET", f"dagster/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def served(world: World, value: str) -> set[str]:
    guest = world.run(world.authority.dagster_door.enter(value, LOCAL))
    return {name for name in guest.place.deployments if guest.serves(name)}


def test_an_agent_tokens_value_stands_in_the_answer_that_makes_it_alone(rest: Rest) -> None:
    token = made(rest, "agent-tokens", {"description": "eu"})
    value = token.pop("token")
    assert value.startswith("agent:acme:")
    assert token["permissions"] == {
        "organization": True,
        "all_branch_deployments": False,
        "deployments": [],
    }
    assert token["value_digest"] == digest(value).hex()
    assert got(rest, f"agent-tokens/{token['id']}") == token
    for path in ("agent-tokens", f"agent-tokens/{token['id']}"):
        assert value not in rest("GET", f"dagster/{path}").text
    answer = rest("PATCH", f"dagster/agent-tokens/{token['id']}", json={"description": " for  us "})
    assert answer.json()["description"] == "for us"


def test_permissions_are_given_and_taken_one_by_one(world: World, rest: Rest) -> None:
    token = made(rest, "agent-tokens")
    made(rest, "deployments", {"name": "staging"})
    path = f"agent-tokens/{token['id']}"
    shown = made(rest, f"{path}/forbid", {"scope": "organization"}, 200)
    assert shown["permissions"]["organization"] is False
    assert served(world, token["token"]) == set()
    made(rest, f"{path}/permit", {"scope": "deployment", "deployment": "staging"}, 200)
    shown = made(rest, f"{path}/permit", {"scope": "all_branch_deployments"}, 200)
    assert shown["permissions"] == {
        "organization": False,
        "all_branch_deployments": True,
        "deployments": ["staging"],
    }
    assert served(world, token["token"]) == {"staging"}
    for wrong in (
        {},
        {"scope": "everything"},
        {"scope": "deployment"},
        {"scope": "organization", "deployment": "prod"},
        {"scope": "deployment", "deployment": "nowhere"},
    ):
        made(rest, f"{path}/permit", wrong, 422)


def test_a_value_from_elsewhere_is_taken_over_by_value_or_digest_whatever_its_organization(
    world: World, rest: Rest
) -> None:
    first, second = (mint_dagster(Kind.DAGSTER_AGENT, "hosted") for _ in range(2))
    by_value = made(rest, "agent-tokens/import", {"value": first.reveal(), "description": "moved"})
    by_digest = made(rest, "agent-tokens/import", {"digest": digest(second.reveal()).hex()})
    assert "token" not in by_value
    for value in (first, second):
        assert served(world, value.reveal()) == {"prod"}
    assert by_digest["permissions"]["organization"]
    made(rest, "agent-tokens/import", {"value": first.reveal()}, 422)
    made(rest, "agent-tokens/import", {"value": mint_dagster(Kind.DAGSTER_USER).reveal()}, 422)


def test_a_revocation_says_first_what_it_touches_then_leaves_the_row(world: World, rest: Rest) -> None:
    token = made(rest, "agent-tokens")
    path = f"dagster/agent-tokens/{token['id']}"
    world.run(world.authority.verifier.verify(token["token"], (Kind.DAGSTER_AGENT,), address=ADDRESS))
    radius = rest("DELETE", path, json={"dry_run": True}).json()
    assert [one["address"] for one in radius["callers"]] == [ADDRESS]
    assert got(rest, f"agent-tokens/{token['id']}")["state"] == "active"
    assert got(rest, f"agent-tokens/{token['id']}/blast-radius") == radius
    assert rest("DELETE", path, json={"reason": "gone"}).status_code == 204
    shown = got(rest, f"agent-tokens/{token['id']}")
    assert (shown["state"], shown["revoked_reason"]) == ("revoked", "gone")
    assert shown["revoked_by"]["id"] == world.first.admin.id
    assert got(rest, f"agent-tokens/{token['id']}/revocation")["reason"] == "gone"


def test_a_rotation_gives_the_successor_the_permissions_and_names_who_uses_the_old_value(
    world: World, rest: Rest
) -> None:
    token = made(rest, "agent-tokens")
    made(rest, f"agent-tokens/{token['id']}/forbid", {"scope": "organization"}, 200)
    made(rest, f"agent-tokens/{token['id']}/permit", {"scope": "all_branch_deployments"}, 200)
    world.run(world.authority.verifier.verify(token["token"], (Kind.DAGSTER_AGENT,), address=ADDRESS))
    started = made(rest, f"agent-tokens/{token['id']}/rotation")
    assert started["token"].startswith("agent:acme:")
    assert (started["moved"], started["total"]) == (0, 1)
    assert [one["address"] for one in started["callers"]] == [ADDRESS]
    successor = got(rest, f"agent-tokens/{started['successor']['id']}")
    assert successor["permissions"]["all_branch_deployments"]
    assert made(rest, f"agent-tokens/{token['id']}/rotation/finish", status=200)["state"] == "committed"
    assert got(rest, f"agent-tokens/{token['id']}")["state"] == "superseded"


def test_people_have_their_own_tokens_and_administrators_may_list_and_revoke_them(
    world: World, rest: Rest, member: Rest
) -> None:
    token = made(member, "user-tokens", {"description": "laptop"})
    value = Secret(token.pop("token"))
    assert value.reveal().startswith("user:")
    assert got(member, "user-tokens") == [token]
    assert got(rest, "user-tokens") == []
    for who in ("vi@example.com", token["owner"]["id"]):
        assert got(rest, f"user-tokens?user={who}") == [token]
    assert member("GET", f"dagster/user-tokens?user={world.first.admin.id}").status_code == 403
    path = f"dagster/user-tokens/{token['id']}"
    assert rest("PATCH", path, json={"description": "x"}).status_code == 403
    abilities = got(member, f"user-tokens/{token['id']}/abilities")
    assert abilities[1] == {
        "deployment": "prod",
        "branches": False,
        "role": "viewer",
        "may": ["view", "own_tokens"],
    }
    theirs = made(rest, "user-tokens")
    assert member("GET", f"dagster/user-tokens/{theirs['id']}").status_code == 404
    assert member("DELETE", f"dagster/user-tokens/{theirs['id']}").status_code == 404
    assert rest("DELETE", path).status_code == 204
    assert got(member, f"user-tokens/{token['id']}")["state"] == "revoked"
    assert got(member, f"user-tokens/{token['id']}/abilities") == []


def test_a_deployment_is_made_and_ends_with_what_is_said_before(rest: Rest) -> None:
    token = made(rest, "agent-tokens")
    staging = made(rest, "deployments", {"name": "staging"})
    assert got(rest, "deployments/staging") == got(rest, f"deployments/{staging['id']}") == staging
    assert [one["name"] for one in got(rest, "deployments?kind=full")] == ["prod", "staging"]
    assert [one["name"] for one in got(rest, "deployments?per_page=1&page=2")] == ["staging"]
    assert got(rest, "deployments?kind=branch") == []
    assert rest("GET", "dagster/deployments?kind=odd").status_code == 422
    path = f"agent-tokens/{token['id']}"
    made(rest, f"{path}/forbid", {"scope": "organization"}, 200)
    made(rest, f"{path}/permit", {"scope": "deployment", "deployment": "staging"}, 200)
    radius = got(rest, "deployments/staging/blast-radius")
    assert [(one["id"], one["stranded"]) for one in radius["agent_tokens"]] == [(token["id"], True)]
    assert rest("DELETE", "dagster/deployments/staging").status_code == 204
    assert rest("GET", "dagster/deployments/staging").status_code == 404
    assert got(rest, path)["permissions"]["deployments"] == []


def test_roles_are_set_by_administrators_and_seen_by_them_alone(
    world: World, rest: Rest, member: Rest
) -> None:
    made(rest, "deployments", {"name": "staging"})
    vi = next(one for one in got(rest, "roles") if one["email"] == "vi@example.com")
    path = f"dagster/roles/{vi['user_id']}"
    assert rest("PUT", path, json={"role": "editor", "deployment": "staging"}).status_code == 200
    shown = rest("PUT", path, json={"role": "launcher"}).json()
    assert (shown["deployments"], shown["branches"]) == ({"staging": "editor"}, "launcher")
    for wrong in ({"role": "king"}, {"role": "viewer", "deployment": "nowhere"}, {}):
        assert rest("PUT", path, json=wrong).status_code == 422
    assert rest("PUT", f"dagster/roles/{world.first.admin.id}", json={"role": "viewer"}).status_code == 422
    assert member("GET", "dagster/roles").status_code == 403


def test_agents_are_listed_as_their_heartbeats_describe_them(rest: Rest) -> None:
    assert got(rest, "agents") == []
