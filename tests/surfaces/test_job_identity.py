"""Identity tokens over the wire: what anybody can check with the published keys, and who gets none."""

from typing import Any

import pytest
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from support import Client, FakeAgent, LiveServer
from watchword.client.answers import TokenRefused
from watchword.client.identities import JobIdentities
from watchword.crypto.keys import Purpose
from watchword.domain.events import Action
from watchword.domain.jobpolicies import JobPolicy


@pytest.fixture
def agent(server: LiveServer) -> FakeAgent:
    """An agent that runs a job."""
    server.create_build("true", "true")
    return running(server, "one")


def running(server: LiveServer, name: str) -> FakeAgent:
    made = FakeAgent(server.url, server.first.agent_token.value.reveal(), name=name).connect()
    made.job = made.accept()  # type: ignore[attr-defined]
    made.on_job("PUT", f"/v3/jobs/{made.job}/start", {})  # type: ignore[attr-defined]
    return made


def ask(agent: FakeAgent, body: Any = None, job: str = "") -> Any:
    return agent.on_job("POST", f"/v3/jobs/{job or agent.job}/oidc/tokens", body)  # type: ignore[attr-defined]


def check(server: LiveServer, token: str) -> Any:
    """The claims of a token, as a relying party that knows the issuer alone finds them."""
    found = Client(server.url).call("GET", "/.well-known/openid-configuration").body
    assert found["issuer"] == server.url
    keys = Client(server.url).call("GET", found["jwks_uri"].removeprefix(server.url)).body
    return jwt.decode(
        token, jwk.KeySet.import_key_set(keys), algorithms=found["id_token_signing_alg_values_supported"]
    )


def test_a_token_is_verified_with_what_is_published(server: LiveServer, agent: FakeAgent) -> None:
    answer = ask(agent, {"audience": "sts.amazonaws.com", "lifetime": 60, "claims": ["cluster_id"]})
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    checked = check(server, answer.body["token"])
    assert checked.header["alg"] == "RS256"
    said = checked.claims
    assert (said["iss"], said["aud"]) == (server.url, "sts.amazonaws.com")
    assert said["exp"] - said["iat"] == 60
    assert said["cluster_id"] == server.first.cluster.id
    assert said["job_id"] == agent.job  # type: ignore[attr-defined]
    plain = check(server, ask(agent).body["token"]).claims
    assert plain["aud"] == f"{server.url}/acme"
    assert plain["jti"] != said["jti"]


def test_published_keys_hold_nothing_private_and_may_be_kept(server: LiveServer) -> None:
    answer = Client(server.url).call("GET", "/.well-known/jwks")
    assert answer.headers["cache-control"] == "public, max-age=3600"
    (key,) = answer.body["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}
    imported = jwk.RSAKey.import_key(key)
    assert key["kid"] == imported.thumbprint()


def test_what_is_minted_is_recorded_without_its_value(server: LiveServer, agent: FakeAgent) -> None:
    token = ask(agent, {"audience": "a"}).body["token"]
    store, owner = server.authority.context.store, server.first.organization.id
    found = server.run(store.read(lambda tx: tx.audit.events(owner, 0, 10_000)))
    (event,) = [each for each in found if each.action is Action.JOB_IDENTITY_ISSUED]
    assert '"aud":"a"' in event.data
    assert check(server, token).claims["jti"] in event.data
    assert not any(part in each.data for each in found for part in token.split("."))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"audience": "two words"}, "invalid_audience"),
        ({"lifetime": 3601}, "invalid_lifetime"),
        ({"lifetime": -1}, "invalid_lifetime"),
        ({"lifetime": "60"}, "invalid_body"),
        ({"claims": ["nothing"]}, "invalid_claim"),
        ({"aws_session_tags": ["nothing"]}, "invalid_claim"),
        ({"subject_claim": "build_branch"}, "invalid_subject_claim"),
    ],
)
def test_a_bad_wish_is_refused_with_a_sentence(agent: FakeAgent, body: Any, code: str) -> None:
    answer = ask(agent, body)
    assert (answer.status, answer.body["code"]) == (422, code)
    assert answer.body["message"]


