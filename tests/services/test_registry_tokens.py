"""Registry tokens beside all others: searched, inspected, rotated by use, leaked; keys rotate."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from services.leak_scene import LeakScene
from services.rotation_scene import Rotations
from services.search_scene import administrator, member
from support import World
from watchword.crypto.keys import KeyRing, Purpose
from watchword.crypto.packagevalues import mint_package_value, package_value_holds
from watchword.domain.events import Action
from watchword.domain.hygiene import Flag
from watchword.domain.ids import OrganizationId, ResourceId
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Outcome
from watchword.domain.packages import PackageAccess
from watchword.domain.registries import Registry
from watchword.domain.rotations import Cause, RotationState
from watchword.domain.tokens import State
from watchword.services.access import Access, enter_in_person
from watchword.services.hygiene import report
from watchword.services.issuing import Issued
from watchword.services.people import person_caller
from watchword.services.registries import RegistryRequest, create_registry
from watchword.services.registrytokens import create_registry_token, create_temporary_token
from watchword.services.restoring import renew
from watchword.store.base import Transaction

T = TypeVar("T")
REGISTRY = (Kind.REGISTRY,)


class RegistryScene(LeakScene):
    """A registry of the first organization."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.registry = self.write(self._make)

    def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        return self.run(self.authority.context.store.write(work))

    async def access(self, tx: Transaction) -> Access:
        admin = self.first.admin
        return await enter_in_person(tx, admin, "acme", person_caller(admin, None, "tests"))

    async def _make(self, tx: Transaction) -> Registry:
        asked = RegistryRequest(name="Shop", ecosystem="python")
        return await create_registry(self.authority.context, tx, await self.access(tx), asked)

    def registry_token(self) -> Issued:
        async def work(tx: Transaction) -> Issued:
            access, context = await self.access(tx), self.authority.context
            return await create_registry_token(context, tx, access, self.registry, "for builds")

        return self.write(work)

    def temporary(self) -> Issued:
        async def work(tx: Transaction) -> Issued:
            access, context = await self.access(tx), self.authority.context
            return await create_temporary_token(context, tx, access, self.registry, PackageAccess.READ)

        return self.write(work)


@pytest.fixture
def scene(world: World) -> RegistryScene:
    return RegistryScene(world)


def test_they_stand_in_the_list_for_administrators(scene: RegistryScene) -> None:
    issued, brief = scene.registry_token(), scene.temporary()
    admin, other = administrator(scene), member(scene)
    (row,) = admin.rows(kinds=REGISTRY)
    assert (row.token.id, row.token.resource_id) == (issued.token.id, scene.registry.resource_id)
    assert other.rows(kinds=REGISTRY) == []
    for each in (issued, brief):
        found = admin.paste(each.value.reveal()).row
        assert found is not None
        assert found.token.id == each.token.id
        assert other.paste(each.value.reveal()).row is None


def test_hygiene_looks_at_them(scene: RegistryScene) -> None:
    issued = scene.registry_token()
    scene.forward(400 * 86_400)

    async def work(tx: Transaction) -> list[tuple[Flag, ...]]:
        now = scene.world.clock.now()
        found = await report(tx, scene.authority.ledger, await scene.access(tx), now)
        return [one.flags for one in found.findings if one.token.id == issued.token.id]

    (flags,) = scene.run(scene.world.store.read(work))
    assert flags


def test_a_rotation_ends_when_nobody_uses_the_old_value(scene: RegistryScene) -> None:
    issued, rotations = scene.registry_token(), Rotations(scene)
    assert scene.reason(issued.value.reveal(), REGISTRY) == ""
    started = rotations.start(issued.token)
    assert started.successor.resource_id == scene.registry.resource_id
    assert package_value_holds(scene.authority.context.keys, started.value.reveal())
    assert scene.reason(started.value.reveal(), REGISTRY) == ""
    scene.sweep()
    assert rotations.find(issued.token).state is RotationState.OPEN
    scene.forward(10 * 60 + 1)
    scene.sweep()
    assert rotations.find(issued.token).cause is Cause.MOVED
    assert scene.reason(issued.value.reveal(), REGISTRY) == "token_superseded"


def test_a_leak_is_found_by_value_and_answered_by_the_rule(scene: RegistryScene) -> None:
    told, ended = scene.registry_token(), scene.registry_token()
    (answer,) = scene.report(told.value)
    assert answer.live
    assert scene.the_leak(told.token).outcome is Outcome.NOTIFIED
    scene.rules(registry__public="revoke")
    scene.report(ended.value)
    assert scene.reason(ended.value.reveal(), REGISTRY) == "token_revoked"
    assert scene.record(ended.token).state is State.REVOKED


def test_what_former_keys_signed_goes_on_and_other_keys_sign_nothing(scene: RegistryScene) -> None:
    issued = scene.registry_token()
    context = scene.authority.context
    rotated = context.keys.rotated(Purpose.MAC)
    fresh = mint_package_value(rotated, scene.organization_id, scene.registry.resource_id).reveal()
    for keys, value, holds in (
        (rotated, issued.value.reveal(), True),
        (rotated, fresh, True),
        (context.keys, fresh, False),
        (KeyRing.generate(), issued.value.reveal(), False),
    ):
        assert package_value_holds(keys, value) is holds
    assert len(fresh) > 199 + len("bkpt_")
    other = mint_package_value(rotated, OrganizationId("o"), ResourceId("r"), brand="zz").reveal()
    assert other.startswith("zzpt_eyJ")
    assert package_value_holds(rotated, other)


def test_a_restored_backup_opens_no_registry(scene: RegistryScene) -> None:
    issued = scene.registry_token()
    assert scene.reason(issued.value.reveal(), REGISTRY) == ""
    scene.run(renew(scene.authority))
    assert scene.reason(issued.value.reveal(), REGISTRY) == "token_revoked"


def test_the_trail_tells_what_was_done(scene: RegistryScene) -> None:
    issued = scene.registry_token()
    (made,) = scene.events(Action.REGISTRY_CREATED)
    assert made.subject_id == scene.registry.id
    assert issued.token.id in [event.subject_id for event in scene.events(Action.TOKEN_CREATED)]
