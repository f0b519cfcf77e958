"""Members, invitations, teams and the banner on the console."""

import pytest

from console_client import Console, new_person
from support import World
from watchword.domain.accounts import Role, User
from watchword.domain.invitations import Invitation, InvitationState
from watchword.domain.people import SignInData
from watchword.domain.teams import Privacy, Team, TeamRole
from watchword.services.access import enter_in_person
from watchword.services.context import LOCAL
from watchword.services.issuing import issue_api_token
from watchword.services.maintainers import appoint
from watchword.services.people import person_caller
from watchword.store.base import EVERYTHING, Transaction


@pytest.fixture
def ben(world: World) -> User:
    return new_person(world, "ben@example.com")


def signed_in(world: World, user: User) -> Console:
    made = Console(world)
    made.sign_in_as(user)
    return made


def role_of(world: World, user: User) -> Role | None:
    organization = world.first.organization.id
    member = world.run(world.context.store.read(lambda tx: tx.accounts.member(organization, user.id)))
    return member.role if member is not None else None


def give_token(world: World, user: User, description: str) -> None:
    first, context = world.first, world.context
    world.run(
        context.store.write(
            lambda tx: issue_api_token(
                context, tx, LOCAL, first.organization.id, user.id, description, ("read_agents",), 0
            )
        )
    )


def give_cluster(world: World, user: User) -> None:
    first, context = world.first, world.context
    caller = person_caller(first.admin, "203.0.113.9", "tests")

    async def work(tx: Transaction) -> None:
        access = await enter_in_person(tx, first.admin, "acme", caller)
        await appoint(context, tx, access, first.cluster, user.id, None)

    world.run(context.store.write(work))


def teams(world: World) -> list[Team]:
    organization = world.first.organization.id
    return list(
        world.run(world.context.store.read(lambda tx: tx.teams.list(organization, None, None, EVERYTHING)))
    )


def invitations(world: World) -> list[Invitation]:
    organization = world.first.organization.id
    return list(
        world.run(world.context.store.read(lambda tx: tx.members.invitations(organization, EVERYTHING)))
    )


# -- members -------------------------------------------------------------------------------------


def test_members_are_found_by_name_or_address(admin: Console, ben: User) -> None:
    admin.get("settings/members")
    assert "admin@example.com" in admin.text()
    assert "ben@example.com" in admin.text()
    admin.get("settings/members?q=BEN@")
    assert "admin@example.com" not in admin.text()
    assert f"/organizations/acme/settings/members/{ben.id}" in admin.links()
    admin.get("settings/members?q=nobody")
    assert "Nobody is called that" in admin.text()


def test_administrators_see_who_has_a_second_factor_and_came_last(
    admin: Console, world: World, ben: User
) -> None:
    world.run(
        world.context.store.write(
            lambda tx: tx.people.save_sign_in_data(SignInData(ben.id, totp_confirmed_at=1))
        )
    )
    text = " ".join(admin.get("settings/members").text.split())
    assert "Last sign-in" in text
    row = text[text.index("Ben</a>") :]
    assert "On</span>" in row
    assert "not known" in row
    assert "Last sign-in" not in signed_in(world, ben).get("settings/members").text


def test_a_role_changes_and_ones_own_does_not(admin: Console, world: World, ben: User) -> None:
    path = f"settings/members/{ben.id}"
    assert admin.get(path).status_code == 200
    assert f"/organizations/acme/members/{ben.id}/tokens" in admin.links()
    fields = {"role": "admin", "sso_mode": "optional"}
    assert admin.post(path, fields).status_code == 303
    assert role_of(world, ben) is Role.ADMIN
    assert admin.post(path, {"role": "owner", "sso_mode": "optional"}).status_code == 422
    own = f"settings/members/{world.first.admin.id}"
    assert "Nobody changes their own role" in admin.get(own).text
    assert admin.post(own, {"role": "member", "sso_mode": "optional"}).status_code == 403
    assert role_of(world, world.first.admin) is Role.ADMIN


