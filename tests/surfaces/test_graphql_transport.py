"""GraphQL's transport (contract rest-graphql §1.8, §3.2): what a request may be and what comes back."""

import json
from typing import Any

import pytest
import structlog
from graphql import get_introspection_query

from graphql_client import Graph
from rest_client import api_token
from support import World
from watchword.services.context import LOCAL
from watchword.services.revoking import revoke

NAME = "{ viewer { user { name } } }"


@pytest.fixture
def graph(world: World) -> Graph:
    return Graph(world)


def test_both_paths_answer_the_same(graph: Graph) -> None:
    body = json.dumps({"query": NAME}).encode()
    for path in ("/graphql", "/v1", "/v1/"):
        answered = graph.post(body, path=path)
        assert (answered.status, answered.data) == (200, {"viewer": {"user": {"name": "Ada Admin"}}})
    assert graph.post(body, path="/v1/other").status == 404


def test_variables_may_be_text_and_an_empty_operation_name_counts_as_absent(graph: Graph) -> None:
    query = "query($slug: ID!) { organization(slug: $slug) { slug } }"
    for variables in ({"slug": "acme"}, '{"slug": "acme"}', ' {"slug":"acme"} '):
        body = {"query": query, "variables": variables, "operationName": ""}
        assert graph.post(json.dumps(body).encode()).data == {"organization": {"slug": "acme"}}
    for nothing in ("{ }", "", None):
        asked = {"query": NAME, "variables": nothing}
        assert not graph.post(json.dumps(asked).encode()).errors


def test_without_a_content_type_it_is_json_all_the_same(graph: Graph) -> None:
    body = json.dumps({"query": NAME}).encode()
    assert graph.post(body, headers={"Content-Type": "application/x-www-form-urlencoded"}).data


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'"text"', "invalid_body"),
        (b'[{"query": "{ viewer { id } }"}]', "batch"),
        (b"{}", "query_missing"),
        (b'{"query": 7}', "query_missing"),
        (b'{"query": "{ viewer { id } }", "variables": [1]}', "invalid_variables"),
        (b'{"query": "{ viewer { id } }", "variables": "no"}', "invalid_json"),
        (b'{"query": "{ viewer { id } }", "operationName": 7}', "invalid_body"),
        (b'{"query": "query A { viewer { id } } query B { viewer { id } }"}', "operation_missing"),
        (b'{"query": "query A { viewer { id } }", "operationName": "B"}', "unknown_operation"),
        (b'{"query": "{ viewer { id }"}', "graphql_syntax"),
        (b'{"query": "{ nothing }"}', "graphql_validation"),
        (b'{"query": "query($a: ID!) { node(id: $a) { id } }"}', "graphql_execution"),
        (b'{"query": "subscription { x }"}', "graphql_validation"),
        (b'{"query": "{ viewer { id } } \\u0000"}', "nul_character"),
        (b'{"query": "{ node(id: \\"\\\\u0000\\") { id } }"}', "nul_character"),
        (b'{"query": "{ viewer { id } }", "variables": "{\\"a\\": \\"\\\\u0000\\"}"}', "nul_character"),
        (b'{"query": "\\ud800"}', "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
    ],
)
def test_what_cannot_be_answered_says_why_with_200(graph: Graph, body: bytes, code: str) -> None:
    answered = graph.post(body)
    assert answered.status == 200
    assert code in answered.codes, answered.errors
    assert answered.data is None


def test_an_unknown_field_names_the_near_match(graph: Graph) -> None:
    answered = graph(
        'mutation { agentTokenCreate(input: {organizationId: "x"}) { tokenValue } }',
    )
    assert any("organizationID" in message for message in answered.messages)


def test_a_refused_token_gets_the_known_text(world: World) -> None:
    body = json.dumps({"query": NAME}).encode()
    known = (
        "Authentication required. Please supply a valid API Access Token: "
        "https://buildkite.com/docs/apis/graphql-api#authentication"
    )
    for value in ("", "garbage", "bkua_MTA.nonsense"):
        answered = Graph(world, value).post(body)
        assert answered.status == 401
        assert answered.messages == [known]
        assert answered.headers["www-authenticate"].startswith("Bearer")
    revoked = api_token(world, "graphql")
    context = world.context
    world.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, revoked.token, None)))
    answered = Graph(world, revoked.value).post(body)
    assert (answered.status, answered.codes) == (401, ["token_revoked"])
    basic = Graph(world, "")
    basic.headers = {"Authorization": "Basic YTpi"}
    assert basic.post(body).status == 401


def test_without_the_scope_it_answers_403_and_names_the_scope(world: World) -> None:
    answered = Graph(world, api_token(world, "read_clusters", "write_clusters").value)(NAME)
    assert answered.status == 403
    assert answered.messages == ["Your access token doesn't have the graphql scope"]


def test_other_methods_are_refused_and_browsers_are_told_what_is_taken(graph: Graph) -> None:
    answered = graph.post(b"", method="GET")
    assert (answered.status, answered.codes) == (405, ["method_not_allowed"])
    assert answered.headers["allow"] == "POST"
    graph.headers = {}
    preflight = graph.post(b"", method="OPTIONS")
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "content-type" not in preflight.headers


def test_a_body_over_the_limit_is_not_read(graph: Graph) -> None:
    answered = graph.post(b" " * (1024 * 1024 + 1))
    assert (answered.status, answered.codes) == (413, ["body_too_large"])


def test_introspection_works_for_any_token_with_the_scope(world: World) -> None:
    graph = Graph(world, api_token(world, "graphql").value)
    data = graph.ok(get_introspection_query())
    names = {one["name"] for one in data["__schema"]["types"]}
    assert {"ClusterToken", "AgentToken", "OrganizationAPIAccessToken", "PipelineTemplate"} <= names


def test_what_a_query_costs_stands_in_headers_and_on_request_in_the_answer(graph: Graph) -> None:
    query = '{ organization(slug: "acme") { clusters(first: 10) { edges { node { name } } } } }'
    body = json.dumps({"query": query}).encode()
    answered = graph.post(body)
    # organization, connection, edges, ten nodes; there is one
    assert answered.headers["ratelimit-complexity-requested"] == "13"
    assert answered.headers["ratelimit-complexity-actual"] == "4"
    assert "stats" not in answered.body
    answered = graph.post(body, headers={"Buildkite-Include-Query-Stats": "true"})
    assert answered.body["stats"] == {"requestedComplexity": 13, "actualComplexity": 4}


def test_what_we_did_not_foresee_says_nothing_but_the_request(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("secret inner words")

    monkeypatch.setattr("watchword.graphql.resolvers.users.holder_of", broken)
    with structlog.testing.capture_logs() as logs:
        answered = graph(NAME)
    assert (answered.status, answered.codes) == (200, ["internal_error"])
    assert answered.messages == ["Something failed here; tell the operator request r-1."]
    assert [(line["event"], line["error"], line["path"]) for line in logs] == [
        ("unhandled", "ZeroDivisionError", ["viewer"])
    ]


def test_a_token_is_counted_as_used(graph: Graph) -> None:
    graph.ok(NAME)
    token = graph.world.first.api_token.token
    used = graph.world.run(graph.world.authority.ledger.last_used(token.organization_id, token.id))
    assert used is not None
    assert used.address == graph.address
