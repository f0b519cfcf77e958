"""REST: applications that an organization lets people connect."""

from typing import Any

import pytest

from oauth_client import SCOPES, VERIFIER, Tool
from rest_client import Rest, api_token
from support import World
from watchword.domain.accounts import Role
from watchword.domain.scopes import ALL_SCOPES
from watchword.domain.tokens import State

DESK: dict[str, Any] = {
    "name": "Deploy desk",
    "redirect_uris": ["https://desk.example/callback"],
    "scopes": SCOPES.split(),
    "confidential": True,
    "flows": ["authorization_code", "device_code"],
    "token_lifetime": 600,
}


@pytest.fixture
def rest(world: World) -> Rest:
    return Rest(world)


def made(rest: Rest, **changes: Any) -> dict[str, Any]:
    answer = rest("POST", "oauth-applications", json={**DESK, **changes})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_application_is_registered_and_its_secret_is_shown_once(world: World, rest: Rest) -> None:
    desk = made(rest)
    assert len(desk["client_id"]) == 20
    assert desk["scopes"] == sorted(SCOPES.split())
    secret = desk.pop("client_secret")
    assert rest("GET", f"oauth-applications/{desk['id']}").json() == desk
    assert rest("GET", "oauth-applications").json() == [desk]
    tool = Tool(world)
    uri = desk["redirect_uris"][0]
    named = {"client_id": desk["client_id"], "redirect_uri": uri}
    given = tool.redeem(tool.approve(**named), **named, client_secret=secret)
    assert given.json()["expires_in"] == 600
    public = made(rest, confidential=False, token_lifetime=None)
    assert (public["client_secret"], public["token_lifetime"]) == (None, None)


def test_another_secret_ends_the_former_one(world: World, rest: Rest) -> None:
    desk, tool = made(rest), Tool(world)
    renewed = rest("POST", f"oauth-applications/{desk['id']}/secret").json()["client_secret"]
    assert renewed != desk["client_secret"]
    named = {"client_id": desk["client_id"]}
    old = tool.start_device(**named, client_secret=desk["client_secret"])
    assert old.json()["error"] == "invalid_client"
    assert tool.start_device(**named, client_secret=renewed).status_code == 200
    public = made(rest, confidential=False)
    refused = rest("POST", f"oauth-applications/{public['id']}/secret")
    assert (refused.status_code, refused.json()["code"]) == (422, "public_client")


def test_a_narrower_application_gives_less_at_the_next_renewal(world: World, rest: Rest) -> None:
    desk, tool = made(rest, confidential=False), Tool(world)
    named = {"client_id": desk["client_id"], "redirect_uri": desk["redirect_uris"][0]}
    first = tool.redeem(tool.approve(**named), **named).json()
    at = f"oauth-applications/{desk['id']}"
    changed = rest("PATCH", at, json={"scopes": ["read_agents"], "name": "Desk", "token_lifetime": None})
    assert (changed.json()["scopes"], changed.json()["token_lifetime"]) == (["read_agents"], None)
    second = tool.refresh(first["refresh_token"], client_id=desk["client_id"]).json()
    assert second["scope"] == "read_agents"
    assert rest("PATCH", at, json={"refresh": False}).status_code == 200
    third = tool.refresh(second["refresh_token"], client_id=desk["client_id"]).json()
    assert third["error"] == "invalid_grant"


def test_what_a_deleted_application_was_given_ends_at_once(world: World, rest: Rest) -> None:
    desk, tool = made(rest, confidential=False), Tool(world)
    named = {"client_id": desk["client_id"], "redirect_uri": desk["redirect_uris"][0]}
    given = tool.redeem(tool.approve(**named), **named).json()
    waiting = tool.approve(**named)
    assert rest("DELETE", f"oauth-applications/{desk['id']}").status_code == 204
    assert tool.state(given["access_token"]) is State.REVOKED
    assert tool.state(given["refresh_token"]) is State.REVOKED
    assert tool.redeem(waiting, **named).json()["error"] == "invalid_client"
    assert rest("GET", f"oauth-applications/{desk['id']}").status_code == 404
    assert tool.actions()[-1] == "oauth_application.deleted"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": " "},
        {"name": "x" * 101},
        {"scopes": []},
        {"scopes": ["nothing"]},
        {"flows": []},
        {"flows": ["password"]},
        {"redirect_uris": []},
        {"redirect_uris": ["http://desk.example/callback"]},
        {"redirect_uris": ["https://desk.example/callback#here"]},
        {"redirect_uris": ["https://ada@desk.example/"]},
        {"redirect_uris": ["https://*"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["//desk.example"]},
        {"redirect_uris": ["https://desk.example/\\evil"]},
        {"token_lifetime": 5},
        {"token_lifetime": -1},
    ],
)
def test_what_is_not_acceptable_is_refused(rest: Rest, changes: dict[str, Any]) -> None:
    answer = rest("POST", "oauth-applications", json={**DESK, **changes})
    assert (answer.status_code, "Validation failed" in answer.json()["message"]) == (422, True)


@pytest.mark.parametrize(
    "uri",
    [
        "https://desk.example/callback?x=1",
        "http://127.0.0.1/callback",
        "http://[::1]:8080/",
        "http://localhost:3000/callback",
        "com.example.desk:/callback",
    ],
)
def test_addresses_that_native_programs_use_are_taken(rest: Rest, uri: str) -> None:
    assert made(rest, redirect_uris=[uri])["redirect_uris"] == [uri]


def test_members_register_nothing_and_connected_applications_mint_nothing(world: World) -> None:
    member = Rest(world, api_token(world, *ALL_SCOPES, role=Role.MEMBER, email="mia@example.com").value)
    assert member("POST", "oauth-applications", json=DESK).status_code == 403
    tool = Tool(world)
    scope = "read_organization_settings write_organization_settings read_user"
    given = tool.redeem(tool.approve(scope=scope)).json()
    connected = Rest(world, given["access_token"])
    assert connected("GET", "oauth-applications").status_code == 200
    tokens = connected("POST", "api-access-tokens", json={"description": "x", "scopes": ["read_user"]})
    assert (tokens.status_code, tokens.json()["code"]) == (403, "connected_application"), VERIFIER
