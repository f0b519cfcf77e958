"""Secrets on the wire: what a job's own token gets, what its step says, and what a policy is said to mean."""

import pytest

from rest_client import Rest
from support import FakeAgent, LiveServer, World
from watchword.crypto.values import Secret
from watchword.services.context import LOCAL
from watchword.services.secrets import create_secret

POLICY = "- pipeline_slug: app\n  build_branch: [main, release-*]\n- build_source: schedule\n"


@pytest.fixture
def explained(world: World) -> str:
    """A secret with a policy, and a pipeline; the secret's address."""
    rest = Rest(world)
    cluster = world.first.cluster.id
    rest(
        "POST",
        "pipelines",
        json={"name": "app", "repository": "x", "cluster_id": cluster, "configuration": ""},
    )
    body = {"key": "A", "value": "x", "policy": POLICY}
    return f"clusters/{cluster}/secrets/{rest('POST', f'clusters/{cluster}/secrets', json=body).json()['id']}"


def test_a_job_asks_with_its_own_token_in_any_case(server: LiveServer) -> None:
    context, cluster = server.authority.context, server.first.cluster
    server.run(
        context.store.write(
            lambda tx: create_secret(context, tx, LOCAL, cluster, "Db_Url", Secret('a "quoted"\nü'))
        )
    )
    server.create_build("one", "two")
    token = server.first.agent_token.value.reveal()
    agents = [FakeAgent(server.url, token, name=name).connect() for name in ("a", "b")]
    jobs = [agent.accept() for agent in agents]
    early = agents[0].on_job("GET", f"/v3/jobs/{jobs[0]}/secrets?key=DB_URL")
    assert (early.status, early.body["code"]) == (422, "job_not_running")
    for agent, job in zip(agents, jobs, strict=True):
        agent.on_job("PUT", f"/v3/jobs/{job}/start", {})
    got = agents[0].on_job("GET", f"/v3/jobs/{jobs[0]}/secrets?key=DB_URL")
    assert (got.status, got.body["key"], got.body["value"]) == (200, "Db_Url", 'a "quoted"\nü')
    assert got.headers["cache-control"] == "no-store"
    other = agents[0].on_job("GET", f"/v3/jobs/{jobs[1]}/secrets?key=DB_URL")
    assert (other.status, other.body["code"]) == (403, "token_other_job")
    none = agents[0].on_job("GET", f"/v3/jobs/{jobs[0]}/secrets?key=NONE")
    assert (none.status, none.body["code"]) == (404, "secret_refused")
    assert agents[0].on_job("GET", f"/v3/jobs/{jobs[0]}/secrets").status == 400
    agents[0].finish(jobs[0])
    ended = agents[0].on_job("GET", f"/v3/jobs/{jobs[0]}/secrets?key=DB_URL")
    assert (ended.status, ended.body["code"]) == (401, "job_finished")


def test_a_dry_run_says_which_rule_matches_or_why_none_does(world: World, explained: str) -> None:
    rest = Rest(world)
    seen = rest("POST", f"{explained}/explain", json={"pipeline": "app", "branch": "release-2"})
    assert seen.status_code == 200
    assert (seen.json()["permitted"], seen.json()["rule"]) == (True, 1)
    said = rest("POST", f"{explained}/explain", json={"pipeline": "app", "branch": "topic"}).json()
    assert (said["permitted"], said["rule"], said["reason"]) == (
        False,
        None,
        "No rule of the policy matches.",
    )
    assert said["rules"][0]["claims"] == [
        {"claim": "pipeline_slug", "wanted": ["app"], "found": ["app"], "met": True, "reason": None},
        {
            "claim": "build_branch",
            "wanted": ["main", "release-*"],
            "found": ["topic"],
            "met": False,
            "reason": None,
        },
    ]
    fork = rest("POST", f"{explained}/explain", json={"pipeline": "app", "pull_request": "fork"}).json()
    assert not fork["permitted"]
    assert "another repository" in fork["rules"][0]["claims"][1]["reason"]
    assert rest("POST", f"{explained}/explain", json={"pipeline": "none"}).status_code == 404
    assert rest("POST", f"{explained}/explain", json={}).status_code == 422
    rest("PUT", explained, json={"policy": ""})
    open_ = rest("POST", f"{explained}/explain", json={"pipeline": "app"}).json()
    assert (open_["permitted"], open_["rule"], open_["reason"]) == (True, None, "There is no policy.")
    assert rest("GET", explained).json()["last_read_at"] is None


def test_a_policy_with_a_claim_that_is_not_known_is_refused_when_saved(world: World, explained: str) -> None:
    answer = Rest(world)("PUT", explained, json={"policy": "- build_brunch: main"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_policy")
    assert "did you mean `build_branch`?" in answer.json()["message"]
