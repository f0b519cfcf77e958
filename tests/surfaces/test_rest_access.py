"""REST: who passes, in which order things are checked, and how errors look."""

import httpx
import pytest

from rest_client import BASE, Rest, api_token
from support import MINUTE_US, World
from watchword.crypto.values import mint
from watchword.domain.accounts import Role
from watchword.domain.kinds import Kind
from watchword.domain.restrictions import Restrictions, parse_networks
from watchword.rest.app import ROUTES
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.store.base import Transaction

KNOWN_401 = (
    "Authentication required. Please supply a valid API Access Token: "
    "https://buildkite.com/docs/apis/rest-api#authentication"
)


def refusal(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"message", "code"}
    assert isinstance(body["message"], str)
    return str(body["code"])


def test_meta_and_description_need_no_token(world: World) -> None:
    rest = Rest(world, "")
    assert rest("GET", "/v2/meta").json() == {"webhook_ips": []}
    assert rest("GET", "/v2/openapi.json").json()["openapi"] == "3.1.0"


def test_every_other_route_wants_a_token(world: World) -> None:
    rest = Rest(world, "")
    public = {"/v2/meta", "/v2/openapi.json"}
    assert {route.path for route in ROUTES if route.scope is None} == public
    for route in ROUTES:
        if route.path not in public:
            response = rest(route.method, route.path.replace("{", "").replace("}", ""))
            if route.method == "HEAD":  # which has no body
                assert response.status_code == 401, route
                continue
            assert refusal(response, 401) == "token_missing", route
            assert response.json()["message"] == KNOWN_401
            assert response.headers["www-authenticate"].startswith("Bearer")


def test_every_scope_is_asked_for(world: World) -> None:
    rest = Rest(world, api_token(world).value)
    for route in ROUTES:
        if route.scope:
            response = rest(route.method, route.path.replace("{", "").replace("}", ""))
            if route.method == "HEAD":
                assert response.status_code == 403, route
                continue
            assert refusal(response, 403) == "token_scope_missing", route
            assert response.json()["message"] == f"Your access token doesn't have the {route.scope} scope"


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "Bearer   ", "token x"])
def test_only_bearer_counts(world: World, header: str) -> None:
    response = Rest(world, "")("GET", "/v2/user", headers={"Authorization": header})
    assert refusal(response, 401) == "token_missing"


def test_scheme_is_read_in_any_case(world: World) -> None:
    value = world.first.api_token.value.reveal()
    response = Rest(world, "")("GET", "/v2/user", headers={"Authorization": f"bEARER {value}"})
    assert response.status_code == 200


def test_token_in_the_query_is_not_honoured(world: World) -> None:
    value = world.first.api_token.value.reveal()
    response = Rest(world, "")("GET", f"/v2/user?access_token={value}&api_key={value}")
    assert refusal(response, 401) == "token_missing"


def test_malformed_unknown_and_wrong_kind(world: World) -> None:
    malformed = Rest(world, "bkua_MTA.nonsense")("GET", "/v2/user")
    unknown = Rest(world, mint(Kind.API_ACCESS))("GET", "/v2/user")
    wrong = Rest(world, world.first.agent_token.value)("GET", "/v2/user")
    assert refusal(malformed, 401) == "token_malformed"
    assert refusal(unknown, 401) == "token_unknown"
    assert malformed.json()["message"] == unknown.json()["message"] == KNOWN_401
    assert refusal(wrong, 401) == "token_wrong_kind"
    assert wrong.json()["message"].startswith(KNOWN_401)


def test_expired_token_is_told_so(world: World) -> None:
    context, first = world.context, world.first
    until = context.clock.now() + 10 * MINUTE_US

    async def issue(tx: Transaction) -> Issued:
        owner = (first.organization.id, first.admin.id)
        return await issue_api_token(context, tx, LOCAL, *owner, "short", ["read_user"], until)

    rest = Rest(world, world.run(context.store.write(issue)).value)
    assert rest("GET", "/v2/user").status_code == 200
    world.clock.forward(10 * MINUTE_US)
    response = rest("GET", "/v2/user")
    assert refusal(response, 401) == "token_expired"
    assert "expired" in response.json()["message"]


def test_networks_of_the_token_hold(world: World) -> None:
    issued = api_token(world, "read_user")
    text = Restrictions(parse_networks("198.51.100.0/24 2001:db8::/32")).dump()
    token = issued.token
    world.run(
        world.context.store.write(
            lambda tx: tx.tokens.edit(token.organization_id, token.id, token.description, text)
        )
    )
    rest = Rest(world, issued.value)
    assert refusal(rest("GET", "/v2/user"), 403) == "token_network_blocked"
    for inside in ("198.51.100.7", "2001:db8::9"):
        rest.transport.address = inside
        assert rest("GET", "/v2/user").status_code == 200
    rest.transport.address = None
    assert refusal(rest("GET", "/v2/user"), 403) == "token_network_blocked"