def test_a_job_gets_a_token_for_itself_alone_and_only_while_it_runs(
    server: LiveServer, agent: FakeAgent
) -> None:
    other = running(server, "two")
    assert ask(agent, job=other.job).body["code"] == "token_other_job"  # type: ignore[attr-defined]
    assert ask(agent).status == 200
    agent.finish(agent.job)  # type: ignore[attr-defined]
    assert ask(agent).body["code"] == "job_finished"


def test_a_session_gets_none_even_of_an_agent_that_knows_no_job_tokens(server: LiveServer) -> None:
    server.create_build("true")
    old = FakeAgent(server.url, server.first.agent_token.value.reveal(), "3.38.0", name="old").connect()
    job = old.accept()
    answer = old.call("POST", f"/v3/jobs/{job}/oidc/tokens")
    assert (answer.status, answer.body["code"]) == (401, "token_wrong_kind")


def test_an_organization_turns_it_off_or_limits_audiences(server: LiveServer, agent: FakeAgent) -> None:
    store, owner = server.authority.context.store, server.first.organization.id
    build_job = server.job(agent.job)  # type: ignore[attr-defined]
    build = server.run(store.read(lambda tx: tx.builds.build(owner, build_job.build_id)))
    assert build is not None
    server.run(store.write(lambda tx: tx.job_policies.save(JobPolicy(owner, audiences=("a", "b")))))
    assert ask(agent, {"audience": "a"}).status == 200
    assert ask(agent, {"audience": "c"}).body["code"] == "audience_not_allowed"
    pipeline = JobPolicy(owner, build.pipeline_id, audiences=("b", "c"))
    server.run(store.write(lambda tx: tx.job_policies.save(pipeline)))
    assert ask(agent, {"audience": "b"}).status == 200
    assert {ask(agent, {"audience": each}).status for each in ("a", "c")} == {403}
    server.run(store.write(lambda tx: tx.job_policies.save(JobPolicy(owner, identity=False))))
    assert ask(agent, {"audience": "b"}).body["code"] == "job_identity_off"


def test_a_rotation_publishes_a_key_before_it_signs_and_goes_on_verifying(
    server: LiveServer, agent: FakeAgent
) -> None:
    context = server.authority.context
    first = ask(agent).body["token"]
    at = context.clock.now() + 60_000_000
    context.keys.become(context.keys.rotated(Purpose.IDENTITY, signs_from=at))
    coming = Client(server.url).call("GET", "/.well-known/jwks").body["keys"]
    second = ask(agent).body["token"]
    assert len(coming) == 2
    assert check(server, second).header["kid"] == check(server, first).header["kid"] == coming[0]["kid"]
    context.keys.become(context.keys.rotated(Purpose.IDENTITY, signs_from=context.clock.now()))
    third = check(server, ask(agent).body["token"])
    assert third.header["kid"] not in {key["kid"] for key in coming}
    check(server, first)
    context.keys.become(context.keys.without(1, context.clock.now()))
    with pytest.raises((JoseError, ValueError)):
        check(server, first)


def test_our_own_client_takes_it_for_its_audience_alone(server: LiveServer, agent: FakeAgent) -> None:
    token = ask(agent, {"audience": "shop"}).body["token"]
    shop, other = (JobIdentities(server.url, audience) for audience in ("shop", "other"))
    found = shop.verify(token).require(pipeline_slug="app")
    assert found.job_id == agent.job  # type: ignore[attr-defined]
    with pytest.raises(TokenRefused) as refused:
        other.verify(token)
    assert refused.value.code == "aud"
    with pytest.raises(TokenRefused):  # what stands in a job's environment is no identity
        shop.verify(agent.job_token)
    for client in (shop, other):
        client.close()
