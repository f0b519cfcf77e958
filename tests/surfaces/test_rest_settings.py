"""REST: security settings, their dry run, and what a token may do."""

from typing import Any

import httpx
import pytest

from rest_client import Rest, api_token
from support import MINUTE_US, World
from watchword.domain.accounts import Role
from watchword.domain.events import Action
from watchword.domain.operations import OPERATIONS, Right
from watchword.domain.restrictions import Restrictions, parse_networks
from watchword.domain.scopes import ALL_SCOPES
from watchword.domain.tokens import DAY_US
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token

SETTINGS = "api-settings"
DEFAULTS = {
    "url": "http://127.0.0.1:8080/v2/organizations/acme/api-settings",
    "allowed_ip_addresses": None,
    "revoke_inactive_tokens_after_days": None,
    "restrict_user_api_token_creation": False,
    "features": {"api_ip_allow_list": True, "inactive_api_token_revocation": True},
    "require_two_factor": False,
    "reuse_response": "quarantine",
    "maximum_api_token_days": None,
}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_settings_change_one_by_one(world: World) -> None:
    rest = Rest(world)
    assert rest("GET", SETTINGS).json() == DEFAULTS
    wanted: dict[str, Any] = dict(DEFAULTS)
    for change in (
        {"revoke_inactive_tokens_after_days": 90},
        {"restrict_user_api_token_creation": True},
        {"reuse_response": "alarm", "maximum_api_token_days": 30},
        {"revoke_inactive_tokens_after_days": None, "unknown": 1},
        {"maximum_api_token_days": None, "reuse_response": None, "restrict_user_api_token_creation": None},
    ):
        wanted |= {name: value for name, value in change.items() if name in DEFAULTS}
        wanted["reuse_response"] = wanted["reuse_response"] or "quarantine"
        wanted["restrict_user_api_token_creation"] = bool(wanted["restrict_user_api_token_creation"])
        answer = rest("PATCH", SETTINGS, json=change)
        assert (answer.status_code, answer.json()) == (200, wanted)
        assert rest("GET", SETTINGS).json() == wanted
    assert rest("PUT", SETTINGS, json={}).json() == DEFAULTS


@pytest.mark.parametrize(
    "text", ["203.0.113.9 198.51.100.0/24 2001:db8::/32", "0.0.0.0/0  ::/0", "203.0.113.0/24,::1"]
)
def test_the_allowlist_comes_back_byte_for_byte(world: World, text: str) -> None:
    rest = Rest(world)
    assert rest("PATCH", SETTINGS, json={"allowed_ip_addresses": text}).json()["allowed_ip_addresses"] == text
    assert rest("GET", SETTINGS).json()["allowed_ip_addresses"] == text
    cleared = rest("PATCH", SETTINGS, json={"allowed_ip_addresses": ""}).json()
    assert cleared["allowed_ip_addresses"] is None


def test_the_allowlist_holds_for_the_very_next_request(world: World) -> None:
    rest = Rest(world)
    assert rest("PATCH", SETTINGS, json={"allowed_ip_addresses": "198.51.100.0/24"}).status_code == 200
    assert code(rest("GET", SETTINGS)) == (403, "address_not_allowed")
    assert code(rest("PATCH", SETTINGS, json={"allowed_ip_addresses": None})) == (403, "address_not_allowed")
    assert rest("GET", "/v2/user").status_code == 200
    rest.transport.address = "198.51.100.7"
    assert rest("PATCH", SETTINGS, json={"allowed_ip_addresses": None}).status_code == 200
    rest.transport.address = "203.0.113.9"
    assert rest("GET", SETTINGS).status_code == 200


