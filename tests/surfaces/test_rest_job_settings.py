"""REST: what jobs may do, for an organization and for one pipeline."""

from typing import Any

import pytest

from rest_client import Rest, api_token
from services.scene import Scene
from support import World
from watchword.domain.accounts import Role
from watchword.domain.events import Action

DEFAULTS = {"cross_job_writes": True, "identity_tokens": True, "identity_audiences": None}


@pytest.fixture
def rest(world: World) -> Rest:
    Scene(world).build("true")
    return Rest(world)


@pytest.mark.parametrize("place", ["job-settings", "pipelines/app/job-settings"])
def test_settings_change_one_by_one_and_are_recorded(world: World, rest: Rest, place: str) -> None:
    wanted: dict[str, Any] = {"url": f"http://127.0.0.1:8080/v2/organizations/acme/{place}", **DEFAULTS}
    assert rest("GET", place).json() == wanted
    for change in (
        {"cross_job_writes": False},
        {"identity_audiences": ["sts.amazonaws.com", "https://*.example.com"]},
        {"identity_tokens": False, "unknown": 1},
        {"cross_job_writes": None, "identity_audiences": None},
        {"identity_tokens": None},
    ):
        wanted |= {name: value for name, value in change.items() if name in DEFAULTS}
        wanted |= {name: True for name in ("cross_job_writes", "identity_tokens") if wanted[name] is None}
        answer = rest("PATCH", place, json=change)
        assert (answer.status_code, answer.json()) == (200, wanted)
        assert rest("GET", place).json() == wanted
    assert len(Scene(world).events(Action.JOB_POLICY_UPDATED)) == 5
    assert rest("PUT", place, json={}).json() == wanted
    assert len(Scene(world).events(Action.JOB_POLICY_UPDATED)) == 5


def test_what_no_token_could_name_is_refused(rest: Rest) -> None:
    for audiences in ([""], ["two words"], ["x"] + [f"a{number}" for number in range(50)]):
        answer = rest("PATCH", "job-settings", json={"identity_audiences": audiences})
        assert answer.status_code == 422
    assert rest("PATCH", "job-settings", json={"cross_job_writes": "no"}).status_code == 422
    assert rest("GET", "job-settings").json()["identity_audiences"] is None


def test_a_pipeline_that_is_not_there_has_none(rest: Rest) -> None:
    assert rest("GET", "pipelines/none/job-settings").status_code == 404


def test_members_may_not_change_them(world: World, rest: Rest) -> None:
    scopes = ("read_organization_settings", "write_organization_settings")
    made = api_token(world, *scopes, role=Role.MEMBER, email="member@example.com")
    member = Rest(world, made.value)
    assert member("GET", "job-settings").status_code == 403
    assert member("PATCH", "job-settings", json={"identity_tokens": False}).status_code == 403
    assert rest("GET", "job-settings").json()["identity_tokens"] is True
