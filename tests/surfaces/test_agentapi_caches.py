"""Caches on the wire, as agents read the answers, and their registries over REST."""

from typing import Any

from rest_client import Rest
from support import FakeAgent, LiveServer, World

KEY = [{"value": "node", "mandatory": True}, {"value": "lock", "mandatory": False}]
BLOB = {"digest": {"algorithm": "sha256", "value": "0f" * 32}, "file_size": 12, "compression": "zip"}
WISH: dict[str, Any] = {"target_paths": ["b", "a"], "cache_key": KEY}


def test_agents_get_the_answers_that_they_know(server: LiveServer) -> None:
    server.create_build("one")
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    job = agent.accept()
    at = "/v3/cache_registries/~"
    assert agent.on_job("GET", at).status == 422  # it has not started
    agent.on_job("PUT", f"/v3/jobs/{job}/start", {})
    registry = agent.on_job("GET", at)
    assert (registry.status, registry.body["name"], registry.body["store"]) == (
        200,
        "Default",
        "agent_managed",
    )
    for call in ("peek", "retrieve"):
        miss = agent.on_job("POST", f"{at}/{call}", WISH)
        assert (miss.status, miss.body["message"]) == (404, "Cache entry not found")
        assert miss.headers["content-type"] == "application/json"
    none = agent.on_job("GET", "/v3/cache_registries/none")
    assert (none.status, none.body["message"]) == (404, "Cache registry not found")
    made = agent.on_job("PUT", f"{at}/store", {**WISH, "blobs": [BLOB], "platform": "linux/amd64"})
    assert (made.status, made.body["multipart"], made.body["upload_instructions"]) == (200, False, [])
    done = agent.on_job("PUT", f"{at}/commit", {"upload_id": made.body["upload_id"]})
    assert (done.status, done.body["message"]) == (200, "Cache entry saved")
    peeked = agent.on_job("POST", f"{at}/peek", WISH)
    assert (peeked.status, peeked.body["blobs"], peeked.body["store"]) == (200, [BLOB], "agent_managed")
    other = {**WISH, "cache_key": [KEY[0], {"value": "another", "mandatory": False}]}
    found = agent.on_job("POST", f"{at}/retrieve", other).body
    assert found["expires_at"].endswith("Z")
    del found["expires_at"]
    assert found == {
        "target_paths": ["a", "b"],
        "cache_key": KEY,
        "blobs": [BLOB],
        "store": "agent_managed",
        "message": "Cache entry found",
        "fallback": True,
        "multipart": False,
        "download_instructions": [],
    }
    resolved = {name: found[name] for name in ("target_paths", "cache_key")}
    assert agent.on_job("POST", f"{at}/expire", resolved).status == 200
    assert agent.on_job("POST", f"{at}/retrieve", other).status == 404
    assert agent.on_job("POST", f"{at}/expire", resolved).status == 200
    for blob in ({**BLOB, "digest": {"algorithm": "md5", "value": "0f" * 32}}, {**BLOB, "file_size": -1}):
        assert agent.on_job("PUT", f"{at}/store", {**WISH, "blobs": [blob]}).status == 400
    assert agent.on_job("POST", f"{at}/peek", {"target_paths": [], "cache_key": KEY}).status == 400


def test_registries_are_made_listed_and_deleted(world: World) -> None:
    rest = Rest(world)
    at = f"clusters/{world.first.cluster.id}/cache_registries"
    made = rest("POST", at, json={"name": "Shared Ones", "sharing": "pipeline", "keep_days": 30})
    assert (made.status_code, made.json()["slug"]) == (201, "shared-ones")
    assert rest("POST", at, json={"name": "Shared ones"}).json()["code"] == "taken"
    assert rest("POST", at, json={"name": "x", "sharing": "all"}).status_code == 422
    assert rest("POST", at, json={"name": "x", "slug": "~"}).json()["code"] == "invalid_slug"
    assert rest("POST", at, json={"name": "x", "keep_days": 0}).status_code == 422
    assert rest("GET", at).json() == [made.json()]
    for name in ("shared-ones", made.json()["id"]):
        assert rest("GET", f"{at}/{name}/entries").json() == []
    assert rest("DELETE", f"{at}/shared-ones/entries/{made.json()['id']}").status_code == 404
    other = rest("POST", "clusters", json={"name": "Other"}).json()["id"]
    assert rest("GET", f"clusters/{other}/cache_registries/{made.json()['id']}/entries").status_code == 404
    assert rest("DELETE", f"{at}/shared-ones").status_code == 204
    assert rest("DELETE", f"{at}/shared-ones").status_code == 404
