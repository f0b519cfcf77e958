"""GraphQL documents of the published clients of Dagster+, and odd variables for them.

They are read out of the environment that has the clients; nothing is copied into this repository.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    is_input_type,
    parse,
    type_from_ast,
)

from dagster_clients import environment

PACKAGES = ("dagster_cloud_cli", "dagster_dg_cli", "dagster_rest_resources/__generated__")
_BEGINNING = re.compile(r"\s*(?:query|mutation)\s+(\w+)[^{]*\{")
# What one value of each kind may be; a round takes the next one, the first being a usual one.
_ODD: dict[str, list[Any]] = {
    "Int": [1, -1, 0, 2**31 - 1, 2**40, "1", None],
    "Float": [1.0, -1.0, 0, 1e300, "1", None, 2**70],
    "String": ["prod", "", "x" * 20_000, "\x00", "💥 \u202e", "../..", None],
    "ID": ["prod", "", "x" * 20_000, "\x00", "💥", "../..", None],
    "Boolean": [True, False, None, 1, "true", [], True],
    "JSONString": ["{}", "", "{", "[]", "null", "1", None],
    "GenericScalar": [
        {"location_name": "a", "code_source": {"python_file": "a.py"}},
        [],
        {"locations": [{"location_name": "b", "code_source": {"module_name": "b"}}]},
        {"locations": [None, 1, []]},
        {"location_name": {"a": 1}, "code_source": []},
        {"locations": [{"location_name": "c", "code_source": {"module_name": "c"}, "git": 1, "image": []}]},
        "text",
    ],
}
ROUNDS = 7


@dataclass(frozen=True)
class Document:
    """A document of a client."""

    package: str
    name: str
    text: str


def _texts(file: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = _BEGINNING.match(node.value)
            if found:
                yield found[1], node.value


@cache
def documents() -> list[Document]:
    """Every document of the packages."""
    [place] = (environment() / "lib").glob("python*/site-packages")
    return [
        Document(package, name, text)
        for package in PACKAGES
        for file in sorted((place / package).rglob("*.py"))
        for name, text in _texts(file)
    ]


def variables_of(schema: GraphQLSchema, document: Document, turn: int) -> dict[str, Any]:
    """Variables for a document; those of the first turn are usual ones."""
    parsed: DocumentNode = parse(document.text)
    found: dict[str, Any] = {}
    for node in parsed.definitions:
        definitions = node.variable_definitions if isinstance(node, OperationDefinitionNode) else ()
        for one in definitions or ():
            kind = type_from_ast(schema, one.type)
            assert kind is not None
            assert is_input_type(kind)
            found[one.variable.name.value] = _value(kind, turn)
    return found


def _value(kind: GraphQLInputType, turn: int) -> Any:
    if isinstance(kind, GraphQLNonNull):
        value = _value(kind.of_type, turn)
        return value if value is not None else _value(kind.of_type, 0)
    if isinstance(kind, GraphQLList):
        return [_value(kind.of_type, turn)] if turn % 2 == 0 else []
    if isinstance(kind, GraphQLEnumType):
        values = [*kind.values, "NOT_ONE", None]
        return values[turn % len(values)]
    if isinstance(kind, GraphQLInputObjectType):
        needed = {name for name, one in kind.fields.items() if isinstance(one.type, GraphQLNonNull)}
        return {
            name: _value(one.type, turn) for name, one in kind.fields.items() if turn % 3 or name in needed
        }
    values = _ODD[kind.name]
    return values[turn % len(values)]
