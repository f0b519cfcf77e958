"""Rotating an agent token on the console: a value once, old beside new, and every way it ends."""

import re
from html import unescape

import pytest

from console_client import Console
from services.rotation_scene import Rotations
from services.scene import Scene
from support import MINUTE_US, World
from watchword.crypto.values import Secret
from watchword.domain.fleet import AgentState
from watchword.domain.rotations import RotationState
from watchword.domain.tokens import DAY_US, State, Token
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


@pytest.fixture
def old(scene: Scene) -> Token:
    """The first agent token."""
    return scene.first.agent_token.token


@pytest.fixture
def at(old: Token) -> str:
    """Its rotation's page, below the organization."""
    return f"clusters/{old.cluster_id}/tokens/{old.id}/rotate"


def begin(console: Console, at: str, **fields: str) -> str:
    """Start a rotation as the form does; the value that the answer shows."""
    console.get(at)
    word = re.search(r'name="once" value="([^"]+)"', console.last.text)
    assert word
    console.post(at, {"once": unescape(word[1]), "days": "7", **fields})
    found = re.search(r'value="(bkct_[^"]+)"', console.last.text)
    return found[1] if found else ""


def test_the_new_value_is_shown_once_and_both_values_work(
    admin: Console, scene: Scene, old: Token, at: str
) -> None:
    scene.agent()
    value = begin(admin, at)
    assert admin.last.text.count(value) == 1
    text = admin.text()
    for part in (
        "It has not been copied yet.",
        "0 of 1 agent moved",
        "Both values work",
        "Still on the old value",
    ):
        assert part in text, part
    (rotation,) = scene.authority.attention.successors.values()
    assert rotation.deadline == scene.world.clock.now() + 7 * DAY_US
    for one in (value, scene.first.agent_token.value.reveal()):
        assert scene.reason_from(one, "192.0.2.1") == ""
    assert value not in admin.get(at).text
    assert value not in admin.get(at.replace(old.id, rotation.successor_id)).text
    assert "0 of 1 agent moved" in admin.text()


@pytest.mark.parametrize("later", [0, 4 * MINUTE_US])
def test_a_form_that_is_sent_again_starts_nothing_and_shows_nothing(
    admin: Console, scene: Scene, at: str, later: int
) -> None:
    admin.get(at)
    word = re.search(r'name="once" value="([^"]+)"', admin.last.text)
    assert word
    fields = {"once": word[1], "days": "7"}
    admin.post(at, fields)
    scene.world.clock.forward(later)
    admin.post(at, fields)
    assert "This form was sent before" in admin.text()
    assert "bkct_" not in admin.last.text
    assert len(scene.authority.attention.successors) == 1


def test_another_form_of_the_same_person_gets_no_value_either(admin: Console, at: str) -> None:
    words = [re.search(r'name="once" value="([^"]+)"', admin.get(at).text) for _ in range(2)]
    for word in words:
        assert word
        admin.post(at, {"once": word[1], "days": "7"})
    assert admin.last.status_code == 422
    assert "rotation_open" in admin.text()
    assert not re.search(r'value="bkct_', admin.last.text)


def test_the_page_follows_until_the_old_value_is_unused(
    admin: Console, scene: Scene, old: Token, at: str
) -> None:
    first, second = scene.agent(), scene.agent(name="two")
    value = begin(admin, at)
    finisher = scene.authority.finisher
    fresh = Issued(Rotations(scene).standing(old).successor, Secret(value))
    for place, joined in enumerate((first, second)):
        scene.agent(fresh, name=f"moved-{place}")
        scene.run(finisher.disconnect(LOCAL, joined.agent.id, AgentState.DISCONNECTED))
        admin.get(at)
        assert f"{place + 1} of 2 agents moved" in admin.text()
    assert "every agent has moved" in admin.text()
    assert "Finish now" not in admin.text()
    assert scene.record(old).state is State.SUPERSEDED
    admin.get(at.removesuffix("/rotate"))
    assert "A rotation has retired this value" in admin.text()


def test_finishing_early_asks_to_know_who_is_locked_out(
    admin: Console, scene: Scene, old: Token, at: str
) -> None:
    scene.agent()
    begin(admin, at)
    assert admin.post(f"{at}/finish").status_code == 422
    assert "not_confirmed" in admin.text()
    assert scene.record(old).state is State.ACTIVE
    assert admin.post(f"{at}/finish", {"sure": "1"}).headers["location"].endswith("done=rotation-finished")
    assert scene.record(old).state is State.SUPERSEDED
    admin.get(at)
    assert "somebody finished it" in admin.text()


def test_aborting_revokes_the_new_value_and_another_rotation_may_follow(
    admin: Console, scene: Scene, old: Token, at: str
) -> None:
    value = begin(admin, at)
    assert admin.post(f"{at}/abort").status_code == 303
    assert scene.reason_from(value, "192.0.2.1") == "token_revoked"
    admin.get(at)
    assert "the new value was revoked, and the old one goes on" in admin.text()
    assert "Rotate again" in admin.text()
    assert begin(admin, at)
    assert scene.record(old).state is State.ACTIVE


def test_a_deadline_is_set_anew(admin: Console, scene: Scene, old: Token, at: str) -> None:
    begin(admin, at)
    assert admin.post(f"{at}/extend", {"days": "30"}).status_code == 303
    assert Rotations(scene).find(old).deadline == scene.world.clock.now() + 30 * DAY_US
    assert admin.post(f"{at}/extend", {"days": "400"}).status_code == 422
    assert 'aria-invalid="true"' in admin.last.text


def test_what_has_ended_is_not_changed(admin: Console, scene: Scene, old: Token, at: str) -> None:
    for step in ("finish", "abort", "extend"):
        assert admin.post(f"{at}/{step}", {"days": "7"}).status_code == 404
    begin(admin, at)
    admin.post(f"{at}/finish")
    assert admin.post(f"{at}/abort").status_code == 422
    assert Rotations(scene).find(old).state is RotationState.COMMITTED
    assert "rotation_committed" in admin.text()
