"""Every link in a letter about a leak opens for whoever got the letter."""

import re

import pytest

from console_client import Console
from services.leak_scene import CRAWLER
from services.test_leak_telling import Telling, job
from support import World
from watchword.domain.accounts import User


@pytest.fixture
def scene(world: World) -> Telling:
    return Telling(world)


def paths(letter: str) -> list[str]:
    """Pages that a letter links to; the last line names the server alone."""
    return re.findall(r"(?:Case|Page|Token): +https?://[^/\s]+(/\S+)", letter)


def opens(scene: Telling, email: str) -> list[tuple[str, int]]:
    """Pages of somebody's latest letter without their ids, and what they are answered with."""
    user = scene.run(scene.world.store.read(lambda tx: tx.people.user_by_email(email)))
    assert isinstance(user, User)
    browser = Console(scene.world)
    browser.sign_in_as(user)
    found = []
    for path in paths(scene.letter_to(email)):
        shown = re.sub(r"[0-9a-f-]{36}", "ID", path)
        found.append((shown, browser.get(path).status_code))
    return found


def test_each_reader_is_led_to_a_page_that_opens(scene: Telling) -> None:
    other = scene.other()
    bob = scene.person("bob@example.com", scene.organization_id)
    mia = scene.person("mia@example.com", scene.organization_id)
    scene.maintain(mia, team=True)
    scene.report(scene.api_token_of(bob, other.organization.id).value)
    scene.tell()
    assert opens(scene, "admin@example.com") == [("/organizations/acme/leaks/ID", 200)]
    assert opens(scene, "bob@example.com") == [("/user/leaks/ID", 200)]
    assert opens(scene, "olga@example.com") == [("/organizations/other/tokens/api/ID", 200)]
    scene.report(scene.token().value, source=CRAWLER)
    scene.tell()
    assert opens(scene, "mia@example.com") == [("/organizations/acme/leaks/ID", 200)]
    scene.report(scene.register(name="builder-7").value)
    scene.tell()
    assert opens(scene, "mia@example.com") == [("/organizations/acme/leaks/ID", 200)]
    scene.report(job(scene))
    scene.tell()
    assert opens(scene, "mia@example.com") == [("/organizations/acme/clusters/ID/agents", 200)]
    assert opens(scene, "admin@example.com") == [("/organizations/acme/leaks/ID", 200)]