def test_what_settings_cannot_be(world: World) -> None:
    rest = Rest(world)
    for change, wanted in (
        ({"allowed_ip_addresses": "nowhere"}, "invalid_network"),
        ({"allowed_ip_addresses": "10.0.0.0/33"}, "invalid_network"),
        ({"allowed_ip_addresses": "10.0.0.1 " * 25}, "too_many_networks"),
        ({"revoke_inactive_tokens_after_days": 31}, "invalid_days"),
        ({"revoke_inactive_tokens_after_days": -30}, "invalid_days"),
        ({"maximum_api_token_days": -1}, "invalid_days"),
        ({"maximum_api_token_days": 100_000}, "invalid_days"),
        ({"restrict_user_api_token_creation": "yes"}, "invalid_body"),
        ({"require_two_factor": 1}, "invalid_body"),
        ({"reuse_response": "shout"}, "invalid_body"),
    ):
        assert code(rest("PATCH", SETTINGS, json=change)) == (422, wanted), change
        assert code(rest("PATCH", f"{SETTINGS}?dry_run=true", json=change)) == (422, wanted), change
    assert rest("GET", SETTINGS).json() == DEFAULTS


def test_settings_are_administrators(world: World) -> None:
    member = Rest(world, api_token(world, *ALL_SCOPES, role=Role.MEMBER, email="m@example.com").value)
    for method in ("GET", "PATCH", "PUT"):
        assert code(member(method, SETTINGS, json={})) == (403, "forbidden")


def test_a_change_is_recorded_and_a_repetition_is_none(world: World) -> None:
    rest = Rest(world)
    for _ in range(2):
        rest("PATCH", SETTINGS, json={"revoke_inactive_tokens_after_days": 30})
    owner = world.first.organization.id
    events = world.run(world.context.store.read(lambda tx: tx.audit.events(owner, 0, 1000)))
    (event,) = [one for one in events if one.action is Action.ORGANIZATION_SECURITY_UPDATED]
    assert event.data == '{"revoke_inactive_after_days":30}'


def test_a_dry_run_says_who_would_be_shut_out(world: World) -> None:
    rest = Rest(world)
    member = api_token(world, "read_agents", role=Role.MEMBER, email="m@example.com")
    old = api_token(world, "read_agents")
    Rest(world, old.value)("GET", "agents")
    world.clock.forward(DAY_US + 1)
    inside, outside = Rest(world, member.value), Rest(world, member.value)
    inside.transport.address, outside.transport.address = "198.51.100.7", "192.0.2.44"
    inside("GET", "agents")
    outside("GET", "agents")
    for flush in (False, True):
        if flush:
            world.run(world.authority.flush())
        found = rest("PATCH", f"{SETTINGS}?dry_run=true", json={"allowed_ip_addresses": "198.51.100.0/24"})
        assert found.status_code == 200
        shown = found.json()
        assert shown["settings"]["allowed_ip_addresses"] == "198.51.100.0/24"
        assert shown["caller_shut_out"] is True
        out = {(one["token_id"], one["address"]) for one in shown["shut_out"]}
        admin = world.first.api_token.token.id
        assert out == {(member.token.id, "192.0.2.44"), (admin, "203.0.113.9")}
    assert rest("GET", SETTINGS).json() == DEFAULTS
    rest.transport.address = "198.51.100.9"
    harmless = rest("PATCH", f"{SETTINGS}?dry_run=true", json={"allowed_ip_addresses": None}).json()
    assert (harmless["caller_shut_out"], harmless["shut_out"]) == (False, [])


def test_a_dry_run_says_who_lacks_a_second_factor(world: World) -> None:
    rest = Rest(world)
    member = api_token(world, "read_agents", role=Role.MEMBER, email="m@example.com")
    Rest(world, member.value)("GET", "agents")
    shown = rest("PATCH", f"{SETTINGS}?dry_run=true", json={"require_two_factor": True}).json()
    assert shown["caller_shut_out"] is True
    out = {(one["token_id"], one["reason"]) for one in shown["shut_out"]}
    assert out == {
        (member.token.id, "two_factor_required"),
        (world.first.api_token.token.id, "two_factor_required"),
    }


def operations(found: Any) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in found}


