"""Tokens of all kinds: who sees which, filters and orders, and a pasted value that goes nowhere."""

import logging
import re

import pytest

from console_client import Console, new_person
from support import World
from watchword.crypto.values import mint
from watchword.domain.kinds import Kind
from watchword.domain.tokenlists import Cursor
from watchword.domain.tokens import DAY_US
from watchword.services.accounts import FirstThings, create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token, issue_api_token
from watchword.services.revoking import revoke


def agent_token(world: World, description: str, expires_in: int = 0) -> Issued:
    context, first = world.context, world.first
    request = TokenRequest(
        organization_id=first.organization.id,
        cluster_id=first.cluster.id,
        description=description,
        expires_at=context.clock.now() + expires_in if expires_in else 0,
    )
    return world.run(
        context.store.write(lambda tx: issue_agent_token(context, tx, LOCAL, request, first.admin.id))
    )


def rival(world: World) -> FirstThings:
    return world.run(create_organization(world.context, LOCAL, "rival", "Rival", "eve@example.com", "Eve"))


def names(console: Console) -> list[str]:
    """The tokens in the list, in order."""
    return re.findall(r'<th scope="row"><a href="[^"]+">([^<]*)</a>', console.last.text)


def test_an_administrator_finds_all_kinds_and_their_pages(admin: Console, world: World) -> None:
    agent_token(world, "Linux <b>builders</b>", 3 * DAY_US)
    rival(world)
    admin.get("tokens")
    assert names(admin) == [
        "Linux &lt;b&gt;builders&lt;/b&gt;",
        "Administrator&#39;s first API access token",
        "Initial agent token",
    ]
    assert "All (3)" in admin.text()
    assert "Agent tokens (2)" in admin.text()
    first = world.first
    at = "/organizations/acme"
    assert f"{at}/clusters/{first.cluster.id}/tokens/{first.agent_token.token.id}" in admin.links()
    assert f"{at}/tokens/api/{first.api_token.token.id}" in admin.links()


def test_a_member_finds_own_tokens_alone(world: World) -> None:
    context, user = world.context, new_person(world, "bob@example.com")
    own = world.run(
        context.store.write(
            lambda tx: issue_api_token(
                context, tx, LOCAL, world.first.organization.id, user.id, "bob's own", ("read_builds",), 0
            )
        )
    )
    member = Console(world)
    member.sign_in_as(user)
    assert member.get("tokens").status_code == 200
    assert names(member) == ["bob&#39;s own"]
    assert "All (1)" in member.text()
    assert "Hygiene" not in member.text()
    member.post("tokens/find", {"value": world.first.agent_token.value.reveal()})
    assert "No token that you may see here has this value." in member.text()
    assert member.post("tokens/find", {"value": own.value.reveal()}).status_code == 303


def test_strangers_see_no_list(world: World, admin: Console) -> None:
    rival(world)
    assert admin.get("/organizations/rival/tokens").status_code == 404
    visitor = Console(world)
    assert visitor.get("tokens").headers["location"].startswith("/sign-in?")


def test_filters_orders_and_tabs_work_together(admin: Console, world: World) -> None:
    for name in ("beta", "Alpha", "gamma"):
        agent_token(world, name)
    soon = agent_token(world, "soon", 40 * DAY_US)
    world.clock.forward(36 * DAY_US)
    admin.sign_in_as(world.first.admin)
    for query, expected in [
        ("tab=agent&sort=name", ["Alpha", "beta", "gamma", "Initial agent token", "soon"]),
        ("tab=agent&sort=-name&q=A", ["Initial agent token", "gamma", "beta", "Alpha"]),
        ("state=expires_soon", ["soon"]),
        (f"q={soon.token.id[:30]}", ["soon"]),
        (f"q={soon.token.id}", ["soon"]),
        ("tab=user", ["Administrator&#39;s first API access token"]),
        ("owner=nobody@example.com", []),
        ("owner=ADMIN@example.com&tab=user", ["Administrator&#39;s first API access token"]),
        ("scope=read_builds", ["Administrator&#39;s first API access token"]),
        (f"cluster={world.first.cluster.id}&q=beta", ["beta"]),
        ("state=revoked", []),
    ]:
        admin.get(f"tokens?{query}")
        assert names(admin) == expected, query
    admin.get("tokens?state=expires_soon")
    assert "Expires in 4 days" in admin.text()


