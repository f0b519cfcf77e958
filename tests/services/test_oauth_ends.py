"""However one token of a connected application ends, the application's access ends with it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oauth_client import CLIENT, Tool
from rest_client import Rest
from support import SECOND_US, World
from watchword.crypto.values import Secret
from watchword.domain.errors import Conflict
from watchword.domain.leaks import Visibility
from watchword.domain.rotations import require_rotatable
from watchword.domain.tokens import DAY_US, State, Token
from watchword.services.context import LOCAL
from watchword.services.leakfinding import Item
from watchword.services.leakreports import Source
from watchword.services.revoking import revoke
from watchword.store.base import Transaction

GITHUB = Source(name="github", visibility=Visibility.PUBLIC)


@pytest.fixture
def tool(world: World) -> Tool:
    return Tool(world)


def require_over(tool: Tool, given: dict[str, Any]) -> None:
    assert tool.state(given["access_token"]) is State.REVOKED
    assert tool.state(given["refresh_token"]) is State.REVOKED
    assert tool.grant(given["access_token"]).ended_at
    assert tool.refresh(given["refresh_token"]).json()["error"] == "invalid_grant"
    assert tool.actions().count("oauth_grant.revoked") == 1


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_a_leak_of_either_token_ends_the_connection(tool: Tool, which: str) -> None:
    given = tool.connect()
    item = Item(value=Secret(given[which]), type="token", url="https://example.com/a")
    tool.world.run(tool.world.authority.leak_reports.take(LOCAL, GITHUB, [item], body=b"a report"))
    require_over(tool, given)


def test_whoever_holds_the_access_token_ends_the_connection_with_it(tool: Tool) -> None:
    given = tool.connect()
    rest = Rest(tool.world, given["access_token"])
    assert rest("DELETE", "/v2/access-token").status_code == 204
    require_over(tool, given)


def test_an_administrator_who_takes_the_organization_from_the_token_ends_the_connection(tool: Tool) -> None:
    given = tool.connect()
    token = tool.find(given["access_token"])
    answer = Rest(tool.world)("DELETE", f"api-access-tokens/{token.id}/organization")
    assert answer.status_code == 204
    require_over(tool, given)


def revoke_directly(tool: Tool, token: Token) -> None:
    context = tool.world.context

    async def work(tx: Transaction) -> None:
        await revoke(context, tx, LOCAL, token, None, "by hand")

    tool.world.run(context.store.write(work))


def test_the_end_of_a_replaced_token_ends_nothing(tool: Tool) -> None:
    first = tool.connect()
    second = tool.refresh(first["refresh_token"]).json()
    revoke_directly(tool, tool.find(first["access_token"]))
    assert tool.refresh(second["refresh_token"]).status_code == 200


def test_an_applications_token_is_not_rotated_by_hand(tool: Tool) -> None:
    token = tool.find(tool.connect()["access_token"])
    with pytest.raises(Conflict) as caught:
        require_rotatable(token, tool.world.clock.now())
    assert caught.value.code == "kind_not_rotated"


def test_an_organization_bounds_how_long_a_connection_lasts(tool: Tool) -> None:
    world = tool.world

    async def bound(tx: Transaction) -> None:
        policy = await tx.policies.policy(world.first.organization.id)
        await tx.policies.save(replace(policy, maximum_api_token_days=2, revoke_inactive_after_days=30))

    world.run(world.context.store.write(bound))
    given = tool.connect()
    assert tool.find(given["refresh_token"]).expires_at == world.clock.now() + 2 * DAY_US
    world.clock.forward(2 * DAY_US - 3600 * SECOND_US)
    renewed = tool.refresh(given["refresh_token"]).json()
    assert renewed["expires_in"] == 3600
    world.clock.forward(3600 * SECOND_US)
    assert tool.refresh(renewed["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_disabled_person_renews_nothing(tool: Tool) -> None:
    world = tool.world
    given, code = tool.connect(), tool.approve()

    async def disable(tx: Transaction) -> None:
        data = await tx.people.sign_in_data(world.first.admin.id)
        await tx.people.save_sign_in_data(replace(data, disabled_at=1))

    world.run(world.context.store.write(disable))
    assert tool.refresh(given["refresh_token"]).json()["error"] == "invalid_grant"
    assert tool.redeem(code).json()["error"] == "invalid_grant"


def test_nothing_of_a_value_is_kept_but_its_digest(tmp_path: Path) -> None:
    """Codes, tokens and what is sealed for a client that lost its answer."""
    world = World(tmp_path)
    tool = Tool(world)
    code = tool.approve()
    given = tool.redeem(code).json()
    begun = tool.start_device(client_id=CLIENT).json()
    renewed = tool.refresh(given["refresh_token"]).json()
    shown = [code, *renewed.values(), *given.values(), begun["device_code"], begun["user_code"]]
    values = [value for value in shown if isinstance(value, str) and len(value) > 8 and " " not in value]
    assert len(values) == 7
    world.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert code.encode() not in kept
    assert not [value for value in values if value.encode() in kept]
    assert b"Buildkite CLI (bk)" in kept
