"""REST: revoking in modes, dry runs and receipts; imports; agent tokens of no cluster."""

from typing import Any

import pytest

from rest_client import Rest, api_token
from support import MINUTE_US, World
from watchword.domain.errors import Refused
from watchword.domain.kinds import Kind
from watchword.services.context import LOCAL
from watchword.services.exchanging import Joined, Registration, register

UNCLUSTERED = "agent-tokens"
VALUE = "0123456789abcdef0123456789abcdef01234567"
KINDS = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)
SESSION = (Kind.AGENT_SESSION,)


@pytest.fixture(params=["clustered", "unclustered"])
def tokens(request: pytest.FixtureRequest, world: World) -> str:
    """Path of the tokens: what holds for agent tokens of a cluster holds for those of none."""
    return Rest(world).tokens if request.param == "clustered" else UNCLUSTERED


def create(rest: Rest, path: str, **body: Any) -> Any:
    response = rest("POST", path, json={"description": "linux", **body})
    assert response.status_code == 201, response.text
    return response.json()


def join(world: World, value: str) -> Joined:
    authority = world.authority
    presented = world.run(authority.verifier.verify(value, KINDS, address="192.0.2.7", agent="ba/3.1"))
    asked = Registration(name="a", version="3.100.0")
    joined = world.run(register(authority.context, authority.fleet, LOCAL, presented, asked))
    world.run(authority.fleet.connect(LOCAL, joined.agent.organization_id, joined.agent.id))
    return joined


def alive(world: World, joined: Joined) -> bool:
    verify = world.authority.verifier.verify
    try:
        world.run(verify(joined.value.reveal(), SESSION, address="192.0.2.7"))
    except Refused as error:
        return error.code != "session_ended"
    return True


def test_a_dry_run_counts_and_changes_nothing(world: World, tokens: str) -> None:
    rest = Rest(world)
    made = create(rest, tokens)
    agent = join(world, made["token"])
    path = f"{tokens}/{made['id']}"
    counted = rest("DELETE", path, params={"dry_run": "true", "mode": "cut"})
    assert counted.status_code == 200
    assert counted.json() == {
        "agents_connected": 1,
        "agents_joining": 0,
        "agents_busy": 0,
        "running_jobs": 0,
        "running_job_ids": [],
        "sessions": 1,
        "callers_count": 1,
        "callers": [
            {
                "address": "192.0.2.7",
                "client": "ba/3.1",
                "count": 1,
                "last_at": "2027-01-15T08:00:00.000Z",
            }
        ],
        "last_used_at": "2027-01-15T08:00:00.000Z",
        "last_used_from": "192.0.2.7",
    }
    assert rest("GET", f"{path}/blast-radius").json() == counted.json()
    assert rest("DELETE", path, json={"dry_run": True}).json() == counted.json()
    inside = rest("PATCH", path, json={"allowed_ip_addresses": "192.0.2.0/24", "dry_run": True}).json()
    outside = rest("PATCH", path, json={"allowed_ip_addresses": "10.0.0.0/8", "dry_run": True}).json()
    assert (inside["callers_count"], outside["callers_count"], outside["agents_connected"]) == (0, 1, 1)
    assert alive(world, agent)
    assert rest("GET", path).json()["state"] == "active"
    assert rest("GET", path).json()["allowed_ip_addresses"] == "0.0.0.0/0"
    assert rest("GET", f"{path}/revocation").json()["message"] == "No revocation found"


def test_a_drain_gives_a_receipt_and_may_become_a_cut(world: World, tokens: str) -> None:
    rest = Rest(world)
    made = create(rest, tokens)
    agent = join(world, made["token"])
    path = f"{tokens}/{made['id']}"
    query = {"mode": "drain", "deadline_in_minutes": "30", "reason": "leaked", "receipt": "true"}
    drained = rest("DELETE", path, params=query)
    assert drained.status_code == 200
    receipt = drained.json()
    assert (receipt["mode"], receipt["change"], receipt["reason"]) == ("drain", "revoke", "leaked")
    assert (receipt["agents"], receipt["remaining"], receipt["nodes"]) == (1, 1, 1)
    assert receipt["committed"] == receipt["effective"] == "2027-01-15T08:00:00.000Z"
    assert (receipt["deadline"], receipt["finished"]) == ("2027-01-15T08:30:00.000Z", None)
    assert receipt["revoked_by"]["email"] == "admin@example.com"
    assert rest("GET", f"{path}/revocation").json() == receipt
    assert alive(world, agent)
    cut = rest("DELETE", path, json={"mode": "cut", "reason": "now"})
    assert (cut.status_code, cut.content) == (204, b"")
    assert not alive(world, agent)
    after = rest("GET", f"{path}/revocation").json()
    assert (after["mode"], after["agents_cut"], after["remaining"]) == ("cut", 1, 0)
    assert after["finished"]
    weaker = rest("DELETE", path, params={"mode": "stop-joining", "receipt": "true", "reason": "no"})
    assert weaker.json() == after


