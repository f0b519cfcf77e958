"""One agent token's pages: what they tell, and what editing, revealing and its end do."""

import re
from html import unescape
from typing import Any

import pytest

from console_client import Console, new_person
from services.rotation_scene import AWAY, Rotations
from services.scene import Scene
from support import World
from watchword.domain.events import Action
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import Mode
from watchword.domain.restrictions import Restrictions, load, parse_networks
from watchword.domain.tokens import State, Token
from watchword.services.context import LOCAL
from watchword.services.revealing import set_revealable


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def page_of(token: Token) -> str:
    """Where a token's page is, below the organization."""
    place = f"clusters/{token.cluster_id}" if token.cluster_id else "unclustered"
    return f"{place}/tokens/{token.id}"


@pytest.fixture
def at(scene: Scene) -> str:
    """The page of the first agent token."""
    return page_of(scene.first.agent_token.token)


def once_of(console: Console) -> str:
    found = re.search(r'name="once" value="([^"]+)"', console.last.text)
    assert found
    return unescape(found[1])


def value_on(console: Console) -> str:
    found = re.search(r'value="(bk[a-z]{2}_[^"]+)"', console.last.text)
    return found[1] if found else ""


def test_the_page_tells_who_holds_a_token_and_what_it_can_do(admin: Console, scene: Scene) -> None:
    restrictions = Restrictions(parse_networks("192.0.2.0/24"), "default", ("os=linux",))
    issued = scene.token(restrictions=restrictions, max_uses=3, expires_in=90 * 86_400)
    joined = scene.agent(issued, tags=("queue=default", "os=linux"))
    admin.get(page_of(issued.token))
    text = admin.text()
    for part in (
        "An agent may join the cluster Default, in the queue default alone.",
        "An agent must carry os=linux.",
        "It works from 192.0.2.0/24 and from nowhere else.",
        "2 more agents may join with it.",
        issued.token.digest.hex()[:12],
        "1 of 3",
        joined.agent.name,
        "192.0.2.1",
        "Value lost?",
        "Rotate the token",
    ):
        assert part in text, part
    assert f"/organizations/acme/agents/{joined.agent.id}" in admin.links()
    assert issued.value.reveal() not in admin.last.text


def test_a_token_that_nobody_used_is_replaced_not_rotated(admin: Console, scene: Scene) -> None:
    fresh = scene.token().token
    admin.get(page_of(fresh))
    assert "Nobody has used it: revoke it and create another like this" in admin.text()


def test_expired_yesterday_says_what_to_do(admin: Console, scene: Scene) -> None:
    issued = scene.token(expires_in=86_400)
    scene.agent(issued)
    scene.forward(2 * 86_400 + 10)
    admin.sign_in_as(scene.first.admin)
    admin.get(page_of(issued.token))
    text = admin.text()
    assert "This token has expired" in text
    assert "1 d ago" in text
    assert "an expiry cannot be changed" in text
    assert "One connected agent stays until it ends, and cannot join again." in text
    assert "Nobody joins with it: it has expired (token_expired)." in text
    another = f"{page_of(issued.token).rpartition('/')[0]}/new?like={issued.token.id}"
    assert f"/organizations/acme/{another}" in admin.links()
    assert not any(link.endswith(("/edit", "/rotate")) for link in admin.links())
    assert admin.get(f"{page_of(issued.token)}/rotate").status_code == 200
    assert "Only an active token can be rotated" in admin.text()


def test_a_quarantined_token_and_the_leaked_one_lead_to_the_incident(admin: Console, scene: Scene) -> None:
    rotations = Rotations(scene)
    old = scene.token()
    started = rotations.start(old.token)
    rotations.finish(old.token)
    assert scene.reason_from(old.value.reveal(), AWAY) == "token_superseded"
    (incident,) = scene.authority.attention.incidents.values()
    for token in (old.token, started.successor):
        admin.get(page_of(token))
        assert "An incident is open" in admin.text()
        assert f"/organizations/acme/incidents/{incident.id}" in admin.links()


def test_absent_and_foreign_tokens_look_alike(admin: Console, scene: Scene, at: str) -> None:
    loose = scene.token(unclustered=True).token
    here = at.rpartition("/")[0]
    for page in ("", "/edit", "/revoke", "/rotate", "/reveal"):
        for token in (
            loose.id,
            "01a20347-0000-7000-8000-000000000000",
            "nonsense",
            scene.first.api_token.token.id,
        ):
            assert admin.get(f"{here}/{token}{page}").status_code == 404
        assert admin.get(f"{page_of(loose)}{page}").status_code == 200
        assert admin.get(f"unclustered/tokens/{at.rpartition('/')[2]}{page}").status_code == 404


