"""REST: API access tokens, and that nobody makes one wider than the token that asks."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from graphql_client import Graph
from rest_client import Rest, api_token
from support import MINUTE_US, World
from watchword.domain.accounts import Member, Role
from watchword.domain.events import Action, Event
from watchword.domain.restrictions import Restrictions, parse_networks
from watchword.domain.scopes import ALL_SCOPES
from watchword.domain.tokens import DAY_US
from watchword.services.accounts import FirstThings, create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.store.base import Page, Transaction

TOKENS = "api-access-tokens"
READ, WRITE = "read_organization_settings", "write_organization_settings"


def made(rest: Rest, **body: Any) -> dict[str, Any]:
    answer = rest("POST", TOKENS, json={"description": "ci", "scopes": ["read_agents"], **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def narrow_token(world: World, *scopes: str, networks: str = "", expires_in: int = 0) -> Issued:
    """An administrator's token with limits."""
    context, first = world.context, world.first
    until = context.clock.now() + expires_in if expires_in else 0

    async def work(tx: Transaction) -> Issued:
        return await issue_api_token(
            context,
            tx,
            LOCAL,
            first.organization.id,
            first.admin.id,
            "narrow",
            scopes,
            until,
            restrictions=Restrictions(parse_networks(networks)),
        )

    return world.run(context.store.write(work))