def test_a_second_revocation_that_names_no_mode_is_refused(world: World) -> None:
    rest = Rest(world)
    path = f"{rest.tokens}/{create(rest, rest.tokens)['id']}"
    assert rest("DELETE", path).status_code == 204
    assert rest("DELETE", path).json()["message"] == "No agent token found"
    loose = f"{UNCLUSTERED}/{create(rest, UNCLUSTERED)['id']}"
    missing = rest("DELETE", loose)
    assert (missing.status_code, missing.json()["code"]) == (422, "reason_missing")
    assert rest("DELETE", loose, params={"reason": "old"}).status_code == 204
    again = rest("DELETE", loose, params={"reason": "old"})
    assert (again.status_code, again.json()["message"]) == (422, "This token has already been revoked")


def test_a_key_stands_for_one_query(world: World) -> None:
    rest = Rest(world)
    path = f"{rest.tokens}/{create(rest, rest.tokens)['id']}"
    headers = {"Idempotency-Key": "k"}
    for _ in range(2):
        drained = rest("DELETE", path, params={"mode": "drain", "receipt": "true"}, headers=headers)
        assert drained.json()["mode"] == "drain"
    other = rest("DELETE", path, params={"mode": "cut"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_narrowing_cuts_who_is_outside(world: World, tokens: str) -> None:
    rest = Rest(world)
    made = create(rest, tokens)
    agent = join(world, made["token"])
    path = f"{tokens}/{made['id']}"
    stay = rest("PUT", path, json={"description": "d", "allowed_ip_addresses": "10.0.0.0/8"})
    assert stay.json()["allowed_ip_addresses"] == "10.0.0.0/8"
    assert alive(world, agent)
    body = {"allowed_ip_addresses": "10.0.0.0/8", "mode": "cut"}
    assert rest("PATCH", path, json=body).json()["description"] == "d"
    assert not alive(world, agent)
    receipt = rest("GET", f"{path}/revocation").json()
    assert (receipt["change"], receipt["mode"], receipt["agents_cut"]) == ("narrow", "cut", 1)
    assert receipt["allowed_ip_addresses"] == "10.0.0.0/8"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"mode": "kill"}, "invalid_mode"),
        ({"mode": "cut", "deadline_in_minutes": "5"}, "invalid_deadline"),
        ({"mode": "drain", "deadline_in_minutes": "0"}, "invalid_deadline"),
        ({"mode": "drain", "deadline_in_minutes": "soon"}, "invalid_deadline"),
        ({"mode": "drain", "deadline_in_minutes": "9" * 30}, "invalid_deadline"),
        ({"dry_run": "perhaps"}, "invalid_query"),
        ({"receipt": "perhaps"}, "invalid_query"),
        ({"reason": "r" * 256}, "reason_too_long"),
    ],
)
def test_queries_that_are_refused(world: World, query: dict[str, str], code: str) -> None:
    rest = Rest(world)
    path = f"{rest.tokens}/{create(rest, rest.tokens)['id']}"
    refused = rest("DELETE", path, params=query)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert rest("GET", path).json()["state"] == "active"


