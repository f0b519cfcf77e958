"""Limits of a GraphQL document, checked on its tree before it is validated: depth, size, repeats, directives.

Validation compares fields of one name with each other, so its time rises with the square of repeats;
what is counted here bounds it, and the time of everything after it. Each fragment counts wherever it is
spread, as execution would walk it; the walk ends at the first limit.
"""

from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
)

from watchword.domain.errors import Invalid

MAX_SOURCE = 32_768
MAX_TOKENS = 2_000
MAX_DEFINITIONS = 60
MAX_DEPTH = 15  # contract rest-graphql §1.9
MAX_SELECTIONS = 1_000
MAX_PAIRS = 1_000
MAX_ALIASES = 100
MAX_DIRECTIVES = 50
MAX_VALUE_DEPTH = 16


class TooDear(Invalid):
    """A document asks for more than one query may; refused before anything is executed."""

    code = "query_too_complex"


@dataclass(slots=True)
class _Count:
    """What was counted so far in one document."""

    fragments: dict[str, FragmentDefinitionNode]
    selections: int = 0
    pairs: int = 0
    aliases: int = 0
    directives: int = 0
    open: set[str] = field(default_factory=set)

    def level(self, sets: list[SelectionSetNode], depth: int) -> None:
        """Count selections that one object answers; each set is selected on that same object."""
        if depth > MAX_DEPTH:
            raise TooDear(f"Query has depth of more than {MAX_DEPTH}.", code="query_too_deep")
        inner: dict[str, list[SelectionSetNode]] = {}
        repeats: dict[str, int] = {}
        for one in sets:
            self._collect(one, inner, repeats)
        self.pairs += sum(number * (number - 1) // 2 for number in repeats.values())
        _require(self.pairs, MAX_PAIRS, "repeated fields")
        for below in inner.values():
            self.level(below, depth + 1)

    def _collect(
        self, one: SelectionSetNode, inner: dict[str, list[SelectionSetNode]], repeats: dict[str, int]
    ) -> None:
        for selection in one.selections:
            self.selections += 1
            _require(self.selections, MAX_SELECTIONS, "fields")
            self.directives += len(selection.directives or ())
            _require(self.directives, MAX_DIRECTIVES, "directives")
            if isinstance(selection, FieldNode):
                self._field(selection, inner, repeats)
            elif isinstance(selection, InlineFragmentNode):
                self._collect(selection.selection_set, inner, repeats)
            elif isinstance(selection, FragmentSpreadNode):
                self._spread(selection.name.value, inner, repeats)

    def _spread(self, name: str, inner: dict[str, list[SelectionSetNode]], repeats: dict[str, int]) -> None:
        fragment = self.fragments.get(name)
        if fragment is None or name in self.open:  # validation says what is wrong with it
            return
        self.open.add(name)
        self._collect(fragment.selection_set, inner, repeats)
        self.open.discard(name)

    def _field(
        self, node: FieldNode, inner: dict[str, list[SelectionSetNode]], repeats: dict[str, int]
    ) -> None:
        key = node.name.value
        if node.alias is not None:
            key = node.alias.value
            self.aliases += 1
            _require(self.aliases, MAX_ALIASES, "aliases")
        for argument in node.arguments or ():
            check_value(argument.value)
        repeats[key] = repeats.get(key, 0) + 1
        if node.selection_set is not None:
            inner.setdefault(key, []).append(node.selection_set)


def _require(counted: int, limit: int, what: str) -> None:
    if counted > limit:
        raise TooDear(f"Query has more than {limit} {what}.", code="query_too_large")


def check_value(value: ValueNode, depth: int = MAX_VALUE_DEPTH) -> None:
    """Check a literal of a document.

    Raises:
        Invalid: it nests too deep, or holds a NUL character.
    """
    if depth == 0:
        raise TooDear(f"Values nest at most {MAX_VALUE_DEPTH} deep.", code="query_too_deep")
    if isinstance(value, StringValueNode) and "\0" in value.value:
        raise Invalid("A text of the query holds a NUL character, which none may have.", code="nul_character")
    if isinstance(value, ListValueNode):
        for one in value.values:
            check_value(one, depth - 1)
    elif isinstance(value, ObjectValueNode):
        for part in value.fields:
            check_value(part.value, depth - 1)


def check(document: DocumentNode) -> None:
    """Require that a document is within the limits.

    Raises:
        TooDear: it is not.
        Invalid: a literal holds a NUL character.
    """
    _require(len(document.definitions), MAX_DEFINITIONS, "operations and fragments")
    fragments = {
        one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
    }
    count = _Count(fragments)
    for one in document.definitions:
        if isinstance(one, OperationDefinitionNode):
            for variable in one.variable_definitions or ():
                if variable.default_value is not None:
                    check_value(variable.default_value)
        if isinstance(one, OperationDefinitionNode | FragmentDefinitionNode):
            count.open.clear()
            if isinstance(one, FragmentDefinitionNode):
                count.open.add(one.name.value)
            count.level([one.selection_set], 1)
