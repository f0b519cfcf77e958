"""Hygiene at work: what is reported, whom reminders reach and when, what inactivity ends."""

import json
from dataclasses import replace
from typing import Any

import pytest

from services.scene import Scene
from watchword.domain.accounts import Member, Role, User
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import DAY_US, State, Token
from watchword.services import keeping
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.services.keeping import Keeper
from watchword.store.base import Page, Transaction

API = (Kind.API_ACCESS,)


def keeper(scene: Scene) -> Keeper:
    return Keeper(scene.authority.context, scene.authority.ledger)


def api_token(scene: Scene, days: int = 0, further: tuple[OrganizationId, ...] = ()) -> Issued:
    context, owner = scene.authority.context, scene.organization_id
    until = context.clock.now() + days * DAY_US if days else 0

    async def work(tx: Transaction) -> Issued:
        admin = scene.first.admin.id
        return await issue_api_token(
            context, tx, LOCAL, owner, admin, "nightly", ["read_agents"], until, further=further
        )

    return scene.run(context.store.write(work))


def set_policy(scene: Scene, **changes: Any) -> None:
    async def work(tx: Transaction) -> None:
        policy = await tx.policies.policy(scene.organization_id)
        await tx.policies.save(replace(policy, **changes))

    scene.run(scene.world.store.write(work))


def letters(scene: Scene) -> list[tuple[str, str]]:
    mails = scene.run(scene.world.store.read(lambda tx: tx.mails.list(Page(100))))
    return sorted((mail.recipient, mail.subject) for mail in mails)


def reminded(scene: Scene) -> list[tuple[str, int]]:
    events = scene.events(Action.TOKEN_EXPIRY_REMINDED)
    return [(event.subject_id, json.loads(event.data)["days"]) for event in events]


def days_pass(scene: Scene, days: float) -> None:
    scene.forward(days * 24 * 3600)


def test_people_are_reminded_30_7_and_1_days_ahead_once_each(scene: Scene) -> None:
    token = api_token(scene, days=90).token
    agent = scene.token(expires_in=45 * 24 * 3600).token
    seen = []
    for _ in range(91):
        scene.run(keeper(scene).remind())
        scene.run(keeper(scene).remind())
        seen.append(len(reminded(scene)))
        days_pass(scene, 1)
    assert reminded(scene) == [
        (agent.id, 30),
        (agent.id, 7),
        (agent.id, 1),
        (token.id, 30),
        (token.id, 7),
        (token.id, 1),
    ]
    assert [day for day in range(1, 91) if seen[day] > seen[day - 1]] == [15, 38, 44, 60, 83, 89]


def test_a_token_that_lives_for_a_week_is_not_announced_at_its_birth(scene: Scene) -> None:
    token = api_token(scene, days=7).token
    api_token(scene, days=1)
    scene.run(keeper(scene).remind())
    assert reminded(scene) == []
    days_pass(scene, 6)
    scene.run(keeper(scene).remind())
    assert reminded(scene) == [(token.id, 1)]


def test_after_a_long_rest_only_the_most_urgent_reminder_is_sent(scene: Scene) -> None:
    token = api_token(scene, days=90).token
    days_pass(scene, 85)
    scene.run(keeper(scene).remind())
    scene.run(keeper(scene).remind())
    assert reminded(scene) == [(token.id, 7)]


def test_owners_and_administrators_are_written_to_once(scene: Scene) -> None:
    context, owner = scene.authority.context, scene.organization_id
    person = User(UserId(context.new_id()), "bob@example.com", "Bob", "", 1)
    until = context.clock.now() + 40 * DAY_US

    async def work(tx: Transaction) -> None:
        await tx.accounts.add_user(person)
        await tx.accounts.add_member(Member(owner, person.id, Role.MEMBER, 1))
        await issue_api_token(context, tx, LOCAL, owner, person.id, "of Bob", ["read_agents"], until)

    scene.run(context.store.write(work))
    days_pass(scene, 10)
    for _ in range(2):
        scene.run(keeper(scene).remind())
    subject = "API access token of Acme expires within 30 days"
    assert letters(scene) == [("admin@example.com", subject), ("bob@example.com", subject)]


