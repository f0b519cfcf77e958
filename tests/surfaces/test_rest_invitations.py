"""REST: invitations, all of a batch or none; and what the secret opens."""

from typing import Any

import pytest

from rest_client import BASE
from support import World
from surfaces.people_scene import People
from watchword.crypto.values import Secret
from watchword.domain.accounts import Member, Role, User
from watchword.domain.errors import Conflict, Forbidden, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import UserId
from watchword.domain.invitations import LIFE_US
from watchword.domain.kinds import Kind
from watchword.domain.teams import TeamRole
from watchword.services.access import Access, enter
from watchword.services.context import LOCAL
from watchword.services.invitations import (
    InvitationRequest,
    Invited,
    accept,
    find_invitation,
    invite,
    resend,
)
from watchword.services.mail import Postman
from watchword.services.verifying import Presented
from watchword.store.base import Transaction


@pytest.fixture
def people(world: World) -> People:
    return People(world)


def create(people: People, *emails: str, **more: Any) -> Any:
    return people.admin("POST", "invitations", json={"emails": list(emails), **more})


def test_an_invitation_is_shown_as_the_contract_says(people: People) -> None:
    team = people.team("Builders")
    made = create(people, "Maya@Example.com", role="admin", teams=[{"id": team["id"], "role": "maintainer"}])
    assert made.status_code == 201, made.text
    (row,) = made.json()
    first = people.world.first.admin
    assert row["email"] == "maya@example.com"
    assert (row["state"], row["role"], row["sso_mode"]) == ("pending", "admin", "optional")
    assert row["teams"] == [{"id": team["id"], "graphql_id": team["graphql_id"], "slug": "builders"}]
    assert row["created_by"] == {"id": first.id, "name": first.name, "email": first.email}
    assert row["url"].endswith(f"/v2/organizations/acme/invitations/{row['id']}")
    absent = ("accepted_at", "accepted_by", "revoked_at", "revoked_by", "expired_at")
    assert [row[name] for name in absent] == [None] * 5
    assert people.admin("GET", f"invitations/{row['id']}").json() == row
    assert people.admin("GET", "invitations").json()["items"] == [row]


def test_the_same_address_in_another_case_counts_once(people: People) -> None:
    made = create(people, "a@example.com", "A@Example.com", " a@EXAMPLE.com ", "b@example.com")
    assert [row["email"] for row in made.json()] == ["a@example.com", "b@example.com"]


def test_a_batch_with_one_bad_entry_is_refused_whole(people: People) -> None:
    maya = people.person("maya")
    assert create(people, "there@example.com").status_code == 201
    bad: dict[str, tuple[list[str], dict[str, Any]]] = {
        "no e-mail address": (["ok@example.com", "nonsense"], {}),
        "is already a member": (["ok@example.com", maya.email.upper()], {}),
        "has already been invited": (["ok@example.com", "THERE@example.com"], {}),
        "can't be blank": ([], {}),
        "At most 20": ([f"p{number}@example.com" for number in range(20)], {}),
        "Team must be": (["ok@example.com"], {"teams": [{"id": people.world.context.new_id()}]}),
        "role": (["ok@example.com"], {"role": "owner"}),
        "sso_mode": (["ok@example.com"], {"sso_mode": "never"}),
    }
    for text, (emails, more) in bad.items():
        refused = create(people, *emails, **more)
        assert refused.status_code == 422, (text, refused.text)
        assert refused.json()["message"].startswith("Validation failed: "), refused.text
        assert text in refused.json()["message"]
    assert people.admin("POST", "invitations", json={}).status_code == 422
    assert [row["email"] for row in people.admin("GET", "invitations").json()["items"]] == [
        "there@example.com"
    ]


def test_a_team_with_two_roles_is_refused_and_with_one_twice_is_not(people: People) -> None:
    team = people.team("Builders")["id"]
    twice = [{"id": team, "role": "member"}, {"id": team.upper(), "role": "member"}]
    assert len(create(people, "a@example.com", teams=twice).json()[0]["teams"]) == 1
    both = [{"id": team, "role": "member"}, {"id": team, "role": "maintainer"}]
    assert "two roles" in create(people, "b@example.com", teams=both).json()["message"]