def second_organization(world: World, *, join: bool = True) -> FirstThings:
    """Another organization, to which the first one's administrator belongs too."""
    context = world.context
    other = world.run(create_organization(context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    if join:
        member = Member(other.organization.id, world.first.admin.id, Role.MEMBER, 1)
        world.run(context.store.write(lambda tx: tx.accounts.add_member(member)))
    return other


def wide_token(world: World, other: FirstThings, *scopes: str) -> Issued:
    """A token of the first administrator that reaches both organizations."""
    context, first = world.context, world.first

    async def work(tx: Transaction) -> Issued:
        return await issue_api_token(
            context,
            tx,
            LOCAL,
            first.organization.id,
            first.admin.id,
            "wide",
            scopes or ALL_SCOPES,
            0,
            further=[other.organization.id],
        )

    return world.run(context.store.write(work))


def events(world: World, action: Action) -> list[Event]:
    owner = world.first.organization.id
    found = world.run(world.context.store.read(lambda tx: tx.audit.events(owner, 0, 1000)))
    return [event for event in found if event.action is action]


def test_a_token_is_made_shown_once_and_works(world: World) -> None:
    rest = Rest(world)
    created = made(rest, allowed_ip_addresses="203.0.113.0/24 2001:db8::/32")
    value = created.pop("token")
    assert created["scopes"] == ["read_agents"]
    assert created["expires_at"] == "2027-01-22T08:00:00Z"
    assert created["allowed_ip_addresses"] == "203.0.113.0/24 2001:db8::/32"
    assert created["organizations"] == ["acme"]
    assert (created["owner"]["email"], created["owner_role"]) == ("admin@example.com", "admin")
    assert created["value_digest"] == hashlib.sha256(value.encode()).hexdigest()
    assert created["state"] == "active"
    path = f"{TOKENS}/{created['id']}"
    assert rest("GET", path).json() == created
    assert created in rest("GET", TOKENS).json()
    assert value not in rest("GET", TOKENS).text + rest("GET", path).text
    own = Rest(world, value)
    assert own("GET", "agents").status_code == 200
    assert refused(own("GET", "clusters")) == (403, "token_scope_missing")
    used = rest("GET", path).json()
    assert (used["last_used_at"], used["last_used_from"]) == ("2027-01-15T08:00:00.000Z", "203.0.113.9")
    assert used["last_used_by"].startswith("python-httpx")
    world.run(world.authority.flush())
    assert rest("GET", path).json() == used
    (event,) = [one for one in events(world, Action.TOKEN_CREATED) if one.subject_id == created["id"]]
    assert value not in event.data


def test_presets_and_scopes(world: World) -> None:
    rest = Rest(world)
    reading = made(rest, scopes=None, preset="read_only")["scopes"]
    both = made(rest, scopes=None, preset="read_write")["scopes"]
    full = made(rest, scopes=None, preset="full")["scopes"]
    assert all(word.startswith("read_") for word in reading)
    assert {word.partition("_")[0] for word in both} == {"read", "write"}
    assert {"delete_packages", "delete_registries"} == set(full) - set(both)
    assert set(reading) < set(both)
    for body, code in (
        ({}, "scopes_missing"),
        ({"scopes": [], "preset": "full"}, "scopes_missing"),
        ({"preset": "everything"}, "unknown_preset"),
        ({"scopes": ["read_all"]}, "unknown_scope"),
        ({"scopes": ["read_agents"], "description": " "}, "description_missing"),
        ({"scopes": ["read_agents"], "expires_at": "2027-01-15T08:09:59Z"}, "expiry_too_soon"),
        ({"scopes": ["read_agents"], "allowed_ip_addresses": "10.0.0.0/33"}, "invalid_network"),
        ({"scopes": ["read_agents"], "allowed_ip_addresses": "10.0.0.1 " * 25}, "too_many_networks"),
    ):
        answer = rest("POST", TOKENS, json={"description": "d", **body})
        assert refused(answer) == (422, code), body
    assert made(rest, expires_at=None)["expires_at"] is None
    assert made(rest, expires_at="2027-01-15T08:10:00Z")["expires_at"] == "2027-01-15T08:10:00Z"


def test_nothing_wider_than_the_presented_token_is_made(world: World) -> None:
    caller = narrow_token(world, READ, WRITE, "read_agents", networks="203.0.113.0/24", expires_in=3 * DAY_US)
    rest = Rest(world, caller.value)
    for body in (
        {"scopes": ["read_agents", "write_agents"]},
        {"scopes": None, "preset": "read_only"},
        {"expires_at": None},
        {"expires_at": "2027-01-18T08:00:01Z"},
        {"allowed_ip_addresses": ""},
        {"allowed_ip_addresses": "0.0.0.0/0"},
        {"allowed_ip_addresses": "203.0.112.0/23"},
        {"allowed_ip_addresses": "203.0.113.7 ::/0"},
    ):
        answer = rest("POST", TOKENS, json={"description": "d", "scopes": ["read_agents"], **body})
        assert refused(answer) == (403, "wider_than_caller"), (body, answer.text)
    created = made(rest)
    assert created["expires_at"] == "2027-01-18T08:00:00Z"
    assert created["allowed_ip_addresses"] == "203.0.113.0/24"
    closer = made(rest, allowed_ip_addresses="203.0.113.128/25", expires_at="2027-01-16T00:00:00Z")
    assert closer["allowed_ip_addresses"] == "203.0.113.128/25"


def test_organizations_are_those_of_the_caller(world: World) -> None:
    other = second_organization(world)
    narrow = Rest(world)
    answer = narrow(
        "POST", TOKENS, json={"description": "d", "scopes": ["read_agents"], "organizations": ["other"]}
    )
    assert (answer.status_code, answer.json()["message"]) == (404, "No organization found")
    wide = Rest(world, wide_token(world, other).value)
    created = made(wide, organizations=["acme", "other", "other"])
    assert created["organizations"] == ["acme", "other"]
    for slug in ("acme", "other"):
        assert Rest(world, created["token"], slug)("GET", "agents").status_code == 200
    world.database.query(f"DELETE FROM members WHERE organization_id = '{other.organization.id}'")
    answer = wide("POST", TOKENS, json={"description": "d", "preset": "full", "organizations": ["other"]})
    assert answer.json()["message"] == "No organization found"


def test_creation_may_be_kept_to_administrators(world: World) -> None:
    other = second_organization(world)
    world.run(world.context.store.write(lambda tx: _restrict(tx, other)))
    wide = Rest(world, wide_token(world, other).value)
    body = {"description": "d", "scopes": ["read_agents"]}
    there = Rest(world, wide_token(world, other).value, "other")
    assert refused(there("POST", TOKENS, json=body)) == (403, "creation_restricted")
    answer = wide("POST", TOKENS, json={**body, "organizations": ["other"]})
    assert refused(answer) == (403, "creation_restricted")
    assert wide("POST", TOKENS, json=body).status_code == 201
    owner = Rest(world, other.api_token.value, "other")
    assert owner("POST", TOKENS, json=body).status_code == 201


async def _restrict(tx: Transaction, other: FirstThings) -> None:
    policy = await tx.policies.policy(other.organization.id)
    await tx.policies.save(replace(policy, restrict_api_token_creation=True))


def test_an_organization_may_limit_how_long_tokens_live(world: World) -> None:
    rest = Rest(world)
    rest("PATCH", "api-settings", json={"maximum_api_token_days": 3})
    assert made(rest)["expires_at"] == "2027-01-18T08:00:00Z"
    for expiry in (None, "2027-01-18T08:00:01Z"):
        answer = rest("POST", TOKENS, json={"description": "d", "preset": "full", "expires_at": expiry})
        assert refused(answer) == (422, "expiry_too_late")


def test_members_see_their_own_and_administrators_everybodys(world: World) -> None:
    member = api_token(world, READ, WRITE, role=Role.MEMBER, email="m@example.com")
    mine, admin = Rest(world, member.value), Rest(world)
    own = made(mine, scopes=[READ])
    assert [one["id"] for one in mine("GET", TOKENS).json()] == [member.token.id, own["id"]]
    everybodys = {one["id"] for one in admin("GET", TOKENS).json()}
    assert everybodys == {world.first.api_token.token.id, member.token.id, own["id"]}
    theirs = f"{TOKENS}/{world.first.api_token.token.id}"
    for method, path in (
        ("GET", theirs),
        ("PATCH", theirs),
        ("DELETE", theirs),
        ("POST", f"{theirs}/duplicate"),
    ):
        answer = mine(method, path, json={})
        assert (answer.status_code, answer.json()["message"]) == (404, "No API access token found"), path
    assert refused(admin("PATCH", f"{TOKENS}/{own['id']}", json={"description": "x"})) == (403, "forbidden")
    assert refused(admin("DELETE", f"{TOKENS}/{own['id']}")) == (403, "forbidden")
    assert refused(mine("DELETE", f"{TOKENS}/{own['id']}/organization")) == (403, "forbidden")


def test_filters(world: World) -> None:
    rest = Rest(world)
    member = api_token(world, READ, role=Role.MEMBER, email="m@example.com")
    first = world.first.api_token.token
    caller = Rest(world, member.value)
    caller.transport.address = "198.51.100.4"
    caller("GET", TOKENS)

    def ids(query: str) -> list[str]:
        answer = rest("GET", f"{TOKENS}?{query}")
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()]

    assert ids(f"user={member.token.user_id}") == ids("user=M@example.com") == [member.token.id]
    assert ids("user=nobody@example.com") == []
    assert ids("scope=write_agents") == [first.id]
    assert ids("ip=198.51.100.4") == ids("ip=198.51.100.0/24") == [member.token.id]
    assert ids(f"value_digest={member.token.digest.hex()[:8].upper()}") == [member.token.id]
    assert ids(f"value_digest={member.token.digest.hex()}&user={first.user_id}") == []
    assert [one["id"] for one in caller("GET", f"{TOKENS}?user={first.user_id}").json()] == []
    value = member.value.reveal()
    for query, code in ((f"value_digest={value}", "invalid_digest"), ("ip=here", "invalid_network")):
        answer = rest("GET", f"{TOKENS}?{query}")
        assert refused(answer) == (422, code)
        assert value not in answer.text
    page = rest("GET", f"{TOKENS}?per_page=1&scope={READ}")
    assert len(page.json()) == 1
    assert 'rel="next"' in page.headers["link"]


def test_a_whole_value_is_looked_up_in_the_body(world: World) -> None:
    rest = Rest(world)
    created = made(rest)
    value = created.pop("token")
    found = rest("POST", f"{TOKENS}/lookup", json={"value": value})
    assert (found.status_code, found.json()) == (200, created)
    rest("DELETE", f"{TOKENS}/{created['id']}")
    assert rest("POST", f"{TOKENS}/lookup", json={"value": value}).json()["state"] == "revoked"
    member = Rest(world, api_token(world, READ, role=Role.MEMBER, email="m@example.com").value)
    agent_token = world.first.agent_token.value.reveal()
    for caller, given in ((member, value), (rest, agent_token), (rest, "nothing"), (rest, "")):
        answer = caller("POST", f"{TOKENS}/lookup", json={"value": given})
        assert (answer.status_code, answer.json()["message"]) == (404, "No API access token found")


def test_edit_widens_no_further_than_the_caller(world: World) -> None:
    rest = Rest(world)
    created = made(rest, allowed_ip_addresses="203.0.113.0/24")
    path = f"{TOKENS}/{created['id']}"
    changed = rest("PATCH", path, json={"description": "new", "unknown": 1})
    assert (changed.status_code, changed.json()["description"]) == (200, "new")
    assert changed.json()["allowed_ip_addresses"] == "203.0.113.0/24"
    assert refused(rest("PUT", path, json={"description": ""})) == (422, "description_missing")
    assert (
        rest("PUT", path, json={"allowed_ip_addresses": None}).json()["allowed_ip_addresses"] == "0.0.0.0/0"
    )
    rest("PUT", path, json={"allowed_ip_addresses": "203.0.113.0/24"})
    # A caller with fewer scopes narrows, and does not widen.
    fewer = Rest(world, narrow_token(world, READ, WRITE).value)
    assert refused(fewer("PATCH", path, json={"allowed_ip_addresses": ""})) == (403, "wider_than_caller")
    assert fewer("PATCH", path, json={"allowed_ip_addresses": "203.0.113.0/25"}).status_code == 200
    # One with networks widens as far as these reach.
    bound = narrow_token(world, READ, WRITE, "read_agents", networks="203.0.113.0/26 2001:db8::/32")
    caller = Rest(world, bound.value)
    for networks, status in (
        ("203.0.113.0/25 2001:db8:1::/48", 200),
        ("203.0.113.0/24", 403),
        ("", 403),
        ("2001:db8::/31", 403),
    ):
        answer = caller("PATCH", path, json={"allowed_ip_addresses": networks})
        assert answer.status_code == status, networks
    own = Rest(world, created["token"])
    own.transport.address = "203.0.113.129"
    assert refused(own("GET", "agents")) == (403, "token_network_blocked")
    own.transport.address = "2001:db8:1::7"
    assert own("GET", "agents").status_code == 200


def test_revocation_is_for_everywhere_and_at_once(world: World) -> None:
    rest = Rest(world)
    created = made(rest)
    own = Rest(world, created["token"])
    assert own("GET", "agents").status_code == 200
    path = f"{TOKENS}/{created['id']}"
    assert rest("DELETE", path).status_code == 204
    assert refused(own("GET", "agents")) == (401, "token_revoked")
    assert rest("DELETE", path).status_code == 204
    shown = rest("GET", path).json()
    assert (shown["state"], shown["revoked_reason"]) == ("revoked", "revoked by its owner")
    assert created["id"] not in rest("GET", TOKENS).text
    assert len(events(world, Action.TOKEN_REVOKED)) == 1
    assert refused(rest("PATCH", path, json={"description": "x"})) == (422, "token_ended")


def test_another_like_this(world: World) -> None:
    rest = Rest(world)
    model = made(
        rest, description="nightly", allowed_ip_addresses="203.0.113.0/24", expires_at="2027-02-14T08:00:00Z"
    )
    world.clock.forward(DAY_US)
    copy = rest("POST", f"{TOKENS}/{model['id']}/duplicate")
    assert copy.status_code == 201
    same = ("description", "scopes", "allowed_ip_addresses", "organizations")
    assert [copy.json()[name] for name in same] == [model[name] for name in same]
    assert copy.json()["expires_at"] == "2027-02-15T08:00:00Z"
    assert copy.json()["token"] != model["token"]
    body = {"description": "other", "expires_at": None}
    named = rest("POST", f"{TOKENS}/{model['id']}/duplicate", json=body).json()
    assert (named["description"], named["expires_at"]) == ("other", None)
    narrow = Rest(world, narrow_token(world, READ, WRITE, expires_in=2 * DAY_US).value)
    answer = narrow("POST", f"{TOKENS}/{model['id']}/duplicate")
    assert refused(answer) == (403, "wider_than_caller")
    as_wide = Rest(world, narrow_token(world, READ, WRITE, "read_agents", expires_in=2 * DAY_US).value)
    shorter = as_wide("POST", f"{TOKENS}/{model['id']}/duplicate").json()
    assert shorter["expires_at"] == "2027-01-18T08:00:00Z"


def test_a_copy_reaches_no_organization_that_the_caller_does_not(world: World) -> None:
    other = second_organization(world)
    wide = wide_token(world, other, READ, WRITE)
    path = f"{TOKENS}/{wide.token.id}/duplicate"
    assert refused(Rest(world)("POST", path)) == (403, "wider_than_caller")
    copy = Rest(world, wide.value)("POST", path)
    assert copy.json()["organizations"] == ["acme", "other"]


def test_a_repeated_creation_makes_one_token(world: World) -> None:
    rest = Rest(world)
    headers = {"Idempotency-Key": "k1"}
    body = {"description": "d", "scopes": []}
    first = rest("POST", TOKENS, json=body, headers=headers)
    again = rest("POST", TOKENS, json=body, headers=headers)
    assert (first.status_code, again.json()) == (201, first.json())


def test_an_organization_is_removed_from_a_token_for_good(world: World) -> None:
    other = second_organization(world)
    token = wide_token(world, other)
    here, there = Rest(world, token.value), Rest(world, token.value, "other")
    assert here("GET", "agents").status_code == there("GET", "agents").status_code == 200
    rest = Rest(world)
    path = f"{TOKENS}/{token.token.id}"
    assert rest("DELETE", f"{path}/organization").status_code == 204
    gone = here("GET", "agents")
    assert (gone.status_code, gone.json()["message"]) == (404, "No organization found")
    assert there("GET", "agents").status_code == 200
    assert there("GET", "/v2/access-token").status_code == 200
    assert [one["slug"] for one in there("GET", "/v2/organizations").json()] == ["other"]
    for method, target in (("GET", path), ("DELETE", f"{path}/organization"), ("DELETE", path)):
        assert rest(method, target).status_code == 404
    (event,) = events(world, Action.TOKEN_ORGANIZATION_REMOVED)
    assert event.subject_id == token.token.id
    assert json.loads(event.data)["owner"] == world.first.admin.id


def test_graphql_refuses_a_removed_organization_at_once(world: World) -> None:
    token = wide_token(world, second_organization(world))
    graph = Graph(world, token.value)
    query = '{ here: organization(slug: "acme") { slug } there: organization(slug: "other") { slug } }'
    assert graph.ok(query) == {"here": {"slug": "acme"}, "there": {"slug": "other"}}
    Rest(world)("DELETE", f"{TOKENS}/{token.token.id}/organization")
    assert graph.ok(query) == {"here": None, "there": {"slug": "other"}}


def test_the_owner_of_a_removed_token_cannot_bring_it_back(world: World) -> None:
    other = second_organization(world)
    token = wide_token(world, other)
    Rest(world)("DELETE", f"{TOKENS}/{token.token.id}/organization")
    there = Rest(world, token.value, "other")
    answer = there("POST", TOKENS, json={"description": "d", "preset": "full", "organizations": ["acme"]})
    assert answer.json()["message"] == "No organization found"
    copy = there("POST", f"{TOKENS}/{token.token.id}/duplicate")
    assert copy.json()["organizations"] == ["other"]


@pytest.mark.parametrize("expiry", ["tomorrow", "1969-01-01T00:00:00Z"])
def test_expiries_that_are_none(world: World, expiry: str) -> None:
    body = {"description": "d", "scopes": [], "expires_at": expiry}
    assert refused(Rest(world)("POST", TOKENS, json=body)) == (422, "invalid_time")


def test_expired_tokens_are_listed_as_such(world: World) -> None:
    rest = Rest(world)
    created = made(rest, expires_at="2027-01-15T08:10:00Z")
    world.clock.forward(10 * MINUTE_US)
    shown = {one["id"]: one["state"] for one in rest("GET", TOKENS).json()}
    assert shown[created["id"]] == "expired"


def test_the_owner_is_told_of_a_removal(world: World) -> None:
    token = wide_token(world, second_organization(world))
    Rest(world)("DELETE", f"{TOKENS}/{token.token.id}/organization")
    (mail,) = world.run(world.context.store.read(lambda tx: tx.mails.list(Page(10))))
    assert (mail.recipient, mail.subject) == (
        "admin@example.com",
        "Acme was removed from your API access token",
    )


def test_rotation_gives_nobody_more_than_they_have(world: World) -> None:
    rest = Rest(world)
    created = made(rest, scopes=["read_agents", READ, WRITE])
    path = f"{TOKENS}/{created['id']}/rotation"
    narrow = Rest(world, narrow_token(world, READ, WRITE).value)
    bound = Rest(world, narrow_token(world, *ALL_SCOPES, networks="203.0.113.0/24").value)
    short = Rest(world, narrow_token(world, *ALL_SCOPES, expires_in=DAY_US).value)
    for caller in (narrow, bound, short):
        assert refused(caller("POST", path)) == (403, "wider_than_caller")
    wide = wide_token(world, second_organization(world), READ, WRITE)
    reaching = f"{TOKENS}/{wide.token.id}/rotation"
    assert refused(rest("POST", reaching)) == (403, "wider_than_caller")
    member = api_token(world, READ, WRITE, role=Role.MEMBER, email="m@example.com")
    theirs = f"{TOKENS}/{member.token.id}/rotation"
    assert refused(rest("POST", theirs)) == (403, "forbidden")
    own = Rest(world, created["token"])
    started = own("POST", path)
    assert started.status_code == 201, started.text
    value = started.json()["token"]
    assert own("GET", path).json()["state"] == "open"
    assert Rest(world, value)("GET", "agents").status_code == 200


def test_a_wide_token_rotates_a_narrow_one(world: World) -> None:
    rest = Rest(world)
    created = made(rest)
    path = f"{TOKENS}/{created['id']}/rotation"
    assert rest("POST", path).status_code == 201
    assert rest("DELETE", path).status_code == 204
    assert Rest(world, created["token"])("GET", "agents").status_code == 200


def test_a_token_issued_elsewhere_is_taken_over(world: World) -> None:
    rest = Rest(world)
    value = "0123456789abcdef0123456789abcdef01234567"
    body = {"description": "old", "scopes": ["read_agents"], "value": value}
    taken = rest("POST", f"{TOKENS}/import", json=body)
    assert taken.status_code == 201, taken.text
    assert value not in taken.text
    assert Rest(world, value)("GET", "agents").status_code == 200
    assert refused(rest("POST", f"{TOKENS}/import", json=body)) == (422, "value_known")
    by_digest = "fedcba9876543210fedcba9876543210"
    digest = hashlib.sha256(by_digest.encode()).hexdigest()
    body = {"description": "old", "scopes": ["read_agents"], "digest": digest}
    assert rest("POST", f"{TOKENS}/import", json=body).status_code == 201
    assert Rest(world, by_digest)("GET", "agents").status_code == 200
    flagged = rest("GET", "hygiene?reason=imported").json()["tokens"]
    assert taken.json()["id"] in [one["id"] for one in flagged]
    assert len(flagged) == 2
    assert len(events(world, Action.TOKEN_IMPORTED)) == 2


def test_an_import_is_no_way_to_a_wider_token(world: World) -> None:
    narrow = Rest(world, narrow_token(world, READ, WRITE).value)
    body = {"description": "d", "scopes": ["read_agents"], "value": "x" * 40}
    assert refused(narrow("POST", f"{TOKENS}/import", json=body)) == (403, "wider_than_caller")
    agent = world.first.agent_token.value.reveal()
    for given, code in (
        ({}, "invalid_import"),
        ({"value": "short"}, "invalid_value"),
        ({"digest": "ab"}, "invalid_digest"),
        ({"value": agent}, "wrong_shape"),
    ):
        answer = Rest(world)("POST", f"{TOKENS}/import", json={"description": "d", "scopes": [], **given})
        assert refused(answer) == (422, code), given
        assert agent not in answer.text
