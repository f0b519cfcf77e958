"""The API's description in OpenAPI 3.1: schemas from the types, the rest from what routes need."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig

from watchword import __doc__ as about
from watchword.domain.operations import OPERATIONS, Right
from watchword.rest.failures import Failure

VERSION = "2"
_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_SCHEMA = "#/components/schemas/"
_WHO = {
    Right.HOLDER: "Any live token.",
    Right.MEMBER: "Members.",
    Right.TEAM_MAINTAINER: "Administrators, and maintainers of the team.",
    Right.CLUSTER_MAINTAINER: "Administrators, and maintainers of the cluster.",
    Right.ADMIN: "Administrators.",
}
_NUMBERS = ("page", "per_page")


def plain_path(path: str) -> str:
    """A path with its parameters' types left out."""
    return _PARAMETER.sub(r"{\1}", path)


def describe(handlers: Iterable[HTTPRouteHandler], url: str) -> dict[str, Any]:
    """Describe the handlers' API.

    Args:
        handlers: all routes.
        url: public address of the installation.
    """
    known = tuple(handlers)
    config = OpenAPIConfig(
        title="Watchword REST API", version=VERSION, description=about, use_handler_docstrings=True
    )
    schema = Litestar(
        route_handlers=known, openapi_config=config, logging_config=None
    ).openapi_schema.to_schema()
    schema["servers"] = [{"url": url}]
    bodies = _components(known)
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(bodies)
    schema["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API access token."}
    }
    needed = {
        (method.lower(), plain_path(path)): handler.opt
        for handler in known
        for path in handler.paths
        for method in handler.http_methods
    }
    schema["paths"] = dict(sorted(schema["paths"].items()))
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            _complete(operation, path, needed[method, path])
    return schema


def _components(handlers: Iterable[HTTPRouteHandler]) -> dict[str, Any]:
    """Schemas of request bodies and of the one shape of errors."""
    types = {handler.opt["body"] for handler in handlers if handler.opt["body"] is not None}
    ordered = sorted(types, key=lambda one: str(one.__name__))
    _, components = msgspec.json.schema_components([*ordered, Failure], ref_template=_SCHEMA + "{name}")
    return components


def _complete(operation: dict[str, Any], path: str, needed: Mapping[str, Any]) -> None:
    """Add what the handler's signature does not say, and take away what is not so."""
    responses = operation["responses"]
    responses.pop("400", None)
    content = {"application/json": {"schema": {"$ref": _SCHEMA + Failure.__name__}}}
    responses["default"] = {"description": "An error.", "content": content}
    operation["parameters"] = [
        *(_parameter(name, "path") for name in _PARAMETER.findall(path)),
        *(_parameter(name, "query") for name in needed["query"]),
        *([_parameter("Idempotency-Key", "header")] if needed["keyed"] else ()),
    ]
    if not operation["parameters"]:
        del operation["parameters"]
    if needed["body"] is not None:
        schema = {"$ref": _SCHEMA + needed["body"].__name__}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    scope = needed["scope"]
    operation["security"] = [] if scope is None else [{"token": []}]
    if scope:
        who = _WHO[OPERATIONS[needed["operation"]].right]
        operation["description"] = f"{operation['description']}\n\nScope: `{scope}`. {who}"


def _parameter(name: str, place: str) -> dict[str, Any]:
    kind = "integer" if name in _NUMBERS else "string"
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": kind}}
