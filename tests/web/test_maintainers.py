"""Maintainers of a cluster on the console."""

from console_client import Console, new_person, set_password
from console_places import NOWHERE, cluster_at, maintainer_of, member_of
from support import World
from watchword.domain.teams import Privacy
from watchword.services.context import LOCAL
from watchword.services.queries import Unit
from watchword.services.teams import TeamRequest, create_team


def team(world: World, name: str, privacy: Privacy = Privacy.VISIBLE) -> None:
    async def work(tx: Unit) -> None:
        request = TeamRequest(name, privacy=privacy)
        await create_team(world.context, tx, LOCAL, world.first.organization.id, request, None)

    world.run(world.context.store.write(work))


def removals(console: Console) -> list[str]:
    return [link for link in console.links() if link.endswith("/remove")]


def test_members_and_teams_are_added_and_removed(admin: Console, world: World) -> None:
    new_person(world, "grace@example.com")
    team(world, "Builders")
    at = f"{cluster_at(world)}/maintainers"
    answer = admin.get(at)
    assert "No maintainers" in answer.text
    assert '<option value="builders">Builders (team)</option>' in answer.text
    assert '<option value="grace@example.com">Grace</option>' in answer.text
    admin.post(at, {"who": "Grace@Example.com"}, follow=True)
    assert "The cluster is given to them." in admin.text()
    admin.post(at, {"who": "builders"}, follow=True)
    assert "Builders builders Team" in admin.text()
    assert '<option value="builders">' not in admin.last.text
    assert '<option value="grace@example.com">' not in admin.last.text
    first, second = removals(admin)
    admin.get(first)
    assert "Remove Grace?" in admin.text()
    admin.post(first, follow=True)
    assert "They do not maintain the cluster any more." in admin.text()
    assert removals(admin) == [second]
    assert admin.post(first).status_code == 404


def test_who_is_not_there_or_there_already_is_said_beside_the_field(admin: Console, world: World) -> None:
    at = f"{cluster_at(world)}/maintainers"
    for who in ("", "nobody", "nobody@example.com", "admin@elsewhere"):
        assert admin.post(at, {"who": who}).status_code == 422
        assert "unknown_maintainer" in admin.text()
        assert 'href="#f-who"' in admin.last.text
    new_person(world, "grace@example.com")
    assert admin.post(at, {"who": "grace@example.com"}).status_code == 303
    assert admin.post(at, {"who": "grace@example.com"}).status_code == 422
    assert "already_added" in admin.text()


def test_a_secret_team_is_unknown_to_maintainers_who_are_not_in_it(world: World) -> None:
    team(world, "Hidden", Privacy.SECRET)
    maintainer = maintainer_of(world)
    at = f"{cluster_at(world)}/maintainers"
    assert 'value="hidden"' not in maintainer.get(at).text
    assert maintainer.post(at, {"who": "hidden"}).status_code == 422
    assert "unknown_maintainer" in maintainer.text()


def test_members_see_maintainers_and_change_none(world: World) -> None:
    maintainer, member = maintainer_of(world), member_of(world)
    at = f"{cluster_at(world)}/maintainers"
    maintainer.get(at)
    (own,) = removals(maintainer)
    assert "This is you." in (maintainer.get(own).text)
    assert "Maintainer" in member.get(at).text
    assert removals(member) == []
    assert "<datalist" not in member.last.text
    assert member.post(at, {"who": "member@example.com"}).status_code == 403
    assert member.get(own).status_code == 403
    assert member.post(own).status_code == 403


def test_giving_and_taking_ask_for_a_fresh_proof(world: World) -> None:
    set_password(world, world.first.admin)
    admin = Console(world)
    admin.sign_in_as(world.first.admin, fresh=False)
    new_person(world, "grace@example.com")
    at = f"{cluster_at(world)}/maintainers"
    answer = admin.post(at, {"who": "grace@example.com"})
    assert 'name="proof"' in answer.text
    assert 'value="grace@example.com"' in answer.text
    assert removals(admin) == []


def test_what_is_nowhere_is_absent(admin: Console, world: World) -> None:
    assert admin.get(f"clusters/{NOWHERE}/maintainers").status_code == 404
    assert admin.post(f"clusters/{NOWHERE}/maintainers", {"who": "x"}).status_code == 404
    for method in (admin.get, admin.post):
        assert method(f"{cluster_at(world)}/maintainers/{NOWHERE}/remove").status_code == 404
