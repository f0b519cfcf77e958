"""The page that lets a command line of Dagster+ in: a click, a numeric port on loopback, one token (§12)."""

import re

import pytest

from console_client import Console
from dagster_scene import DagsterScene
from support import World
from watchword.domain.accounts import Member, Role
from watchword.domain.kinds import Kind
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.store.base import EVERYTHING
from watchword.web.security import content_security

PAGE = "/cli-auth/AB12CD34?port=40123"
FORM = "/cli-auth/AB12CD34"


@pytest.fixture
def console(world: World) -> Console:
    made = Console(world)
    made.sign_in_as(world.first.admin)
    return made


def tokens(world: World) -> list[str]:
    found = world.run(
        world.store.read(
            lambda tx: tx.deployments.tokens(world.first.organization.id, Kind.DAGSTER_USER, None, EVERYTHING)
        )
    )
    return [one.description for one in found]


def fields(console: Console, **more: str) -> dict[str, str]:
    """What the page's form sends."""
    text = console.get(PAGE).text
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))
    return {name: value for name, value in found.items() if name != "csrf"} | more


def test_the_page_asks_first_and_makes_one_token_at_a_click(world: World, console: Console) -> None:
    asked = console.get(PAGE)
    assert asked.status_code == 200
    assert asked.headers["content-security-policy"] == content_security()
    assert tokens(world) == []
    sent = fields(console)
    answer = console.post(FORM, sent)
    assert answer.status_code == 200
    value = re.search(r'data-secret value="(user:[0-9a-f]{32})"', answer.text)
    assert value is not None
    assert 'data-port="40123" data-nonce="AB12CD34" data-organization="acme"' in answer.text
    policy = answer.headers.get_list("content-security-policy")
    assert policy == [content_security("http://localhost:40123")]
    assert answer.headers["cache-control"] == "no-store"
    assert tokens(world) == ["Command line (dg, dagster-cloud)"]
    again = console.post(FORM, sent)
    assert "sent before" in again.text
    assert "data-secret" not in again.text
    assert len(tokens(world)) == 1


def test_a_token_needs_a_fresh_proof(world: World) -> None:
    stale = Console(world)
    stale.sign_in_as(world.first.admin, fresh=False)
    assert "Confirm that it is you" in stale.post(FORM, fields(stale)).text
    assert tokens(world) == []


@pytest.mark.parametrize(
    "page",
    [
        "/cli-auth/AB12?port=80x",
        "/cli-auth/AB12?port=65536",
        "/cli-auth/AB12?port=1%40evil.example",
        "/cli-auth/AB12?port=%D9%A1%D9%A2",
        "/cli-auth/AB-12?port=4000",
        f"/cli-auth/{'A' * 65}?port=4000",
    ],
)
def test_what_no_command_line_asks_is_no_page(console: Console, page: str) -> None:
    assert console.get(page).status_code == 404
    path, _, query = page.partition("?")
    port = query.removeprefix("port=")
    assert console.post(path, {"port": port, "organization": "acme"}).status_code == 404


def test_a_person_of_several_organizations_chooses_and_a_foreign_one_is_none(
    world: World, console: Console
) -> None:
    made = create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga")
    other = world.run(made)
    refused = console.post(FORM, fields(console, organization="other"))
    assert "data-secret" not in refused.text
    assert refused.status_code == 404
    member = Member(other.organization.id, world.first.admin.id, Role.MEMBER, 7)
    world.run(world.store.write(lambda tx: tx.accounts.add_member(member)))
    assert re.findall(r'<option value="(\w+)"', console.get(PAGE).text) == ["acme", "other"]
    answer = console.post(FORM, fields(console, organization="other"))
    assert 'data-organization="other"' in answer.text
    assert tokens(world) == []


def test_without_a_command_line_the_page_says_what_it_is_for(console: Console) -> None:
    assert "No command line asks" in console.get(FORM).text
    assert console.post(FORM, {"organization": "acme"}).status_code == 404


def test_who_is_not_signed_in_comes_back_after_the_door(world: World) -> None:
    nobody = Console(world)
    answer = nobody.get(PAGE)
    assert answer.status_code == 303
    assert "to=%2Fcli-auth%2FAB12CD34%3Fport%3D40123" in answer.headers["location"]


def test_the_address_that_command_lines_know_leads_to_the_page_and_nowhere_else(console: Console) -> None:
    for at in ("/dagster", "/dagster/"):
        answer = console.get(f"{at}?next=/cli-auth/AB12CD34%3Fport%3D40123")
        assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    for wrong in ("https://evil.example/", "//evil.example", "/settings", ""):
        assert console.get(f"/dagster?next={wrong}").headers["location"] == "/"


def test_browsers_alone_arrive_at_the_address_of_the_api(world: World) -> None:
    """Programs that ask there get a plain answer and no page (contract §9, rule 4)."""
    scene = DagsterScene(world)
    token = scene.agent_token().value.reveal()
    for path in ("/dagster", "/dagster/acme", "/dagster/graphql"):
        answer = scene.call("GET", path, headers={"Dagster-Cloud-Api-Token": token})
        assert answer.status in (404, 405)
        assert "location" not in answer.headers
        assert answer.headers["content-type"].startswith("application/json")
