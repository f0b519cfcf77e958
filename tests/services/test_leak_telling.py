"""Who is told of leaks, what they are told, and how often: once, until something changes."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from services.leak_scene import CRAWLER, GITHUB, LeakScene
from support import World
from watchword.crypto.sealing import unseal
from watchword.crypto.values import Secret, digest, mint
from watchword.domain.accounts import Member, Role, User
from watchword.domain.ids import MaintainerId, OrganizationId, TeamMemberId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Leak, LeakState, Outcome, Visibility
from watchword.domain.people import Mail
from watchword.domain.teams import Maintainer, TeamMember, TeamRole
from watchword.services.accounts import FirstThings, create_organization
from watchword.services.context import LOCAL
from watchword.services.importing import import_agent_token
from watchword.services.issuing import Issued, TokenRequest, issue_api_token
from watchword.services.leakfinding import Item
from watchword.services.leakreports import Source
from watchword.services.leaktelling import LONGEST_WAIT_US, QUIET_US, Teller
from watchword.services.people import disable_person
from watchword.services.teams import TeamRequest, create_team
from watchword.store.base import Page, Transaction

ADMIN = "admin@example.com"
DRILL = Source(name="drill", drill=True)


class Telling(LeakScene):
    """Leaks, and the letters that they make."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.teller = Teller(self.authority.context)

    def tell(self) -> int:
        """One round, once the report is through; how many messages it queued."""
        self.forward(QUIET_US / 1_000_000)
        return self.run(self.teller.tell())

    def letters(self) -> list[tuple[Mail, str]]:
        """What was queued, oldest first, with what it says."""
        mails = self.run(self.world.store.read(lambda tx: tx.mails.list(Page(1000))))
        return [(mail, self.text(mail)) for mail in reversed(mails)]

    def text(self, mail: Mail) -> str:
        opened = unseal(self.authority.context.keys, mail.body, f"mail:{mail.id}")
        assert opened is not None
        return opened.decode()

    def told(self) -> list[str]:
        return sorted(mail.recipient for mail, _ in self.letters())

    def letter_to(self, email: str) -> str:
        """The latest letter to somebody."""
        return [text for mail, text in self.letters() if mail.recipient == email][-1]

    def person(self, email: str, *organizations: OrganizationId, role: Role = Role.MEMBER) -> UserId:
        user = User(UserId(self.authority.context.new_id()), email, email.partition("@")[0].title(), "", 1)

        async def work(tx: Transaction) -> None:
            await tx.accounts.add_user(user)
            for organization_id in organizations:
                await tx.accounts.add_member(Member(organization_id, user.id, role, 1))

        self.run(self.world.store.write(work))
        return user.id

    def other(self) -> FirstThings:
        made = create_organization(
            self.authority.context, LOCAL, "other", "Other", "olga@example.com", "Olga Other"
        )
        return self.run(made)

    def api_token_of(self, owner: UserId, *further: OrganizationId) -> Issued:
        context = self.authority.context
        return self.run(
            context.store.write(
                lambda tx: issue_api_token(
                    context,
                    tx,
                    LOCAL,
                    self.organization_id,
                    owner,
                    "nightly",
                    ("read_agents",),
                    0,
                    further=further,
                )
            )
        )

    def maintain(self, user_id: UserId, *, team: bool) -> None:
        """Make somebody a maintainer of the default cluster, in person or through a team."""
        context, owner = self.authority.context, self.organization_id

        async def work(tx: Transaction) -> None:
            team_id = None
            if team:
                made = await create_team(
                    context, tx, LOCAL, owner, TeamRequest(name="Builders"), self.first.admin.id
                )
                team_id = made.id
                place = TeamMember(
                    owner, made.id, user_id, TeamMemberId(context.new_id()), TeamRole.MEMBER, 1, None
                )
                await tx.teams.add_member(place)
            appointed = Maintainer(
                owner,
                MaintainerId(context.new_id()),
                self.first.cluster.id,
                None if team else user_id,
                team_id,
                1,
                None,
            )
            await tx.teams.add_maintainer(appointed)

        self.run(context.store.write(work))

    def change(self, leak: Leak, **changes: object) -> None:
        changed = replace(leak, **changes)  # type: ignore[arg-type]
        assert self.run(self.world.store.write(lambda tx: tx.leaks.save(leak, changed)))


@pytest.fixture
def scene(world: World) -> Telling:
    return Telling(world)


