"""The overview: administrators see what needs attention, others what works; charts say their figures too."""

import re

from console_client import Console, new_person
from services.rotation_scene import API, AWAY, HOME, Rotations
from services.scene import Scene
from support import MINUTE_US, World
from watchword.domain.tokens import DAY_US


def test_an_administrator_sees_what_needs_attention_and_where(admin: Console, world: World) -> None:
    scene = Scene(world)
    soon = scene.token(expires_in=40 * 86_400)
    world.clock.forward(39 * DAY_US + 1)
    admin.sign_in_as(world.first.admin)
    admin.get("")
    text = admin.text()
    assert "1 token expires within a day" in text
    assert "1 token is broader than it needs to be" in text
    assert "/organizations/acme/hygiene?reason=expires_in_1_day" in admin.links()
    assert f"/organizations/acme/clusters/{world.first.cluster.id}/tokens/{soon.token.id}" in admin.links()
    admin.get("hygiene?reason=expires_in_1_day")
    assert "for a test" in admin.text()
    assert "first API access token" not in admin.text()


def test_rotations_incidents_agents_and_jobs_are_shown(admin: Console, world: World) -> None:
    scene = Scene(world)
    rotations = Rotations(scene)
    old = rotations.api_token()
    rotations.reason(rotations.start(old.token), HOME, API)
    world.clock.forward(10 * MINUTE_US)
    rotations.reason(old, AWAY, API)
    shared = scene.token()
    agents = [scene.agent(shared, name=name) for name in ("one", "two", "three")]
    scene.running(agents[0])
    rotations.start(shared.token)
    admin.sign_in_as(world.first.admin)
    admin.get("")
    text = admin.text()
    for words in (
        "1 busy",
        "2 idle",
        "1 running",
        "1 open incident",
        "A retired value was used again",
        "0 of 3 agents moved",
        "3 registrations, most at",
    ):
        assert words in text, words
    (incident,) = rotations.incidents()
    assert f"/organizations/acme/incidents/{incident.id}" in admin.links()


def test_a_member_sees_what_works_and_nothing_of_others_tokens(world: World) -> None:
    Scene(world).agent()
    member = Console(world)
    member.sign_in_as(new_person(world, "bob@example.com"))
    assert member.get("").status_code == 200
    assert "1 idle" in member.text()
    for word in ("Needs attention", "Incidents", "broader"):
        assert word not in member.text()


def test_charts_are_pictures_with_words_and_a_table(admin: Console, world: World) -> None:
    Scene(world).agent()
    for query, rows in (("", 24), ("?span=month", 30)):
        page = admin.get(f"/organizations/acme{query}").text
        (picture,) = re.findall(r'<svg[^>]*role="img"[^>]*aria-labelledby="([^"]+)"', page)
        for part in picture.split():
            assert f'id="{part}"' in page
        table = page[page.index("The same as a table") :]
        assert len(re.findall(r'<th scope="row">', table)) == rows
        assert "1 registrations, most at" in admin.text()
        assert "style=" not in page


def test_an_organization_without_agents_says_how_to_begin(admin: Console, world: World) -> None:
    admin.get("")
    assert "No agent is connected" in admin.text()
    assert f"/organizations/acme/clusters/{world.first.cluster.id}/tokens" in admin.links()
