"""People, teams, settings and API access tokens over GraphQL: each change with its audit event."""

from typing import Any

import pytest

from graphql_client import Graph
from rest_client import api_token
from support import World
from surfaces.test_graphql_tokens import actions, change, refused
from watchword.domain.accounts import Role
from watchword.domain.scopes import ALL_SCOPES
from watchword.graphql import ids
from watchword.graphql.resolvers.members import member_uuid
from watchword.graphql.schema import executable


@pytest.fixture
def graph(world: World) -> Graph:
    return Graph(world)


@pytest.fixture
def organization(world: World) -> str:
    return ids.encode("Organization", world.first.organization.id)


def invited(world: World, email: str, *scopes: str, role: Role = Role.MEMBER) -> Any:
    """A further member, with a token."""
    return api_token(world, *(scopes or ("graphql",)), role=role, email=email)


SETTINGS = """{ organization(slug: "acme") {
  allowedApiIpAddresses revokeInactiveTokensAfter membersRequireTwoFactorAuthentication } }"""


def test_the_allowlist_goes_and_comes_back_as_the_same_text(graph: Graph, organization: str) -> None:
    assert graph.ok(SETTINGS)["organization"]["allowedApiIpAddresses"] is None
    text = "203.0.113.0/24 10.0.0.0/8  192.0.2.1/32"
    made, written = change_setting(
        graph,
        "organizationApiIpAllowlistUpdate",
        "OrganizationAPIIPAllowlistUpdateMutationInput",
        "organization { allowedApiIpAddresses }",
        {"organizationID": organization, "ipAddresses": text},
    )
    assert made == {"organization": {"allowedApiIpAddresses": text}}
    assert written == ["organization_security.updated"]
    graph.address = "198.51.100.1"
    outside = graph('{ organization(slug: "acme") { id } }')
    assert (outside.data, outside.codes) == ({"organization": None}, ["address_not_allowed"])
    assert graph.ok("query($i: ID!) { node(id: $i) { id } }", {"i": organization}) == {"node": None}
    graph.address = "203.0.113.9"
    given = {"organizationID": organization, "ipAddresses": ""}
    of = "OrganizationAPIIPAllowlistUpdateMutationInput"
    change_setting(graph, "organizationApiIpAllowlistUpdate", of, "clientMutationId", given)
    assert graph.ok(SETTINGS)["organization"]["allowedApiIpAddresses"] is None
    wrong = graph(
        f"mutation($i: {of}!) {{ organizationApiIpAllowlistUpdate(input: $i) {{ clientMutationId }} }}",
        {"i": {**given, "ipAddresses": "everywhere"}},
    )
    assert wrong.data == {"organizationApiIpAllowlistUpdate": None}


def change_setting(graph: Graph, name: str, of: str, shown: str, given: dict[str, Any]) -> Any:
    before = actions(graph.world)
    data = graph.ok(f"mutation($i: {of}!) {{ {name}(input: $i) {{ {shown} }} }}", {"i": given})
    return data[name], actions(graph.world)[len(before) :]


def test_the_period_of_inactivity_and_the_second_factor_are_set(graph: Graph, organization: str) -> None:
    name = "organizationRevokeInactiveTokensAfterUpdate"
    of = "OrganizationRevokeInactiveTokensAfterUpdateMutationInput"
    given = {"organizationId": organization, "revokeInactiveTokensAfter": "DAYS_90"}
    shown = "organization { revokeInactiveTokensAfter }"
    made, written = change_setting(graph, name, of, shown, given)
    assert (made["organization"], written) == (
        {"revokeInactiveTokensAfter": "DAYS_90"},
        ["organization_security.updated"],
    )
    never = {**given, "revokeInactiveTokensAfter": "NEVER"}
    made, _ = change_setting(graph, name, of, shown, never)
    assert made["organization"] == {"revokeInactiveTokensAfter": None}
    name = "organizationEnforceTwoFactorAuthenticationForMembersUpdate"
    of = "OrganizationEnforceTwoFactorAuthenticationForMembersUpdateMutationInput"
    asked = {"organizationId": organization, "membersRequireTwoFactorAuthentication": False}
    shown = "organization { membersRequireTwoFactorAuthentication }"
    made, _ = change_setting(graph, name, of, shown, asked)
    assert made["organization"] == {"membersRequireTwoFactorAuthentication": False}