def test_before_a_member_is_removed_one_sees_what_ends(admin: Console, world: World, ben: User) -> None:
    give_token(world, ben, "Ben's <script>")
    give_cluster(world, ben)
    admin.post("settings/teams", {"name": "Crew", "privacy": "visible", "default_member_role": "member"})
    team = teams(world)[0]
    admin.post(f"settings/teams/{team.id}/members", {"email": ben.email, "role": "maintainer"})
    page = admin.get(f"settings/members/{ben.id}/remove")
    assert "Ben&#39;s &lt;script&gt;" in page.text
    assert "Crew" in admin.text()
    assert f"/organizations/acme/clusters/{world.first.cluster.id}" in admin.links()
    assert admin.post(f"settings/members/{ben.id}/remove").headers["location"].endswith("done=member-removed")
    assert role_of(world, ben) is None
    assert admin.get(f"settings/members/{ben.id}").status_code == 404


def test_members_see_members_and_change_none(world: World, ben: User) -> None:
    member = signed_in(world, ben)
    give_token(world, world.first.admin, "secret of Ada")
    page = member.get(f"settings/members/{world.first.admin.id}")
    assert page.status_code == 200
    assert "secret of Ada" not in page.text
    assert "Manage tokens" not in page.text
    for path in (f"settings/members/{world.first.admin.id}", f"settings/members/{ben.id}/remove"):
        assert member.post(path, {"role": "admin", "sso_mode": "optional"}).status_code == 403
    own = member.get(f"settings/members/{ben.id}")
    assert "Set one up" in own.text


# -- invitations ---------------------------------------------------------------------------------


def test_people_are_invited_again_and_not_any_more(admin: Console, world: World) -> None:
    admin.post("settings/teams", {"name": "Crew", "privacy": "visible", "default_member_role": "member"})
    team = teams(world)[0]
    fields = {
        "email": "new@example.com\r\nother@example.com",
        "role": "admin",
        "sso_mode": "required",
        f"team-{team.id}": "maintainer",
    }
    assert admin.post("settings/invitations", fields).headers["location"].endswith("?done=invited")
    made = {one.email: one for one in invitations(world)}
    assert set(made) == {"new@example.com", "other@example.com"}
    one = made["new@example.com"]
    assert (one.role, one.teams.places[0].role) == (Role.ADMIN, TeamRole.MAINTAINER)
    admin.get("settings/invitations")
    assert "Crew" in admin.text()
    assert "by Ada Admin" in admin.text()
    assert admin.post(f"settings/invitations/{one.id}/resend").status_code == 303
    assert {each.email: each for each in invitations(world)}[one.email].digest != one.digest
    assert admin.post(f"settings/invitations/{one.id}/revoke").status_code == 303
    assert {each.email: each.state for each in invitations(world)}[one.email] is InvitationState.REVOKED
    assert admin.post(f"settings/invitations/{one.id}/revoke").status_code == 422
    assert "invitation_not_pending" in admin.text()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"email": "no address"}, "invalid_email"),
        ({"email": "admin@example.com"}, "already_member"),
        ({"email": "x@example.com", "role": "owner"}, "invalid_choice"),
        ({"email": "x@example.com", "team-0": "member"}, "unknown_team"),
    ],
)
def test_invitations_that_do_not_fit_come_again(
    admin: Console, world: World, fields: dict[str, str], code: str
) -> None:
    given = {"role": "member", "sso_mode": "optional", **fields}
    assert admin.post("settings/invitations", given).status_code == 422
    assert code in admin.text()
    assert fields["email"] in admin.last.text
    assert not invitations(world)


# -- teams ---------------------------------------------------------------------------------------


def new_team(console: Console, name: str, **fields: str) -> Team:
    given = {"name": name, "privacy": "visible", "default_member_role": "member", **fields}
    assert console.post("settings/teams", given).status_code == 303
    return next(team for team in teams(console.world) if team.name == name)


