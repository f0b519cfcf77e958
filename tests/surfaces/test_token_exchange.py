"""Token exchange (contract rest-graphql §5.7): each error with its word, and what the tokens may do."""

from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jwk

from openid_stand_in import make_key
from outside_issuer import Issuer
from support import Answer, Client, FakeClock, LiveServer
from watchword.domain.exchanges import ASSERTION_TYPE, GRANT_TYPE, USER_EMAIL, USER_UUID
from watchword.domain.people import SignInData
from watchword.store.base import Transaction

GRANTABLE = ["read_user", "read_organizations", "write_organization_settings", "graphql"]


class Exchange:
    """An application of the first organization, and what it asks."""

    def __init__(self, server: LiveServer, issuer: Issuer) -> None:
        self.server, self.issuer = server, issuer
        keys = {"keys": [issuer.key.as_dict(private=False)]}
        self.application = self.made({"jwks": keys, "default_scopes": ["read_user"]})

    def rest(self, method: str, path: str, body: Any = None) -> Answer:
        value = self.server.first.api_token.value.reveal()
        return Client(self.server.url, value, "Bearer").call(
            method, f"/v2/organizations/acme/token-exchange-applications{path}", body
        )

    def made(self, changes: dict[str, Any]) -> dict[str, Any]:
        answer = self.rest("POST", "", {"name": "Desk", "grantable_scopes": GRANTABLE} | changes)
        assert answer.status == 201, answer.body
        found: dict[str, Any] = answer.body
        return found

    def change(self, **changes: Any) -> None:
        assert self.rest("PATCH", f"/{self.application['id']}", changes).status == 200

    def assertion(self, claims: dict[str, Any] | None = None, **signing: Any) -> str:
        client, now = self.application["client_id"], self.issuer.seconds
        usual = {"iss": client, "sub": client, "aud": f"{self.server.url}/oauth/token"}
        times = {"iat": now, "nbf": None, "exp": now + 300, "jti": None}
        return self.issuer.mint(usual | times | (claims or {}), **signing)

    def ask(self, assertion: str | None = None, **fields: str | None) -> Answer:
        form: dict[str, str | None] = {
            "grant_type": GRANT_TYPE,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(),
            "subject_token": "admin@example.com",
            "subject_token_type": USER_EMAIL,
            "audience": "acme",
        }
        given = {name: value for name, value in (form | fields).items() if value is not None}
        return post_form(self.server.url, given)

    def error(self, assertion: str | None = None, **fields: str | None) -> tuple[str, str]:
        answer = self.ask(assertion, **fields)
        if answer.status == 200:
            return "", ""
        assert answer.status == 400
        return answer.body["error"], answer.body["error_description"]

    def call(self, value: str, method: str, path: str, body: Any = None) -> Answer:
        return Client(self.server.url, value, "Bearer").call(method, path, body)


def post_form(url: str, form: dict[str, str]) -> Answer:
    import httpx  # noqa: PLC0415 - a form, which the client of the agent API does not send

    answer = httpx.post(f"{url}/oauth/token", data=form)
    return Answer(answer.status_code, answer.json(), dict(answer.headers))


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
    admin = made.first.admin.id

    async def verified(tx: Transaction) -> None:
        await tx.people.save_sign_in_data(SignInData(admin, email_verified_at=1))

    made.run(made.authority.context.store.write(verified))
    yield made
    made.close()


@pytest.fixture
def exchange(server: LiveServer, issuer: Issuer) -> Exchange:
    return Exchange(server, issuer)


