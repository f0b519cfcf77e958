"""Introspection follows what an API access token reaches: organizations removed, people gone, networks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import Client, LiveServer
from watchword.crypto.keys import Purpose
from watchword.crypto.values import mint, mint_dagster, mint_signed
from watchword.domain.accounts import Member, Role, User
from watchword.domain.events import Action
from watchword.domain.ids import UserId
from watchword.domain.kinds import Kind
from watchword.domain.securitypolicy import Grant
from watchword.services.accounts import FirstThings, create_organization
from watchword.services.context import LOCAL
from watchword.services.dagstertokens import create_agent_token_in, create_user_token_in
from watchword.services.issuing import Issued, add_token, build_token, issue_api_token
from watchword.services.verifying import look_at
from watchword.store.base import Transaction
from watchword.store.engine import Statement
from watchword.store.tables import members


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path)
    yield server
    server.close()


def introspect(server: LiveServer, caller: str, value: str) -> Any:
    answer = Client(server.url, caller, "Bearer").call("POST", "/oauth/introspect", f"token={value}")
    return answer.body if answer.status == 200 else answer.status


def second(server: LiveServer) -> FirstThings:
    context = server.authority.context
    other = server.run(create_organization(context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    member = Member(other.organization.id, server.first.admin.id, Role.MEMBER, 1)
    server.run(context.store.write(lambda tx: tx.accounts.add_member(member)))
    return other


def both(server: LiveServer, other: FirstThings) -> Issued:
    """A token of the first organization that reaches the other one too."""
    context, first = server.authority.context, server.first

    async def work(tx: Transaction) -> Issued:
        owner = (first.organization.id, first.admin.id)
        further = [other.organization.id]
        return await issue_api_token(
            context, tx, LOCAL, *owner, "both", ["introspect_tokens"], 0, further=further
        )

    return server.run(context.store.write(work))


def test_dagsters_tokens_are_alive_for_their_organization_and_a_persons_while_they_may_come_in(
    server: LiveServer,
) -> None:
    context, first, other = server.authority.context, server.first, second(server)
    user = User(UserId(context.new_id()), "vi@example.com", "Vi", "", 7)

    async def work(tx: Transaction) -> tuple[Issued, Issued]:
        await tx.accounts.add_user(user)
        await tx.accounts.add_member(Member(first.organization.id, user.id, Role.MEMBER, 7))
        agent = await create_agent_token_in(context, tx, LOCAL, first.organization, "a", first.admin.id)
        return agent, await create_user_token_in(context, tx, LOCAL, first.organization, user, "b")

    agent, own = server.run(context.store.write(work))
    mine, theirs = first.api_token.value.reveal(), other.api_token.value.reveal()
    for issued, kind, subject in (
        (agent, "dagster_agent", first.organization.id),
        (own, "dagster_user", user.id),
    ):
        answer = introspect(server, mine, issued.value.reveal())
        assert (answer["active"], answer["token_type"], answer["sub"]) == (True, kind, subject)
        assert "exp" not in answer
        assert introspect(server, theirs, issued.value.reveal()) == {"active": False}
    admin = Client(server.url, mine, "Bearer")
    assert admin.call("DELETE", f"/v2/organizations/acme/members/{user.id}").status == 204
    assert introspect(server, mine, own.value.reveal()) == {"active": False}
    path = f"/v2/organizations/acme/dagster/agent-tokens/{agent.token.id}"
    assert admin.call("DELETE", path).status == 204
    assert introspect(server, mine, agent.value.reveal()) == {"active": False}


@pytest.mark.parametrize(
    "kind",
    [Kind.TOKEN_EXCHANGE, Kind.PORTAL_USER, Kind.OAUTH_REFRESH, Kind.TEMPORARY_PACKAGE, Kind.DAGSTER_USER],
)
def test_nothing_of_a_person_who_cannot_come_in_is_alive(server: LiveServer, kind: Kind) -> None:
    context, first = server.authority.context, server.first
    user = User(UserId(context.new_id()), "vi@example.com", "Vi", "", 7)
    organization = first.organization
    if kind is Kind.TEMPORARY_PACKAGE:
        value = mint_signed(b'{"v":1}', context.keys.active(Purpose.MAC).secret)
    else:
        value = mint_dagster(kind) if kind is Kind.DAGSTER_USER else mint(kind)
    token = build_token(context, kind, organization.id, value, description="x", user_id=user.id)

    async def work(tx: Transaction) -> None:
        await tx.accounts.add_user(user)
        await tx.accounts.add_member(Member(organization.id, user.id, Role.MEMBER, 7))
        await add_token(context, tx, LOCAL, token, Action.TOKEN_CREATED)
        await tx.policies.add_grant(Grant(organization.id, token.id, organization.id, 7, user.id))

    server.run(context.store.write(work))
    presented = look_at(token)
    assert organization.id in server.run(server.authority.reach.of(presented))
    admin = Client(server.url, first.api_token.value.reveal(), "Bearer")
    assert admin.call("DELETE", f"/v2/organizations/acme/members/{user.id}").status == 204
    assert server.run(server.authority.reach.of(presented)) == {}


def test_a_token_is_alive_only_for_organizations_that_it_reaches(server: LiveServer) -> None:
    other = second(server)
    token = both(server, other)
    value = token.value.reveal()
    mine, theirs = server.first.api_token.value.reveal(), other.api_token.value.reveal()
    assert introspect(server, mine, value)["organization_id"] == server.first.organization.id
    assert introspect(server, theirs, value)["organization_id"] == other.organization.id
    assert introspect(server, theirs, mine) == {"active": False}
    admin = Client(server.url, mine, "Bearer")
    path = f"/v2/organizations/acme/api-access-tokens/{token.token.id}/organization"
    assert admin.call("DELETE", path).status == 204
    assert introspect(server, mine, value) == {"active": False}
    assert introspect(server, theirs, value)["active"] is True
    # As a caller it speaks for the other organization alone from now on.
    assert introspect(server, value, mine) == {"active": False}
    assert introspect(server, value, theirs)["active"] is True


def test_a_person_who_left_neither_asks_nor_is_alive(server: LiveServer) -> None:
    other = second(server)
    value, theirs = both(server, other).value.reveal(), other.api_token.value.reveal()
    assert introspect(server, theirs, value)["active"] is True
    owner = other.organization.id
    context = server.authority.context

    async def leave(tx: Any) -> None:
        gone = members.delete().where(members.c.organization_id == owner, members.c.role == "member")
        await tx.tokens._cx.run(Statement(gone), {})
        await context.record(tx, LOCAL, Action.MEMBER_REMOVED, owner, ("user", server.first.admin.id))

    server.run(context.store.write(leave))
    assert introspect(server, theirs, value) == {"active": False}
    assert introspect(server, value, theirs) == {"active": False}


def test_the_allowlist_holds_for_introspection_too(server: LiveServer) -> None:
    mine = server.first.api_token.value.reveal()
    assert introspect(server, mine, mine)["active"] is True
    client = Client(server.url, mine, "Bearer")
    path = "/v2/organizations/acme/api-settings"
    assert client.call("PATCH", path, {"allowed_ip_addresses": "198.51.100.0/24"}).status == 200
    assert introspect(server, mine, mine) == 403