def test_what_the_presented_token_may_do(world: World) -> None:
    found = Rest(world)("GET", "/v2/access-token/operations").json()
    (here,) = found["organizations"]
    assert (found["refused"], here["organization"], here["refused"]) == (None, "acme", None)
    names = {*operations(found["anywhere"]), *operations(here["operations"])}
    assert names == set(OPERATIONS)
    member = api_token(world, "write_clusters", "read_agents", role=Role.MEMBER, email="m@example.com")
    found = Rest(world, member.value)("GET", "/v2/access-token/operations").json()
    anywhere = {one.name for one in OPERATIONS.values() if one.right is Right.HOLDER and not one.scope}
    assert set(operations(found["anywhere"])) == anywhere
    mine = operations(found["organizations"][0]["operations"])
    assert mine == {"agent.read": "allowed", "organization.emojis": "allowed"}


def test_what_is_listed_is_what_is_enforced(world: World) -> None:
    rest = Rest(world)
    token = api_token(world, "read_clusters", role=Role.MEMBER, email="m@example.com")
    path = f"api-access-tokens/{token.token.id}/operations"
    caller = Rest(world, token.value)
    assert "cluster.read" in operations(rest("GET", path).json()["organizations"][0]["operations"])
    assert caller("GET", "clusters").status_code == 200
    rest("PATCH", SETTINGS, json={"allowed_ip_addresses": "203.0.113.9"})
    assert "cluster.read" in operations(rest("GET", path).json()["organizations"][0]["operations"])
    caller.transport.address = "192.0.2.1"
    own = caller("GET", "/v2/access-token/operations").json()["organizations"]
    assert [(one["refused"], one["operations"]) for one in own] == [("address_not_allowed", [])]
    world.database.query(f"DELETE FROM members WHERE user_id = '{token.token.user_id}'")
    left = rest("GET", path).json()["organizations"]
    assert [(one["refused"], one["operations"]) for one in left] == [("not_found", [])]


def test_what_an_expired_token_may_do(world: World) -> None:
    rest = Rest(world)
    body = {"description": "d", "preset": "full", "expires_at": "2027-01-15T08:10:00Z"}
    made = rest("POST", "api-access-tokens", json=body).json()
    path = f"api-access-tokens/{made['id']}/operations"
    assert rest("GET", path).json()["refused"] is None
    world.clock.forward(10 * MINUTE_US)
    assert rest("GET", path).json() == {"refused": "token_expired", "anywhere": [], "organizations": []}


def agent_token(world: World, **fields: Any) -> Issued:
    context, first = world.context, world.first
    request = TokenRequest(
        organization_id=first.organization.id, cluster_id=first.cluster.id, description="d", **fields
    )
    return world.run(context.store.write(lambda tx: issue_agent_token(context, tx, LOCAL, request, None)))


def test_what_the_holder_of_an_agent_token_may_do(world: World) -> None:
    rest = Rest(world)
    clusters = f"clusters/{world.first.cluster.id}"
    rest("POST", f"{clusters}/queues", json={"key": "gpu"})
    found = rest("GET", f"{rest.tokens}/{world.first.agent_token.token.id}/operations").json()
    assert found == {
        "operations": ["agent.register", "queue.count"],
        "refused": None,
        "cluster": world.first.cluster.id,
        "queues": ["default", "gpu"],
        "tags": [],
        "allowed_ip_addresses": [],
        "not_before": None,
        "expires_at": None,
        "uses_left": None,
    }
    limits = Restrictions(parse_networks("10.0.0.0/8"), "gpu", ("os=linux",))
    soon = world.clock.now() + DAY_US
    token = agent_token(world, restrictions=limits, max_uses=3, not_before=soon, expires_at=2 * soon).token
    narrow = rest("GET", f"{rest.tokens}/{token.id}/operations").json()
    assert (narrow["refused"], narrow["operations"]) == ("token_not_yet_valid", [])
    assert (narrow["queues"], narrow["tags"]) == (["gpu"], ["os=linux"])
    assert (narrow["allowed_ip_addresses"], narrow["uses_left"]) == (["10.0.0.0/8"], 3)
    world.clock.forward(DAY_US)
    assert rest("GET", f"{rest.tokens}/{token.id}/operations").json()["refused"] is None
    world.database.query(f"UPDATE tokens SET uses = 3 WHERE id = '{token.id}'")
    used_up = rest("GET", f"{rest.tokens}/{token.id}/operations").json()
    assert (used_up["refused"], used_up["uses_left"]) == ("token_used_up", 0)