def test_the_banner_is_set_changed_and_deleted(graph: Graph, organization: str) -> None:
    shown = "banner { id uuid message }"
    made, written = change(
        graph, "organizationBannerUpsert", shown, organizationId=organization, message="Hello"
    )
    assert (made["banner"]["message"], written) == ("Hello", ["banner.created"])
    query = (
        '{ organization(slug: "acme") { banners(first: 1) { nodes { uuid } edges { node { message } } } } }'
    )
    assert graph.ok(query)["organization"]["banners"]["edges"] == [{"node": {"message": "Hello"}}]
    again, written = change(
        graph, "organizationBannerUpsert", shown, organizationId=organization, message="Bye"
    )
    assert (again["banner"]["id"], written) == (made["banner"]["id"], ["banner.updated"])
    gone, written = change(graph, "organizationBannerDelete", "deletedBannerId", organizationId=organization)
    assert (gone["deletedBannerId"], written) == (made["banner"]["id"], ["banner.deleted"])
    _, message = refused(graph, "organizationBannerDelete", organizationId=organization)
    assert "does not have an active banner" in message


def test_api_tokens_are_listed_without_values_and_lose_the_organization(
    graph: Graph, organization: str, world: World
) -> None:
    theirs = invited(world, "m@example.com", "graphql", "read_clusters")
    Graph(world, theirs.value).ok("{ viewer { id } }")
    query = """{ organization(slug: "acme") { apiAccessTokens(first: 10) { nodes {
        id uuid description scopes createdAt expiresAt lastAccessedAt ipAddress owner { email } } } } }"""
    rows = graph.ok(query)["organization"]["apiAccessTokens"]["nodes"]
    (row,) = [row for row in rows if row["uuid"] == theirs.token.id]
    assert row["owner"] == {"email": "m@example.com"}
    assert sorted(row["scopes"]) == ["GRAPHQL", "READ_CLUSTERS"]
    assert row["ipAddress"] == graph.address
    assert row["lastAccessedAt"]
    assert theirs.value.reveal() not in str(rows)
    name, of = "organizationApiAccessTokenRevoke", "OrganizationAPIAccessTokenRevokeMutationInput"
    given = {"organizationId": organization, "apiAccessTokenId": row["id"]}
    made, written = change_setting(graph, name, of, "revokedApiAccessTokenId", given)
    assert (made, written) == ({"revokedApiAccessTokenId": row["id"]}, ["token.organization_removed"])
    assert Graph(world, theirs.value).ok('{ organization(slug: "acme") { id } }') == {"organization": None}
    again = graph(f"mutation($i: {of}!) {{ {name}(input: $i) {{ clientMutationId }} }}", {"i": given})
    assert again.codes == ["not_found"]


def test_every_scope_has_its_word() -> None:
    known = set(executable().type_map["APIAccessTokenScopes"].values)  # type: ignore[attr-defined]
    assert {scope.upper() for scope in ALL_SCOPES} <= known


MEMBERS = """query($e: String, $r: [OrganizationMemberRole!], $s: String) { organization(slug: "acme") {
  members(first: 500, email: $e, role: $r, search: $s, order: NAME) { count edges { node {
    id uuid role user { id uuid name email } organization { slug } sso { mode }
    security { twoFactorEnabled } permissions { organizationMemberDelete { allowed } } } } } } }"""


