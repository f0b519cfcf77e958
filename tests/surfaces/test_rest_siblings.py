"""While a rotation is open its two values stand for one token: what is taken from one is taken from both."""

from rest_client import Rest, api_token
from support import World
from watchword.domain.scopes import ALL_SCOPES


def test_networks_do_not_change_while_a_rotation_is_open(world: World) -> None:
    rest = Rest(world)
    token = f"{rest.tokens}/{world.first.agent_token.token.id}"
    assert rest("POST", f"{token}/rotation", json={}).status_code == 201
    refused = rest("PATCH", token, json={"allowed_ip_addresses": "192.0.2.0/24"})
    assert (refused.status_code, refused.json()["code"]) == (422, "rotation_open")
    assert rest("PATCH", token, json={"description": "another name"}).status_code == 200
    assert rest("DELETE", f"{token}/rotation").status_code in (200, 204)
    assert rest("PATCH", token, json={"allowed_ip_addresses": "192.0.2.0/24"}).status_code == 200


def test_an_organization_is_removed_from_both_values(world: World) -> None:
    admin = Rest(world)
    issued = api_token(world, *ALL_SCOPES)
    owner = Rest(world, issued.value)
    path = f"api-access-tokens/{issued.token.id}"
    started = owner("POST", f"{path}/rotation", json={})
    assert started.status_code == 201, started.text
    successor = Rest(world, started.json()["token"])
    # Neither has been used but to start: the rotation of a token with one holder commits at first use.
    assert admin("DELETE", f"{path}/organization").status_code == 204
    assert owner("GET", "clusters").status_code == 404
    assert successor("GET", "clusters").status_code == 404
