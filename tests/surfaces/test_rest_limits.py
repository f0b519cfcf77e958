"""Rate limits on REST: who is counted, what answers say, and when a request is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from rest_client import Rest, api_token
from support import SECOND_US, World
from watchword.domain.accounts import Role
from watchword.domain.ids import OrganizationId
from watchword.domain.ratelimits import NO_LIMIT, RateLimits, Surface
from watchword.services import budgets
from watchword.services.budgets import Treasurer
from watchword.settings import load


def limited(world: World, **limits: int) -> None:
    """Give the installation these limits; 0 for those that are not named."""
    none = dict.fromkeys(("rest_organization", "rest_user", "graphql_organization", "graphql_user"), 0)
    installation = replace(world.context.installation, rate_limits=RateLimits(**{**none, **limits}))
    context = replace(world.context, installation=installation)
    world.authority = replace(world.authority, context=context, budgets=Treasurer(context))


def test_every_answer_to_a_token_tells_both_budgets(world: World) -> None:
    limited(world, rest_organization=10, rest_user=5)
    rest = Rest(world)
    for path, status, left in (("clusters", 200, 4), ("clusters/none", 404, 3)):
        answer = rest("GET", path)
        assert answer.status_code == status
        told = {name: value for name, value in answer.headers.items() if name.startswith("ratelimit")}
        assert told == {
            "ratelimit-scope": "rest",
            "ratelimit-limit": "10",
            "ratelimit-remaining": str(left + 5),
            "ratelimit-reset": "60",
            "ratelimit-user-scope": "rest_user",
            "ratelimit-user-limit": "5",
            "ratelimit-user-remaining": str(left),
            "ratelimit-user-reset": "60",
        }


def test_a_spent_budget_refuses_until_its_window_ends(world: World) -> None:
    limited(world, rest_user=2)
    rest = Rest(world)
    assert [rest("GET", "clusters").status_code for _ in range(2)] == [200, 200]
    world.clock.forward(20 * SECOND_US + 1)
    refused = rest("GET", "clusters")
    assert refused.status_code == 429
    assert refused.json() == {
        "message": "You have exceeded your API rate limit."
        " Please wait 40 seconds before making more requests.",
        "code": "rate_limited",
        "scope": "rest_user",
        "limit": 2,
        "current": 2,
        "reset": 40,
    }
    assert refused.headers["retry-after"] == refused.headers["ratelimit-user-reset"] == "40"
    assert refused.headers["ratelimit-user-warning"] == "You have exceeded your API rate limit."
    assert "ratelimit-warning" not in refused.headers
    world.clock.forward(40 * SECOND_US)
    assert rest("GET", "clusters").status_code == 200


def test_people_share_the_organizations_budget_and_not_their_own(world: World) -> None:
    limited(world, rest_organization=4, rest_user=2)
    ada, bob = Rest(world), Rest(world, api_token(world, "read_clusters", email="b@example.com").value)
    eve = Rest(world, api_token(world, "read_clusters", role=Role.MEMBER, email="e@example.com").value)
    assert [ada("GET", "clusters").status_code for _ in range(3)] == [200, 200, 429]
    assert [bob("GET", "clusters").status_code for _ in range(2)] == [200, 200]
    refused = eve("GET", "clusters")
    assert (refused.status_code, refused.json()["scope"]) == (429, "rest")


def test_a_value_that_does_not_pass_costs_nobody_anything(world: World) -> None:
    limited(world, rest_organization=3, rest_user=3)
    short = Rest(world, api_token(world, "read_agents").value)
    for rest, status in ((Rest(world, ""), 401), (Rest(world, "bkua_MTA.nonsense"), 401), (short, 403)):
        answer = rest("GET", "clusters")
        assert answer.status_code == status
        assert "ratelimit-limit" not in answer.headers
    assert Rest(world)("GET", "clusters").headers["ratelimit-remaining"] == "2"


def test_the_organizations_limits_are_shown(world: World) -> None:
    limited(world, rest_organization=10, graphql_organization=0)
    rest = Rest(world)
    rest("GET", "clusters")
    assert rest("GET", "rate_limit").json() == {
        "scopes": {
            "rest": {
                "limit": 10,
                "current": 2,
                "reset": 60,
                "reset_at": "2027-01-15T08:01:00Z",
                "enforced": True,
            },
            "graphql": {
                "limit": NO_LIMIT,
                "current": 0,
                "reset": 300,
                "reset_at": "2027-01-15T08:05:00Z",
                "enforced": False,
            },
        }
    }


def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "_MAX_WINDOWS", 5)
    treasurer = world.authority.budgets
    for number in range(50):
        treasurer.spend(Surface.REST, OrganizationId(f"o{number}"), None, 1)
    assert len(treasurer._windows) <= 5


def test_settings_make_the_limits(tmp_path: Path) -> None:
    settings = load(environment={"WATCHWORD_LIMIT_REST_USER": "7"}, given={"data": tmp_path})
    assert settings.rate_limits == RateLimits(rest_user=7)
    assert load(environment={}, given={"data": tmp_path}).rate_limits == RateLimits()