def test_members_are_found_promoted_and_removed(graph: Graph, world: World) -> None:
    theirs = invited(world, "maria@example.com")
    members = graph.ok(MEMBERS)["organization"]["members"]
    assert [edge["node"]["user"]["name"] for edge in members["edges"]] == ["Ada Admin", "maria"]
    (edge,) = graph.ok(MEMBERS, {"e": "Maria@example.com"})["organization"]["members"]["edges"]
    member = edge["node"]
    user = world.run(world.context.store.read(lambda tx: tx.accounts.user(theirs.token.user_id)))
    assert user is not None
    assert member["user"]["id"] == ids.encode("User", user.id)
    assert (member["role"], member["sso"]) == ("MEMBER", {"mode": "OPTIONAL"})
    assert member["uuid"] == member_uuid(world.first.organization.id, user.id)
    by_slug = "query($s: ID!) { organizationMember(slug: $s) { id } }"
    for uuid in (user.id, member["uuid"]):
        assert graph.ok(by_slug, {"s": f"acme/{uuid}"}) == {"organizationMember": {"id": member["id"]}}
    shown = "organizationMember { role user { email } }"
    made, written = change(graph, "organizationMemberUpdate", shown, id=member["id"], role="ADMIN")
    assert (made["organizationMember"]["role"], written) == ("ADMIN", ["member.updated"])
    change(graph, "organizationMemberUpdate", shown, id=member["id"], role="MEMBER")
    own = ids.encode("OrganizationMember", member_uuid(world.first.organization.id, world.first.admin.id))
    assert refused(graph, "organizationMemberDelete", id=own)[0] == "own_membership"
    shown = "deletedOrganizationMemberID user { email } organization { slug }"
    made, written = change(graph, "organizationMemberDelete", shown, id=member["id"])
    assert made["deletedOrganizationMemberID"] == member["id"]
    assert made["user"] == {"email": "maria@example.com"}
    assert written == ["token.organization_removed", "member.removed"]
    assert Graph(world, theirs.value).ok('{ organization(slug: "acme") { id } }') == {"organization": None}
    assert refused(graph, "organizationMemberDelete", id=member["id"])[1] == "No member found"
    assert graph(MEMBERS.replace("$s,", "$s, security: {twoFactorEnabled: true},")).codes == ["unsupported"]


def test_people_are_invited_all_or_none(graph: Graph, organization: str) -> None:
    node = "id slug email role state expiredAt teams { count }"
    shown = f"organization {{ slug }} invitationEdges {{ node {{ {node} }} }}"
    given = {"organizationID": organization, "emails": ["A@example.com", "b@example.com"]}
    made, written = change(graph, "organizationInvitationCreate", shown, **given, role="ADMIN")
    nodes = [edge["node"] for edge in made["invitationEdges"]]
    assert [(node["email"], node["role"], node["state"]) for node in nodes] == [
        ("a@example.com", "ADMIN", "PENDING"),
        ("b@example.com", "ADMIN", "PENDING"),
    ]
    assert written == ["invitation.created"] * 2
    again = {"organizationID": organization, "emails": ["c@example.com", "a@example.com"]}
    assert "already been invited" in refused(graph, "organizationInvitationCreate", **again)[1]
    found = graph.ok("query($s: ID!) { organizationInvitation(slug: $s) { id } }", {"s": nodes[0]["slug"]})
    assert found == {"organizationInvitation": {"id": nodes[0]["id"]}}
    resent = "organizationInvitation { state }"
    assert change(graph, "organizationInvitationResend", resent, id=nodes[0]["id"])[1] == [
        "invitation.resent"
    ]
    shown = "organizationInvitation { state revokedBy { name } } organizationInvitationEdge { cursor }"
    made, written = change(graph, "organizationInvitationRevoke", shown, id=nodes[0]["id"])
    assert made["organizationInvitation"] == {"state": "REVOKED", "revokedBy": {"name": "Ada Admin"}}
    assert written == ["invitation.revoked"]
    assert refused(graph, "organizationInvitationRevoke", id=nodes[0]["id"])[0] == "invitation_not_pending"
    query = """query($s: [OrganizationInvitationStates!]) {
        organization(slug: "acme") { invitations(state: $s) { count } } }"""
    assert graph.ok(query)["organization"]["invitations"]["count"] == 2
    assert graph.ok(query, {"s": ["PENDING"]})["organization"]["invitations"]["count"] == 1
    graph.world.clock.forward(8 * 24 * 3600 * 1_000_000)
    api = api_token(graph.world, "graphql")
    later = Graph(graph.world, api.value)
    expired = "invitations(state: [EXPIRED]) { edges { node { state expiredAt } } }"
    (one,) = later.ok(f'{{ organization(slug: "acme") {{ {expired} }} }}')["organization"]["invitations"][
        "edges"
    ]
    assert one["node"]["expiredAt"]