def test_twenty_may_be_pending_and_a_revoked_one_makes_room(people: People) -> None:
    made = create(people, *(f"p{number}@example.com" for number in range(20)))
    assert (made.status_code, len(made.json())) == (201, 20)
    assert create(people, "one@example.com").status_code == 422
    assert people.admin("DELETE", f"invitations/{made.json()[0]['id']}").status_code == 204
    assert create(people, "one@example.com").status_code == 201


def test_pending_ones_are_listed_newest_first_a_part_at_a_time(people: People) -> None:
    made = create(people, *(f"p{number}@example.com" for number in range(5))).json()
    seen: list[str] = []
    target = "/v2/organizations/acme/invitations?per_page=2"
    while target:
        answer = people.admin("GET", target)
        page = answer.json()
        seen += [row["id"] for row in page["items"]]
        following = page["links"].get("next", "")
        assert not following or f'<{following}>; rel="next"' in answer.headers["link"]
        target = following.removeprefix(BASE)
    assert seen == [row["id"] for row in reversed(made)]
    for query in ("per_page=0", "per_page=101", "after=a&before=b", "after=%25"):
        assert people.admin("GET", f"invitations?{query}").status_code == 400, query


def test_a_revoked_or_expired_invitation_is_shown_but_not_listed(people: People) -> None:
    revoked, expired = (row["id"] for row in create(people, "a@example.com", "b@example.com").json())
    assert people.admin("DELETE", f"invitations/{revoked}").status_code == 204
    again = people.admin("DELETE", f"invitations/{revoked}")
    assert (again.status_code, again.json()["code"]) == (422, "invitation_not_pending")
    people.world.clock.forward(LIFE_US)
    assert people.admin("GET", "invitations").json()["items"] == []
    shown = people.admin("GET", f"invitations/{revoked}").json()
    assert (shown["state"], shown["revoked_by"]["id"]) == ("revoked", people.world.first.admin.id)
    shown = people.admin("GET", f"invitations/{expired}").json()
    assert (shown["state"], shown["expired_at"] is None) == ("expired", False)
    assert people.admin("DELETE", f"invitations/{expired}").status_code == 422
    assert create(people, "a@example.com", "b@example.com").status_code == 201


def test_invitations_are_for_administrators(people: People) -> None:
    maya = people.person("maya")
    (row,) = create(people, "a@example.com").json()
    for method, path in (
        ("GET", "invitations"),
        ("GET", f"invitations/{row['id']}"),
        ("POST", "invitations"),
        ("DELETE", f"invitations/{row['id']}"),
    ):
        assert maya(method, path, json={"emails": ["b@example.com"]}).status_code == 403
    for unknown in (people.world.context.new_id(), "x"):
        for method in ("GET", "DELETE"):
            assert people.admin(method, f"invitations/{unknown}").json()["message"] == "No invitation found"


