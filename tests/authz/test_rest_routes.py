"""An authorization row for every REST route, as a golden file, and the credentials that never pass."""

from pathlib import Path

import pytest

from rest_client import Rest, api_token
from support import World
from watchword.domain.accounts import Role
from watchword.domain.kinds import Kind
from watchword.domain.scopes import ALL_SCOPES
from watchword.rest.app import ROUTES
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import build_token, mint_value
from watchword.services.revoking import revoke

GOLDEN = Path(__file__).parent / "rest-routes.txt"


def fill(world: World, path: str, slug: str = "acme") -> str:
    """A path to things that exist, as far as the first organization has them."""
    first = world.first
    names = {
        "{org}": slug,
        "{cluster}": first.cluster.id,
        "{token}": first.agent_token.token.id,
        "{queue}": first.queue.id,
    }
    for name, value in names.items():
        path = path.replace(name, value)
    return path.replace("{", "").replace("}", "")


def test_every_route_has_its_row(request: pytest.FixtureRequest) -> None:
    """Method, path, scope (`any`: every API access token; `public`: nobody needs one), operation."""
    words = {None: "public", "": "any"}
    rows = sorted(
        f"{route.method} {route.path} {words.get(route.scope, route.scope)} {route.operation or '-'}"
        for route in ROUTES
    )
    text = "\n".join(rows) + "\n"
    if request.config.getoption("--write-golden"):
        GOLDEN.write_text(text)
    assert GOLDEN.read_text() == text, "access changed; if that is meant: make golden"


def dead_values(world: World) -> dict[str, object]:
    """Credentials that must not pass anywhere on REST."""
    context, first = world.context, world.first
    revoked = api_token(world, *ALL_SCOPES)
    world.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, revoked.token, None)))
    session = mint_value(context, Kind.AGENT_SESSION)
    record = build_token(context, Kind.AGENT_SESSION, first.organization.id, session)
    world.run(context.store.write(lambda tx: tx.tokens.add(record)))
    return {
        "nothing": "",
        "an agent token": first.agent_token.value,
        "a session token": session,
        "a revoked token": revoked.value,
        "a value never issued": mint_value(context, Kind.API_ACCESS),
        "garbage": "bkua_MTA.nonsense",
    }


def test_no_dead_or_foreign_kind_of_token_passes(world: World) -> None:
    for name, value in dead_values(world).items():
        rest = Rest(world, value)  # type: ignore[arg-type]
        for route in ROUTES:
            if route.scope is not None:
                answer = rest(route.method, fill(world, route.path))
                assert answer.status_code == 401, (name, route, answer.text)


def test_another_organizations_administrator_sees_nothing(world: World) -> None:
    other = world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    rest = Rest(world, other.api_token.value)
    for route in ROUTES:
        if "{org}" in route.path:
            there = rest(route.method, fill(world, route.path))
            nowhere = rest(route.method, fill(world, route.path, "nobody"))
            assert (there.status_code, there.text) == (nowhere.status_code, nowhere.text), route
            assert there.status_code == 404, route
    assert [row["slug"] for row in rest("GET", "/v2/organizations").json()] == ["other"]
    assert rest("GET", "/v2/organizations/other/clusters").status_code == 200


def test_an_ordinary_member_changes_nothing_that_only_administrators_may(world: World) -> None:
    member = api_token(world, *ALL_SCOPES, role=Role.MEMBER, email="m@example.com")
    rest = Rest(world, member.value)
    guarded = [route for route in ROUTES if route.scope == "write_clusters"]
    assert guarded
    for route in guarded:
        answer = rest(
            route.method, fill(world, route.path), json={"description": "x", "name": "x", "key": "x"}
        )
        assert answer.status_code == 403, (route, answer.text)
    assert world.run(
        world.context.store.read(lambda tx: tx.tokens.by_digest(world.first.agent_token.token.digest))
    )