def test_imports(world: World, tokens: str) -> None:
    rest = Rest(world)
    made = rest("POST", f"{tokens}/import", json={"description": "old", "value": VALUE})
    assert made.status_code == 201
    assert VALUE not in made.text
    token = made.json()
    assert (token["imported"], token["description"]) == (True, "old")
    assert "token" not in token
    join(world, VALUE)
    again = rest("POST", f"{tokens}/import", json={"description": "old", "value": VALUE})
    assert (again.status_code, again.json()["code"]) == (422, "value_known")
    assert VALUE not in again.text
    short = rest("POST", f"{tokens}/import", json={"description": "old", "value": VALUE[:19]})
    assert (short.status_code, short.json()["code"]) == (422, "invalid_value")
    assert VALUE[:19] not in short.text
    blank = rest("POST", f"{tokens}/import", json={"value": "x" * 40})
    assert blank.json()["code"] == "description_missing"
    by_digest = rest("POST", f"{tokens}/import", json={"description": "d", "digest": "AB" * 32})
    assert by_digest.status_code == 201
    assert rest("GET", f"{tokens}/{token['id']}").json()["last_used_from"] == "192.0.2.7"


def test_unclustered_tokens(world: World) -> None:
    rest = Rest(world)
    made = create(rest, UNCLUSTERED, max_uses=3, tags=["os=linux"], expires_at="2030-01-01T00:00:00Z")
    value = made.pop("token")
    assert value.startswith("bkar_MTA.")
    assert "cluster_url" not in made
    assert made["url"].endswith(f"/v2/organizations/acme/agent-tokens/{made['id']}")
    path = f"{UNCLUSTERED}/{made['id']}"
    assert rest("GET", path).json() == made
    assert (made["max_uses"], made["tags"], made["revoked_at"]) == (3, ["os=linux"], None)
    assert rest("PATCH", path, json={"description": "new"}).json()["description"] == "new"
    assert rest("PATCH", path, json={"max_uses": 4}).json()["code"] == "immutable"
    live = create(rest, UNCLUSTERED)
    assert rest("DELETE", path, params={"reason": "leaked"}).status_code == 204
    gone = rest("GET", path).json()
    assert (gone["state"], gone["revoked_reason"], gone["revoked_at"]) == (
        "revoked",
        "leaked",
        "2027-01-15T08:00:00.000Z",
    )
    assert gone["revoked_by"]["email"] == "admin@example.com"

    def ids(**query: str) -> list[str]:
        return [one["id"] for one in rest("GET", UNCLUSTERED, params=query).json()]

    assert ids() == [made["id"], live["id"]]
    assert ids(revoked="true") == ids(state="revoked") == [made["id"]]
    assert ids(revoked="false") == ids(state="active") == [live["id"]]
    assert ids(page="2", per_page="1") == [live["id"]]
    assert rest("GET", UNCLUSTERED, params={"state": "odd"}).json()["code"] == "invalid_state"


def test_tokens_of_a_cluster_by_state(world: World) -> None:
    rest = Rest(world)
    brief = create(rest, rest.tokens, expires_at="2027-01-15T08:10:00Z")
    gone = create(rest, rest.tokens)
    rest("DELETE", f"{rest.tokens}/{gone['id']}")
    world.clock.forward(11 * MINUTE_US)

    def ids(**query: str) -> list[str]:
        return [one["id"] for one in rest("GET", rest.tokens, params=query).json()]

    first = world.first.agent_token.token.id
    assert ids() == [first, brief["id"]]
    assert ids(state="active") == [first]
    assert ids(state="expired") == [brief["id"]]
    assert ids(state="revoked") == [gone["id"]]


def test_a_token_is_found_on_its_own_path_alone(world: World) -> None:
    rest = Rest(world)
    loose, bound = create(rest, UNCLUSTERED)["id"], create(rest, rest.tokens)["id"]
    for path in (f"{rest.tokens}/{loose}", f"{UNCLUSTERED}/{bound}", f"{UNCLUSTERED}/none"):
        for method, more in (("GET", ""), ("PATCH", ""), ("GET", "/blast-radius"), ("GET", "/revocation")):
            assert rest(method, path + more).json()["message"] == "No agent token found"
        for query in ({"reason": "x"}, {"mode": "cut", "reason": "x"}, {"dry_run": "true"}):
            assert rest("DELETE", path, params=query).status_code == 404


def test_scopes_of_unclustered_tokens_are_those_of_agents(world: World) -> None:
    reader = Rest(world, api_token(world, "read_agents").value)
    assert reader("GET", UNCLUSTERED).status_code == 200
    assert reader("POST", UNCLUSTERED, json={"description": "d"}).status_code == 403
    clusters = Rest(world, api_token(world, "read_clusters", "write_clusters").value)
    assert clusters("GET", UNCLUSTERED).status_code == 403
