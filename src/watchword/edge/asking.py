"""What stands in the body of a request to a GraphQL surface (contract rest-graphql §1.7, §3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from watchword.domain.errors import Invalid, Malformed
from watchword.domain.texts import refuse_nul_in_json

MAX_BODY = 1024 * 1024
_MAX_VALUE_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the document, its variables, and which of its operations is meant."""

    query: str
    variables: Mapping[str, Any]
    operation: str | None


def ask(body: bytes) -> Asked:
    """Read a request's body, whatever its content type says.

    `variables` may be an object or a text that holds one; an empty `operationName` counts as absent.

    Raises:
        Malformed: it is no JSON, a batch, or a key holds what it cannot hold.
        Invalid: a text holds a NUL character.
    """
    refuse_nul_in_json(body)
    asked = _decode(body)
    if isinstance(asked, list):
        raise Malformed("A batch is not taken: send one query at a time.", code="batch")
    if not isinstance(asked, dict):
        raise Malformed("The body is a JSON object with the key query.", code="invalid_body")
    query = asked.get("query")
    if not isinstance(query, str) or not query.strip():
        raise Malformed("The body has no query.", code="query_missing")
    operation = asked.get("operationName") or None
    if operation is not None and not isinstance(operation, str):
        raise Malformed("operationName is a text.", code="invalid_body")
    return Asked(query, variables(asked.get("variables")), operation)


def variables(given: object) -> Mapping[str, Any]:
    """Variables: an object, or a text that holds one; nothing counts as none.

    Raises:
        Malformed: it is something else.
        Invalid: a value nests too deep, or holds a NUL character.
    """
    if isinstance(given, str):
        refuse_nul_in_json(given.encode())
        given = _decode(given.encode()) if given.strip() else None
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Malformed("variables is an object, or a text that holds one.", code="invalid_variables")
    _check(given, _MAX_VALUE_DEPTH)
    return given


def _decode(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("The body is not valid JSON.", code="invalid_json") from None


def _check(value: object, depth: int) -> None:
    """Require that a value nests no deeper than any input does, and holds no NUL character.

    Raises:
        Invalid: it does.
    """
    if depth == 0:
        raise Invalid(f"Variables nest at most {_MAX_VALUE_DEPTH} deep.", code="variables_too_deep")
    if isinstance(value, str) and "\0" in value:
        raise Invalid("A variable holds a NUL character, which no text may have.", code="nul_character")
    if isinstance(value, dict):
        for one in value.values():
            _check(one, depth - 1)
    elif isinstance(value, list):
        for one in value:
            _check(one, depth - 1)