def test_owner_and_administrators_of_what_it_reaches_are_told_once_each(scene: Telling) -> None:
    other = scene.other()
    bob = scene.person("bob@example.com", scene.organization_id)
    issued = scene.api_token_of(bob, other.organization.id)
    scene.report(issued.value)
    assert scene.tell() == 3
    assert scene.told() == [ADMIN, "bob@example.com", "olga@example.com"]
    assert scene.tell() == 0
    leak = scene.the_leak(issued.token)
    case = f"/organizations/acme/leaks/{leak.id}"
    admin, owner, reached = map(scene.letter_to, (ADMIN, "bob@example.com", "olga@example.com"))
    assert "'nightly'" in admin
    assert "revoked at 2027-01-15" in admin
    assert "in a public place: https://example.com/a" in admin
    assert case in admin
    assert "(yours)" in owner
    assert case not in owner
    assert f"/user/leaks/{leak.id}" in owner
    assert "Acme" not in reached
    assert f"/organizations/other/tokens/api/{issued.token.id}" in reached
    assert not leak.telling


def test_a_place_that_is_not_public_is_shown_to_nobody_outside(scene: Telling) -> None:
    other = scene.other()
    issued = scene.api_token_of(scene.first.admin.id, other.organization.id)
    scene.report(
        Item(value=issued.value, url="https://git.acme.example/secret", place="Commit"), source=CRAWLER
    )
    scene.tell()
    assert "in a private place (commit): https://git.acme.example/secret" in scene.letter_to(ADMIN)
    assert "git.acme.example" not in scene.letter_to("olga@example.com")
    assert "in a private place" in scene.letter_to("olga@example.com")


@pytest.mark.parametrize("team", [False, True])
def test_maintainers_are_told_of_agent_tokens_of_their_cluster(scene: Telling, *, team: bool) -> None:
    mia = scene.person("mia@example.com", scene.organization_id)
    scene.maintain(mia, team=team)
    issued, loose = scene.token(), scene.token(unclustered=True)
    scene.report(issued.value)
    scene.tell()
    assert scene.told() == [ADMIN, "mia@example.com"]
    assert f"/organizations/acme/leaks/{scene.the_leak(issued.token).id}" in scene.letter_to(
        "mia@example.com"
    )
    scene.report(loose.value)
    scene.tell()
    assert scene.told() == [ADMIN, ADMIN, "mia@example.com"]


def test_maintainers_are_linked_to_what_opens_for_them(scene: Telling) -> None:
    mia = scene.person("mia@example.com", scene.organization_id)
    scene.maintain(mia, team=False)
    joined = scene.register(name="builder-7")
    scene.report(joined.value)
    scene.tell()
    assert "/organizations/acme/leaks/" in scene.letter_to("mia@example.com")
    scene.report(job(scene))
    scene.tell()
    assert "/leaks/" not in scene.letter_to("mia@example.com")
    assert f"/clusters/{scene.first.cluster.id}/agents" in scene.letter_to("mia@example.com")


def session(scene: Telling) -> Secret:
    return scene.register(name="builder-7").value


def job(scene: Telling) -> Secret:
    value = scene.running(scene.agent()).value
    assert value is not None
    return value


def unclustered(scene: Telling) -> Secret:
    return scene.token(unclustered=True).value


def imported(scene: Telling) -> Secret:
    """An agent token whose value was issued elsewhere."""
    value, context = Secret("of-another-system-" + "x" * 30), scene.authority.context
    request = TokenRequest(
        organization_id=scene.organization_id, cluster_id=scene.first.cluster.id, description="taken over"
    )
    taken = digest(value.reveal())
    scene.run(context.store.write(lambda tx: import_agent_token(context, tx, LOCAL, request, taken, None)))
    return value


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (session, "Agent session token 'agent builder-7"),
        (job, "Job token 'job "),
        (unclustered, "Unclustered agent token 'for a test'"),
        (imported, "Agent token 'taken over'"),
    ],
)
def test_tokens_without_an_owner_are_told_of_too(
    scene: Telling, make: Callable[[Telling], Secret], says: str
) -> None:
    value = make(scene)
    scene.report(value)
    scene.tell()
    assert scene.told() == [ADMIN]
    assert says in scene.letter_to(ADMIN)
    assert "It still works." in scene.letter_to(ADMIN)