def test_the_owner_is_told_that_an_idle_token_was_ended(scene: Scene) -> None:
    set_policy(scene, revoke_inactive_after_days=60)
    days_pass(scene, 60)
    scene.run(keeper(scene).end_inactive())
    told = ("admin@example.com", "Your API access token was ended: not used for 60 days")
    assert letters(scene) == [told]


def test_nobody_is_reminded_of_what_has_ended(scene: Scene) -> None:
    revoked, expired = api_token(scene, days=40).token, api_token(scene, days=31).token
    owner, now = scene.organization_id, scene.world.clock.now()
    scene.run(
        scene.world.store.write(lambda tx: tx.tokens.end(owner, revoked.id, State.REVOKED, now, None, ""))
    )
    days_pass(scene, 31)
    scene.run(keeper(scene).remind())
    assert expired.expires_at == scene.world.clock.now()
    assert reminded(scene) == []


def test_more_tokens_than_one_read_takes_are_reminded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {api_token(scene, days=40).token.id for _ in range(7)}
    days_pass(scene, 12)
    monkeypatch.setattr(keeping, "_SCAN", 3)
    assert scene.run(keeper(scene).remind()) == 7
    assert {token_id for token_id, _ in reminded(scene)} == made


def record(scene: Scene, issued: Issued) -> Token:
    return scene.record(issued.token)


def test_inactive_tokens_are_revoked_after_the_organizations_period(scene: Scene) -> None:
    idle, busy = api_token(scene), api_token(scene)
    set_policy(scene, revoke_inactive_after_days=30)
    days_pass(scene, 29)
    scene.present(busy.value.reveal(), API)  # a use that only memory knows yet
    assert scene.run(keeper(scene).end_inactive()) == 0
    days_pass(scene, 1)
    assert scene.run(keeper(scene).end_inactive()) == 2  # the first administrator's token was never used
    assert (record(scene, idle).state, record(scene, idle).ended_reason) == (
        State.REVOKED,
        "not used for 30 days",
    )
    assert scene.reason(idle.value.reveal(), API) == "token_revoked"
    assert record(scene, busy).state is State.ACTIVE
    assert scene.run(keeper(scene).end_inactive()) == 0
    event = scene.events(Action.TOKEN_REVOKED)[-1]
    assert (event.actor_kind, json.loads(event.data)["reason"]) == ("system", "not used for 30 days")


def test_a_written_use_keeps_a_token_as_well(scene: Scene) -> None:
    busy = api_token(scene)
    set_policy(scene, revoke_inactive_after_days=30)
    days_pass(scene, 29)
    scene.present(busy.value.reveal(), API)
    scene.run(scene.authority.flush())
    days_pass(scene, 29)
    scene.run(keeper(scene).end_inactive())
    assert record(scene, busy).state is State.ACTIVE
    days_pass(scene, 1)
    scene.run(keeper(scene).end_inactive())
    assert record(scene, busy).state is State.REVOKED


def test_without_a_period_nothing_is_revoked(scene: Scene) -> None:
    idle = api_token(scene)
    days_pass(scene, 1000)
    assert scene.run(keeper(scene).end_inactive()) == 0
    assert record(scene, idle).state is State.ACTIVE


def test_an_inactive_token_that_reaches_others_too_loses_this_organization_only(scene: Scene) -> None:
    context = scene.authority.context
    other = scene.run(create_organization(context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    both = api_token(scene, further=(other.organization.id,))
    set_policy(scene, revoke_inactive_after_days=30)
    days_pass(scene, 30)
    scene.run(keeper(scene).end_inactive())
    assert record(scene, both).state is State.ACTIVE
    grants = scene.run(scene.world.store.read(lambda tx: tx.policies.grants_of(both.token.id)))
    ended = {grant.organization_id: bool(grant.ended_at) for grant in grants}
    assert ended == {scene.organization_id: True, other.organization.id: False}
    (event,) = scene.events(Action.TOKEN_ORGANIZATION_REMOVED)
    assert json.loads(event.data)["reason"] == "not used for 30 days"


def test_agent_tokens_are_no_matter_of_inactivity(scene: Scene) -> None:
    set_policy(scene, revoke_inactive_after_days=30)
    days_pass(scene, 400)
    scene.run(keeper(scene).end_inactive())
    assert scene.reason(scene.first.agent_token.value.reveal(), (Kind.AGENT,)) == ""
