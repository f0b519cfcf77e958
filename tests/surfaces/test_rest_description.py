"""REST: the OpenAPI description is the one we agreed on, and answers are as it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from rest_client import Rest
from support import World
from watchword.rest.app import ROUTES, openapi

TYPES = {
    "string": "str",
    "integer": "int",
    "boolean": "bool",
    "null": "NoneType",
    "array": "list",
    "object": "dict",
}
GOLDEN = Path(__file__).parents[1] / "golden" / "openapi.json"


def test_description_is_the_golden_one(request: pytest.FixtureRequest) -> None:
    text = json.dumps(openapi(None), indent=2, sort_keys=True) + "\n"
    if request.config.getoption("--write-golden"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "the description changed; if that is meant: make golden"


def test_description_has_every_route_and_its_scope() -> None:
    paths = openapi(None)["paths"]
    described = {(method.upper(), path) for path, item in paths.items() for method in item}
    assert described == {(route.method, route.path) for route in ROUTES}
    for route in ROUTES:
        operation = paths[route.path][route.method.lower()]
        assert operation["security"] == ([] if route.scope is None else [{"token": []}])
        assert not route.scope or f"`{route.scope}`" in operation["description"]
    operations = [operation["operationId"] for item in paths.values() for operation in item.values()]
    assert len(operations) == len(set(operations))


def check(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Check a value against the part of JSON Schema that the description uses."""
    if "$ref" in schema:
        return check(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "oneOf" in schema:
        kinds = [option for option in schema["oneOf"] if (option.get("type") == "null") == (value is None)]
        assert kinds, (value, schema)
        return check(value, kinds[0], schemas)
    assert type(value).__name__ == TYPES[schema["type"]], (value, schema)
    if schema["type"] == "array":
        for item in value:
            check(item, schema["items"], schemas)
    if schema["type"] == "object" and "properties" in schema:
        assert set(schema.get("required", ())) <= set(value) <= set(schema["properties"])
        for name, part in value.items():
            check(part, schema["properties"][name], schemas)
    return None


@pytest.mark.parametrize(
    "path",
    [
        "/v2/meta",
        "/v2/user",
        "/v2/access-token",
        "/v2/organizations",
        "/v2/organizations/{org}",
        "/v2/organizations/{org}/clusters",
        "/v2/organizations/{org}/clusters/{cluster}",
        "/v2/organizations/{org}/clusters/{cluster}/tokens",
        "/v2/organizations/{org}/clusters/{cluster}/queues",
        "/v2/organizations/{org}/agents",
        "/v2/organizations/{org}/pipelines",
        "/v2/organizations/{org}/builds",
        "/v2/organizations/{org}/pipelines/{pipeline}/builds/{number}/jobs",
    ],
)
def test_answers_are_as_described(world: World, path: str) -> None:
    rest = Rest(world)
    steps = [{"command": "x", "label": "X"}]
    assert rest("POST", "pipelines", json={"name": "app", "steps": steps}).status_code == 201
    assert rest("POST", "pipelines/app/builds").status_code == 201
    described = openapi(world.authority)
    schema = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    target = path.format(org="acme", cluster=world.first.cluster.id, pipeline="app", number="1")
    check(rest("GET", target).json(), schema, described["components"]["schemas"])


def test_creation_is_as_described(world: World) -> None:
    rest = Rest(world)
    described = openapi(None)
    path = "/v2/organizations/{org}/clusters/{cluster}/tokens"
    schema = described["paths"][path]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    made = rest("POST", rest.tokens, json={"description": "d"}).json()
    check(made, schema, described["components"]["schemas"])