TEAM = """id uuid slug name description privacy isDefaultTeam defaultMemberRole membersCanCreatePipelines
  membersCanCreateSuites membersCanCreateRegistries membersCanDestroyRegistries membersCanDestroyPackages"""


def test_a_team_lives_and_its_maintainer_keeps_it(graph: Graph, organization: str, world: World) -> None:
    theirs = invited(world, "mia@example.com")
    mia = Graph(world, theirs.value)
    given = {
        "organizationID": organization,
        "name": "Platform Crew",
        "description": "keeps it up",
        "privacy": "SECRET",
        "isDefaultTeam": False,
        "defaultMemberRole": "MEMBER",
        "membersCanCreatePipelines": True,
    }
    made, written = change(graph, "teamCreate", f"teamEdge {{ cursor node {{ {TEAM} }} }}", **given)
    team = made["teamEdge"]["node"]
    assert written == ["team.created"]
    assert (team["slug"], team["privacy"], team["membersCanCreatePipelines"]) == (
        "platform-crew",
        "SECRET",
        True,
    )
    assert team["membersCanDestroyPackages"] is False
    by_slug = "query($s: ID!) { team(slug: $s) { id } }"
    assert graph.ok(by_slug, {"s": "acme/platform-crew"})["team"]["id"] == team["id"]
    for absent in (mia.ok(by_slug, {"s": "acme/platform-crew"}), mia.ok(by_slug, {"s": "acme/nothing"})):
        assert absent == {"team": None}
    assert mia.ok("query($i: ID!) { node(id: $i) { id } }", {"i": team["id"]}) == {"node": None}
    user = ids.encode("User", str(theirs.token.user_id))
    node_of = "id uuid role team { id } user { id } organizationMember { role }"
    place = f"team {{ name }} teamMemberEdge {{ node {{ {node_of} }} }}"
    made, written = change(
        graph, "teamMemberCreate", place, teamID=team["id"], userID=user, role="MAINTAINER"
    )
    node = made["teamMemberEdge"]["node"]
    assert written == ["team_member.added"]
    assert (node["role"], node["user"], node["team"]) == ("MAINTAINER", {"id": user}, {"id": team["id"]})
    _, message = refused(graph, "teamMemberCreate", teamID=team["id"], userID=user)
    assert "already been added" in message
    changed = {"id": team["id"], "name": "Crew", "isDefaultTeam": False, "defaultMemberRole": "MEMBER"}
    shown = f"team {{ {TEAM} }}"
    made, written = change(mia, "teamUpdate", shown, **changed, description=None)
    assert (made["team"]["slug"], made["team"]["description"], written) == ("crew", None, ["team.updated"])
    assert refused(mia, "teamUpdate", **{**changed, "isDefaultTeam": True})[0] == "forbidden"
    assert refused(mia, "teamDelete", id=team["id"])[0] == "forbidden"
    query = """query($i: ID!) { node(id: $i) { ... on Team { pipelines { count }
        members(role: [MAINTAINER]) { count edges { node {
          id role user { email } permissions { teamMemberUpdate { allowed } } } } } } } }"""
    found = mia.ok(query, {"i": team["id"]})["node"]["members"]
    assert (found["count"], found["edges"][0]["node"]["user"]) == (1, {"email": "mia@example.com"})
    made, written = change(graph, "teamMemberUpdate", "teamMember { role }", id=node["id"], role="MEMBER")
    assert (made["teamMember"], written) == ({"role": "MEMBER"}, ["team_member.updated"])
    assert refused(mia, "teamMemberUpdate", id=node["id"], role="MAINTAINER")[0] == "forbidden"
    made, written = change(graph, "teamMemberDelete", "deletedTeamMemberID team { id }", id=node["id"])
    assert (made["deletedTeamMemberID"], written) == (node["id"], ["team_member.removed"])
    assert refused(graph, "teamMemberDelete", id=node["id"])[1] == "No team member found"
    made, written = change(graph, "teamDelete", "deletedTeamID organization { slug }", id=team["id"])
    assert (made["deletedTeamID"], written) == (team["id"], ["team.deleted"])
    assert graph.ok('{ organization(slug: "acme") { isTeamsEnabled teams { count } } }')["organization"] == {
        "isTeamsEnabled": True,
        "teams": {"count": 0},
    }
