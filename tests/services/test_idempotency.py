"""Idempotency keys: the same request gets the same answer, value included, for five minutes."""

import asyncio

import pytest

from services.scene import Scene
from watchword.crypto.keys import Purpose
from watchword.domain.errors import Conflict, Invalid
from watchword.domain.ids import OrganizationId
from watchword.domain.kinds import Kind
from watchword.services.context import LOCAL
from watchword.services.idempotency import MAX_KEY, once
from watchword.services.issuing import TokenRequest, issue_agent_token
from watchword.store.base import Page, Transaction


def ask(
    scene: Scene,
    key: str = "key",
    *,
    caller: str = "caller",
    operation: str = "token.create",
    request: bytes = b"request",
    organization_id: OrganizationId | None = None,
) -> bytes:
    return scene.run(_ask(scene, key, caller, operation, request, organization_id))


async def _ask(
    scene: Scene,
    key: str,
    caller: str,
    operation: str,
    request: bytes,
    organization_id: OrganizationId | None,
) -> bytes:
    context, first = scene.authority.context, scene.first
    asked = TokenRequest(
        organization_id=scene.organization_id, cluster_id=first.cluster.id, description="asked for once"
    )

    async def work(tx: Transaction) -> bytes:
        issued = await issue_agent_token(context, tx, LOCAL, asked, first.admin.id)
        return issued.value.reveal().encode()

    return await once(
        context, organization_id or scene.organization_id, caller, key, operation, request, work
    )


def issued(scene: Scene) -> int:
    """How many tokens there are beside the first one."""
    cluster_id = scene.first.cluster.id

    async def work(tx: Transaction) -> int:
        return len(await tx.tokens.list(scene.organization_id, Kind.AGENT, cluster_id, Page())) - 1

    return scene.run(scene.world.store.read(work))


def test_the_same_request_gets_the_same_value(scene: Scene) -> None:
    first = ask(scene)
    assert [ask(scene) for _ in range(3)] == [first] * 3
    assert issued(scene) == 1
    scene.world.restart()
    assert ask(scene) == first
    assert scene.reason(first.decode(), (scene.first.agent_token.token.kind,)) == ""


def test_without_a_key_every_request_counts(scene: Scene) -> None:
    assert ask(scene, "") != ask(scene, "")
    assert issued(scene) == 2


def test_of_many_at_once_one_is_carried_out(scene: Scene) -> None:
    async def scenario() -> set[bytes]:
        asks = (_ask(scene, "key", "caller", "token.create", b"request", None) for _ in range(40))
        return set(await asyncio.gather(*asks))

    assert len(scene.run(scenario())) == 1
    assert issued(scene) == 1


@pytest.mark.parametrize("other", [{"request": b"another"}, {"operation": "token.revoke"}, {"request": b""}])
def test_another_request_under_the_key_is_refused(scene: Scene, other: dict[str, object]) -> None:
    first = ask(scene)
    with pytest.raises(Conflict) as caught:
        ask(scene, **other)  # type: ignore[arg-type]
    assert caught.value.code == "idempotency_key_reused"
    assert ask(scene) == first
    assert issued(scene) == 1


def test_two_callers_never_meet(scene: Scene) -> None:
    first = ask(scene)
    assert ask(scene, caller="another") != first
    assert ask(scene, organization_id=OrganizationId("another")) != first
    assert issued(scene) == 3


def test_an_answer_is_kept_for_five_minutes(scene: Scene) -> None:
    first = ask(scene)
    scene.forward(299.999_999)
    assert ask(scene) == first
    scene.forward(0.000_001)
    second = ask(scene)
    assert second != first
    assert ask(scene, request=b"request") == second
    scene.forward(300)
    scene.sweep()
    assert scene.world.database.query("SELECT count(*) FROM replays") == [(0,)]


def test_an_operation_that_fails_is_not_remembered(scene: Scene) -> None:
    async def fails(tx: Transaction) -> bytes:
        await tx.audit.next_sequence(scene.organization_id)
        raise Invalid("no")

    with pytest.raises(Invalid):
        scene.run(
            once(scene.authority.context, scene.organization_id, "caller", "key", "token.create", b"", fails)
        )
    assert ask(scene)
    assert issued(scene) == 1


def test_a_key_has_its_limit(scene: Scene) -> None:
    assert ask(scene, "k" * MAX_KEY)
    with pytest.raises(Invalid) as caught:
        ask(scene, "k" * (MAX_KEY + 1))
    assert caught.value.code == "invalid_key"


def test_answers_are_sealed_at_rest(scene: Scene) -> None:
    value = ask(scene)
    ((answer, request),) = scene.world.database.query("SELECT answer, request FROM replays")
    assert value not in answer
    assert value[-20:] not in answer
    assert request != b"request"
    content = scene.world.database.content()
    assert value not in content
    assert value.hex().encode() not in content


def test_an_answer_outlives_the_rotation_of_the_sealing_key(scene: Scene) -> None:
    first = ask(scene)
    scene.world.keys = scene.world.keys.rotated(Purpose.SEALING)
    scene.world.restart()
    assert ask(scene) == first


def test_a_moved_answer_does_not_open(scene: Scene) -> None:
    """Sealed content is bound to organization, caller and key: a row that was changed is refused."""
    ask(scene)
    scene.world.database.query("UPDATE replays SET caller = 'another'")
    with pytest.raises(Conflict):
        ask(scene, caller="another")
