"""REST: the person, the presented token, organizations, clusters and queues."""

import base64

from rest_client import Rest, api_token
from support import World


def test_user(world: World) -> None:
    user = Rest(world)("GET", "/v2/user").json()
    assert set(user) == {"id", "graphql_id", "name", "email", "avatar_url", "created_at"}
    assert base64.b64decode(user["graphql_id"]).decode() == f"User---{world.first.admin.id}"
    assert user["created_at"] == "2027-01-15T08:00:00.000Z"


def test_access_token_shows_itself_whatever_its_scopes(world: World) -> None:
    issued = api_token(world)
    shown = Rest(world, issued.value)("GET", "/v2/access-token").json()
    assert shown == {
        "uuid": issued.token.id,
        "scopes": [],
        "description": "a token",
        "created_at": "2027-01-15 08:00:00 UTC",
        "expires_at": None,
        "user": {"name": "Ada Admin", "email": "admin@example.com"},
    }
    scopes = Rest(world)("GET", "/v2/access-token").json()["scopes"]
    assert "write_clusters" in scopes
    assert scopes == sorted(scopes)


def test_access_token_revokes_itself(world: World) -> None:
    issued = api_token(world)
    rest = Rest(world, issued.value)
    assert rest("GET", "/v2/access-token").status_code == 200
    gone = rest("DELETE", "/v2/access-token")
    assert (gone.status_code, gone.content) == (204, b"")
    assert "content-type" not in gone.headers
    again = rest("GET", "/v2/access-token")
    assert (again.status_code, again.json()["code"]) == (401, "token_revoked")
    assert "revoked" in again.json()["message"]
    events = world.run(
        world.context.store.read(lambda tx: tx.audit.events(world.first.organization.id, 0, 100))
    )
    last = events[-1]
    assert (last.action, last.actor_kind, last.address) == ("token.revoked", "user", "203.0.113.9")
    assert last.request_id == "r-1"


def test_organization(world: World) -> None:
    rest = Rest(world)
    listed = rest("GET", "/v2/organizations").json()
    assert listed == [rest("GET", "/v2/organizations/acme").json()]
    assert listed[0]["slug"] == "acme"
    assert listed[0]["agents_url"].endswith("/v2/organizations/acme/agents")
    assert rest("GET", "/v2/organizations?page=2").json() == []


def test_cluster_life(world: World) -> None:
    rest = Rest(world)
    body = '{"name": " Open Source ", "description": "d", "emoji": ":technologist:", "color": "#A9CCE3"}'
    made = rest("POST", "clusters", content=body)
    assert made.status_code == 201
    cluster = made.json()
    assert base64.b64decode(cluster["graphql_id"]).decode() == f"Cluster---{cluster['id']}"
    assert (cluster["name"], cluster["color"]) == ("Open Source", "#A9CCE3")
    assert cluster["default_queue_id"] is cluster["default_queue_url"] is None
    assert cluster["maintainers"] == {"users": [], "teams": []}
    path = f"clusters/{cluster['id']}"
    assert rest("GET", path).json() == cluster

    queue = rest("POST", f"{path}/queues", json={"key": "linux", "description": "amd64"}).json()
    assert base64.b64decode(queue["graphql_id"]).decode() == f"ClusterQueue---{queue['id']}"
    assert queue["retry_agent_affinity"] == "prefer-warmest"
    assert queue["dispatch_paused"] is False
    assert rest("GET", f"{path}/queues").json() == [queue]
    assert rest("GET", f"{path}/queues/{queue['id']}").json() == queue

    changed = rest("PATCH", path, json={"default_queue_id": queue["id"], "emoji": None}).json()
    assert (changed["default_queue_id"], changed["emoji"]) == (queue["id"], None)
    assert (changed["description"], changed["name"]) == ("d", "Open Source")
    renamed = rest("PUT", path, json={"name": "OSS", "unknown": 1}).json()
    assert (renamed["name"], renamed["default_queue_id"]) == ("OSS", queue["id"])
    cleared = rest("PATCH", path, json={"default_queue_id": None}).json()
    assert cleared["default_queue_id"] is None

    assert rest("DELETE", path).status_code == 204
    assert rest("GET", path).json()["message"] == "No cluster found"


