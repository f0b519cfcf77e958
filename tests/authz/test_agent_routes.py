"""An authorization row for every raw route: which credential passes, and that no other does."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from support import MINUTE_US, Answer, Client, FakeAgent, FakeClock, LiveServer
from watchword.crypto.values import mint
from watchword.domain.kinds import Kind
from watchword.domain.portals import Portal
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.services.portals import PortalRequest
from watchword.services.portaltokens import create_secret_in

# Route → credentials that pass. A route of the server that is missing here fails the test below it.
AGENT, SESSION, OWN_JOB, API = "agent token", "session", "own job", "api token"
OLD_SESSION = "old agent's session"
PORTAL = "portal token"
ROWS: dict[str, set[str]] = {
    "POST /v3/register": {AGENT},
    "GET /v3/token": {AGENT},
    "POST /v3/connect": {SESSION},
    "GET /v3/ping": {SESSION},
    "POST /v3/heartbeat": {SESSION},
    "POST /v3/disconnect": {SESSION},
    # A session listens for its own agent alone; the one of another agent is told so.
    "POST /agentedge.v1.AgentEdgeService/StreamPings": {SESSION},
    "PUT /v3/jobs/{job_id}/accept": {SESSION},
    "PUT /v3/jobs/{job_id}/acquire": {SESSION},
    "PUT /v3/jobs/{job_id}": {OWN_JOB},
    "PUT /v3/jobs/{job_id}/promise_failure": {OWN_JOB},
    "POST /v3/jobs/{job_id}/header_times": {OWN_JOB},
    "PUT /v3/jobs/{job_id}/start": {OWN_JOB},
    "GET /v3/jobs/{job_id}": {OWN_JOB},
    "POST /v3/jobs/{job_id}/chunks": {OWN_JOB},
    "PUT /v3/jobs/{job_id}/finish": {OWN_JOB},
    # A job writes notes and artifacts of other jobs of its cluster, and reads them (contract agent-api §1.2).
    "POST /v3/jobs/{job_id}/annotations": {OWN_JOB, "other job"},
    "DELETE /v3/jobs/{job_id}/annotations/{name...}": {OWN_JOB, "other job"},
    "POST /v3/jobs/{job_id}/data/set": {OWN_JOB, "other job"},
    "POST /v3/jobs/{job_id}/data/set-batch": {OWN_JOB, "other job"},
    "POST /v3/jobs/{job_id}/data/get": {OWN_JOB, "other job"},
    "POST /v3/jobs/{job_id}/data/exists": {OWN_JOB, "other job"},
    "POST /v3/jobs/{job_id}/data/keys": {OWN_JOB, "other job"},
    # A job reads meta-data of other builds of its cluster (contract agent-api §1.2).
    "POST /v3/builds/{build_id}/data/get": {OWN_JOB, "other job"},
    "POST /v3/builds/{build_id}/data/exists": {OWN_JOB, "other job"},
    "POST /v3/builds/{build_id}/data/keys": {OWN_JOB, "other job"},
    # These act on the agent of whoever asks; none can name another.
    "POST /v3/pause": {SESSION, OWN_JOB, "other job"},
    "POST /v3/resume": {SESSION, OWN_JOB, "other job"},
    "POST /v3/stop": {SESSION, OWN_JOB, "other job"},
    "GET /v3/metrics": {AGENT},
    "GET /v3/metrics/queue": {AGENT},
    "POST /v3/jobs/{job_id}/artifacts": {OWN_JOB, "other job"},
    "PUT /v3/jobs/{job_id}/artifacts": {OWN_JOB, "other job"},
    # A job finds artifacts of other builds of its cluster (contract agent-api §1.2).
    "GET /v3/builds/{build_id}/artifacts/search": {OWN_JOB, "other job"},
    "POST /v3/jobs/{job_id}/oidc/tokens": {OWN_JOB},
    "POST /v3/jobs/{job_id}/pipelines": {OWN_JOB},
    "GET /v3/jobs/{job_id}/pipelines/{upload_id}": {OWN_JOB},
    # A job names steps of its own build alone; the job of another build finds none of this key.
    "POST /v3/steps/{step}/export": {OWN_JOB, "other job"},
    "PUT /v3/steps/{step}": {OWN_JOB, "other job"},
    "POST /v3/steps/{step}/cancel": {OWN_JOB, "other job"},
    # Both jobs are of the build that is named.
    "POST /v3/builds/{build_id}/cancel": {OWN_JOB, "other job"},
    "GET /v3/jobs/{job_id}/secrets": {OWN_JOB},
    "POST /v3/jobs/{job_id}/repository_access_token": {OWN_JOB},
    "POST /v3/jobs/{job_id}/github_code_access_token": {OWN_JOB},
    # No job is named: each acts for the job of its own token, and sees that one's scope.
    "GET /v3/cache_registries/{slug}": {OWN_JOB, "other job"},
    "POST /v3/cache_registries/{slug}/peek": {OWN_JOB, "other job"},
    "PUT /v3/cache_registries/{slug}/store": {OWN_JOB, "other job"},
    "PUT /v3/cache_registries/{slug}/commit": {OWN_JOB, "other job"},
    "POST /v3/cache_registries/{slug}/retrieve": {OWN_JOB, "other job"},
    "POST /v3/cache_registries/{slug}/expire": {OWN_JOB, "other job"},
    "POST /v3/stacks/register": {AGENT},
    "POST /v3/stacks/{key}/deregister": {AGENT},
    "GET /v3/stacks/{key}/scheduled-jobs": {AGENT},
    "PUT /v3/stacks/{key}/scheduled-jobs/batch-reserve": {AGENT},
    "GET /v3/stacks/{key}/jobs/{job_id}": {AGENT},
    "POST /v3/stacks/{key}/jobs/get-states": {AGENT},
    "POST /v3/stacks/{key}/jobs/{job_id}/finish": {AGENT},
    "POST /v3/stacks/{key}/notifications": {AGENT},
    "POST /oauth/introspect": {API},
    # The portal is named in the path: its own tokens pass, and nothing else does.
    "POST /portal/organizations/{org}/portals/{portal}": {PORTAL},
    "POST /organizations/{org}/portals/{portal}": {PORTAL},
}
# A signature in the address or the form stands in for a token (tests/surfaces/test_artifact_bytes.py).
SIGNED = {
    "POST /artifact-uploads",
    "PUT /artifact-parts/{organization_id}/{artifact_id}/{part}",
    "GET /artifact-downloads/{organization_id}/{artifact_id}",
}
PUBLIC = {
    "GET /",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /leaks/patterns",
    "GET /.well-known/openid-configuration",
    "GET /.well-known/jwks",
    "GET /.well-known/oauth-authorization-server",
}
# A reporter's signature or secret stands in for a token (tests/surfaces/test_leaks_partners.py).
REPORTED = {"POST /leaks/partners/{reporter}", "GET /leaks/partners/{reporter}/types"}
# Anybody may, with the value itself or a part of its digest (tests/surfaces/test_leaks_public.py).
ANYBODY = {"POST /leaks/revoke", "POST /leaks/lookup"}
# A portal's secret, or a code and its secret, stand in the body (tests/surfaces/test_portal_tokens.py).
PORTAL_GRANTS = {
    f"POST {prefix}/organizations/{{org}}/portals/{{portal}}/{noun}"
    for prefix in ("/portal", "")
    for noun in ("tokens", "codes")
}
# A client of OAuth says in the form who it is and what it was given (tests/surfaces/test_oauth_token.py).
# A proxy asks on a caller's behalf; its address says which kinds pass (tests/client/test_forward_auth.py).
FORWARDED = {
    f"{method} {path}"
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    for path in (
        "/oauth/forward-auth/{organization}/{needs}",
        "/oauth/forward-auth/{organization}/{needs}/{rest...}",
    )
}
CLIENTS = {"POST /oauth/token", "POST /oauth/device_authorization", "POST /oauth/revoke"}
# Routes of Dagster's clients have another shape of refusal (tests/surfaces/test_dagster_rules.py).
DAGSTER = "/dagster/"
# Clients of Dagster and installers of packages read refusals of another shape
# (tests/surfaces/test_dagster_rules.py, tests/surfaces/test_packages.py).
APART = ("/dagster/", "/packages/")
BODIES = {
    "POST /v3/register": {"name": "x", "version": "3.137.0"},
    "PUT /v3/jobs/{job_id}/finish": {"exit_status": "0"},
    "PUT /v3/jobs/{job_id}": {"timeout": "20"},
    "PUT /v3/jobs/{job_id}/promise_failure": {"exit_status": 1},
    "POST /v3/jobs/{job_id}/annotations": {"body": "x"},
    "POST /v3/jobs/{job_id}/data/set": {"key": "k", "value": "v"},
    "POST /v3/jobs/{job_id}/data/set-batch": {"items": []},
    "POST /v3/jobs/{job_id}/data/get": {"key": "k"},
    "POST /v3/jobs/{job_id}/data/exists": {"key": "k"},
    "POST /v3/builds/{build_id}/data/get": {"key": "k"},
    "POST /v3/builds/{build_id}/data/exists": {"key": "k"},
    "POST /v3/jobs/{job_id}/artifacts": {"id": "x", "artifacts": []},
    "PUT /v3/jobs/{job_id}/artifacts": {"artifacts": []},
    "POST /v3/jobs/{job_id}/pipelines": {"uuid": "u", "pipeline": {"steps": []}},
    "POST /v3/steps/{step}/export": {},
    "PUT /v3/steps/{step}": {"attribute": "label", "value": "x"},
    "POST /v3/steps/{step}/cancel": {},
    "POST /v3/jobs/{job_id}/repository_access_token": {"repo_url": "https://git.example.com/a/b"},
    "POST /v3/jobs/{job_id}/github_code_access_token": {"repo_url": "https://git.example.com/a/b"},
    "POST /v3/cache_registries/{slug}/peek": {"target_paths": ["x"], "cache_key": [{"value": "k"}]},
    "PUT /v3/cache_registries/{slug}/store": {"target_paths": [], "cache_key": [], "blobs": []},
    "PUT /v3/cache_registries/{slug}/commit": {"upload_id": "u"},
    "POST /v3/cache_registries/{slug}/retrieve": {"target_paths": ["x"], "cache_key": [{"value": "k"}]},
    "POST /v3/cache_registries/{slug}/expire": {"target_paths": ["x"], "cache_key": [{"value": "k"}]},
    "POST /v3/stacks/register": {"key": "k", "type": "custom", "queue_key": "default"},
    "PUT /v3/stacks/{key}/scheduled-jobs/batch-reserve": {"job_uuids": []},
    "POST /v3/stacks/{key}/jobs/get-states": {"job_uuids": []},
    "POST /v3/stacks/{key}/jobs/{job_id}/finish": {"detail": "x"},
    "POST /v3/stacks/{key}/notifications": {"notifications": []},
    "POST /oauth/introspect": "token=x",
}


@dataclass
class Cast:
    """Everyone who could knock: one credential of each sort, and a job and build of one of them."""

    server: LiveServer
    values: dict[str, str] = field(default_factory=dict)
    job_id: str = ""
    build_id: str = ""

    def knock(self, route: str, credential: str) -> Answer:
        method, path = route.split(" ")
        path = path.replace("{job_id}", self.job_id).replace("{build_id}", self.build_id)
        path = (
            path.replace("{name...}", "default")
            .replace("{upload_id}", "u")
            .replace("{step}", "nokey")
            .replace("{slug}", "~")
        )
        path = path.replace("{org}", "acme").replace("{portal}", "tools").replace("{key}", "k")
        if path.endswith("/chunks"):
            path += "?sequence=1&offset=0&size=0"
        if path.endswith("/secrets"):
            path += "?key=NONE"
        return Client(self.server.url, self.values[credential]).call(method, path, BODIES.get(route))


def job_token(server: LiveServer, agent_token: str, name: str) -> tuple[FakeAgent, str]:
    agent = FakeAgent(server.url, agent_token, name=name).connect()
    job = agent.accept()
    agent.on_job("PUT", f"/v3/jobs/{job}/start", {})
    return agent, job


def portal_of(server: LiveServer, slug: str) -> tuple[Portal, Issued]:
    asked = PortalRequest(name=slug, slug=slug, query="{ viewer { id } }")
    desk, owner, store = (
        server.authority.portals,
        server.first.organization.id,
        server.authority.context.store,
    )
    return server.run(store.write(lambda tx: desk.create_in(tx, LOCAL, owner, asked, None)))


@pytest.fixture
def cast(tmp_path: object) -> Iterator[Cast]:
    clock = FakeClock()
    server = LiveServer(tmp_path, clock)  # type: ignore[arg-type]
    made = Cast(server)
    first, context = server.first, server.authority.context
    good = first.agent_token.value.reveal()
    values = made.values
    values["nothing"] = ""
    values["garbage"] = "bkct_nonsense"
    values["never issued"] = mint(Kind.AGENT).reveal()
    values["never issued session"] = mint(Kind.AGENT_SESSION).reveal()
    values[AGENT] = good
    expired = server.issue(expires_at=clock.now() + 10 * MINUTE_US)
    revoked = server.issue()
    server.revoke(revoked.token)
    values["expired agent token"] = expired.value.reveal()
    values["revoked agent token"] = revoked.value.reveal()
    values[API] = first.api_token.value.reveal()
    dead = server.run(
        context.store.write(
            lambda tx: issue_api_token(
                context, tx, LOCAL, first.organization.id, first.admin.id, "dead", ["introspect_tokens"]
            )
        )
    )
    server.revoke(dead.token)
    values["revoked api token"] = dead.value.reveal()
    narrow = server.run(
        context.store.write(
            lambda tx: issue_api_token(
                context, tx, LOCAL, first.organization.id, first.admin.id, "narrow", ["read_user"]
            )
        )
    )
    values["api token without the scope"] = narrow.value.reveal()
    portal, service = portal_of(server, "tools")
    values[PORTAL] = service.value.reveal()
    values["other portal's token"] = portal_of(server, "other")[1].value.reveal()
    values["portal secret"] = server.run(
        context.store.write(lambda tx: create_secret_in(context, tx, LOCAL, portal, "s", None))
    ).value.reveal()
    build, _ = server.create_build("one", "two", "three")
    finished, done = job_token(server, good, "finished")
    finished.finish(done)
    values["finished job"] = finished.job_token
    other, _ = job_token(server, good, "other")
    values["other job"] = other.job_token
    own, made.job_id = job_token(server, good, "own")
    made.build_id = build.id
    values[OWN_JOB] = own.job_token
    values[SESSION] = FakeAgent(server.url, good, name="idle").connect().session
    gone = FakeAgent(server.url, good, name="gone").connect()
    gone.call("POST", "/v3/disconnect")
    values["ended session"] = gone.session
    old = FakeAgent(server.url, good, "3.38.0", name="old").connect()
    values[OLD_SESSION] = old.session
    foreign = server.run(create_organization(context, LOCAL, "other", "Other", "o@example.com", "Oda"))
    stranger = FakeAgent(server.url, foreign.agent_token.value.reveal(), name="stranger").connect()
    values["foreign session"] = stranger.session
    clock.forward(11 * MINUTE_US)
    for agent in list(server.authority.fleet.agents.values()):
        agent.seen_at = clock.now()
    yield made
    server.close()


def test_every_route_has_a_row(server: LiveServer) -> None:
    routes = {
        route.name: route for route in server.application.routes.routes if not route.path.startswith(APART)
    }
    open_ones = PUBLIC | SIGNED | REPORTED | ANYBODY | CLIENTS | PORTAL_GRANTS
    assert set(routes) == set(ROWS) | FORWARDED | open_ones
    assert {name for name, route in routes.items() if not route.kinds} == open_ones


def test_no_credential_passes_where_it_must_not(cast: Cast) -> None:
    # Sessions may ping and connect, whoever's agent they are: each acts for itself alone.
    same_rights = {"foreign session": SESSION, OLD_SESSION: SESSION}
    wrong = []
    for route, allowed in ROWS.items():
        for credential in cast.values:
            if credential in allowed or same_rights.get(credential) in allowed:
                continue
            answer = cast.knock(route, credential)
            if route == "POST /v3/disconnect" and credential == "ended session":
                assert answer.status == 200  # idempotent (contract agent-api §2.1), and changes nothing
                continue
            if answer.status not in (401, 403) or not answer.body["code"] or not answer.body["message"]:
                wrong.append((route, credential, answer))
    assert not wrong


def test_every_credential_passes_where_it_must(cast: Cast) -> None:
    last = ["POST /v3/builds/{build_id}/cancel", "PUT /v3/jobs/{job_id}/finish", "POST /v3/disconnect"]
    for route in sorted(ROWS, key=lambda name: last.index(name) if name in last else -1):
        for credential in ROWS[route]:
            answer = cast.knock(route, credential)
            assert answer.status not in (401, 403), (route, credential, answer)
            assert answer.status < 500, (route, credential, answer)


def test_foreign_session_cannot_take_a_job_and_sees_what_an_unknown_one_sees(cast: Cast) -> None:
    foreign = cast.knock("PUT /v3/jobs/{job_id}/accept", "foreign session")
    cast.job_id = "01900000-0000-7000-8000-000000000000"
    unknown = cast.knock("PUT /v3/jobs/{job_id}/accept", "foreign session")
    assert foreign.status == unknown.status == 404
    assert foreign.body == unknown.body


def test_public_routes_say_nothing_of_tokens(cast: Cast) -> None:
    for route in PUBLIC:
        answer = cast.knock(route, "nothing")
        assert answer.status == 200
        for value in cast.values.values():
            assert not value or value not in str(answer.body)


def test_no_token_stands_in_for_a_signature(cast: Cast) -> None:
    form = '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nx\r\n--b--\r\n'
    kind = {"content-type": "multipart/form-data; boundary=b"}
    for route in SIGNED:
        method, path = route.split(" ")
        path = path.replace("{organization_id}", cast.server.first.organization.id)
        path = path.replace("{artifact_id}", cast.job_id).replace("{part}", "1")
        for value in cast.values.values():
            answer = Client(cast.server.url, value).call(method, path, form, headers=kind)
            assert (answer.status, answer.body["code"]) == (403, "link_invalid"), route


def test_no_token_stands_in_for_a_reporters_signature(cast: Cast) -> None:
    for route in REPORTED:
        method, path = route.split(" ")
        for reporter in ("github", "nobody", "possession"):
            for value in cast.values.values():
                body = [{"token": value}]
                answer = Client(cast.server.url, value).call(
                    method, path.replace("{reporter}", reporter), body
                )
                assert (answer.status, answer.body["code"]) == (401, "leak_report_refused"), route
    assert Client(cast.server.url, cast.values[API], "Bearer").call("GET", "/v2/organizations").status == 200


def test_a_lookup_takes_api_access_tokens_alone_where_one_is_shown(cast: Cast) -> None:
    for credential, value in cast.values.items():
        answer = Client(cast.server.url, value).call("POST", "/leaks/lookup", {"prefixes": ["0" * 10]})
        passes = credential in ("nothing", API, "api token without the scope")
        assert answer.status == (200 if passes else 401), credential


def test_only_a_whole_value_is_worth_anything_where_values_are_shown(cast: Cast) -> None:
    value = cast.values[API]
    client = Client(cast.server.url, value)  # what stands in the header is not what is shown
    for shown in (value[:-1], value + "a", value.upper(), "x", value[5:]):
        answer = client.call("POST", "/leaks/revoke", {"token": shown})
        assert (answer.status, answer.body["results"][0]["state"]) == (200, "unknown")
    assert Client(cast.server.url, value, "Bearer").call("GET", "/v2/organizations").status == 200


def test_a_proxys_route_takes_live_credentials_of_its_organization_and_kinds_alone(cast: Cast) -> None:
    passing = {
        "agent": {AGENT},
        "agent_session": {SESSION, OLD_SESSION},
        "job": {OWN_JOB, "other job"},
        "api_access": {API, "api token without the scope"},
    }
    for kind, allowed in passing.items():
        for route in FORWARDED:
            method, path = route.split(" ")
            target = path.replace("{organization}", "acme").replace("{needs}", kind)
            target = target.replace("{rest...}", "builds/1")
            if method == "HEAD" or (method != "GET" and "builds" not in target):
                continue  # one handler serves all methods; each call takes its time
            for credential, value in cast.values.items():
                answer = Client(cast.server.url, value).call(method, target)
                assert (answer.status == 200) is (credential in allowed), (route, kind, credential, answer)
                assert answer.status in (200, 401), (route, kind, credential, answer)


def test_dead_tokens_are_told_why_by_their_holders_alone(cast: Cast) -> None:
    for credential, code in (
        ("nothing", "token_missing"),
        ("garbage", "token_malformed"),
        ("never issued", "token_unknown"),
        ("expired agent token", "token_expired"),
        ("revoked agent token", "token_revoked"),
        (SESSION, "token_wrong_kind"),
        (API, "token_wrong_kind"),
    ):
        answer = cast.knock("POST /v3/register", credential)
        assert (answer.status, answer.body["code"]) == (401, code), credential


def test_no_token_stands_in_for_what_a_client_of_oauth_was_given(cast: Cast) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    form = "grant_type=refresh_token&refresh_token=x&client_id=x&token=x&scope=x"
    for route in CLIENTS:
        method, path = route.split(" ")
        for value in cast.values.values():
            answer = Client(cast.server.url, value).call(method, path, form, headers=kind)
            assert answer.status == 400, route
            assert answer.body["error"] in ("invalid_client", "unsupported_grant_type"), route
