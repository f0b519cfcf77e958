"""The policy is what routes enforce: every route, by every standing, on one's own cluster and another."""

import re
from dataclasses import dataclass

import pytest

from rest_client import Rest, api_token
from services.scene import Scene
from support import World
from watchword.domain.accounts import Cluster, Role
from watchword.domain.ids import uuid7
from watchword.domain.operations import OPERATIONS, Right
from watchword.domain.scopes import ALL_SCOPES
from watchword.rest.app import ROUTES, Route
from watchword.services.accounts import add_cluster
from watchword.services.context import LOCAL

_PARAMETER = re.compile(r"{(\w+)}")
ABSENT = uuid7(1_700_000_000_000_000, b"0123456789")
GUARDED = (Right.ADMIN, Right.CLUSTER_MAINTAINER, Right.TEAM_MAINTAINER)


@dataclass(frozen=True, slots=True)
class Cast:
    """A caller of each standing, a cluster that the maintainer maintains, and one that others do."""

    admin: Rest
    maintainer: Rest
    member: Rest
    own: Cluster
    other: Cluster


@pytest.fixture
def cast(world: World) -> Cast:
    context, first = world.context, world.first
    other = world.run(
        context.store.write(lambda tx: add_cluster(context, tx, LOCAL, first.organization.id, "other"))
    )
    admin = Rest(world)
    callers = {}
    for name in ("maintainer", "member"):
        token = api_token(world, *ALL_SCOPES, role=Role.MEMBER, email=f"{name}@example.com")
        callers[name] = (Rest(world, token.value), token.token.user_id)
    maintainer, user_id = callers["maintainer"]
    added = admin("POST", f"clusters/{first.cluster.id}/maintainers", json={"user": user_id})
    assert added.status_code == 201, added.text
    return Cast(admin, maintainer, callers["member"][0], first.cluster, other)


def call(rest: Rest, route: Route, **named: str) -> int:
    """Status of a call on things that do not exist, but for those that are named."""
    known = {"org": "acme", **named}
    path = _PARAMETER.sub(lambda found: known.get(found[1], ABSENT), route.path)
    return rest(route.method, path, json={}).status_code


def right_of(route: Route) -> Right:
    assert route.operation is not None
    return OPERATIONS[route.operation].right


GUARDED_ROUTES = [route for route in ROUTES if route.operation and "{org}" in route.path]


def test_members_are_refused_wherever_the_policy_says_so_and_nowhere_else(cast: Cast) -> None:
    refused = [route for route in GUARDED_ROUTES if right_of(route) in GUARDED]
    assert len(refused) > 50
    for route in refused:
        assert call(cast.member, route, cluster=cast.own.id) == 403, route
    for route in GUARDED_ROUTES:
        if right_of(route) not in GUARDED:
            assert call(cast.member, route, cluster=cast.own.id) not in (401, 403), route


def test_administrators_are_refused_nowhere(cast: Cast) -> None:
    for route in GUARDED_ROUTES:
        status = call(cast.admin, route)
        assert status not in (401, 403), (route, status)
        assert status < 500, (route, status)


def test_maintainers_may_in_their_cluster_and_in_no_other(cast: Cast) -> None:
    tried = 0
    for route in GUARDED_ROUTES:
        if right_of(route) is Right.CLUSTER_MAINTAINER and "{cluster}" in route.path:
            assert call(cast.maintainer, route, cluster=cast.other.id) == 403, route
            assert call(cast.maintainer, route, cluster=ABSENT) == 403, route
            assert call(cast.maintainer, route, cluster=cast.own.id) not in (401, 403), route
            tried += 1
        elif right_of(route) is Right.ADMIN:
            assert call(cast.maintainer, route, cluster=cast.own.id) == 403, route
    assert tried > 20


def test_maintainers_give_orders_to_the_agents_of_their_cluster_alone(world: World, cast: Cast) -> None:
    mine = Scene(world).agent().agent.id
    assert cast.member("PUT", f"agents/{mine}/pause", json={}).status_code == 403
    assert cast.maintainer("PUT", f"agents/{mine}/pause", json={}).status_code == 204
    scene = Scene(world)
    theirs = scene.agent(scene.token(unclustered=True)).agent.id
    assert cast.maintainer("PUT", f"agents/{theirs}/pause", json={}).status_code == 403


def test_each_route_takes_its_own_scope_and_no_other(world: World) -> None:
    callers: dict[str, tuple[Rest, Rest]] = {}
    for route in GUARDED_ROUTES:
        if not route.scope:
            continue
        if route.scope not in callers:
            with_it = api_token(world, route.scope).value
            without = api_token(world, *(ALL_SCOPES - {route.scope})).value
            callers[route.scope] = (Rest(world, with_it), Rest(world, without))
        opened, closed = callers[route.scope]
        assert call(opened, route) not in (401, 403), route
        path = _PARAMETER.sub(lambda found: "acme" if found[1] == "org" else ABSENT, route.path)
        answer = closed(route.method, path, json={})
        assert answer.status_code == 403, (route, answer.text)
        if route.method != "HEAD":
            assert f"doesn't have the {route.scope} scope" in answer.json()["message"], route
    assert len(callers) > 15