@pytest.mark.parametrize(
    "query",
    [
        "state=x",
        "sort=x",
        "cluster=x",
        "scope=x",
        "tab=x",
        "owner=" + "0" * 36,
        "q=%ff%00%ed%a0%80",
        "owner=%00",
        "scope=%ff",
        "q=a&q=b",
    ],
)
def test_what_an_address_asks_for_in_vain_breaks_nothing(admin: Console, query: str) -> None:
    assert admin.get(f"tokens?{query}").status_code == 200


def test_a_place_that_is_none_is_told(admin: Console) -> None:
    assert admin.get("tokens?at=nonsense").status_code == 422
    assert "invalid_cursor" in admin.text()


def test_long_lists_have_pages(admin: Console, world: World) -> None:
    for number in range(60):
        agent_token(world, f"number {number:02}")
    admin.get("tokens?sort=name&q=number")
    assert names(admin) == [f"number {number:02}" for number in range(50)]
    (following,) = [link for link in admin.links() if "at=" in link]
    admin.get(following)
    assert names(admin) == [f"number {number:02}" for number in range(50, 60)]
    (before,) = [link for link in admin.links() if "at=" in link]
    admin.get(before)
    assert names(admin)[0] == "number 00"


@pytest.mark.parametrize("around", ["{}", "Token {}", 'export TOKEN="{}"'])
def test_a_pasted_value_leads_to_its_token_and_stands_nowhere(
    admin: Console, world: World, around: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    issued = agent_token(world, "found")
    context = world.context
    world.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, issued.token, None)))
    value = issued.value.reveal()
    answer = admin.post("tokens/find", {"value": around.format(value)})
    assert answer.status_code == 303
    shown = admin.get(answer.headers["location"])
    assert names(admin) == ["found"]
    assert "This is the token whose value you pasted." in admin.text()
    assert "Revoked" in admin.text()
    for text in (str(answer.headers), answer.text, shown.text, caplog.text):
        assert value not in text


def test_the_value_of_a_session_leads_to_its_agent(admin: Console, world: World) -> None:
    from services.scene import Scene  # noqa: PLC0415 - only here

    joined = Scene(world).agent()
    answer = admin.post("tokens/find", {"value": joined.value.reveal()})
    assert answer.headers["location"].startswith(f"/organizations/acme/agents/{joined.agent.id}?")


def test_a_value_that_leads_nowhere_is_told_no_more_than_it_shows(admin: Console, world: World) -> None:
    unknown, foreign = mint(Kind.AGENT).reveal(), rival(world).agent_token.value.reveal()
    said = []
    for value in (unknown, foreign):
        assert admin.post("tokens/find", {"value": value}).status_code == 200
        said.append(re.sub(r'name="csrf" value="[^"]*"', "", admin.last.text))
        assert value not in admin.last.text
    assert said[0] == said[1]
    assert "It has the shape of an agent token" in admin.text()
    admin.post("tokens/find", {"value": unknown[:-1] + ("1" if unknown[-1] != "1" else "2")})
    assert "checksum does not hold" in admin.text()
    admin.post("tokens/find", {"value": "hunter2"})
    assert "not the shape of a token" in admin.text()
    assert "hunter2" not in admin.last.text
    assert admin.post("tokens/find", {"value": " "}).status_code == 422
    assert "nothing_pasted" in admin.text()


def test_an_empty_list_teaches(admin: Console, world: World) -> None:
    admin.get("tokens?q=nothing-of-the-kind")
    assert "No token fits" in admin.text()
    member = Console(world)
    member.sign_in_as(new_person(world, "new@example.com"))
    member.get("tokens")
    assert "No tokens yet" in member.text()


def test_a_page_that_came_to_be_empty_leads_back(admin: Console) -> None:
    beyond = Cursor(0, "").text()
    admin.get(f"tokens?at={beyond}")
    assert "No token fits" in admin.text()
    assert "/organizations/acme/tokens" in admin.links()
