"""Runs of portals on a live server: what is stored and nothing else, by whom and from where it may be."""

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest

from surfaces.portal_scene import NAME, Site, code_of, serving
from watchword.crypto.values import mint
from watchword.domain.ids import TokenId
from watchword.domain.kinds import Kind
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.members import remove_member
from watchword.services.portaltokens import create_secret_in, issue_in
from watchword.services.revoking import revoke
from watchword.store.base import Transaction

CREATE = """
mutation Create($id: ID!, $name: String!) {
  clusterCreate(input: {organizationId: $id, name: $name}) { cluster { name createdBy { name } } }
}
query Name { organization(slug: "acme") { name } }
query Me { viewer { user { name } } }
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("portals")) as site:
        yield site


@pytest.fixture
def site(shared: Site) -> Site:
    """The one server, a minute later, without the portals of the test before."""
    shared.clear()
    return shared


@pytest.mark.parametrize("prefix", ["/portal", "", "/portal/", "//portal"])
def test_a_portal_runs_at_both_of_its_paths(site: Site, prefix: str) -> None:
    _, token = site.portal()
    answer = site.run(token, at=f"{prefix.rstrip('/')}/organizations/acme/portals/tools")
    assert (answer.status_code, answer.json()) == (200, {"data": {"organization": {"name": "Acme"}}})
    assert answer.headers["ratelimit-scope"] == "portal"
    assert answer.headers["cache-control"] == "no-store"


def test_a_body_gives_arguments_and_no_document(site: Site) -> None:
    _, token = site.portal("query Named($slug: ID!) { organization(slug: $slug) { name } }")
    assert site.run(token, json={"slug": "acme"}).json()["data"] == {"organization": {"name": "Acme"}}
    other = "{ viewer { user { email } } }"
    for body in (
        {"slug": "acme", "query": other},
        {"slug": "acme", "query": other, "variables": {"slug": "x"}, "operationName": "Other"},
        {"slug": "acme", "extensions": {"persistedQuery": {"sha256Hash": "0" * 64}}, "id": other},
    ):
        assert site.run(token, json=body).json() == {"data": {"organization": {"name": "Acme"}}}
    asked = {"query": other, "document": other, "variables": "{}"}
    assert "email" not in site.run(token, json={"slug": "acme"}, params=asked).text
    missing = site.run(token, json={"variables": {"slug": "acme"}})
    assert missing.status_code == 200
    assert "$slug" in missing.json()["errors"][0]["message"]


@pytest.mark.parametrize("body", [b"[]", b'[{"slug": "acme"}]', b'"{}"', b"1", b"null", b"{", b"\xff"])
def test_a_body_that_is_no_object_is_refused(site: Site, body: bytes) -> None:
    _, token = site.portal()
    answer = site.run(token, content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["message"] == answer.json()["message"]


def test_no_body_at_all_counts_as_no_arguments(site: Site) -> None:
    _, token = site.portal()
    for body in (b"", b"  ", b"{}"):
        assert site.run(token, content=body).json()["data"], body


def test_of_several_operations_one_is_named(site: Site) -> None:
    _, token = site.portal(CREATE)
    unnamed = site.run(token).json()
    assert unnamed["errors"][0]["message"].endswith("?operation_name=: Create, Name, Me.")
    assert "data" not in unnamed
    assert site.run(token, params={"operation_name": ""}).json() == unnamed
    named = site.run(token, params={"operation_name": "Name"}).json()
    assert named == {"data": {"organization": {"name": "Acme"}}}
    unknown = site.run(token, params={"operation_name": "Delete"}).json()
    assert unknown["errors"][0]["extensions"]["code"] == "unknown_operation"


def test_a_portal_acts_as_itself_and_as_nobody(site: Site) -> None:
    portal, token = site.portal(CREATE)
    first = site.first
    body = {"id": site.organization, "name": "made by a portal"}
    answer = site.run(token, params={"operation_name": "Create"}, json=body).json()
    assert answer == {"data": {"clusterCreate": {"cluster": {"name": "made by a portal", "createdBy": None}}}}
    events = site.read(lambda tx: tx.audit.events(first.organization.id, 0, 10_000))
    made = [event for event in events if event.action.value == "cluster.created"][-1]
    assert (made.actor_kind, made.actor_id, made.actor_name) == ("portal", portal.id, "tools")
    assert made.token_id == token.token.id
    mine = site.run(token, params={"operation_name": "Me"}).json()
    assert mine["data"] == {"viewer": None}
    assert mine["errors"][0]["message"] == "No user found"


def test_a_portal_reaches_no_other_organization(site: Site) -> None:
    other = site.server.run(
        create_organization(site.context, LOCAL, "other", "Other", "o@example.com", "Olga")
    )
    _, token = site.portal(
        'query A($id: ID!) { organization(slug: "other") { name } node(id: $id) { id } '
        "viewer { user { name } } }",
        slug="prying",
    )
    named = base64.b64encode(f"Organization---{other.organization.id}".encode()).decode()
    answer = site.run(token, "prying", json={"id": named}).json()
    assert answer["data"] == {"organization": None, "node": None, "viewer": None}
    theirs = site.run(token, at="/portal/organizations/other/portals/prying")
    assert code_of(theirs) == (404, "not_found")
    absent = site.run(token, at="/portal/organizations/nobodys/portals/prying")
    assert absent.json() == theirs.json()


def test_only_a_live_token_of_this_very_portal_passes(site: Site) -> None:
    portal, token = site.portal()
    _, other = site.portal(slug="other")
    secret = site.write(lambda tx: create_secret_in(site.context, tx, LOCAL, portal, "s", None))
    revoked = site.write(lambda tx: issue_in(site.context, tx, LOCAL, portal, Kind.PORTAL_SERVICE))
    site.write(lambda tx: revoke(site.context, tx, LOCAL, revoked.token, None))
    expired = site.write(
        lambda tx: issue_in(
            site.context, tx, LOCAL, portal, Kind.PORTAL_EPHEMERAL, expires_at=site.clock.now()
        )
    )
    assert code_of(site.run("")) == (401, "token_missing")
    assert code_of(site.run("bkpat_nonsense")) == (401, "token_malformed")
    assert code_of(site.run(mint(Kind.PORTAL_SERVICE).reveal())) == (401, "token_unknown")
    assert code_of(site.run(revoked)) == (401, "token_revoked")
    assert code_of(site.run(expired)) == (401, "token_expired")
    assert code_of(site.run(secret)) == (401, "token_wrong_kind")
    assert code_of(site.run(site.first.api_token)) == (401, "token_wrong_kind")
    assert code_of(site.run(site.first.agent_token)) == (401, "token_wrong_kind")
    assert code_of(site.run(other)) == (403, "token_other_portal")
    assert code_of(site.run(other, "nobodys")) == (404, "not_found")
    assert site.run(token).status_code == 200


def test_a_portals_token_opens_nothing_else(site: Site) -> None:
    _, token = site.portal()
    assert site.run(token, at="/graphql", json={"query": NAME}).status_code == 401
    assert site.run(token, at="/v3/register", json={"name": "x"}).status_code == 401
    rest = site.http.get(
        "/v2/organizations/acme", headers={"Authorization": f"Bearer {token.value.reveal()}"}
    )
    assert rest.status_code == 401


def test_a_changed_document_holds_for_the_next_run_and_a_deleted_portal_for_none(site: Site) -> None:
    portal, token = site.portal()
    assert site.run(token).json()["data"] == {"organization": {"name": "Acme"}}
    desk = site.server.authority.portals
    new = '{ organization(slug: "acme") { slug } }'
    site.write(lambda tx: desk.update_in(tx, LOCAL, portal, {"query": new}, None))
    assert site.run(token).json()["data"] == {"organization": {"slug": "acme"}}
    site.write(lambda tx: desk.delete_in(tx, LOCAL, portal, None))
    assert code_of(site.run(token)) == (401, "token_revoked")


def test_a_portal_runs_from_its_networks_alone(site: Site) -> None:
    portal, token = site.portal(allowed_networks="192.0.2.0/24")
    assert code_of(site.run(token)) == (403, "address_not_allowed")
    desk = site.server.authority.portals
    changes = {"allowed_networks": "192.0.2.0/24 127.0.0.0/8"}
    site.write(lambda tx: desk.update_in(tx, LOCAL, portal, changes, None))
    assert site.run(token).status_code == 200


def test_the_organizations_allowlist_holds_for_portals_too(site: Site) -> None:
    _, token = site.portal()
    owner = site.first.organization.id

    def allow(networks: str) -> None:
        async def work(tx: Transaction) -> None:
            await tx.policies.save(replace(await tx.policies.policy(owner), allowed_networks=networks))

        site.write(work)

    allow("192.0.2.0/24")
    try:
        assert code_of(site.run(token)) == (403, "address_not_allowed")
    finally:
        allow("")
    assert site.run(token).status_code == 200


def test_a_members_token_runs_with_that_members_rights_of_today(site: Site) -> None:
    first = site.first
    portal, _ = site.portal(CREATE, user_invokable=True)
    user = site.member("mia")
    token = site.user_token(portal, user)
    body = {"id": site.organization, "name": "not hers to make"}
    refused = site.run(token, params={"operation_name": "Create"}, json=body).json()
    assert refused["data"] == {"clusterCreate": None}
    assert refused["errors"][0]["message"] == "You're not allowed to do that"
    assert site.run(token, params={"operation_name": "Me"}).json()["data"]["viewer"]["user"] == {
        "name": "mia"
    }
    assert site.write(lambda tx: tx.members.promote(first.organization.id, user.id))
    made = site.run(token, params={"operation_name": "Create"}, json=body).json()
    assert made["data"]["clusterCreate"]["cluster"]["createdBy"] == {"name": "mia"}


def test_a_members_token_ends_when_the_member_leaves(site: Site) -> None:
    portal, service = site.portal(user_invokable=True)
    user = site.member("leo")
    token, kept = site.user_token(portal, user), site.user_token(portal, site.first.admin)
    assert site.run(token).status_code == 200

    async def leave(tx: Transaction) -> None:
        member = await tx.accounts.member(site.first.organization.id, user.id)
        assert member is not None
        await remove_member(site.context, tx, LOCAL, member, None)

    site.write(leave)
    assert code_of(site.run(token)) == (401, "token_revoked")
    late = site.user_token(portal, user)
    assert code_of(site.run(late)) == (403, "approver_left")
    assert site.run(kept).status_code == site.run(service).status_code == 200


def test_switching_users_off_ends_what_they_were_given_and_nothing_else(site: Site) -> None:
    portal, service = site.portal(user_invokable=True)
    token = site.user_token(portal, site.first.admin)
    secret = site.write(lambda tx: create_secret_in(site.context, tx, LOCAL, portal, "s", None))
    desk = site.server.authority.portals
    site.write(lambda tx: desk.update_in(tx, LOCAL, portal, {"user_invokable": False}, None))
    assert code_of(site.run(token)) == (401, "token_revoked")
    assert site.run(service).status_code == 200
    found = site.read(lambda tx: tx.tokens.find(site.first.organization.id, TokenId(secret.token.id)))
    assert found.state.value == "active"


def test_runs_are_counted_by_organization_and_told_in_four_headers(site: Site) -> None:
    _, token = site.portal()
    _, other = site.portal(slug="other")
    left = [int(site.run(token).headers["ratelimit-remaining"]) for _ in range(20)]
    assert left == list(range(39, 19, -1))
    for _ in range(20):
        site.run(other, "other")
    spent = site.run(token)
    names = ("scope", "limit", "remaining", "reset")
    assert [spent.headers[f"ratelimit-{name}"] for name in names] == ["portal", "40", "0", "60"]
    assert spent.headers["retry-after"] == "60"
    body = spent.json()
    assert (spent.status_code, body["code"]) == (429, "rate_limited")
    assert {name: body[name] for name in ("scope", "limit", "current", "reset")} == {
        "scope": "portal",
        "limit": 40,
        "current": 40,
        "reset": 60,
    }
    assert code_of(site.run("bkpat_nonsense")) == (401, "token_malformed")
    site.clock.forward(60_000_000)
    assert site.run(token).headers["ratelimit-remaining"] == "39"


def test_a_document_that_asks_for_too_much_is_refused_at_each_run(site: Site) -> None:
    many = 'query Many($n: Int!) { organization(slug: "acme") { pipelines(first: $n) { edges { node {'
    many += " builds(first: $n) { edges { node { url } } } } } } } }"
    _, token = site.portal(many)
    assert site.run(token, json={"n": 2}).json()["data"]
    dear = site.run(token, json={"n": 500}).json()
    assert dear["errors"][0]["extensions"]["code"] == "query_too_complex"


def test_a_browser_and_a_program_share_a_path(site: Site) -> None:
    _, token = site.portal()
    at = "/organizations/acme/portals/tools"
    assert site.run(token, at=at).status_code == 200
    page = site.http.get(at, headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"][:9]) == (303, "text/html"), "it asks for a sign-in"
    form = site.http.post(at, headers={"Accept": "text/html"}, data={"csrf": "x"})
    assert form.headers["content-type"].startswith("text/html"), "a form never reaches the portal"
    assert site.http.get("/portal" + at, headers={"Accept": "text/html"}).status_code == 405


def test_last_use_is_known_of_every_kind(site: Site) -> None:
    portal, token = site.portal()
    site.run(token, headers={"User-Agent": "cron/1"})
    ledger = site.server.authority.ledger
    used = site.server.run(ledger.last_used(site.first.organization.id, token.token.id))
    assert used is not None
    assert (used.address, used.version) == ("127.0.0.1", "cron/1")
    assert token.token.resource_id == portal.id
