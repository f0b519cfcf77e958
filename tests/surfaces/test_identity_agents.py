"""Agents that join by HTTP with an identity token, as real ones present it."""

import json
from collections.abc import Iterator

import pytest

from outside_issuer import Issuer, github_claims, kubernetes_claims
from support import Client, FakeAgent, FakeClock, LiveServer
from watchword.domain.workloads import IdentityReason


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="module")
def issuer(clock: FakeClock) -> Iterator[Issuer]:
    made = Issuer(clock)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, clock: FakeClock) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path_factory.mktemp("live"), clock, egress_allow="127.0.0.0/8")
    yield made
    made.close()


@pytest.fixture(scope="module")
def audience(server: LiveServer, issuer: Issuer) -> str:
    """The audience of two trusts: in a Kubernetes-shaped identity, and in a GitHub-shaped one."""
    for name, rules in (
        ("pods", [{"claim": "kubernetes.io/namespace", "value": "builds"}]),
        ("workflows", [{"claim": "repository", "value": "octo/app"}]),
    ):
        made = rest(
            server, "POST", "trusted-issuers", {"name": name, "issuer": issuer.issuer, "rules": rules}
        )
    return str(made["audiences"][0])


def rest(server: LiveServer, method: str, path: str, body: object = None) -> dict[str, list[str]]:
    value = server.first.api_token.value.reveal()
    place = f"/v2/organizations/acme/clusters/{server.first.cluster.id}/{path}"
    answer = Client(server.url, value, "Bearer").call(method, place, body)
    assert answer.status in (200, 201), answer.body
    found: dict[str, list[str]] = answer.body
    return found


@pytest.mark.parametrize("claims", [kubernetes_claims, github_claims])
def test_an_agent_joins_and_works(server: LiveServer, issuer: Issuer, audience: str, claims: object) -> None:
    token = issuer.mint(claims(audience))  # type: ignore[operator]
    shown = Client(server.url, token).call("GET", "/v3/token").body
    assert shown["cluster_uuid"] == server.first.cluster.id
    agent = FakeAgent(server.url, token).connect()
    server.create_build("true")
    assert agent.run()
    again = FakeAgent(server.url, token).registered
    assert (again.status, again.body["code"]) == (401, IdentityReason.REPLAYED)
    value = server.first.api_token.value.reveal()
    at = f"/v2/organizations/acme/agents/{agent.registered.body['id']}"
    identity = Client(server.url, value, "Bearer").call("GET", at).body["identity"]
    assert identity["issuer"] == issuer.issuer
    assert identity["subject"] == claims(audience)["sub"]  # type: ignore[operator]


def test_a_refusal_says_why_and_never_what_was_shown(
    server: LiveServer, issuer: Issuer, audience: str
) -> None:
    for claims, reason in (
        (kubernetes_claims("elsewhere"), IdentityReason.AUDIENCE),
        (kubernetes_claims(audience, "other"), IdentityReason.CLAIM_REFUSED),
        (github_claims(audience) | {"exp": issuer.seconds - 120}, IdentityReason.EXPIRED),
        (github_claims(audience) | {"iss": "https://elsewhere.example"}, IdentityReason.ISSUER_UNKNOWN),
    ):
        token = issuer.mint(claims)
        answer = FakeAgent(server.url, token).registered
        assert (answer.status, answer.body["code"]) == (401, reason)
        assert token.split(".")[1] not in json.dumps(answer.body)


@pytest.mark.parametrize(
    "value", ["ey", "eyJ9.eyJ9", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.", "ey!.ey.x", "ey" + "a" * 40_000]
)
def test_what_is_no_identity_token_is_refused_as_ever(server: LiveServer, value: str) -> None:
    answer = FakeAgent(server.url, value).registered
    assert answer.status in (401, 431)


def test_an_identity_token_opens_nothing_else(server: LiveServer, issuer: Issuer, audience: str) -> None:
    token = issuer.mint(kubernetes_claims(audience))
    for method, path in (
        ("GET", "/v3/ping"),
        ("POST", "/v3/connect"),
        ("GET", "/v3/metrics"),
        ("GET", "/v2/user"),
    ):
        for scheme in ("Token", "Bearer"):
            assert Client(server.url, token, scheme).call(method, path).status == 401, path
