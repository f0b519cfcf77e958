"""The executable schema: the files of `schema/` and the resolvers, joined once."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ariadne import InterfaceType, ObjectType, ScalarType, SchemaBindable, UnionType, make_executable_schema
from graphql import GraphQLSchema, InterfaceTypeDefinitionNode, UnionTypeDefinitionNode, parse

from watchword.dagster.binding import BOUND, type_of

json_text = ScalarType("JSONString")
big_int = ScalarType("BigInt")
generic = ScalarType("GenericScalar")


@json_text.serializer
def write_json(value: Any) -> str:  # noqa: ANN401 - JSON
    """JSON as a text; a text stays as it is."""
    return value if isinstance(value, str) else json.dumps(value)


@big_int.serializer
def write_big(value: object) -> object:
    """A whole number of any size, or its digits, as they are."""
    return value


@generic.serializer
def write_generic(value: object) -> object:
    """Any JSON."""
    return value


def text() -> str:
    """The schema as it is written, all files joined."""
    folder = files("watchword.dagster") / "schema"
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".graphql"))
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


@cache
def executable() -> GraphQLSchema:
    """The schema with its resolvers."""
    from watchword.dagster import resolvers  # noqa: PLC0415 - importing them is what binds them

    del resolvers
    written = text()
    bound: list[SchemaBindable] = [json_text, big_int, generic]
    for name in sorted(BOUND):
        bindable = ObjectType(name)
        for field, answered in BOUND[name].items():
            bindable.set_field(field, answered.resolve)
        bound.append(bindable)
    for node in parse(written).definitions:
        if isinstance(node, UnionTypeDefinitionNode):
            bound.append(UnionType(node.name.value, type_of))
        elif isinstance(node, InterfaceTypeDefinitionNode):
            bound.append(InterfaceType(node.name.value, type_of))
    return make_executable_schema(written, *bound)