def test_a_repeated_request_invites_once(people: People) -> None:
    headers = {"Idempotency-Key": "k"}
    body = {"emails": ["a@example.com"]}
    answers = [people.admin("POST", "invitations", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


# -- the secret ----------------------------------------------------------------------------------


class Door:
    """Invites and accepts as the console will."""

    def __init__(self, world: World) -> None:
        self.world, self.context = world, world.context

    def _presented(self) -> Presented:
        value = self.world.first.api_token.value.reveal()
        verify = self.world.authority.verifier.verify(value, (Kind.API_ACCESS,), address="192.0.2.1")
        return self.world.run(verify)

    async def _enter(self, tx: Transaction, presented: Presented) -> Access:
        return await enter(tx, presented, "acme", "192.0.2.1", "r-1")

    def invite(self, email: str, **more: Any) -> Invited:
        presented = self._presented()

        async def work(tx: Transaction) -> Invited:
            access = await self._enter(tx, presented)
            (made,) = await invite(self.context, tx, access, InvitationRequest([email], **more))
            return made

        return self.world.run(self.context.store.write(work))

    def resend(self, made: Invited) -> Invited:
        presented = self._presented()

        async def work(tx: Transaction) -> Invited:
            access = await self._enter(tx, presented)
            found = await find_invitation(self.context, tx, access.id, made.invitation.id)
            return await resend(self.context, tx, access, found)

        return self.world.run(self.context.store.write(work))

    def user(self, email: str) -> User:
        user = User(UserId(self.context.new_id()), email, "New", "", self.context.clock.now())
        self.world.run(self.context.store.write(lambda tx: tx.accounts.add_user(user)))
        return user

    def accept(self, secret: Secret, user: User) -> Member:
        return self.world.run(
            self.context.store.write(lambda tx: accept(self.context, tx, LOCAL, secret, user))
        )


def test_the_secret_makes_one_member_of_role_teams_and_default_teams(people: People) -> None:
    door = Door(people.world)
    team, everyone = people.team("Builders"), people.team("Everyone", is_default_team=True)
    places = [(team["id"], TeamRole.MAINTAINER), (everyone["id"], TeamRole.MAINTAINER)]
    made = door.invite("New@example.com", role=Role.ADMIN, teams=places)
    user = door.user("New@Example.com")
    member = door.accept(made.secret, user)
    assert (member.role, member.organization_id) == (Role.ADMIN, people.world.first.organization.id)
    for one in (team, everyone):
        row = people.admin("GET", f"teams/{one['id']}/members/{user.id}").json()
        assert row["role"] == "maintainer"
    with pytest.raises(Conflict, match="accepted"):
        door.accept(made.secret, user)
    shown = people.admin("GET", f"invitations/{made.invitation.id}").json()
    assert (shown["state"], shown["accepted_by"]["id"]) == ("accepted", user.id)


class Postbag:
    """A mail server that keeps everything."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, str, str]] = []

    def send(self, _message_id: str, recipient: str, subject: str, text: str) -> None:
        self.letters.append((recipient, subject, text))


def test_the_secret_goes_by_mail_alone_and_opens(people: People) -> None:
    answer = create(people, "New@example.com")
    bag = Postbag()
    people.world.run(Postman(people.world.context, bag).work_off())
    ((recipient, subject, text),) = bag.letters
    assert (recipient, "Acme" in subject) == ("new@example.com", True)
    secret = Secret(text.partition("/invitations/accept#")[2].split()[0])
    assert secret.reveal() not in answer.text + subject
    assert Door(people.world).accept(secret, Door(people.world).user("new@example.com")).role is Role.MEMBER


def test_a_secret_is_for_the_address_that_it_was_sent_to(people: People) -> None:
    door = Door(people.world)
    made = door.invite("new@example.com")
    with pytest.raises(Forbidden):
        door.accept(made.secret, door.user("else@example.com"))
    assert people.admin("GET", f"invitations/{made.invitation.id}").json()["state"] == "pending"


def test_dead_and_unknown_secrets_open_nothing(people: People) -> None:
    door = Door(people.world)
    user = door.user("new@example.com")
    made = door.invite("new@example.com")
    renewed = door.resend(made)
    for unknown in (made.secret, Secret("x"), Secret(""), Secret("x" * 5000)):
        with pytest.raises(NotFound):
            door.accept(unknown, user)
    people.admin("DELETE", f"invitations/{made.invitation.id}")
    with pytest.raises(Conflict, match="revoked"):
        door.accept(renewed.secret, user)
    late = door.invite("new@example.com")
    people.world.clock.forward(LIFE_US)
    with pytest.raises(Conflict, match="expired"):
        door.accept(late.secret, user)
    assert people.admin("GET", f"members/{user.id}").status_code == 404


def test_sending_again_gives_seven_days_more_and_is_recorded(people: People) -> None:
    door = Door(people.world)
    made = door.invite("new@example.com")
    people.world.clock.forward(LIFE_US - 1)
    renewed = door.resend(made)
    people.world.clock.forward(LIFE_US - 1)
    door.accept(renewed.secret, door.user("new@example.com"))
    organization = people.world.first.organization.id
    store = people.world.context.store
    found = people.world.run(store.read(lambda tx: tx.audit.events(organization, 0, 10_000)))
    actions = [event.action for event in found]
    for action in (Action.INVITATION_CREATED, Action.INVITATION_RESENT, Action.INVITATION_ACCEPTED):
        assert actions.count(action) == 1
    assert all(made.secret.reveal() not in event.data for event in found)


def test_a_team_that_is_gone_does_not_stand_in_the_way(people: People) -> None:
    door = Door(people.world)
    team = people.team("Builders")
    made = door.invite("new@example.com", teams=[(team["id"], TeamRole.MEMBER)])
    people.admin("DELETE", f"teams/{team['id']}")
    assert people.admin("GET", f"invitations/{made.invitation.id}").json()["teams"] == []
    door.accept(made.secret, door.user("new@example.com"))
