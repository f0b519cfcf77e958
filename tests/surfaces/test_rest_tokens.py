"""REST: agent tokens, with the calls of the documentation (contract rest-graphql §2.6, §4.5)."""

import base64
from typing import Any

import pytest

from rest_client import Rest, api_token
from support import MINUTE_US, World
from watchword.crypto.values import digest
from watchword.domain.kinds import Kind

LIFE_US = 10 * MINUTE_US


def create(rest: Rest, **body: Any) -> Any:
    response = rest("POST", rest.tokens, json={"description": "linux", **body})
    assert response.status_code == 201, response.text
    return response.json()


def test_documented_curl_calls(world: World) -> None:
    rest = Rest(world)
    headers = {"Content-Type": "application/json"}
    made = rest(
        "POST",
        rest.tokens,
        headers=headers,
        content='{ "description": "Windows agents", "expires_at": "2030-01-01T00:00:00Z", '
        '"allowed_ip_addresses": "202.144.0.0/24 198.51.100.12" }',
    )
    assert made.status_code == 201
    token = made.json()
    assert token["description"] == "Windows agents"
    assert token["allowed_ip_addresses"] == "202.144.0.0/24 198.51.100.12"
    assert token["expires_at"] == "2030-01-01T00:00:00Z"
    assert token["created_at"] == "2027-01-15T08:00:00.000Z"
    assert base64.b64decode(token["graphql_id"]).decode() == f"ClusterToken---{token['id']}"
    assert token["created_by"]["email"] == "admin@example.com"
    assert token["url"] == f"{token['cluster_url']}/tokens/{token['id']}"
    assert token.pop("token").startswith("bkct_MTA.")

    path = f"{rest.tokens}/{token['id']}"
    assert rest("GET", path).json() == token
    assert [one["description"] for one in rest("GET", rest.tokens).json()] == [
        "Initial agent token",
        "Windows agents",
    ]
    body = '{ "description": "Windows", "expires_at": "2030-01-01T00:00:00Z", "allowed_ip_addresses": "" }'
    changed = rest("PUT", path, headers=headers, content=body).json()
    assert (changed["description"], changed["allowed_ip_addresses"]) == ("Windows", "0.0.0.0/0")
    assert "token" not in changed
    gone = rest("DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    for method in ("GET", "DELETE"):
        assert rest(method, path).json()["message"] == "No agent token found"
    assert len(rest("GET", rest.tokens).json()) == 1


def test_value_registers_and_is_kept_as_digest_only(world: World) -> None:
    rest = Rest(world)
    value = create(rest)["token"]
    verify = world.authority.verifier.verify
    presented = world.run(verify(value, (Kind.AGENT,), address="192.0.2.7", agent="buildkite-agent/3.100"))
    assert presented.holder.digest == digest(value)
    assert value not in rest("GET", rest.tokens).text
    shown = rest("GET", f"{rest.tokens}/{presented.id}").json()
    assert (shown["last_used_at"], shown["last_used_from"]) == ("2027-01-15T08:00:00.000Z", "192.0.2.7")
    world.run(world.authority.flush())
    assert rest("GET", rest.tokens).json()[-1]["last_used_from"] == "192.0.2.7"


def test_own_restrictions(world: World) -> None:
    rest = Rest(world)
    token = create(
        rest,
        not_before="2027-02-01T00:00:00+01:00",
        max_uses=1,
        queue="default",
        tags=["os=linux"],
        allowed_ip_addresses="2001:db8::/32,10.0.0.1",
    )
    assert token["not_before"] == "2027-01-31T23:00:00Z"
    assert (token["max_uses"], token["uses"]) == (1, 0)
    assert (token["queue"], token["tags"]) == ("default", ["os=linux"])
    assert token["allowed_ip_addresses"] == "2001:db8::/32 10.0.0.1"
    path = f"{rest.tokens}/{token['id']}"
    widened = rest("PATCH", path, json={"allowed_ip_addresses": "0.0.0.0/0"}).json()
    assert (widened["allowed_ip_addresses"], widened["queue"]) == ("0.0.0.0/0", "default")
    same = {key: token[key] for key in ("not_before", "max_uses", "queue", "tags", "expires_at")}
    assert rest("PATCH", path, json=same).status_code == 200
    changes: list[dict[str, Any]] = [
        {"not_before": None},
        {"max_uses": 2},
        {"queue": ""},
        {"tags": []},
        {"expires_at": "2031-01-01T00:00:00Z"},
    ]
    for change in changes:
        response = rest("PATCH", path, json={**change, "description": "changed"})
        assert (response.status_code, response.json()["code"]) == (422, "immutable"), change
    assert rest("GET", path).json()["description"] == "linux"


def test_expiry_is_fixed(world: World) -> None:
    rest = Rest(world)
    token = create(rest, expires_at="2030-01-01T00:00:00.750Z")
    path = f"{rest.tokens}/{token['id']}"
    assert rest("PUT", path, json={"expires_at": "2030-01-01T01:00:00+01:00"}).status_code == 200
    for other in ("2030-01-01T00:00:01Z", None, "", "soon"):
        assert rest("PUT", path, json={"expires_at": other}).status_code == 422


def test_null_clears_networks_and_absent_keeps_them(world: World) -> None:
    rest = Rest(world)
    path = f"{rest.tokens}/{create(rest, allowed_ip_addresses='10.0.0.0/8')['id']}"
    assert rest("PATCH", path, json={"description": "a"}).json()["allowed_ip_addresses"] == "10.0.0.0/8"
    assert rest("PATCH", path, json={"allowed_ip_addresses": None}).json()[
        "allowed_ip_addresses"
    ] == "0.0.0.0/0"  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "description_missing"),
        ({"description": "  "}, "description_missing"),
        ({"description": "d" * 256}, "description_too_long"),
        ({"description": ["d"]}, "invalid_body"),
        ({"description": "d", "expires_at": "tomorrow"}, "invalid_time"),
        ({"description": "d", "expires_at": "0001-01-01T00:00:00+23:00"}, "invalid_time"),
        ({"description": "d", "expires_at": 1900000000}, "invalid_body"),
        ({"description": "d", "expires_at": "2027-01-15T08:09:59Z"}, "expiry_too_soon"),
        ({"description": "d", "allowed_ip_addresses": "nowhere"}, "invalid_network"),
        ({"description": "d", "allowed_ip_addresses": "10.0.0.1/8"}, "invalid_network"),
        ({"description": "d", "allowed_ip_addresses": " ".join(["10.0.0.1"] * 25)}, "too_many_networks"),
        ({"description": "d", "max_uses": -1}, "invalid_body"),
        ({"description": "d", "max_uses": 10**30}, "invalid_body"),
        ({"description": "d", "max_uses": 1.5}, "invalid_body"),
        ({"description": "d", "queue": "nowhere"}, "unknown_queue"),
        ({"description": "d", "queue": "a b"}, "invalid_queue_key"),
        ({"description": "d", "tags": ["queue=default"]}, "queue_in_tags"),
        ({"description": "d", "tags": ["x" * 256]}, "invalid_tag"),
        ({"description": "d", "tags": ["a=b"] * 21}, "too_many_tags"),
        ({"description": "d", "tags": "a=b"}, "invalid_body"),
    ],
)
def test_refused_creations(world: World, body: dict[str, Any], code: str) -> None:
    rest = Rest(world)
    response = rest("POST", rest.tokens, json=body)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert len(rest("GET", rest.tokens).json()) == 1