def test_an_assertion_becomes_a_token_of_the_person(exchange: Exchange) -> None:
    given = exchange.ask(scope="read_user graphql", expires_in="120").body
    assert given["access_token"].startswith("bktx_")
    assert {**given, "access_token": ""} == {
        "access_token": "",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 120,
        "scope": "graphql read_user",
    }
    value = given["access_token"]
    assert exchange.call(value, "GET", "/v2/user").body["email"] == "admin@example.com"
    viewer = {"query": "{ viewer { user { email } } }"}
    answer = exchange.call(value, "POST", "/v1", viewer).body
    assert answer["data"]["viewer"]["user"]["email"] == "admin@example.com"
    assert exchange.call(value, "GET", "/v2/organizations").status == 403
    usual = exchange.ask().body
    assert (usual["expires_in"], usual["scope"]) == (3600, "read_user")
    admin = exchange.server.first.admin.id
    assert exchange.error(subject_token=admin, subject_token_type=USER_UUID) == ("", "")
    assert exchange.ask(expires_in="99999").body["expires_in"] == 3600


def test_a_wrong_assertion_is_an_invalid_client(exchange: Exchange) -> None:
    now = exchange.issuer.seconds
    curve = jwk.ECKey.generate_key("P-256", {"kid": "one"})
    signature = ("invalid_client", "Invalid client assertion signature")
    for assertion in (
        "nothing",
        exchange.assertion({"iss": "0" * 20}),
        exchange.assertion(key=make_key("two")),
        exchange.assertion(key=make_key("two"), header={"kid": "two"}),
        exchange.assertion(key=curve, header={"alg": "ES256"}),
        exchange.assertion(header={"alg": "RS512"}),
    ):
        assert exchange.error(assertion) == signature
    for claims, text in (
        ({"sub": "somebody"}, "JWT `sub` claim is invalid"),
        ({"aud": "https://elsewhere.example"}, "JWT `aud` claim is invalid"),
        ({"aud": None}, "JWT `aud` claim is invalid"),
        ({"exp": now}, "JWT `exp` claim must be in the future"),
        ({"exp": None}, "JWT `exp` claim must be in the future"),
        ({"exp": now + 301}, "JWT `exp` claim must be at most 5 minutes after `iat`"),
        ({"iat": now + 61, "exp": now + 300}, "JWT `iat` claim must be in the past"),
        ({"iat": None}, "JWT `iat` claim must be in the past"),
        ({"nbf": now + 1}, "JWT `nbf` claim must not be in the future"),
        ({"jti": ""}, "JWT `jti` claim is invalid"),
        ({"jti": "x" * 256}, "JWT `jti` claim is invalid"),
        ({"jti": 5}, "JWT `jti` claim is invalid"),
    ):
        assert exchange.error(exchange.assertion(claims)) == ("invalid_client", text)
    assert exchange.error(exchange.assertion(header={"kid": None})) == ("", "")


def test_a_jti_is_used_up_by_success_alone(exchange: Exchange) -> None:
    assertion = exchange.assertion({"jti": "one"})
    assert exchange.error(assertion, audience="other")[0] == "invalid_target"
    assert exchange.error(assertion, scope="write_builds")[0] == "invalid_scope"
    assert exchange.error(assertion) == ("", "")
    used = ("invalid_client", "JWT has already been used (jti)")
    assert exchange.error(assertion) == used
    assert exchange.error(assertion, audience="other") == used  # the replay is found first
    twice = exchange.assertion()
    assert [exchange.error(twice), exchange.error(twice)] == [("", "")] * 2
    exchange.change(require_jti=True)
    assert exchange.error() == ("invalid_client", "JWT must contain a `jti` claim")


