"""No order of events leaves an agent with a live session after a cut, nor a joined agent outside a drain."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from support import World
from watchword.domain.errors import WatchwordError
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import Mode, Withdrawal
from watchword.services.context import LOCAL, Context
from watchword.services.exchanging import Joined, Registration, register
from watchword.services.fleet import Fleet
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token
from watchword.services.withdrawing import Withdrawn
from watchword.store.base import Transaction

ADDRESS = "192.0.2.1"
AGENT, SESSION = (Kind.AGENT,), (Kind.AGENT_SESSION,)
PLACES = st.integers(0, 12)


@pytest.fixture(scope="module")
def one_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One installation for all examples; each has a token of its own."""
    made = World(Path(tmp_path_factory.mktemp("races")))
    yield made
    made.close()


async def turns(count: int) -> None:
    """Let others go first so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


class Late:
    """A store that is asked late and whose answers come late."""

    def __init__(self, store: Any, before: int, after: int) -> None:
        self._store, self._before, self._after = store, before, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        await turns(self._before)
        result = await self._store.write(work)
        await turns(self._after)
        return result


def late(context: Context, before: int, after: int) -> Context:
    return replace(context, store=Late(context.store, before, after))


def issue(world: World) -> Issued:
    context, first = world.context, world.first
    request = TokenRequest(
        organization_id=first.organization.id, cluster_id=first.cluster.id, description="race"
    )
    return world.run(
        context.store.write(lambda tx: issue_agent_token(context, tx, LOCAL, request, first.admin.id))
    )


async def join(world: World, token: Issued, delays: tuple[int, int, int]) -> Joined | None:
    """Register and connect with delays; None if the revocation came first."""
    authority = world.authority
    before, between, after = delays
    context = late(authority.context, before, after)
    fleet: Fleet = authority.fleet
    try:
        presented = await authority.verifier.verify(token.value.reveal(), AGENT, address=ADDRESS)
        asked = Registration(name="a", version="3.100.0")
        joined = await register(context, fleet, LOCAL, presented, asked)
    except WatchwordError:
        return None
    await turns(between)
    try:
        await authority.verifier.verify(joined.value.reveal(), SESSION, address=ADDRESS)
        await fleet.connect(LOCAL, joined.agent.organization_id, joined.agent.id)
    except WatchwordError:
        pass
    return joined


async def passes(world: World, joined: Joined) -> bool:
    try:
        await world.authority.verifier.verify(joined.value.reveal(), SESSION, address=ADDRESS)
    except WatchwordError:
        return False
    return True


@examples(100)
@given(
    mode=st.sampled_from([Mode.DRAIN, Mode.CUT]),
    agents=st.lists(st.tuples(PLACES, PLACES, PLACES), min_size=1, max_size=5),
    when=PLACES,
    settled=PLACES,
)
def test_no_joined_agent_escapes(
    one_world: World, mode: Mode, agents: list[tuple[int, int, int]], when: int, settled: int
) -> None:
    world = one_world
    authority, token = world.authority, issue(world)

    async def revoke() -> None:
        async def work(tx: Transaction) -> Withdrawn:
            return await authority.revoker.revoke_in(tx, LOCAL, token.token, None, Withdrawal(mode))

        await turns(when)
        done = await authority.context.store.write(work)
        await turns(settled)
        authority.revoker.settle(done)

    async def everything() -> list[Joined | None]:
        *found, _ = await asyncio.gather(*(join(world, token, one) for one in agents), revoke())
        return found

    for joined in world.run(everything()):
        if joined is None:
            continue
        live = authority.fleet.agents.get(joined.agent.id)
        if mode is Mode.CUT:
            assert not world.run(passes(world, joined))
            assert live is None or not live.connected
        else:
            assert live is not None
            assert live.order is not None
            assert live.order.stop
    assert not authority.fleet.ahead
