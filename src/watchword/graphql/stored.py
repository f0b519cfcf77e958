"""Portals' documents: read when they are stored, run when a portal's token asks (contract rest-graphql §5.1).

This fulfils `services.portaldocuments.Documents`; the composition root hands it to the portals.
"""

from collections.abc import Mapping

import structlog
from graphql import DocumentNode, FieldNode, FragmentDefinitionNode, FragmentSpreadNode, SelectionSetNode
from graphql import OperationDefinitionNode as Operation

from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.portals import StoredOperation
from watchword.edge.asking import Asked
from watchword.edge.documents import TooDear
from watchword.graphql.call import Call
from watchword.graphql.engine import Engine, Faulty, refused
from watchword.graphql.failures import plain
from watchword.graphql.schema import executable
from watchword.services.authority import Authority
from watchword.services.portaldocuments import Documents, Run

log = structlog.get_logger("watchword.graphql")


class StoredDocuments:
    """Reads and runs stored documents, on an engine of their own."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._engine = Engine(executable())

    def outline(self, document: str) -> tuple[StoredOperation, ...]:
        """The operations of a document.

        Raises:
            Invalid: it does not parse, does not fit the schema or is over a limit.
        """
        try:
            parsed = self._engine.document(document)
        except Faulty as error:
            raise _unfit(error.errors[0].message) from None
        except Invalid as error:
            raise _unfit(error.message) from None
        except RecursionError:
            raise _unfit("it nests too deep") from None
        found = tuple(_outlined(parsed, one) for one in parsed.definitions if isinstance(one, Operation))
        if not found:
            raise _unfit("it has no operation")
        return found

    async def run(self, run: Run) -> Mapping[str, object]:
        """A GraphQL answer: `data`, `errors` or both. Raises nothing."""
        asked = Asked(run.document, run.variables, run.operation)
        try:
            missing = self._unnamed(asked)
            if missing:
                return {"errors": [plain(missing, "operation_missing")]}
            prepared = self._engine.prepare(asked)
        except Exception as error:
            content = refused(error, run.request_id)
            if content["errors"] and content["errors"][0]["extensions"]["code"] == WatchwordError.code:
                log.exception("unhandled", request_id=run.request_id, error=type(error).__name__)
            return content
        call = Call(self._authority, run.presented, run.address, run.request_id)
        outcome = await self._engine.run(prepared, asked, call, run.request_id)
        return outcome.content

    def _unnamed(self, asked: Asked) -> str:
        """What is said where several operations may be meant and none is named; else nothing."""
        if asked.operation is not None:
            return ""
        try:
            parsed = self._engine.document(asked.query)
        except RecursionError:
            raise TooDear("The query nests too deep.", code="query_too_deep") from None
        names = [one.name.value for one in parsed.definitions if isinstance(one, Operation) and one.name]
        if len(names) <= 1:
            return ""
        return f"Name one operation of this portal in ?operation_name=: {', '.join(names)}."


def _outlined(document: DocumentNode, operation: Operation) -> StoredOperation:
    fragments = {
        one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
    }
    fields: dict[str, None] = {}
    _collect(operation.selection_set, fragments, fields)
    return StoredOperation(
        name=operation.name.value if operation.name else "",
        kind=operation.operation.value,
        fields=tuple(fields),
        variables=tuple(one.variable.name.value for one in operation.variable_definitions or ()),
    )


def _collect(
    chosen: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    fields: dict[str, None],
) -> None:
    """Names of the fields that a selection holds, those in fragments too; validated ones have no cycles."""
    for one in chosen.selections:
        if isinstance(one, FieldNode):
            fields[one.name.value] = None
        elif isinstance(one, FragmentSpreadNode):
            _collect(fragments[one.name.value].selection_set, fragments, fields)
        else:
            _collect(one.selection_set, fragments, fields)  # type: ignore[attr-defined] # an inline fragment


def _unfit(why: str) -> Invalid:
    return Invalid(f"Validation failed: Query does not fit: {why}", code="invalid_query")


def build(authority: Authority) -> Documents:
    """Make it."""
    return StoredDocuments(authority)
