"""Another organization's things over GraphQL: their ids answer as ids of nothing do, on every type."""

import uuid
from typing import Any

import pytest

from graphql_client import Graph
from support import World
from watchword.domain.operations import OPERATIONS
from watchword.graphql import ids
from watchword.graphql.binding import GUARDED
from watchword.graphql.finding import NODES
from watchword.graphql.resolvers.members import member_uuid
from watchword.graphql.schema import executable
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL


def things(world: World) -> dict[str, str]:
    """One existing UUID of the first organization by type, of those that a fresh one has."""
    first = world.first
    return {
        "Organization": first.organization.id,
        "Cluster": first.cluster.id,
        "ClusterQueue": first.queue.id,
        "ClusterToken": first.agent_token.token.id,
        "User": first.admin.id,
        "OrganizationMember": member_uuid(first.organization.id, first.admin.id),
    }


@pytest.fixture
def stranger(world: World) -> Graph:
    """Another organization's administrator."""
    other = world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    return Graph(world, other.api_token.value)


def test_nodes_of_another_organization_are_nothing(world: World, stranger: Graph) -> None:
    query = "query($id: ID!) { node(id: $id) { __typename id } }"
    own = Graph(world)
    for of, there in things(world).items():
        if of in NODES:
            assert own.ok(query, {"id": ids.encode(of, there)})["node"]["__typename"] == of
        for one in (there, str(uuid.uuid4())):
            assert stranger.ok(query, {"id": ids.encode(of, one)}) == {"node": None}, of


def test_slugs_of_another_organization_are_nothing(world: World, stranger: Graph) -> None:
    schema = executable()
    assert schema.query_type is not None
    there = world.first.agent_token.token.id
    for name, field in schema.query_type.fields.items():
        for argument in field.args:
            if argument not in ("slug", "uuid", "code"):
                continue
            shown = "{ __typename }"
            query = f"query($a: {field.args[argument].type}) {{ {name}({argument}: $a) {shown} }}"
            real = ("acme", f"acme/{there}", "acme/app", "acme/app/1", there)
            unreal = ("nobody", f"nobody/{there}", "nobody/app", "nobody/app/1", str(uuid.uuid4()))
            for one, other in zip(real, unreal, strict=True):
                left, right = stranger(query, {"a": one}), stranger(query, {"a": other})
                assert (left.data, left.errors) == (right.data, right.errors), (name, one)
                assert left.data == {name: None}, (name, one)


def _fill(of: Any, found: dict[str, str], name: str) -> Any:
    """An input's fields, with the given ids wherever an id is asked for."""
    required = getattr(of, "of_type", None)
    inner = required if required is not None and type(of).__name__ == "GraphQLNonNull" else of
    kind = type(inner).__name__
    if kind == "GraphQLList":
        return []
    if kind == "GraphQLEnumType":
        return next(iter(inner.values))
    if kind == "GraphQLInputObjectType":
        return {
            key: _fill(one.type, found, key)
            for key, one in inner.fields.items()
            if type(one.type).__name__ == "GraphQLNonNull"
        }
    if inner.name == "ID":
        return found.get(name.lower(), found["id"])
    return {"Boolean": True, "Int": 1, "JSON": {}}.get(inner.name, "x")


def test_mutations_of_another_organization_s_things_answer_as_those_of_nothing(
    world: World, stranger: Graph
) -> None:
    mutation = executable().mutation_type
    assert mutation is not None
    for name, guarded in GUARDED["Mutation"].items():
        if guarded.operation not in OPERATIONS:
            continue
        of = mutation.fields[name].args["input"].type
        query = f"mutation($input: {of}) {{ {name}(input: $input) {{ clientMutationId }} }}"
        for kind, there in things(world).items():
            answers = []
            for one in (there, str(uuid.uuid4())):
                owner = there if one == there else str(uuid.uuid4())
                known = {
                    "id": ids.encode(kind, one),
                    "organizationid": ids.encode(
                        "Organization", world.first.organization.id if one == there else owner
                    ),
                    "clusterid": ids.encode("Cluster", world.first.cluster.id if one == there else owner),
                }
                answered = stranger(query, {"input": _fill(of, known, "")})
                assert answered.data == {name: None}, (name, answered.data)
                answers.append(answered.errors)
            assert answers[0] == answers[1], (name, kind)
            assert answers[0][0]["extensions"]["code"] == "not_found", (name, kind, answers[0])


def test_one_s_own_organization_with_another_s_things_answers_not_found(
    world: World, stranger: Graph
) -> None:
    viewer = stranger.ok("{ viewer { organizations { edges { node { id } } } } }")["viewer"]
    own = viewer["organizations"]["edges"][0]["node"]["id"]
    cluster = ids.encode("Cluster", world.first.cluster.id)
    token = ids.encode("ClusterToken", world.first.agent_token.token.id)
    queue = ids.encode("ClusterQueue", world.first.queue.id)
    for name, given in {
        "clusterAgentTokenCreate": {"clusterId": cluster, "description": "mine"},
        "clusterAgentTokenRevoke": {"id": token},
        "clusterAgentTokenUpdate": {"id": token, "description": "mine"},
        "clusterUpdate": {"id": cluster, "name": "mine"},
        "clusterDelete": {"id": cluster},
        "clusterQueueCreate": {"clusterId": cluster, "key": "mine"},
        "clusterQueueDelete": {"id": queue},
        "clusterQueueUpdate": {"id": queue},
    }.items():
        of = name[0].upper() + name[1:] + "Input"
        query = f"mutation($input: {of}!) {{ {name}(input: $input) {{ clientMutationId }} }}"
        assert stranger(query, {"input": {"organizationId": own, **given}}).codes == ["not_found"], name
    query = 'query($c: ID!) { organization(slug: "other") { cluster(id: $c) { id } } }'
    assert stranger.ok(query, {"c": cluster}) == {"organization": {"cluster": None}}