def test_members_see_none_of_the_pages(world: World, scene: Scene, at: str) -> None:
    member = Console(world)
    member.sign_in_as(new_person(world, "member@example.com"))
    for path in ("", "/edit", "/revoke", "/rotate", "/reveal"):
        assert member.get(f"{at}{path}").status_code == 403
    for path in (
        "/edit",
        "/revoke",
        "/rotate",
        "/rotate/finish",
        "/rotate/abort",
        "/rotate/extend",
        "/reveal",
    ):
        assert member.post(f"{at}{path}").status_code == 403
    assert scene.record(scene.first.agent_token.token).state is State.ACTIVE


# -- edit ----------------------------------------------------------------------------------------


def edit(console: Console, at: str, **fields: str) -> Any:
    return console.post(f"{at}/edit", fields)


def test_a_description_changes_and_the_networks_stay(admin: Console, scene: Scene, at: str) -> None:
    admin.get(f"{at}/edit")
    assert "Expiry, queue, tags and number of uses are fixed" in admin.text()
    answer = edit(admin, at, description=" Linux & more ", allowed_ip_addresses="")
    assert answer.headers["location"].endswith(f"{at}?done=agent-token-updated")
    assert scene.record(scene.first.agent_token.token).description == "Linux & more"
    assert edit(admin, at, description="").status_code == 422
    assert "description_missing" in admin.text()


def test_wider_networks_are_taken_at_once(admin: Console, scene: Scene) -> None:
    issued = scene.token(restrictions=Restrictions(parse_networks("192.0.2.0/24")))
    scene.agent(issued)
    at = page_of(issued.token)
    wider = "192.0.2.0/24\r\n10.0.0.0/8"
    assert edit(admin, at, description="x", allowed_ip_addresses=wider).status_code == 303
    networks = load(scene.record(issued.token).restrictions).networks
    assert [block.text for block in networks] == ["192.0.2.0/24", "10.0.0.0/8"]


@pytest.mark.parametrize("mode", list(Mode))
def test_narrower_networks_ask_what_becomes_of_who_is_outside(
    admin: Console, scene: Scene, at: str, mode: Mode
) -> None:
    joined = scene.agent()
    fields = {"description": "Initial agent token", "allowed_ip_addresses": "10.0.0.0/8"}
    assert edit(admin, at, **fields).status_code == 200
    assert "Nothing is changed yet" in admin.text()
    assert "connected agent 1" in admin.text()
    assert not load(scene.record(scene.first.agent_token.token).restrictions).networks
    assert edit(admin, at, **fields, mode=mode.value).status_code == 303
    assert load(scene.record(scene.first.agent_token.token).restrictions).networks
    row = scene.row(joined.agent.id)
    assert (row.stopping_at > 0, row.state.ended) == (mode is Mode.DRAIN, mode is Mode.CUT)
    if mode is Mode.DRAIN:
        admin.get(at)
        assert "They are outside of the networks." in admin.text()


def test_networks_of_an_open_rotation_cannot_be_changed(admin: Console, scene: Scene, at: str) -> None:
    Rotations(scene).start(scene.first.agent_token.token)
    fields = {"description": "x", "allowed_ip_addresses": "10.0.0.0/8"}
    assert edit(admin, at, **fields).status_code == 422
    assert "rotation" in admin.text()
    assert ">10.0.0.0/8<" in admin.last.text


# -- reveal --------------------------------------------------------------------------------------


def test_a_value_is_revealed_once_with_a_reason_and_the_trail_knows_first(
    admin: Console, world: World, scene: Scene
) -> None:
    plain = scene.token()
    world.run(set_revealable(world.context, LOCAL, scene.organization_id, Kind.AGENT, revealable=True))
    issued = scene.token()
    at = page_of(issued.token)
    assert f"/organizations/acme/{at}/reveal" in (admin.get(at), admin.links())[1]
    admin.get(f"{at}/reveal")
    word = once_of(admin)
    assert admin.post(f"{at}/reveal", {"once": word, "reason": ""}).status_code == 422
    assert "reason_missing" in admin.text()
    word = once_of(admin)
    admin.post(f"{at}/reveal", {"once": word, "reason": "lost <it>"})
    assert value_on(admin) == issued.value.reveal()
    assert admin.last.text.count(issued.value.reveal()) == 1
    (event,) = scene.events(Action.TOKEN_REVEALED)
    assert (event.subject_id, event.actor_id) == (issued.token.id, scene.first.admin.id)
    admin.post(f"{at}/reveal", {"once": word, "reason": "lost <it>"})
    assert not value_on(admin)
    assert "This form was sent before" in admin.text()
    assert len(scene.events(Action.TOKEN_REVEALED)) == 1
    admin.get(f"{page_of(plain.token)}/reveal")
    admin.post(f"{page_of(plain.token)}/reveal", {"once": once_of(admin), "reason": "x"})
    assert "not_revealable" in admin.text()


# -- revoke --------------------------------------------------------------------------------------