def test_foreign_and_unknown_organizations_answer_alike(world: World) -> None:
    world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    rest = Rest(world)
    answers = {
        (answer.status_code, answer.text)
        for slug in ("other", "nobody", "clusters", "%F0%9F%92%A5")
        for path in ("", "/clusters", "/agents", "/pipelines/x")
        for answer in [rest("GET", f"/v2/organizations/{slug}{path}")]
    }
    assert answers == {(404, '{"message":"No organization found","code":"not_found"}')}
    assert rest("POST", "/v2/organizations/other/clusters", content="{").status_code == 404


def test_members_read_and_admins_write(world: World) -> None:
    issued = api_token(world, "read_clusters", "write_clusters", role=Role.MEMBER, email="m@example.com")
    rest = Rest(world, issued.value)
    assert rest("GET", "clusters").status_code == 200
    cluster = f"clusters/{world.first.cluster.id}"
    token = f"{rest.tokens}/{world.first.agent_token.token.id}"
    writes = [
        ("POST", "clusters"),
        ("PATCH", cluster),
        ("DELETE", cluster),
        ("POST", rest.tokens),
        ("PUT", token),
        ("DELETE", token),
        ("POST", f"{cluster}/queues"),
        ("POST", "clusters/nowhere/queues"),  # the role comes before the resource and the body
    ]
    for method, path in writes:
        response = rest(method, path, content="{" if method != "DELETE" else None)
        assert refusal(response, 403) == "forbidden", path
        assert response.json()["message"] == "You're not allowed to do that"


def test_resource_comes_before_body(world: World) -> None:
    rest = Rest(world)
    assert rest("POST", "clusters/nowhere/tokens", content="{").json()["message"] == "No cluster found"
    assert rest("PATCH", f"{rest.tokens}/x", content="{").json()["message"] == "No agent token found"


def test_unknown_paths_and_methods(world: World) -> None:
    rest = Rest(world)
    for path in ("/v2", "/v2/", "/v2/nothing", "/v2/organizations/acme/nothing"):
        response = rest("GET", path)
        assert refusal(response, 404) == "no_such_path"
        assert response.json()["message"] == "Not Found"
    response = rest("DELETE", "/v2/user")
    assert refusal(response, 405) == "method_not_allowed"
    assert "GET" in response.headers["allow"]


def test_slashes_are_tolerated_without_redirect(world: World) -> None:
    rest = Rest(world)
    for path in ("/v2/organizations/", "//v2/organizations/acme", "/v2//organizations/acme/clusters//"):
        response = rest.http.get(BASE + path, follow_redirects=False)
        assert response.status_code == 200, path
    made = rest("POST", "clusters/", content='{"name": "Second"}')
    assert made.status_code == 201


def test_cross_origin_headers(world: World) -> None:
    for response in (Rest(world)("GET", "clusters"), Rest(world, "")("GET", "clusters")):
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["access-control-expose-headers"] == "Link"
        assert response.headers["cache-control"] == "no-store"
    asked = Rest(world, "")("OPTIONS", "clusters")
    assert asked.status_code == 204
    assert "Authorization" in asked.headers["access-control-allow-headers"]


def test_oversized_body_is_refused(world: World) -> None:
    rest = Rest(world)
    response = rest("POST", "clusters", content=b'{"name": "' + b"x" * (1024 * 1024) + b'"}')
    assert refusal(response, 413) == "too_large"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b'{"name": "x",,}', 400, "invalid_json"),
        (b'{"name": "\xff"}', 400, "invalid_json"),
        (b'{"other": ' + b"[" * 100_000, 400, "invalid_json"),
        (b"[]", 422, "invalid_body"),
        (b'"x"', 422, "invalid_body"),
        (b'{"name": 5}', 422, "invalid_body"),
        (b'{"name": null}', 422, "invalid_name"),
        (b"", 422, "invalid_name"),
        (b"{}", 422, "invalid_name"),
        (b'{"name": "x", "color": "red"}', 422, "invalid_color"),
        (b'{"name": "%s"}' % (b"n" * 256), 422, "invalid_name"),
        (b'{"name": "n", "description": "%s"}' % (b"d" * 1025), 422, "invalid_body"),
    ],
)
def test_bad_bodies(world: World, body: bytes, status: int, code: str) -> None:
    response = Rest(world)("POST", "clusters", content=body)
    assert refusal(response, status) == code
    if status == 422:
        assert response.json()["message"].startswith("Validation failed: ")


def test_former_member_reaches_nothing(world: World) -> None:
    issued = api_token(world, "read_clusters", "read_organizations", role=Role.MEMBER, email="m@example.com")
    rest = Rest(world, issued.value)
    assert len(rest("GET", "/v2/organizations").json()) == 1
    world.database.query(f"DELETE FROM members WHERE user_id = '{issued.token.user_id}'")
    assert rest("GET", "/v2/organizations").json() == []
    assert rest("GET", "clusters").json()["message"] == "No organization found"
