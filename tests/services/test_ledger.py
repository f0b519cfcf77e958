"""The use ledger: counts by hour, address and agent; a crash loses what was not flushed, no more."""

import asyncio

import pytest

from services.scene import ADDRESS, AGENT_TOKENS, SESSIONS, Scene
from support import MINUTE_US
from watchword.domain.errors import Refused, Unavailable
from watchword.domain.kinds import Kind
from watchword.domain.use import HOUR_US, Use
from watchword.feed.local import LocalFeed
from watchword.services.authority import Authority
from watchword.services.context import Context, Installation
from watchword.services.ledger import Ledger
from watchword.store.base import Transaction

HOUR = 60 * 60


def use(scene: Scene, times: int = 1, address: str | None = ADDRESS, agent: str = "") -> None:
    async def work() -> None:
        for _ in range(times):
            await scene.authority.verifier.verify(
                scene.first.agent_token.value.reveal(), AGENT_TOKENS, address=address, agent=agent
            )

    scene.run(work())


def written(scene: Scene) -> list[Use]:
    token = scene.first.agent_token.token
    return list(scene.run(scene.world.store.read(lambda tx: tx.audit.uses(token.organization_id, token.id))))


def pending(scene: Scene) -> list[Use]:
    token = scene.first.agent_token.token
    return scene.authority.ledger.pending(token.organization_id, token.id)


def last(scene: Scene) -> Use | None:
    token = scene.first.agent_token.token
    return scene.run(scene.authority.ledger.last_used(token.organization_id, token.id))


def flush(scene: Scene) -> int:
    return scene.run(scene.authority.ledger.flush())


def refusals(scene: Scene) -> dict[tuple[str, str, str], int]:
    """Counts by reason, address and token; nothing in the product reads them back yet."""
    rows = scene.world.database.query("SELECT reason, address, token_id, count FROM refusals")
    return {(reason, address, token_id): count for reason, address, token_id, count in rows}


def test_a_token_that_was_never_used_has_no_last_use(scene: Scene) -> None:
    assert last(scene) is None
    assert flush(scene) == 0
    assert written(scene) == []


def test_uses_are_counted_by_hour_address_and_version(scene: Scene) -> None:
    start = scene.world.clock.now()
    use(scene, 3)
    scene.forward(60)
    use(scene, 2, agent="buildkite-agent/3.100.0")
    use(scene, 4, address="2001:db8::1")
    use(scene, 1, address=None)
    scene.forward(HOUR)
    use(scene, 5)
    assert flush(scene) == 5
    rows = {(row.address, row.version, row.hour): row for row in written(scene)}
    hour = start // HOUR_US
    assert {key: row.count for key, row in rows.items()} == {
        (ADDRESS, "", hour): 3,
        (ADDRESS, "buildkite-agent/3.100.0", hour): 2,
        ("2001:db8::1", "", hour): 4,
        ("", "", hour): 1,
        (ADDRESS, "", hour + 1): 5,
    }
    first = rows[ADDRESS, "", hour]
    assert (first.first_at, first.last_at) == (start, start)


def test_what_is_not_flushed_yet_is_seen(scene: Scene) -> None:
    use(scene, 2)
    found = last(scene)
    assert found is not None
    assert (found.count, found.last_at) == (2, scene.world.clock.now())
    flush(scene)
    scene.forward(60)
    use(scene)
    found = last(scene)
    assert found is not None
    assert (found.count, found.last_at) == (1, scene.world.clock.now())
    assert [one.count for one in pending(scene)] == [1]


def test_flushing_again_and_again_counts_once(scene: Scene) -> None:
    start = scene.world.clock.now()
    for round_ in range(1, 5):
        use(scene, round_)
        scene.forward(60)
        flush(scene)
        assert flush(scene) == 0
        assert pending(scene) == []
    (row,) = written(scene)
    assert (row.count, row.first_at, row.last_at) == (10, start, start + 3 * MINUTE_US)


def test_counting_goes_on_while_a_flush_is_under_way(scene: Scene) -> None:
    async def scenario() -> None:
        verifier, ledger = scene.authority.verifier, scene.authority.ledger
        value = scene.first.agent_token.value.reveal()
        for _ in range(20):
            flushing = asyncio.ensure_future(ledger.flush())
            for _ in range(5):
                await verifier.verify(value, AGENT_TOKENS, address=ADDRESS)
                await asyncio.sleep(0)
            await flushing

    scene.run(scenario())
    flush(scene)
    assert [row.count for row in written(scene)] == [100]
    assert pending(scene) == []


