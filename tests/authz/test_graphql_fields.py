"""An authorization row for every field of GraphQL that asks for a right, as a golden file."""

from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLList, GraphQLNonNull

from graphql_client import Graph
from rest_client import api_token
from support import World
from watchword.domain.accounts import Role
from watchword.domain.operations import OPERATIONS
from watchword.graphql.binding import GUARDED, NOT_SUPPORTED
from watchword.graphql.finding import NODES
from watchword.graphql.schema import executable

GOLDEN = Path(__file__).parent / "graphql-fields.txt"
ROOTS = ("Query", "Mutation")


def rows() -> list[str]:
    """Type, field and operation; `-` where a root field asks for none beyond the scope."""
    fields = [
        f"{of}.{name} {guarded.operation or '-'}"
        for of, bound in GUARDED.items()
        for name, guarded in bound.items()
        if guarded.operation or of in ROOTS
    ]
    return sorted([*fields, *(f"node:{of} {findable.operation}" for of, findable in NODES.items())])


def test_every_field_has_its_row(request: pytest.FixtureRequest) -> None:
    schema = executable()
    text = "\n".join(rows()) + "\n"
    if request.config.getoption("--write-golden"):
        GOLDEN.write_text(text)
    assert GOLDEN.read_text() == text, "access changed; if that is meant: make golden"
    for root in (schema.query_type, schema.mutation_type):
        assert root is not None
        assert set(root.fields) == set(GUARDED[root.name])


def test_every_row_names_an_operation_that_graphql_opens() -> None:
    named = {guarded.operation for bound in GUARDED.values() for guarded in bound.values()}
    named |= {findable.operation for findable in NODES.values()}
    for name in named - {None, NOT_SUPPORTED}:
        assert OPERATIONS[str(name)].graphql, name


def required(of: Any) -> Any:
    """The least that an input takes: texts that name nothing."""
    if isinstance(of, GraphQLNonNull):
        return required(of.of_type)
    if isinstance(of, GraphQLList):
        return []
    if isinstance(of, GraphQLEnumType):
        return next(iter(of.values))
    if isinstance(of, GraphQLInputObjectType):
        return {
            name: required(one.type)
            for name, one in of.fields.items()
            if isinstance(one.type, GraphQLNonNull)
        }
    return {"Boolean": True, "Int": 1, "JSON": {}}.get(of.name, "x")


def ordered(name: str, **given: Any) -> tuple[str, dict[str, Any]]:
    """A mutation with the least that it takes."""
    mutation = executable().mutation_type
    assert mutation is not None
    of = mutation.fields[name].args["input"].type
    query = f"mutation($input: {of}) {{ {name}(input: $input) {{ clientMutationId }} }}"
    return query, {"input": {**required(of), **given}}


def test_a_mutation_of_what_is_not_there_says_so_and_changes_nothing(world: World) -> None:
    graph = Graph(world)
    for name, guarded in GUARDED["Mutation"].items():
        answered = graph(*ordered(name))
        assert answered.data == {name: None}, name
        wanted = "unsupported" if guarded.operation == NOT_SUPPORTED else "not_found"
        assert answered.codes == [wanted], (name, answered.errors)
        assert answered.errors[0]["path"] == [name]
        if wanted == "not_found":
            assert answered.messages[0].startswith("No "), name
            assert answered.messages[0].endswith(" found"), name


def test_a_member_carries_out_nothing_that_takes_more(world: World) -> None:
    """Inputs that name the organization are refused by right; the others find nothing to refuse."""
    member = Graph(world, api_token(world, "graphql", role=Role.MEMBER, email="m@example.com").value)
    organization = world.first.organization
    graph = Graph(world)
    owner = graph.ok("query($s: ID!) { organization(slug: $s) { id } }", {"s": organization.slug})
    for name, guarded in GUARDED["Mutation"].items():
        right = OPERATIONS[guarded.operation].right if guarded.operation in OPERATIONS else None
        if right is None or right.value in ("member", "holder"):
            continue
        query, variables = ordered(name)
        for key in ("organizationId", "organizationID"):
            if key in variables["input"]:
                variables["input"][key] = owner["organization"]["id"]
        answered = member(query, variables)
        assert set(answered.codes) <= {"forbidden", "not_found"}, (name, answered.errors)
        if "cluster" not in name.lower():
            assert answered.codes == ["forbidden"], (name, answered.errors)
