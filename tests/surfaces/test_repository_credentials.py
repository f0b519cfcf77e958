"""Sources of tokens for repositories over REST, and the two calls of agents on the wire."""

from rest_client import Rest
from support import FakeAgent, LiveServer, World


def test_a_source_is_named_listed_and_deleted_and_its_key_never_shown(world: World) -> None:
    rest = Rest(world)
    at = f"clusters/{world.first.cluster.id}/repository_credentials"
    made = rest("POST", at, json={"pattern": "https://Git.example.com/acme/*", "secret_key": "GIT"})
    assert (made.status_code, made.json()["pattern"], made.json()["source"]) == (
        201,
        "git.example.com/acme/*",
        "secret",
    )
    assert rest("GET", at).json() == [made.json()]
    assert (
        rest("POST", at, json={"pattern": "git.example.com/acme/*", "secret_key": "X"}).json()["code"]
        == "taken"
    )
    wrong = {
        "pattern": "github.com/acme/*",
        "source": "github_app",
        "app_id": "1",
        "private_key": "not a key",
    }
    refused = rest("POST", at, json=wrong)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_private_key")
    assert "not a key" not in refused.text
    assert rest("DELETE", f"{at}/{made.json()['id']}").status_code == 204
    assert rest("DELETE", f"{at}/{made.json()['id']}").status_code == 404


def test_agents_old_and_new_ask_by_their_own_call(server: LiveServer) -> None:
    server.create_build("one")
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    job = agent.accept()
    agent.on_job("PUT", f"/v3/jobs/{job}/start", {})
    for call in ("repository_access_token", "github_code_access_token"):
        answer = agent.on_job("POST", f"/v3/jobs/{job}/{call}", {"repo_url": "https://git.example.com/a/b"})
        assert (answer.status, answer.body["code"]) == (404, "repository_token_refused")
        assert agent.on_job("POST", f"/v3/jobs/{job}/{call}", {}).status == 422
