"""Package registries over GraphQL: found as the Terraform provider asks, in lists, by teams; tokens by id."""

from graphql_client import Graph
from rest_client import Rest, api_token
from support import World
from watchword.domain.accounts import Role
from watchword.graphql import ids

AT = "/v2/packages/organizations/acme/registries"
# As the Terraform provider's document asks.
FIND = "query GetRegistryID ($slug: ID) { registry(slug: $slug) { id } }"


def test_registries_are_found_and_listed_for_those_who_reach_them(world: World) -> None:
    rest, graph = Rest(world), Graph(world)
    team = rest("POST", "teams", json={"name": "Everyone", "privacy": "visible"}).json()["id"]
    asked = {"name": "Shop", "ecosystem": "python", "team_ids": [team], "description": "d"}
    shop = rest("POST", AT, json=asked).json()
    rest("POST", AT, json={"name": "Open", "ecosystem": "python"})
    assert graph.ok(FIND, {"slug": "acme/shop"})["registry"]["id"] == shop["graphql_id"]
    assert graph.ok(FIND, {"slug": "acme/nothing"})["registry"] is None
    assert graph.ok(FIND, {"slug": "nobody/shop"})["registry"] is None
    listed = """{ organization(slug: "acme") { registries(first: 9, order: NAME) { count edges { node {
        slug url teams(first: 9) { edges { node {
        accessLevel team { name } registry { slug } } } } } } } } }"""
    found = graph.ok(listed)["organization"]["registries"]
    opened, kept = (edge["node"] for edge in found["edges"])
    assert (found["count"], opened["slug"], kept["slug"]) == (2, "open", "shop")
    assert kept["url"] == shop["web_url"]
    (pair,) = (edge["node"] for edge in kept["teams"]["edges"])
    assert pair == {
        "accessLevel": "READ_AND_WRITE",
        "team": {"name": "Everyone"},
        "registry": {"slug": "shop"},
    }
    by_team = (
        '{ team(slug: "acme/everyone") { registries(first: 9) { edges { node { registry { slug } } } } } }'
    )
    assert graph.ok(by_team)["team"]["registries"]["edges"] == [{"node": {"registry": {"slug": "shop"}}}]
    member = Graph(world, api_token(world, "graphql", role=Role.MEMBER, email="m@example.com").value)
    assert member.ok(FIND, {"slug": "acme/shop"})["registry"] is None
    assert member.ok(FIND, {"slug": "acme/open"})["registry"] is not None


def test_tokens_are_found_by_id_without_their_values(world: World) -> None:
    rest, graph = Rest(world), Graph(world)
    rest("POST", AT, json={"name": "Shop", "ecosystem": "python"})
    token = rest("POST", f"{AT}/shop/tokens", json={"description": "for builds"}).json()
    assert token["graphql_id"] == ids.encode("RegistryToken", token["id"])
    asked = """query ($id: ID!) { node(id: $id) { ... on RegistryToken {
        uuid description createdBy { email } registry { slug } organization { slug } } } }"""
    answered = graph(asked, {"id": token["graphql_id"]})
    assert answered.data["node"] == {
        "uuid": token["id"],
        "description": "for builds",
        "createdBy": {"email": "admin@example.com"},
        "registry": {"slug": "shop"},
        "organization": {"slug": "acme"},
    }
    assert token["token"] not in str(answered.body)
    member = Graph(world, api_token(world, "graphql", role=Role.MEMBER, email="m@example.com").value)
    assert member.ok(asked, {"id": token["graphql_id"]})["node"] is None
