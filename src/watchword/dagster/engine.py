"""The engine: parse, limits and validation once for each text, as clients repeat them; then execution."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import structlog
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

from watchword.dagster.answers import Barred, fault
from watchword.dagster.binding import resolve_plain, type_of
from watchword.dagster.call import Call
from watchword.dagster.fast import Hot, recognise
from watchword.domain.errors import Invalid, Malformed, WatchwordError
from watchword.edge.asking import Asked
from watchword.edge.documents import MAX_SOURCE, MAX_TOKENS, TooDear, check

log = structlog.get_logger("watchword.dagster")

_KEPT = 512
_MAX_KEPT = 16_384
_MAX_ERRORS = 5
SYNTAX = "graphql_syntax"
INVALID = "graphql_validation"
EXECUTION = "graphql_execution"


class Faulty(Invalid):
    """A document that does not parse or fit the schema."""

    def __init__(self, errors: list[GraphQLError], code: str) -> None:
        super().__init__(code)
        self.errors = errors
        self.code = code


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document with the operation of it that is meant.

    Attributes:
        hot: answers it without executing it, where it is one of those that agents repeat.
    """

    document: DocumentNode
    operation: OperationDefinitionNode
    hot: Hot | None


class Engine:
    """Answers documents against one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._kept: OrderedDict[tuple[str, str | None], Prepared] = OrderedDict()

    def prepare(self, query: str, name: str | None) -> Prepared:
        """Everything that comes before execution.

        Raises:
            Faulty: the document does not parse or fit the schema.
            TooDear: it is over a limit.
            Malformed: it does not say which of its operations is meant.
        """
        key = query, name
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        try:
            document = self._document(query)
        except RecursionError:
            raise TooDear("The query nests too deep.", code="query_too_deep") from None
        operation = _operation(document, name)
        prepared = Prepared(document, operation, recognise(operation))
        if len(query) <= _MAX_KEPT:
            self._kept[key] = prepared
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return prepared

    def _document(self, source: str) -> DocumentNode:
        if len(source) > MAX_SOURCE:
            raise TooDear(f"Query takes at most {MAX_SOURCE} characters.", code="query_too_large")
        try:
            document = parse(source, max_tokens=MAX_TOKENS)
        except GraphQLError as error:
            raise Faulty([error], SYNTAX) from None
        check(document)
        errors = validate(self._schema, document, max_errors=_MAX_ERRORS)
        if errors:
            raise Faulty(errors, INVALID)
        return document

    async def run(self, prepared: Prepared, asked: Asked, call: Call) -> dict[str, Any]:
        """Execute an operation; whatever fails stands in the answer.

        Raises:
            Barred: one of its fields has the whole call refused.
        """
        operation = prepared.operation.name
        result = execute(
            self._schema,
            prepared.document,
            context_value=call,
            variable_values=dict(asked.variables),
            operation_name=operation.value if operation else None,
            field_resolver=resolve_plain,
            type_resolver=type_of,
        )
        done = cast("ExecutionResult", await result if is_awaitable(result) else result)
        if not done.errors:
            return {"data": done.data}
        for error in done.errors:
            if isinstance(error.original_error, Barred):
                raise error.original_error
        content: dict[str, Any] = {"errors": told(done.errors, EXECUTION, call.caller.request_id)}
        return content if done.data is None else {"data": done.data, **content}


def refused(error: WatchwordError, request_id: str) -> dict[str, Any]:
    """The answer to a document that is not executed."""
    if isinstance(error, Faulty):
        return {"errors": told(error.errors, error.code, request_id)}
    return {"errors": [fault(error.message, error.code)]}


def told(errors: list[GraphQLError], code: str, request_id: str) -> list[dict[str, Any]]:
    """Errors as JSON; of what we did not foresee nothing is said but the request's id.

    Agents send these texts back to us with their heartbeats, and people read them there (§5).
    """
    return [_tell(error, code, request_id) for error in errors[:_MAX_ERRORS]]


def _tell(error: GraphQLError, code: str, request_id: str) -> dict[str, Any]:
    cause = error.original_error
    shown = {key: value for key, value in error.formatted.items() if key in ("message", "locations", "path")}
    if isinstance(cause, WatchwordError):
        code, shown["message"] = cause.code, cause.message
    elif cause is not None and not isinstance(cause, GraphQLError) and error.path is not None:
        log.error("unhandled", path=error.path, error=type(cause).__name__, exc_info=cause)
        code = WatchwordError.code
        shown["message"] = f"Something failed here; tell the operator request {request_id}."
    return {**shown, "extensions": {"code": code}}


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
            raise Malformed(f"The query has no operation named {name[:100]!r}.", code="unknown_operation")
        return found[name]
    if len(found) != 1:
        raise Malformed("Name one operation of the query in operationName.", code="operation_missing")
    return next(iter(found.values()))