def test_a_team_is_made_changed_and_deleted(admin: Console, world: World) -> None:
    team = new_team(admin, "Crew", description="who <i>sails</i>", privacy="secret", is_default_team="1")
    assert (team.privacy, team.is_default_team) == (Privacy.SECRET, True)
    assert "who &lt;i&gt;sails&lt;/i&gt;" in admin.get("settings/teams").text
    page = admin.get(f"settings/teams/{team.id}/edit")
    assert 'value="Crew"' in page.text
    changes = {"name": "Deck", "privacy": "visible", "default_member_role": "maintainer"}
    assert admin.post(f"settings/teams/{team.id}/edit", changes).status_code == 303
    changed = teams(world)[0]
    assert (changed.name, changed.is_default_team) == ("Deck", False)
    assert changed.default_member_role is TeamRole.MAINTAINER
    assert admin.post(f"settings/teams/{team.id}/edit", {**changes, "name": ""}).status_code == 422
    assert "invalid_name" in admin.text()
    assert admin.post("settings/teams", changes).status_code == 422
    assert "taken" in admin.text()
    assert "It maintains no cluster." in admin.get(f"settings/teams/{team.id}/delete").text
    admin.post(f"settings/teams/{team.id}/delete")
    assert teams(world) == []


def test_a_teams_maintainer_looks_after_it_and_after_no_other(
    admin: Console, world: World, ben: User
) -> None:
    mine, other = new_team(admin, "Mine", privacy="secret"), new_team(admin, "Other")
    hidden = new_team(admin, "Hidden", privacy="secret")
    cat = new_person(world, "cat@example.com")
    admin.post(f"settings/teams/{mine.id}/members", {"email": ben.email, "role": "maintainer"})
    maintainer = signed_in(world, ben)
    assert "Hidden" not in maintainer.get("settings/teams").text
    assert maintainer.get(f"settings/teams/{hidden.id}").status_code == 404
    assert "Delete" not in maintainer.get(f"settings/teams/{mine.id}").text
    path = f"settings/teams/{mine.id}/members"
    assert maintainer.post(path, {"email": "CAT@example.com", "role": "member"}).status_code == 303
    assert maintainer.post(path, {"email": "cat@example.com", "role": "member"}).status_code == 422
    assert "already_added" in maintainer.text()
    assert maintainer.post(path, {"email": "nobody@example.com", "role": "member"}).status_code == 422
    assert "unknown_user" in maintainer.text()
    assert maintainer.post(f"{path}/{cat.id}", {"role": "maintainer"}).status_code == 303
    assert "Make a member" in maintainer.get(f"settings/teams/{mine.id}").text
    assert maintainer.post(f"{path}/{cat.id}/remove").status_code == 303
    form = {"name": "Ours", "privacy": "secret", "default_member_role": "member", "is_default_team": "1"}
    assert maintainer.post(f"settings/teams/{mine.id}/edit", form).status_code == 303
    changed = next(team for team in teams(world) if team.id == mine.id)
    assert (changed.name, changed.is_default_team) == ("Ours", False)
    for refused in (f"settings/teams/{mine.id}/delete", f"settings/teams/{other.id}/members"):
        assert maintainer.post(refused, {"email": cat.email, "role": "member"}).status_code == 403
    assert maintainer.get(f"settings/teams/{other.id}/edit").status_code == 403
    left = maintainer.post(f"{path}/{ben.id}/remove")
    assert left.headers["location"] == "/organizations/acme/settings/teams?done=team-member-removed"


# -- the banner ----------------------------------------------------------------------------------


def test_a_banner_stands_above_every_page_as_text(admin: Console, world: World, ben: User) -> None:
    assert admin.post("settings/banner", {"message": "Down <b>tonight</b>\r\nat 8"}).status_code == 303
    member = signed_in(world, ben)
    for path in ("clusters", "settings/members"):
        assert "Down &lt;b&gt;tonight&lt;/b&gt;\nat 8" in member.get(path).text
    assert member.get("settings/banner").status_code == 403
    assert member.post("settings/banner/delete").status_code == 403
    assert "by Ada Admin" in admin.get("settings/banner").text
    assert admin.post("settings/banner", {"message": "x" * 1025}).status_code == 422
    assert "invalid_message" in admin.text()
    for _ in range(2):
        assert admin.post("settings/banner/delete").status_code == 303
    assert "tonight" not in admin.get("clusters").text
