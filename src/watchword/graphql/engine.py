"""The engine: parse, limits, validation, cost, execution; each refuses before the next begins."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    execute,
    parse,
    validate,
)
from graphql.pyutils import is_awaitable

from watchword.domain.errors import Invalid, Malformed, WatchwordError
from watchword.edge.asking import Asked
from watchword.edge.documents import MAX_SOURCE, MAX_TOKENS, TooDear, check
from watchword.graphql import cost
from watchword.graphql.binding import resolve_plain, type_of
from watchword.graphql.failures import MAX_ERRORS, fault, plain, shape, told

_KEPT = 256
_MAX_KEPT = 8_192
SYNTAX = "graphql_syntax"
INVALID = "graphql_validation"
EXECUTION = "graphql_execution"


class Faulty(Exception):
    """A document that does not parse or fit the schema."""

    def __init__(self, errors: list[GraphQLError], code: str) -> None:
        super().__init__(code)
        self.errors = errors
        self.code = code


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation that may be executed.

    Attributes:
        cost: points that it asks for.
    """

    document: DocumentNode
    operation: OperationDefinitionNode
    cost: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer: JSON, and what was spent."""

    content: dict[str, Any]
    requested: int = 0
    actual: int = 0


class Engine:
    """Answers documents against one schema; keeps those that passed, since clients send the same ones."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._kept: OrderedDict[str, DocumentNode] = OrderedDict()

    def prepare(self, asked: Asked) -> Prepared:
        """Everything that comes before execution.

        Raises:
            Faulty: the document does not parse or fit the schema.
            TooDear: it is over a limit.
            Malformed: it does not say which of its operations is meant.
        """
        try:
            document = self.document(asked.query)
            operation = _operation(document, asked.operation)
            return Prepared(
                document, operation, cost.requested(self._schema, document, operation, asked.variables)
            )
        except RecursionError:
            raise TooDear("The query nests too deep.", code="query_too_deep") from None

    def document(self, source: str) -> DocumentNode:
        """A document that parses, is within the limits and fits the schema.

        Raises:
            Faulty: it does not parse or fit the schema.
            TooDear: it is over a limit.
        """
        kept = self._kept.get(source)
        if kept is not None:
            self._kept.move_to_end(source)
            return kept
        if len(source) > MAX_SOURCE:
            raise TooDear(f"Query takes at most {MAX_SOURCE} characters.", code="query_too_large")
        try:
            document = parse(source, max_tokens=MAX_TOKENS)
        except GraphQLError as error:
            raise Faulty([error], SYNTAX) from None
        check(document)
        errors = validate(self._schema, document, max_errors=MAX_ERRORS)
        if errors:
            raise Faulty(errors, INVALID)
        if len(source) <= _MAX_KEPT:
            self._kept[source] = document
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return document

    async def run(self, prepared: Prepared, asked: Asked, context: object, request_id: str) -> Outcome:
        """Execute an operation; whatever fails stands in the answer."""
        operation = prepared.operation.name.value if prepared.operation.name else asked.operation
        try:
            result = execute(
                self._schema,
                prepared.document,
                context_value=context,
                variable_values=dict(asked.variables),
                operation_name=operation,
                field_resolver=resolve_plain,
                type_resolver=type_of,
            )
            done = cast("ExecutionResult", await result if is_awaitable(result) else result)
        except RecursionError:
            return Outcome(refused(TooDear("The query nests too deep.", code="query_too_deep"), request_id))
        content: dict[str, Any] = {"data": done.data}
        if done.errors:
            content["errors"] = told(done.errors, EXECUTION, request_id)
        return Outcome(content, prepared.cost, cost.actual(done.data))


def refused(error: Exception, request_id: str) -> dict[str, Any]:
    """The answer to a document that is not executed."""
    if isinstance(error, Faulty):
        return {"errors": told(error.errors, error.code, request_id)}
    if isinstance(error, Invalid):
        return {"errors": [shape(error)]}
    return {"errors": [plain(fault(request_id), WatchwordError.code)]}


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation that is meant.

    Raises:
        Malformed: none is, or several may be.
    """
    found: Mapping[str, OperationDefinitionNode] = {
        one.name.value if one.name else "": one
        for one in document.definitions
        if isinstance(one, OperationDefinitionNode)
    }
    if name is not None:
        if name not in found:
            raise Malformed(f"The query has no operation named {name!r}.", code="unknown_operation")
        return found[name]
    if len(found) != 1:
        raise Malformed("Name one operation of the query in operationName.", code="operation_missing")
    return next(iter(found.values()))