def test_ten_minutes_is_enough(world: World) -> None:
    rest = Rest(world)
    token = create(rest, expires_at="2027-01-15T08:10:00Z")
    world.clock.forward(LIFE_US)
    assert rest("GET", f"{rest.tokens}/{token['id']}").json()["expires_at"] == "2027-01-15T08:10:00Z"


def test_repeated_key_repeats_the_answer(world: World) -> None:
    rest = Rest(world)
    headers = {"Idempotency-Key": "k1"}
    first = rest("POST", rest.tokens, json={"description": "once"}, headers=headers)
    again = rest("POST", rest.tokens, json={"description": "once"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert len(rest("GET", rest.tokens).json()) == 2
    other = rest("POST", rest.tokens, json={"description": "other"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    elsewhere = rest("POST", "clusters", json={"description": "once"}, headers=headers)
    assert elsewhere.json()["code"] == "idempotency_key_reused"
    mine = Rest(world, api_token(world, "read_clusters", "write_clusters").value)
    assert mine("POST", mine.tokens, json={"description": "once"}, headers=headers).content != first.content
    path = f"{rest.tokens}/{first.json()['id']}"
    for _ in range(2):
        assert rest("DELETE", path, headers={"Idempotency-Key": "k2"}).status_code == 204
    assert rest("DELETE", path).status_code == 404
    long = rest("POST", rest.tokens, json={"description": "x"}, headers={"Idempotency-Key": "k" * 256})
    assert (long.status_code, long.json()["code"]) == (422, "invalid_key")


def test_failed_creation_is_not_remembered(world: World) -> None:
    rest = Rest(world)
    headers = {"Idempotency-Key": "k"}
    assert rest("POST", rest.tokens, json={}, headers=headers).status_code == 422
    assert rest("POST", rest.tokens, json={"description": "d"}, headers=headers).status_code == 201


def test_lost_role_gets_no_repetition(world: World) -> None:
    issued = api_token(world, "write_clusters", email="second@example.com")
    rest = Rest(world, issued.value)
    headers = {"Idempotency-Key": "k"}
    assert rest("POST", rest.tokens, json={"description": "d"}, headers=headers).status_code == 201
    world.database.query(f"UPDATE members SET role = 'member' WHERE user_id = '{issued.token.user_id}'")
    assert rest("POST", rest.tokens, json={"description": "d"}, headers=headers).status_code == 403


def test_token_of_another_cluster_is_not_found(world: World) -> None:
    rest = Rest(world)
    other = rest("POST", "clusters", json={"name": "Other"}).json()
    path = f"clusters/{other['id']}/tokens/{world.first.agent_token.token.id}"
    for method in ("GET", "PATCH", "DELETE"):
        assert rest(method, path).status_code == 404
    # Neither is a token of another kind.
    assert rest("GET", f"{rest.tokens}/{world.first.api_token.token.id}").status_code == 404