def test_audience_application_address_person_and_scope_in_their_order(exchange: Exchange) -> None:
    stranger = {"subject_token": "nobody@example.com"}
    exchange.change(enabled=False, allowed_ip_addresses_for_exchange="198.51.100.0/24")
    assert exchange.error(audience="other", **stranger) == ("invalid_target", "Invalid audience organization")
    off = ("unsupported_grant_type", "Token exchange is not enabled for this organization")
    assert exchange.error(**stranger) == off
    exchange.change(enabled=True)
    assert exchange.error(**stranger)[0] == "unauthorized_client"
    exchange.change(allowed_ip_addresses_for_exchange=None)
    person = ("invalid_request", "Subject user must be an active member of the organization")
    assert exchange.error(scope="nonsense", **stranger) == person
    assert exchange.error(subject_token="x", subject_token_type=USER_UUID) == person
    assert exchange.error(scope="nonsense") == ("invalid_scope", "Requested scopes exceed grantable scopes")
    assert exchange.error(scope="read_user write_builds")[0] == "invalid_scope"
    exchange.change(default_scopes=None)
    assert exchange.error()[0] == "invalid_scope"
    assert exchange.error(scope="read_user", expires_in="-1")[0] == "invalid_request"


@pytest.mark.parametrize(
    "field", ["client_assertion_type", "client_assertion", "subject_token", "subject_token_type", "audience"]
)
def test_every_parameter_is_needed(exchange: Exchange, field: str) -> None:
    assert exchange.error(exchange.assertion(), **{field: None})[0] == "invalid_request"


def test_a_token_is_not_exchanged_again_and_makes_nothing_that_outlives_it(exchange: Exchange) -> None:
    value = exchange.ask(scope=" ".join(GRANTABLE)).body["access_token"]
    kind = "urn:ietf:params:oauth:token-type:access_token"
    assert exchange.error(subject_token=value, subject_token_type=kind)[0] == "invalid_request"
    wanted = {"description": "x", "scopes": ["read_user"]}
    made = exchange.call(value, "POST", "/v2/organizations/acme/api-access-tokens", wanted)
    assert (made.status, made.body["code"]) == (403, "exchanged_token")
    slug = {"input": {"organizationId": "x", "name": "y"}}
    document = "mutation ($input: ClusterCreateInput!) { clusterCreate(input: $input) { clientMutationId } }"
    answer = exchange.call(value, "POST", "/v1", {"query": document, "variables": slug}).body
    assert answer["errors"][0]["extensions"]["code"] == "exchanged_token"


def test_a_token_ends_with_its_time_and_with_its_application(exchange: Exchange, clock: FakeClock) -> None:
    short, long = (exchange.ask(expires_in=each).body["access_token"] for each in ("30", "3600"))
    clock.forward(30_000_000)
    assert exchange.call(short, "GET", "/v2/user").status == 401
    assert exchange.call(long, "GET", "/v2/user").status == 200
    assert exchange.rest("DELETE", f"/{exchange.application['id']}").status == 204
    assert exchange.call(long, "GET", "/v2/user").status == 401
    assert exchange.error() == ("invalid_client", "Invalid client assertion signature")


def test_a_token_is_used_from_where_the_application_says(exchange: Exchange) -> None:
    exchange.change(allowed_ip_addresses_for_use="198.51.100.0/24")
    value = exchange.ask().body["access_token"]
    refused = exchange.call(value, "GET", "/v2/user")
    assert (refused.status, refused.body["code"]) == (403, "token_network_blocked")


def test_keys_are_fetched_from_the_applications_address(exchange: Exchange, issuer: Issuer) -> None:
    exchange.change(jwks_url=f"{issuer.issuer}/keys")
    before = len(issuer.requests)
    assert exchange.error() == ("", "")
    assert issuer.requests[before:] == ["/keys"]


def test_what_cannot_be_an_application_is_refused(exchange: Exchange, issuer: Issuer) -> None:
    unnamed = issuer.key.as_dict(private=False)
    unnamed.pop("kid")
    for changes in (
        {"jwks": {"keys": [unnamed]}},
        {"jwks": None, "jwks_url": "http://169.254.169.254/"},
        {"maximum_ttl_in_seconds": 29},
        {"maximum_ttl_in_seconds": 86_401},
        {"default_scopes": ["write_builds"]},
        {"grantable_scopes": ["nonsense"]},
        {"name": " "},
    ):
        assert exchange.rest("PATCH", f"/{exchange.application['id']}", changes).status == 422, changes
