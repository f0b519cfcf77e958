"""Another organization's ids are like absent ones on every REST route, and nothing of it changes."""

import re
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rest_client import Rest
from services.scene import Scene
from support import World
from watchword.domain.ids import uuid7
from watchword.rest.app import ROUTES, Route
from watchword.services.accounts import FirstThings, create_organization
from watchword.services.context import LOCAL

_PARAMETER = re.compile(r"{(\w+)}")
SLUGS = ("pipeline", "portal")


def absent(name: str) -> str:
    """What a path may say of a thing that nobody has."""
    return "nobodys" if name in SLUGS else uuid7(1_700_000_000_000_000, b"0123456789")


def made(rest: Rest, path: str, body: dict[str, Any], status: int = 201) -> Any:
    answer = rest("POST", path, json=body)
    assert answer.status_code == status, (path, answer.text)
    return answer.json()


class Things:
    """One thing of each sort in an organization, by the name that paths have for it."""

    def __init__(self, world: World, first: FirstThings, slug: str) -> None:
        rest = Rest(world, first.api_token.value, slug=slug)
        cluster = f"clusters/{first.cluster.id}"
        scene = Scene(world)
        scene.first, scene.organization_id = first, first.organization.id
        agent = scene.agent()
        pipeline = made(
            rest,
            "pipelines",
            {
                "name": f"{slug} app",
                "repository": "r",
                "cluster_id": first.cluster.id,
                "configuration": "steps: [{command: 'true'}]",
            },
        )["slug"]
        build = made(rest, f"pipelines/{pipeline}/builds", {"commit": "HEAD", "branch": "main"})
        at = f"pipelines/{pipeline}/builds/{build['number']}"
        self.ids = {
            "cluster": first.cluster.id,
            "queue": first.queue.id,
            "token": first.agent_token.token.id,
            "agent": agent.agent.id,
            "pipeline": pipeline,
            "number": build["id"],
            "job": build["jobs"][0]["id"],
            "annotation": made(rest, f"{at}/annotations", {"body": "x"})["id"],
            "artifact": absent("artifact"),
            "secret": made(rest, f"{cluster}/secrets", {"key": "KEY", "value": "v"})["id"],
            "cache_registry": made(rest, f"{cluster}/cache_registries", {"name": "Built"})["id"],
            "repository_credential": made(
                rest,
                f"{cluster}/repository_credentials",
                {"pattern": "git.example.com/*", "secret_key": "KEY"},
            )["id"],
            "cache_entry": absent("cache_entry"),
            "application": made(
                rest,
                "oauth-applications",
                {"name": "x", "scopes": ["read_user"], "redirect_uris": ["https://a.example/"]},
            )["id"],
            "exchange_application": made(
                rest,
                "token-exchange-applications",
                {"name": "x", "grantable_scopes": ["read_user"], "jwks_url": "https://example.com/keys"},
            )["id"],
            "trusted_issuer": made(
                rest,
                f"{cluster}/trusted-issuers",
                {
                    "name": "ci",
                    "preset": "github",
                    "rules": [{"claim": "repository", "value": "octo/app"}],
                },
            )["id"],
            "event": rest("GET", "audit_events").json()["items"][0]["uuid"],
            "incident": absent("incident"),
            "leak": made(rest, "leaks", {"token_id": first.agent_token.token.id})["leak"]["id"],
            "service": (
                service := made(
                    rest, "services", {"provider": "webhook", "settings": {"url": "https://example.com/hook"}}
                )
            )["id"],
            "delivery": pinged(rest, service["id"]),
            "registry": made(
                rest,
                f"/v2/packages/organizations/{slug}/registries",
                {"name": f"{slug} shop", "ecosystem": "python"},
                200,
            )["id"],
            "package": absent("package"),
            "deployment": made(rest, "dagster/deployments", {"name": f"{slug}-staging"})["id"],
            "portal": made(rest, "portals", {"name": f"{slug} tools", "query": "{ viewer { id } }"})["slug"],
            **people(rest, first, cluster),
        }


def pinged(rest: Rest, service: str) -> str:
    """A delivery of a service."""
    rest("POST", f"services/{service}/ping", json={})
    return str(rest("GET", f"services/{service}/deliveries").json()["items"][0]["id"])


def people(rest: Rest, first: FirstThings, cluster: str) -> dict[str, str]:
    """A member, an invitation, a team with the member in it that maintains the cluster."""
    team = made(rest, "teams", {"name": "Everyone", "privacy": "visible"})["id"]
    made(rest, f"teams/{team}/members", {"user_id": first.admin.id, "role": "member"})
    (invitation,) = made(rest, "invitations", {"emails": ["new@example.com"]})
    return {
        "user": first.admin.id,
        "team": team,
        "invitation": invitation["id"],
        "maintainer": made(rest, f"{cluster}/maintainers", {"team": team})["id"],
    }


@pytest.fixture
def things(world: World) -> tuple[dict[str, str], dict[str, str], FirstThings]:
    """Ours and theirs."""
    other = world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    return Things(world, world.first, "acme").ids, Things(world, other, "other").ids, other


def rows_of(path: Path, organization_id: str) -> dict[str, list[Any]]:
    """Everything that the database has of an organization."""
    with sqlite3.connect(path) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for table in tables:
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            if "organization_id" in names:
                query = f"SELECT * FROM {table} WHERE organization_id = ?"
                found[table] = sorted(map(repr, database.execute(query, (organization_id,))))
    return found


def _named(known: dict[str, str], found: re.Match[str]) -> str:
    return known[found[1]]


def names_of(route: Route) -> list[str]:
    return [name for name in _PARAMETER.findall(route.path) if name != "org"]


def test_foreign_ids_are_like_absent_ones_on_every_route(
    world: World, things: tuple[dict[str, str], dict[str, str], FirstThings], tmp_path: Path
) -> None:
    ours, theirs, other = things
    database = next(tmp_path.rglob("*.db"))
    before = rows_of(database, other.organization.id)
    assert len([table for table, rows in before.items() if rows]) > 10
    rest = Rest(world)
    tried = 0
    for route in ROUTES:
        for name in names_of(route):
            assert name in ours, f"tell this test what {{{name}}} is"
            answers = []
            for value in (theirs[name], absent(name)):
                named = {**ours, name: value, "org": "acme"}
                path = _PARAMETER.sub(partial(_named, named), route.path)
                answer = rest(route.method, path, json={})
                answers.append((answer.status_code, answer.text.replace(value, "ID")))
            assert answers[0] == answers[1], (route, name)
            assert 400 <= answers[0][0] < 500, (route, name, answers[0])
            tried += 1
    assert tried > 100
    assert rows_of(database, other.organization.id) == before