def test_default_queue_is_of_the_same_cluster(world: World) -> None:
    rest = Rest(world)
    other = rest("POST", "clusters", json={"name": "Other"}).json()
    response = rest("PATCH", f"clusters/{other['id']}", json={"default_queue_id": world.first.queue.id})
    assert (response.status_code, response.json()["code"]) == (422, "unknown_queue")
    response = rest("PATCH", f"clusters/{other['id']}", json={"default_queue_id": "x"})
    assert (response.status_code, response.json()["code"]) == (422, "unknown_queue")


def test_default_cluster_stays(world: World) -> None:
    response = Rest(world)("DELETE", f"clusters/{world.first.cluster.id}")
    assert response.status_code == 422
    assert "default cluster" in response.json()["message"]


def test_queues_refuse_what_they_cannot_be(world: World) -> None:
    rest = Rest(world)
    path = f"clusters/{world.first.cluster.id}/queues"
    for body, code in (
        ({"key": "a b"}, "invalid_queue_key"),
        ({}, "invalid_queue_key"),
        ({"key": "default"}, "taken"),
        ({"key": "mac", "hostedAgents": {"instanceShape": "MACOS_M2_4X7"}}, "hosted_agents"),
        ({"key": "mac", "retry_agent_affinity": "warm"}, "invalid_affinity"),
    ):
        response = rest("POST", path, json=body)
        assert (response.status_code, response.json()["code"]) == (422, code)
    assert rest("POST", path, json={"key": "default"}).json()["message"].endswith("already exists")
    assert rest("GET", f"{path}/{world.first.cluster.id}").json()["message"] == "No queue found"


def test_unknown_ids_are_not_found(world: World) -> None:
    rest = Rest(world)
    nowhere = "01890000-0000-7000-8000-000000000000"
    cluster = f"clusters/{world.first.cluster.id}"
    for path, thing in (
        (f"clusters/{nowhere}", "cluster"),
        ("clusters/Default", "cluster"),
        (f"clusters/{nowhere}/tokens", "cluster"),
        (f"clusters/{nowhere}/queues", "cluster"),
        (f"{cluster}/tokens/{nowhere}", "agent token"),
        (f"{cluster}/tokens/x", "agent token"),
        (f"{cluster}/queues/{nowhere}", "queue"),
        (f"agents/{nowhere}", "agent"),
        ("agents/linux-1", "agent"),
        ("pipelines/none", "pipeline"),
        ("pipelines/none/builds", "pipeline"),
        (f"jobs/{nowhere}", "job"),
        ("jobs/1/log", "job"),
    ):
        response = rest("GET", path)
        assert (response.status_code, response.json()["message"]) == (404, f"No {thing} found"), path


def test_ids_are_read_in_any_case(world: World) -> None:
    path = f"clusters/{world.first.cluster.id.upper()}"
    assert Rest(world)("GET", path).json()["id"] == world.first.cluster.id


def test_pages_and_links(world: World) -> None:
    rest = Rest(world)
    for number in range(4):
        rest("POST", "clusters", json={"name": f"Cluster {number}"})
    first = rest("GET", "clusters?per_page=2&name=a,b&x=")
    base = "<http://127.0.0.1:8080/v2/organizations/acme/clusters?name=a%2Cb&"
    assert len(first.json()) == 2
    assert first.headers["link"] == f'{base}page=2&per_page=2>; rel="next"'
    second = rest("GET", "clusters?page=2&per_page=2")
    assert [part.split("; ")[1] for part in second.headers["link"].split(", ")] == [
        'rel="first"',
        'rel="prev"',
        'rel="next"',
    ]
    third = rest("GET", "clusters?page=3&per_page=2")
    assert len(third.json()) == 1
    assert 'rel="next"' not in third.headers["link"]
    exact = rest("GET", "clusters?page=1&per_page=5")
    assert (len(exact.json()), "link" in exact.headers) == (5, False)
    for page in ("page=0&per_page=100", "page=-3", "page=x&per_page=0", "page=&per_page=", "per_page=9999"):
        response = rest("GET", f"clusters?{page}")
        assert (len(response.json()), "link" in response.headers) == (5, False), page
    past = rest("GET", f"clusters?page={'9' * 15}&per_page=100")
    assert (past.status_code, past.json()) == (200, [])
    assert rest("GET", f"clusters?page={'9' * 40}").status_code == 200
