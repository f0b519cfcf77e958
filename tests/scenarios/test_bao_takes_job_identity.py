"""Job identity as a real consumer sees it: OpenBao's JWT method lets the right job in, and no other."""

import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from agent.secret_stands import Bao, bao_server
from support import Client, FakeAgent, LiveServer
from watchword.crypto.keys import Purpose
from watchword.services.context import LOCAL
from watchword.services.signingkeys import rotate_key, withdraw_key

AUDIENCE = "https://bao.example.com"
ROLE: dict[str, Any] = {
    "role_type": "jwt",
    "user_claim": "pipeline_slug",
    "token_policies": ["deploy"],
    "bound_audiences": [AUDIENCE],
    "bound_claims": {"organization_slug": "acme", "pipeline_slug": "app", "build_branch": "main"},
    "claim_mappings": {"job_id": "job"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("server"))
    yield live
    live.close()


@pytest.fixture(scope="module")
def bao(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """OpenBao that trusts the server: by discovery, and by the address of its keys alone."""
    with bao_server(tmp_path_factory.mktemp("bao")) as made:
        for path, where in (
            ("jwt", {"oidc_discovery_url": server.url}),
            ("keys", {"jwks_url": f"{server.url}/.well-known/jwks"}),
        ):
            made.call("POST", f"sys/auth/{path}", {"type": "jwt"})
            made.call("POST", f"auth/{path}/config", {**where, "bound_issuer": server.url})
            made.call("POST", f"auth/{path}/role/deploy", ROLE)
            refs = "organization:acme:pipeline:app:ref:refs/heads/main:*"
            subject = {**ROLE, "bound_claims_type": "glob", "bound_claims": {"sub": refs}}
            made.call("POST", f"auth/{path}/role/by-subject", subject)
        yield made


@pytest.fixture(scope="module")
def api(server: LiveServer) -> Client:
    return Client(server.url, server.first.api_token.value.reveal(), "Bearer")


def token(
    server: LiveServer, api: Client, *, pipeline: str = "app", branch: str = "main", **wish: Any
) -> str:
    """The identity token of a job of a new build."""
    slugs = [each["slug"] for each in api.call("GET", "/v2/organizations/acme/pipelines").body]
    if pipeline not in slugs:
        made = {
            "name": pipeline,
            "repository": "git@example.com:x.git",
            "cluster_id": server.first.cluster.id,
            "configuration": "steps: [{command: 'true'}]",
        }
        assert api.call("POST", "/v2/organizations/acme/pipelines", made).status == 201
    build = {"commit": "HEAD", "branch": branch, "message": "m"}
    made_build = api.call("POST", f"/v2/organizations/acme/pipelines/{pipeline}/builds", build)
    assert made_build.status == 201, made_build
    number = made_build.body["number"]
    agent = FakeAgent(
        server.url, server.first.agent_token.value.reveal(), name=f"{pipeline}-{number}"
    ).connect()
    job = agent.accept()
    answer = agent.on_job("POST", f"/v3/jobs/{job}/oidc/tokens", {"audience": AUDIENCE, **wish})
    agent.finish(job)
    agent.call("POST", "/v3/disconnect")
    assert answer.status == 200, answer
    return str(answer.body["token"])


def login(bao: Bao, jwt: str, role: str = "deploy", path: str = "jwt") -> Any:
    """What a login gives; the refusal's status where it is refused."""
    try:
        return bao.call("POST", f"auth/{path}/login", {"role": role, "jwt": jwt})["auth"]
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("path", ["jwt", "keys"])
def test_the_right_job_gets_in(server: LiveServer, api: Client, bao: Bao, path: str) -> None:
    for role in ("deploy", "by-subject"):
        auth = login(bao, token(server, api), role, path)
        assert "deploy" in auth["policies"]
        assert len(auth["metadata"]["job"]) == 36


def test_others_do_not(server: LiveServer, api: Client, bao: Bao) -> None:
    wrong = {
        "audience": token(server, api, audience="https://else.example.com"),
        "pipeline": token(server, api, pipeline="another"),
        "branch": token(server, api, branch="feature"),
        "forged branch": token(server, api, branch="main:commit:HEAD:step:"),
        "subject": token(server, api, subject_claim="pipeline_id", pipeline="another"),
    }
    assert {name: login(bao, jwt) for name, jwt in wrong.items()} == dict.fromkeys(wrong, 400)
    assert {name: login(bao, jwt, "by-subject") for name, jwt in wrong.items()} == dict.fromkeys(wrong, 400)
    head, _, signature = token(server, api).rpartition(".")
    assert login(bao, f"{head}.{signature[::-1]}") == 400


def test_logins_go_on_through_a_rotation_and_end_for_what_is_withdrawn(
    server: LiveServer, api: Client, bao: Bao
) -> None:
    context = server.authority.context
    before = token(server, api)
    server.run(rotate_key(context, LOCAL, Purpose.IDENTITY, 24))
    announced = token(server, api)
    server.run(rotate_key(context, LOCAL, Purpose.IDENTITY, 0))
    after = token(server, api)
    kids = {jwt.split(".")[0] for jwt in (before, announced, after)}
    assert len(kids) == 2
    for path in ("jwt", "keys"):
        assert all("deploy" in login(bao, jwt, path=path)["policies"] for jwt in (before, announced, after))
    server.run(withdraw_key(context, LOCAL, 1))
    for path, where in (
        ("jwt", {"oidc_discovery_url": server.url}),
        ("keys", {"jwks_url": f"{server.url}/.well-known/jwks"}),
    ):  # written anew, it reads the keys anew
        bao.call("POST", f"auth/{path}/config", {**where, "bound_issuer": server.url})
        assert login(bao, before, path=path) == 400
        assert "deploy" in login(bao, after, path=path)["policies"]
