"""Bombs: documents that ask for too much are refused before they are validated, let alone executed."""

import json
from pathlib import Path

import pytest
from graphql import parse

from graphql_client import Graph
from support import SECOND_US, World
from watchword.domain.ratelimits import Surface
from watchword.edge.asking import Asked
from watchword.edge.documents import TooDear, check
from watchword.graphql import cost, engine
from watchword.graphql.schema import executable


def nested(depth: int) -> str:
    """A query of this depth."""
    words = ['organization(slug: "acme")', *['cluster(id: "x")', "organization"] * depth][: depth - 1]
    return "{ " + " { ".join([*words, "id"]) + " }" * depth


def doubling(levels: int) -> str:
    """Fragments that each spread the next one twice, without a field of their own until the last."""
    parts = [f"fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }}" for i in range(levels)]
    return "{ ...F0 } " + " ".join(parts) + f" fragment F{levels} on Query {{ viewer {{ id }} }}"


def repeated(times: int) -> str:
    """One field over and over, in itself."""
    text = "id"
    for name in ("user", "viewer"):
        text = " ".join(f"{name} {{ {text} }}" for _ in range(times))
    return "{ " + text + " }"


BOMBS = {
    "depth": (nested(16), "query_too_deep"),
    "aliases": ("{ " + " ".join(f"a{i}: viewer {{ id }}" for i in range(101)) + " }", "query_too_large"),
    "fields": ("{ viewer { " + "id name " * 800 + "} }", "query_too_large"),
    "repeats": (repeated(15), "query_too_large"),
    "fragments doubling": (doubling(30), "query_too_large"),
    "directives": ("{ viewer { id " + "@skip(if: false) " * 60 + "} }", "query_too_large"),
    "definitions": (" ".join(f"query Q{i} {{ viewer {{ id }} }}" for i in range(70)), "query_too_large"),
    "tokens": ("query { viewer { id } } " * 500, "graphql_syntax"),
    "source": ("{ viewer { id } } #" + "x" * 70_000, "query_too_large"),
    "literals": ("{ node(id: " + "[" * 40 + "]" * 40 + ") { id } }", "query_too_deep"),
    "endless literals": ("{ node(id: " + "[" * 2000 + "]" * 2000 + ") { id } }", "graphql_syntax"),
    "endless selections": ("{ viewer " * 1500 + "}" * 1500, "graphql_syntax"),
    "fragment in itself": ("{ ...A } fragment A on Query { viewer { id } ...A }", "graphql_validation"),
    "fragments in each other": (
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "graphql_validation",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(world: World, name: str) -> None:
    query, code = BOMBS[name]
    answered = Graph(world)(query)
    assert answered.status == 200
    assert code in answered.codes, answered.errors
    assert answered.data is None


@pytest.mark.parametrize("name", [name for name, (_, code) in BOMBS.items() if code.startswith("query_")])
def test_a_bomb_is_refused_before_it_is_validated(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def validate(*_: object, **__: object) -> object:
        raise AssertionError("validated")

    monkeypatch.setattr(engine, "validate", validate)
    with pytest.raises(TooDear):
        engine.Engine(executable()).prepare(Asked(BOMBS[name][0], {}, None))


def test_variables_nest_no_deeper_than_inputs_do(world: World) -> None:
    deep: object = "x"
    for _ in range(40):
        deep = [deep]
    body = {"query": "query($a: JSON) { viewer { id } }", "variables": {"a": deep}}
    assert Graph(world).post(json.dumps(body).encode()).codes == ["variables_too_deep"]


def test_a_query_of_the_depth_that_is_allowed_passes(world: World) -> None:
    Graph(world).ok(nested(15))


def priced(query: str, **variables: object) -> int:
    """What a query asks for."""
    return engine.Engine(executable()).prepare(Asked(query, variables, None)).cost


def test_what_stands_below_nodes_counts_once_for_each_that_is_asked_for() -> None:
    organization = 'organization(slug: "acme")'
    assert priced(f"{{ {organization} {{ name }} }}") == 1
    known = f"{{ {organization} {{ pipelines(first: 500) {{ edges {{ node {{ slug }} }} }} }} }}"
    assert priced(known) == 503  # the example of the contract's page
    assert priced(known.replace("(first: 500)", "")) == 503
    assert priced(known.replace("first: 500", "last: 7")) == 10
    by_variable = "query($n: Int = 9) " + known.replace("first: 500", "first: $n")
    assert priced(by_variable) == 12
    assert priced(by_variable, n=20) == 23
    tokens = "apiAccessTokens(first: 10) { nodes { uuid } pageInfo { endCursor } }"
    nodes = f"{{ {organization} {{ {tokens} }} }}"
    assert priced(nodes) == 1 + 1 + 10 + 1
    spread = known.replace("node { slug }", "node { ...P }") + " fragment P on Pipeline { cluster { name } }"
    assert priced(spread) == 1003


def test_a_query_over_the_limit_is_refused_with_the_known_text(world: World) -> None:
    query = (
        '{ organization(slug: "acme") { clusters(first: 500) { edges { node {'
        " queues(first: 500) { edges { node { key } } } } } } } }"
    )
    points = 1 + 1 + 1 + 500 * (1 + 1 + 1 + 500)
    answered = Graph(world)(query)
    assert answered.messages == [f"Query has complexity of {points}, which exceeds max complexity of 50000"]
    assert answered.codes == ["query_too_complex"]
    assert answered.data is None


def test_actual_points_are_counted_as_the_asked_ones_are() -> None:
    data = {"organization": {"name": "a", "pipelines": {"edges": [{"node": {"slug": "x"}}] * 3, "count": 3}}}
    assert cost.actual(data) == 1 + 1 + 1 + 3
    assert cost.actual(None) == 0


def test_documents_of_clients_are_far_within_the_limits() -> None:
    folder = Path(__file__).parents[1] / "golden" / "graphql"
    documents = sorted(folder.glob("*.graphql"))
    assert documents
    for path in documents:
        check(parse(path.read_text()))


def test_points_are_spent_by_organization_and_person_until_the_window_ends(world: World) -> None:
    limits_of = world.authority.context.installation.rate_limits
    treasurer, first = world.authority.budgets, world.first
    graph = Graph(world)
    query = '{ organization(slug: "acme") { clusters(first: 10) { edges { node { name } } } } }'
    headers = graph(query).headers
    assert headers["ratelimit-scope"] == "graphql"
    assert headers["ratelimit-user-scope"] == "graphql_user"
    assert int(headers["ratelimit-user-remaining"]) == limits_of.graphql_user - 4
    assert 0 < int(headers["ratelimit-reset"]) <= 300
    graph("{ nonsense }")  # what is refused is not free either
    left = int(graph(query).headers["ratelimit-user-remaining"])
    assert left == limits_of.graphql_user - 9
    treasurer.spend(Surface.GRAPHQL, first.organization.id, first.admin.id, left)
    answered = graph(query)
    assert answered.status == 429
    assert answered.codes == ["rate_limited"]
    text = f"You have exceeded your per-user limit of {limits_of.graphql_user} complexity points."
    assert answered.messages[0].startswith(text + " Please try again in ")
    assert answered.headers["retry-after"] == answered.headers["ratelimit-user-reset"]
    world.clock.forward(301 * SECOND_US)
    assert graph(query).status == 200
    treasurer.spend(Surface.GRAPHQL, first.organization.id, None, limits_of.graphql_organization)
    answered = graph(query)
    assert answered.messages[0].startswith(
        f"Your organization has exceeded the limit of {limits_of.graphql_organization} complexity points."
    )
