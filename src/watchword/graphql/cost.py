"""Cost of a query in points (contract rest-graphql §1.9): what it asks for, and what it got.

Objects cost 1, leaves nothing; what stands below a connection's nodes counts once for each node asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

from watchword.edge.documents import TooDear

MAX_COST = 50_000
PAGE = 500
_CONNECTION = "Connection"


@dataclass(frozen=True, slots=True)
class _Price:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    defaults: Mapping[str, int]

    def of(self, selected: SelectionSetNode, parent: object, page: int) -> int:
        """Points of a selection on a type; `page` is how many nodes the connection around it gives."""
        total = 0
        for one in selected.selections:
            if isinstance(one, FieldNode):
                total += self._field(one, parent, page)
            elif isinstance(one, InlineFragmentNode):
                narrowed = parent if one.type_condition is None else self._type(one.type_condition.name.value)
                total += self.of(one.selection_set, narrowed, page)
            elif isinstance(one, FragmentSpreadNode):
                fragment = self.fragments[one.name.value]
                named = self._type(fragment.type_condition.name.value)
                total += self.of(fragment.selection_set, named, page)
        return total

    def _type(self, name: str) -> object:
        return self.schema.type_map[name]

    def _field(self, node: FieldNode, parent: object, page: int) -> int:
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return 0
        known = parent.fields.get(node.name.value)
        if known is None or node.selection_set is None:
            return 0
        below = get_named_type(known.type)
        if is_leaf_type(below):
            return 0
        in_list = parent.name.endswith(_CONNECTION)
        asked = self._page(node) if below.name.endswith(_CONNECTION) else page
        inner = self.of(node.selection_set, below, asked)
        if in_list and node.name.value == "edges":
            return 1 + page * inner
        if in_list and node.name.value == "nodes":
            return page * (1 + inner)
        return 1 + inner

    def _page(self, node: FieldNode) -> int:
        """How many nodes a field of a connection asks for."""
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        for name in ("first", "last"):
            value = given.get(name)
            number: object = None
            if isinstance(value, IntValueNode):
                number = int(value.value)
            elif isinstance(value, VariableNode):
                named = value.name.value
                number = self.variables.get(named, self.defaults.get(named))
            if isinstance(number, int):
                return min(max(number, 0), PAGE)
        return PAGE


def requested(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> int:
    """Points that an operation of a valid document asks for.

    Raises:
        TooDear: they are more than one query may ask for.
    """
    fragments = {
        one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
    }
    defaults = {
        one.variable.name.value: int(one.default_value.value)
        for one in operation.variable_definitions or ()
        if isinstance(one.default_value, IntValueNode)
    }
    root = schema.get_root_type(operation.operation)
    points = _Price(schema, fragments, variables, defaults).of(operation.selection_set, root, 1)
    if points > MAX_COST:
        raise TooDear(f"Query has complexity of {points}, which exceeds max complexity of {MAX_COST}")
    return points


def actual(data: object) -> int:
    """Points of an answer, counted the same way: objects that are there."""
    if isinstance(data, Mapping):
        return sum(_actual(value) for value in data.values())
    return 0


def _actual(value: object) -> int:
    if isinstance(value, Mapping):
        return 1 + actual(value)
    if isinstance(value, list):
        return (1 if value and isinstance(value[0], Mapping) else 0) + sum(actual(one) for one in value)
    return 0