def test_a_token_that_nothing_uses_is_revoked_without_typing_its_name(admin: Console, scene: Scene) -> None:
    issued = scene.token()
    at = page_of(issued.token)
    admin.get(f"{at}/revoke")
    assert "Type the token's name" not in admin.text()
    assert "Nobody ever showed the value." in admin.text()
    answer = admin.post(f"{at}/revoke", {"mode": "stop_joining", "reason": "not <needed>"})
    assert answer.headers["location"].endswith(f"{at}/revoke?done=agent-token-revoked")
    admin.get(f"{at}/revoke")
    text = admin.text()
    assert "Receipt" in text
    assert "not <needed>" in text
    assert "By Ada Admin" in text
    assert scene.record(issued.token).state is State.REVOKED
    admin.get(at)
    assert "This token is revoked" in admin.text()


def test_what_breaks_is_told_and_a_name_must_be_typed(admin: Console, scene: Scene, at: str) -> None:
    scene.running(scene.agent())
    scene.agent(name="two")
    admin.get(f"{at}/revoke")
    text = admin.text()
    for part in (
        "connected agents 2",
        "running job 1",
        "live sessions 2",
        "192.0.2.1",
        "1 running job is lost.",
    ):
        assert part in text, part
    for typed in ("", "initial agent token", "something"):
        answer = admin.post(f"{at}/revoke", {"mode": "cut", "confirm": typed, "reason": "kept"})
        assert answer.status_code == 422
        assert "not_confirmed" in admin.text()
        assert 'value="kept"' in answer.text
    assert scene.record(scene.first.agent_token.token).state is State.ACTIVE


@pytest.mark.parametrize("mode", list(Mode))
def test_each_mode_does_to_agents_what_it_says(admin: Console, scene: Scene, at: str, mode: Mode) -> None:
    idle, busy = scene.agent(), scene.agent(name="busy")
    job = scene.running(busy).job
    fields = {"mode": mode.value, "confirm": " Initial  agent token ", "deadline": "30"}
    assert admin.post(f"{at}/revoke", fields).status_code == 303
    rows = [scene.row(joined.agent.id) for joined in (idle, busy)]
    assert [row.stopping_at > 0 for row in rows] == [mode is Mode.DRAIN] * 2
    assert [row.state.ended for row in rows] == [mode is Mode.CUT] * 2
    assert scene.job(job).state.ended is (mode is Mode.CUT)
    assert scene.reason(scene.first.agent_token.value.reveal(), (Kind.AGENT,)) == "token_revoked"
    admin.get(f"{at}/revoke")
    told = {
        Mode.STOP_JOINING: "connected agents stay",
        Mode.DRAIN: "0 of 2 agents have left",
        Mode.CUT: "2 told to leave, 2 of them cut",
    }
    assert told[mode] in admin.text()
    assert ("Deadline" in admin.text()) is (mode is Mode.DRAIN)


def test_a_revocation_becomes_stronger_and_never_weaker(admin: Console, scene: Scene, at: str) -> None:
    joined = scene.agent()
    named = {"confirm": "Initial agent token"}
    admin.post(f"{at}/revoke", {"mode": "drain", **named})
    admin.get(f"{at}/revoke")
    assert "Be stricter" in admin.text()
    assert 'value="stop_joining"' not in admin.last.text
    admin.post(f"{at}/revoke", {"mode": "stop_joining", **named})
    assert scene.row(joined.agent.id).stopping_at
    admin.post(f"{at}/revoke", {"mode": "cut", **named})
    assert scene.row(joined.agent.id).state.ended
    admin.get(f"{at}/revoke")
    assert "Be stricter" not in admin.text()
    assert "1 of 1 agent has left" in admin.text()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"mode": "gently"}, "invalid_mode"),
        ({"mode": "drain", "deadline": "soon"}, "invalid_deadline"),
        ({"mode": "drain", "deadline": "20000"}, "invalid_deadline"),
        ({"reason": "x" * 300}, "reason_too_long"),
    ],
)
def test_what_cannot_be_read_revokes_nothing(
    admin: Console, scene: Scene, fields: dict[str, str], code: str
) -> None:
    issued = scene.token()
    assert admin.post(f"{page_of(issued.token)}/revoke", fields).status_code == 422
    assert code in admin.text()
    assert scene.record(issued.token).state is State.ACTIVE


def test_an_unclustered_token_is_revoked_with_a_reason_alone(admin: Console, scene: Scene) -> None:
    issued = scene.token(unclustered=True)
    at = page_of(issued.token)
    assert admin.post(f"{at}/revoke", {"mode": "cut"}).status_code == 422
    assert "reason_missing" in admin.text()
    assert admin.post(f"{at}/revoke", {"mode": "cut", "reason": "gone"}).status_code == 303
    assert scene.record(issued.token).ended_reason == "gone"
