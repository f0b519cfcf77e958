"""Pages of agent tokens: the list, of a cluster and of none."""

import re
from html import unescape

import pytest

from console_client import Console, new_person
from services.scene import Scene
from support import World
from watchword.domain.ids import MaintainerId
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import Mode, Withdrawal
from watchword.domain.teams import Maintainer
from watchword.domain.tokens import Token
from watchword.services.context import LOCAL
from watchword.services.editing import edit_agent_token


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


@pytest.fixture
def at(world: World) -> str:
    """Where the first cluster's tokens are."""
    return f"clusters/{world.first.cluster.id}/tokens"


def row_of(console: Console, token: Token) -> str:
    """What the list says of a token."""
    rows = console.last.text.split("<tr>")
    (found,) = [row for row in rows if f"/{token.id}" in row]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found)).split())


def test_the_list_says_what_there_is_to_know_of_a_token(admin: Console, scene: Scene, at: str) -> None:
    issued = scene.token(max_uses=5)
    scene.agent(issued)
    context = scene.world.context
    name, networks = "Zürich <b>farm</b>", "10.0.0.0/8 192.0.2.0/24"
    scene.run(
        context.store.write(lambda tx: edit_agent_token(context, tx, LOCAL, issued.token, name, networks))
    )
    admin.get(at)
    text = row_of(admin, issued.token)
    for part in (
        "Zürich <b>farm</b>",
        issued.token.id,
        "Active",
        "from 192.0.2.1",
        "from 10.0.0.0/8, 192.0.2.0/24",
        "1 of 5 uses",
        "never",
        "by Ada Admin",
    ):
        assert part in text, part
    assert "<b>farm" not in admin.get(at).text


def test_states_are_told_in_words_and_choose_what_the_list_shows(
    admin: Console, scene: Scene, at: str
) -> None:
    first = scene.first.agent_token.token
    fresh = scene.token(expires_in=10 * 86_400).token
    admin.get(at)
    assert "Never used" in row_of(admin, fresh)
    scene.forward(4 * 86_400)
    admin.sign_in_as(scene.first.admin)
    admin.get(at)
    assert "Expires in 6 days" in row_of(admin, fresh)
    scene.forward(7 * 86_400)
    admin.sign_in_as(scene.first.admin)
    admin.get(at)
    assert "Expired" in row_of(admin, fresh)
    assert first.id not in admin.get(f"{at}?state=expired").text
    scene.agent()
    revoker, store = scene.authority.revoker, scene.world.store
    drain = Withdrawal(Mode.DRAIN)
    scene.run(store.write(lambda tx: revoker.revoke_in(tx, LOCAL, first, None, drain)))
    assert first.id not in admin.get(at).text
    admin.get(f"{at}?state=draining")
    assert "Draining: 1 left ○ Revoked" in row_of(admin, first)
    assert fresh.id not in admin.get(f"{at}?state=draining").text
    assert "No token fits" in admin.get(f"{at}?q=nothing").text
    assert fresh.id in admin.get(f"{at}?q={fresh.id[:13]}&state=nonsense").text


def test_a_rotation_shows_on_both_of_its_tokens(admin: Console, scene: Scene, at: str) -> None:
    old = scene.first.agent_token.token
    scene.agent()
    rotator, store = scene.authority.rotator, scene.world.store
    started = scene.run(
        store.write(lambda tx: rotator.start_in(tx, LOCAL, old, by=None, asker="somebody", deadline=0))
    )
    admin.get(at)
    assert "Rotating: still used by 1" in row_of(admin, old)
    admin.get(at)
    assert "Rotating: the new value" in row_of(admin, started.successor)


def test_a_long_list_comes_in_pages(admin: Console, scene: Scene, at: str) -> None:
    made = [scene.token().token.id for _ in range(60)]
    page = admin.get(at).text
    assert sum(token in page for token in made) == 50
    (after,) = [link for link in admin.links() if "at=" in link]
    second = admin.get(after).text
    assert sum(token in second for token in made) == 10


def test_maintainers_see_the_tokens_of_their_cluster_and_members_none(world: World, at: str) -> None:
    person = new_person(world, "member@example.com")
    member = Console(world)
    member.sign_in_as(person)
    for path in (at, f"{at}/new", "unclustered/tokens"):
        assert member.get(path).status_code == 403
    maintainer = Maintainer(
        world.first.organization.id, MaintainerId("m"), world.first.cluster.id, person.id, None, 1, None
    )
    world.run(world.store.write(lambda tx: tx.teams.add_maintainer(maintainer)))
    assert member.get(at).status_code == 200
    assert f"{at}/new" in member.last.text
    assert member.get(f"{at}/new").status_code == 200
    assert member.get("unclustered/tokens").status_code == 403
    other = "clusters/01a20347-0000-7000-8000-000000000000/tokens"
    assert member.get(other).status_code == 403


def test_clusters_that_are_not_there_have_no_tokens(admin: Console) -> None:
    assert admin.get("clusters/01a20347-0000-7000-8000-000000000000/tokens").status_code == 404
    assert admin.get("clusters/nonsense/tokens/new").status_code == 404


def test_tokens_of_no_cluster_have_the_same_pages(admin: Console, scene: Scene, at: str) -> None:
    assert "No agent tokens yet" in admin.get("unclustered/tokens").text
    loose = scene.token(unclustered=True).token
    page = admin.get("unclustered/tokens").text
    assert f"/unclustered/tokens/{loose.id}" in page
    assert scene.first.agent_token.token.id not in page
    assert loose.id not in admin.get(at).text
    assert loose.kind is Kind.UNCLUSTERED_AGENT
