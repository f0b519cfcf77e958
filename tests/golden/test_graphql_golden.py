"""The GraphQL schema as clients see it, and documents that ask for what known clients ask for."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    parse,
    print_schema,
    validate,
)

from watchword.graphql.binding import GUARDED, NOT_SUPPORTED
from watchword.graphql.schema import executable

FOLDER = Path(__file__).parent
DOCUMENTS = sorted((FOLDER / "graphql").glob("*.graphql"))


def test_schema(request: pytest.FixtureRequest) -> None:
    text = print_schema(executable()) + "\n"
    golden = FOLDER / "schema.graphql"
    if request.config.getoption("--write-golden"):
        golden.write_text(text)
    assert golden.read_text() == text, "the schema differs; if that is meant: make golden"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_documents_of_the_known_kinds_of_clients_validate(path: Path) -> None:
    assert validate(executable(), parse(path.read_text())) == []


def test_the_documents_name_every_mutation_that_is_there_for_clients_alone() -> None:
    named = "\n".join(path.read_text() for path in DOCUMENTS)
    refused = [name for name, one in GUARDED["Mutation"].items() if one.operation == NOT_SUPPORTED]
    assert [name for name in refused if f"{name}(" not in named] == ["apiAccessTokenCodeAuthorize"]


def test_every_type_is_described() -> None:
    schema = executable()
    own = (GraphQLObjectType, GraphQLInterfaceType, GraphQLEnumType)
    bare = [
        one.name
        for one in schema.type_map.values()
        if isinstance(one, own) and not one.name.startswith("__") and not one.description
    ]
    # Payloads of what is refused say nothing beyond their names.
    assert [name for name in bare if not name.endswith("Payload")] == []


def test_every_input_echoes_what_identifies_a_mutation_to_its_client() -> None:
    mutation = executable().mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        (argument,) = field.args.values()
        given = argument.type.of_type
        assert isinstance(given, GraphQLInputObjectType), name
        assert "clientMutationId" in given.fields, name
        payload = field.type
        assert isinstance(payload, GraphQLObjectType), name  # nullable: an error leaves null behind
        assert "clientMutationId" in payload.fields, name