def test_a_crash_loses_what_was_not_flushed_and_no_more(scene: Scene) -> None:
    use(scene, 7)
    flush(scene)
    use(scene, 2)
    _crash(scene)
    assert [row.count for row in written(scene)] == [7]
    use(scene, 1)
    flush(scene)
    assert [row.count for row in written(scene)] == [8]


def _crash(scene: Scene) -> None:
    """Start on the same database without asking the former process to write what it holds."""
    world = scene.world
    world.run(world.store.close())
    world.feed = LocalFeed()
    world.store = world.open()
    world.authority = Authority.wire(
        Context(world.store, world.feed, world.clock, world.keys, Installation())
    )
    world.run(world.authority.load())


def test_a_flush_whose_caller_goes_away_counts_once(scene: Scene) -> None:
    """A server that stops cancels its workers, and flushes once more before it lets go."""
    use(scene, 5)

    async def scenario() -> None:
        flushing = asyncio.ensure_future(scene.authority.ledger.flush())
        await asyncio.sleep(0)
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing
        await scene.authority.ledger.flush()

    scene.run(scenario())
    flush(scene)
    assert sum(row.count for row in written(scene)) == 5


def test_a_flush_that_fails_keeps_what_was_counted(scene: Scene) -> None:
    use(scene, 4)
    with pytest.raises(Refused):
        scene.run(scene.authority.verifier.verify("nonsense", AGENT_TOKENS, address=ADDRESS))
    scene.world.database.fill_up(scene.world.store)

    def use_and_flush() -> None:
        for number in range(400):
            use(scene, 1, address=f"2001:db8::{number:x}")
            scene.forward(HOUR)
            flush(scene)

    with pytest.raises(Unavailable):
        use_and_flush()
    counted = sum(one.count for one in pending(scene)) + sum(row.count for row in written(scene))
    scene.world.database.make_room(scene.world.store)
    flush(scene)
    assert pending(scene) == []
    assert sum(row.count for row in written(scene)) == counted
    assert refusals(scene) == {("token_malformed", ADDRESS, ""): 1}


def test_refusals_are_counted_by_reason_address_and_token(scene: Scene) -> None:
    verifier = scene.authority.verifier
    token = scene.first.agent_token

    def present(value: str | None, kinds: tuple[Kind, ...], address: str | None) -> None:
        with pytest.raises(Refused):
            scene.run(verifier.verify(value, kinds, address=address))

    for _ in range(3):
        present("nonsense", AGENT_TOKENS, ADDRESS)
    present(None, AGENT_TOKENS, None)
    present(token.value.reveal(), SESSIONS, ADDRESS)
    flush(scene)
    present("nonsense", AGENT_TOKENS, ADDRESS)
    flush(scene)
    assert refusals(scene) == {
        ("token_malformed", ADDRESS, ""): 4,
        ("token_missing", "", ""): 1,
        ("token_wrong_kind", ADDRESS, ""): 1,
    }


def test_memory_is_bounded_under_a_flood(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchword.services.ledger.MAX_ROWS", 10)
    ledger = Ledger(scene.authority.context)
    for number in range(100):
        ledger.note("organization", f"token {number}", ADDRESS, "", "", number)
        ledger.refuse("reason", f"address {number}", "", number)
    assert scene.run(ledger.flush()) == 20


def test_memory_holds_the_running_hour_alone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of past hours would fill the bound in a day of a big fleet, and no use be noted any more."""
    monkeypatch.setattr("watchword.services.ledger.MAX_ROWS", 3)
    for _ in range(20):
        use(scene)
        flush(scene)
        scene.forward(HOUR)
    flush(scene)
    assert len(written(scene)) == 20
    assert scene.authority.ledger._uses == {}


def test_agents_list_the_token_they_joined_with(scene: Scene) -> None:
    joined = scene.agent()
    value = joined.value.reveal()
    scene.present(value, SESSIONS)
    flush(scene)

    async def work(tx: Transaction) -> list[Use]:
        return list(await tx.audit.uses(scene.organization_id, joined.agent.session_id))

    (row,) = scene.run(scene.world.store.read(work))
    assert (row.agent, row.address, row.count) == (joined.agent.id, ADDRESS, 1)
