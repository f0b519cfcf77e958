"""REST: the hygiene report and the audit of API access."""

import csv
import io
from typing import Any

from rest_client import Rest, api_token
from support import World
from watchword.domain.accounts import Role
from watchword.domain.hygiene import REASONS, Flag
from watchword.domain.kinds import Kind
from watchword.domain.people import SignInData
from watchword.domain.scopes import ALL_SCOPES
from watchword.domain.tokens import DAY_US
from watchword.services.context import LOCAL
from watchword.services.exchanging import Registration, register

AUDIT = "api-access-audit"
COLUMNS = [
    "Owner",
    "Owner Email",
    "Owner ID",
    "Token UUID",
    "Token Description",
    "Last Used At",
    "Last Request IP",
    "Created At",
    "Scopes",
]


def test_hygiene_lists_what_needs_attention_and_counts_reasons(world: World) -> None:
    member = api_token(world, "read_agents", role=Role.MEMBER, email="m@example.com")
    world.clock.forward(2 * DAY_US)
    rest = Rest(world)
    Rest(world, member.value)("GET", "agents")
    found = rest("GET", "hygiene").json()
    reasons = {one["id"]: one["reasons"] for one in found["tokens"]}
    admin, agent = world.first.api_token.token, world.first.agent_token.token
    assert reasons == {
        agent.id: ["never_used"],
        admin.id: ["all_scopes", "no_expiry", "administrator_without_networks"],
        member.token.id: ["no_expiry"],
    }
    assert found["inspected"] == 3
    counts = {one["code"]: one["count"] for one in found["reasons"]}
    assert counts == {"never_used": 1, "all_scopes": 1, "no_expiry": 2, "administrator_without_networks": 1}
    assert all(one["text"] == REASONS[Flag(one["code"])] for one in found["reasons"])
    kinds = {
        one["id"]: (one["kind"], one["cluster_id"], one["owner"] and one["owner"]["email"])
        for one in found["tokens"]
    }
    assert kinds[agent.id] == ("agent", world.first.cluster.id, None)
    assert kinds[member.token.id] == ("api_access", None, "m@example.com")


def test_hygiene_by_reason_and_page(world: World) -> None:
    rest = Rest(world)
    api_token(world, "read_agents")
    first = rest("GET", "hygiene?reason=no_expiry&per_page=1")
    assert len(first.json()["tokens"]) == 1
    assert 'rel="next"' in first.headers["link"]
    second = rest("GET", "hygiene?reason=no_expiry&per_page=1&page=2")
    assert len(second.json()["tokens"]) == 1
    assert 'rel="next"' not in second.headers["link"]
    assert rest("GET", "hygiene?reason=imported").json()["tokens"] == []
    refused = rest("GET", "hygiene?reason=odd")
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_reason")


def test_whose_owner_left_is_flagged(world: World) -> None:
    member = api_token(world, "read_agents", role=Role.MEMBER, email="m@example.com")
    world.database.query(f"DELETE FROM members WHERE user_id = '{member.token.user_id}'")
    (found,) = Rest(world)("GET", "hygiene?reason=owner_left").json()["tokens"]
    assert (found["id"], found["owner"]["email"]) == (member.token.id, "m@example.com")


def test_whose_owner_is_disabled_is_flagged(world: World) -> None:
    member = api_token(world, "read_agents", role=Role.MEMBER, email="m@example.com")
    owner = member.token.user_id
    assert owner is not None
    data = SignInData(owner, disabled_at=7)
    world.run(world.context.store.write(lambda tx: tx.people.save_sign_in_data(data)))
    (found,) = Rest(world)("GET", "hygiene?reason=owner_disabled").json()["tokens"]
    assert found["id"] == member.token.id


def test_hygiene_and_audit_are_administrators(world: World) -> None:
    member = Rest(world, api_token(world, *ALL_SCOPES, role=Role.MEMBER, email="m@example.com").value)
    for path in ("hygiene", AUDIT, f"{AUDIT}.csv"):
        assert member("GET", path).status_code == 403, path


def audit_csv(rest: Rest, query: str = "") -> list[dict[str, str]]:
    answer = rest("GET", f"{AUDIT}.csv{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.text.splitlines()[0].split(",") == COLUMNS
    return rows


def test_the_access_audit(world: World) -> None:
    rest = Rest(world)
    member = api_token(world, "read_agents", "read_builds", role=Role.MEMBER, email="m@example.com")
    Rest(world, member.value)("GET", "agents")
    row = audit_csv(rest, "?admin=false")[0]
    assert row == {
        "Owner": "m",
        "Owner Email": "m@example.com",
        "Owner ID": member.token.user_id,
        "Token UUID": member.token.id,
        "Token Description": "a token",
        "Last Used At": "2027-01-15T08:00:00.000Z",
        "Last Request IP": "203.0.113.9",
        "Created At": "2027-01-15T08:00:00.000Z",
        "Scopes": "read_agents read_builds",
    }
    listed: list[dict[str, Any]] = rest("GET", AUDIT).json()
    assert [one["token_uuid"] for one in listed] == [one["Token UUID"] for one in audit_csv(rest)]
    assert listed[1]["owner_role"] == "member"
    for query, count in (
        ("user=m@example.com", 1),
        ("scope=read_builds", 2),
        ("scope=read_builds&admin=true", 1),
        ("ip=203.0.113.9", 2),
        (f"value_digest={member.token.digest.hex()[:10]}", 1),
        ("user=nobody@example.com", 0),
    ):
        assert len(rest("GET", f"{AUDIT}?{query}").json()) == count, query
        assert len(audit_csv(rest, f"?{query}")) == count, query
    assert rest("GET", f"{AUDIT}?admin=maybe").status_code == 422
    assert 'rel="next"' in rest("GET", f"{AUDIT}?per_page=1").headers["link"]


def test_no_cell_of_the_audit_is_run_as_a_formula(world: World) -> None:
    rest = Rest(world)
    for sign in ("=", "+", "-", "@", "\t"):
        description = f"{sign}cmd|' /C calc'!A0,\"x\"\nnext"
        world.database.query(
            "UPDATE tokens SET description = '"
            + description.replace("'", "''")
            + "' WHERE kind = 'api_access'"
        )
        (row,) = audit_csv(rest)
        assert row["Token Description"] == f"'{description}"


def test_agents_show_their_token_and_their_sessions_last_use(world: World) -> None:
    authority, first = world.authority, world.first
    value = first.agent_token.value.reveal()
    presented = world.run(authority.verifier.verify(value, (Kind.AGENT,), address="192.0.2.7"))
    asked = Registration(name="one", version="3.100.0")
    joined = world.run(register(authority.context, authority.fleet, LOCAL, presented, asked))
    rest = Rest(world)
    path = f"agents/{joined.agent.id}"
    shown = rest("GET", path).json()
    assert (shown["agent_token_id"], shown["session_last_used_at"]) == (first.agent_token.token.id, None)
    session = joined.value.reveal()
    world.run(authority.verifier.verify(session, (Kind.AGENT_SESSION,), address="192.0.2.8"))
    for flush in (False, True):
        if flush:
            world.run(authority.flush())
        shown = rest("GET", path).json()
        assert shown["session_last_used_at"] == "2027-01-15T08:00:00.000Z"
        assert shown["session_last_used_from"] == "192.0.2.8"