def test_disabled_people_and_owners_who_left_are_left_out(scene: Telling) -> None:
    gone = scene.person("gone@example.com", scene.organization_id)
    off = scene.person("off@example.com", scene.organization_id, role=Role.ADMIN)
    issued, second = scene.api_token_of(gone), scene.api_token_of(off)
    scene.run(scene.world.store.write(lambda tx: tx.members.remove(scene.organization_id, gone)))
    scene.run(disable_person(scene.authority.context, LOCAL, "off@example.com"))
    scene.report(issued.value, second.value)
    scene.tell()
    assert scene.told() == [ADMIN]


def test_where_nobody_is_left_to_tell_the_case_stands_and_the_round_goes_on(scene: Telling) -> None:
    issued = scene.api_token()
    scene.report(issued.value)
    scene.run(disable_person(scene.authority.context, LOCAL, ADMIN))
    assert scene.tell() == 0
    assert not scene.the_leak(issued.token).telling


def test_many_cases_make_one_message_a_person_the_most_urgent_first(scene: Telling) -> None:
    scene.rules(agent__private="quarantine")
    tokens = [scene.api_token() for _ in range(120)]
    live, held = scene.token(), scene.token()
    scene.report(*(each.value for each in tokens), live.value)
    scene.report(held.value, source=CRAWLER)
    assert scene.tell() == 1
    ((mail, text),) = scene.letters()
    assert mail.subject == "122 tokens leaked, 1 still works: Acme"
    places = [text.index(words) for words in ("1. Agent token", "2. Agent token", "3. API access token")]
    assert places == sorted(places)
    assert text.index("It still works.") < text.index("quarantined: it is refused")
    assert "122. API access token 'robot': revoked" in text
    assert not scene.run(scene.world.store.read(lambda tx: tx.leaks.untold(10)))


def test_a_message_stays_a_message_however_many_cases_there_are(scene: Telling) -> None:
    tokens = [scene.api_token() for _ in range(230)]
    scene.report(*(each.value for each in tokens))
    assert scene.tell() == 1
    ((_, text),) = scene.letters()
    assert "225. API access token" in text
    assert "And 5 more; the console lists all of them." in text
    assert len(text) < 40_000


def test_a_report_that_is_under_way_is_told_of_once_it_is_through_and_no_later_than_half_a_minute(
    scene: Telling,
) -> None:
    scene.report(scene.api_token().value)
    assert scene.run(scene.teller.tell()) == 0
    began = scene.world.clock.now()
    while not scene.run(scene.teller.tell()):
        scene.forward(1)
        scene.report(scene.api_token().value)
        assert scene.world.clock.now() - began <= LONGEST_WAIT_US
    ((mail, _),) = scene.letters()
    assert mail.subject.startswith("31 tokens leaked")


def test_what_changes_while_it_is_told_of_waits_for_the_next_round(
    scene: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = scene.token(), scene.token()
    scene.report(one.value, two.value)
    compose = scene.teller._compose

    async def meanwhile(*args: object, **named: object) -> object:
        post = await compose(*args, **named)  # type: ignore[arg-type]
        known = await scene.world.store.read(
            lambda tx: tx.leaks.of_token(scene.organization_id, one.token.id)
        )
        assert known is not None
        changed = replace(known, outcome=Outcome.REVOKED)
        assert await scene.world.store.write(lambda tx: tx.leaks.save(known, changed))
        return post

    with monkeypatch.context() as patched:
        patched.setattr(Teller, "_compose", lambda _, *args, **named: meanwhile(*args, **named))
        assert scene.tell() == 1
    assert one.token.id not in scene.letter_to(ADMIN)
    assert two.token.id in scene.letter_to(ADMIN)
    assert scene.tell() == 1
    assert one.token.id in scene.letter_to(ADMIN)


def test_a_round_that_is_cut_off_tells_nobody_twice_and_nobody_never(
    scene: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.report(scene.api_token().value)

    def fall(*_: object) -> None:
        raise RuntimeError("the process ended here")

    with monkeypatch.context() as patched:
        patched.setattr("watchword.services.leaktelling.queue_mail", fall)
        with pytest.raises(RuntimeError):
            scene.tell()
    assert scene.letters() == []
    scene.world.restart()
    again = Telling(scene.world)
    assert again.tell() == 1
    assert again.tell() == 0
    assert again.told() == [ADMIN]


def test_repeats_tell_nobody_and_a_new_public_place_of_a_live_token_does_once(scene: Telling) -> None:
    issued = scene.token()
    scene.rules(agent__public="rotate:60")
    scene.report(issued.value)
    assert scene.tell() == 1
    scene.report(issued.value)
    assert scene.tell() == 0
    elsewhere = Item(value=issued.value, url="https://example.com/elsewhere")
    scene.report(elsewhere)
    assert scene.tell() == 1
    assert "https://example.com/elsewhere" in scene.letter_to(ADMIN)
    scene.report(elsewhere)
    scene.report(Item(value=issued.value, url="https://git.acme.example/x"), source=CRAWLER)
    assert scene.tell() == 0


def test_what_was_held_is_told_of_again_when_it_is_carried_out(scene: Telling) -> None:
    scene.breaker(per_minute=1)
    scene.teller = Teller(scene.authority.context)
    scene.rules(agent__private="revoke")
    tokens = [scene.token() for _ in range(2)]
    scene.report(*(each.value for each in tokens), source=CRAWLER)
    assert scene.tell() == 1
    assert "held for a decision until" in scene.letter_to(ADMIN)
    scene.forward(61 * 60)
    scene.sweep()
    assert scene.tell() == 1
    assert scene.letter_to(ADMIN).count("revoked at") == 1
    assert scene.tell() == 0


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (Outcome.FAILED, "which failed (rotation_open). It still works."),
        (Outcome.WOULD, "the rules are on trial"),
        (Outcome.RELEASED, "its quarantine was lifted"),
        (Outcome.QUARANTINED, "decide on the page of the case"),
        (Outcome.NONE, "It still works."),
    ],
)
def test_what_was_done_is_said(scene: Telling, outcome: Outcome, says: str) -> None:
    issued = scene.token()
    scene.report(issued.value)
    scene.change(scene.the_leak(issued.token), outcome=outcome, failure="rotation_open")
    scene.tell()
    assert says in scene.letter_to(ADMIN)


def test_a_rotation_says_until_when_and_where_the_successor_is(scene: Telling) -> None:
    issued = scene.token()
    scene.rules(agent__public="rotate:30")
    scene.report(issued.value)
    scene.tell()
    letter = scene.letter_to(ADMIN)
    assert "works until 2027-01-15 08:30:00 UTC at the latest" in letter
    assert "take the successor's value, once, on the case's page" in letter


def test_an_id_alone_is_said_to_prove_nothing(scene: Telling) -> None:
    issued = scene.token()
    scene.report(Item(organization="acme", token_id=issued.token.id))
    scene.tell()
    assert "does not show that anybody has the value" in scene.letter_to(ADMIN)


def test_a_drill_says_so_and_is_never_mixed_with_what_is_real(scene: Telling) -> None:
    scene.report(scene.api_token().value, source=DRILL)
    scene.report(scene.api_token().value)
    assert scene.tell() == 2
    subjects = sorted(mail.subject for mail, _ in scene.letters())
    assert subjects == [
        "API access token 'robot' of Acme leaked: revoked",
        "DRILL: API access token 'robot' of Acme leaked: revoked",
    ]
    drill = next(text for mail, text in scene.letters() if mail.subject.startswith("DRILL"))
    assert "nothing of yours leaked" in drill


def test_no_letter_holds_a_value_whatever_people_and_reporters_write(scene: Telling) -> None:
    context, strange = scene.authority.context, mint(Kind.AGENT)
    issued = scene.run(
        context.store.write(
            lambda tx: issue_api_token(
                context,
                tx,
                LOCAL,
                scene.organization_id,
                scene.first.admin.id,
                f"was {strange.reveal()}\nBcc: everybody",
                ("read_agents",),
                0,
            )
        )
    )
    scene.report(Item(value=issued.value, url=f"https://example.com/?q={issued.value.reveal()}"))
    scene.tell()
    ((mail, text),) = scene.letters()
    for value in (issued.value, strange):
        assert value.reveal() not in text + mail.subject
    assert "\n" not in mail.subject
    assert "\nBcc" not in text


def test_a_case_that_was_dead_when_it_was_reported_is_told_to_nobody(scene: Telling) -> None:
    issued = scene.token(expires_in=700)
    scene.forward(3600)
    scene.report(issued.value, source=GITHUB)
    assert scene.tell() == 0
    leak = scene.the_leak(issued.token)
    assert (leak.state, leak.visibility) == (LeakState.CLOSED, Visibility.PUBLIC)
