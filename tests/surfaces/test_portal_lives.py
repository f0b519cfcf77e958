"""Tokens of portals live as all tokens do: rotated, leaked, searched, looked after, restored."""

import pytest

from rest_client import Rest
from support import MINUTE_US, World
from watchword.crypto.values import Secret
from watchword.domain.errors import Refused
from watchword.domain.events import SYSTEM
from watchword.domain.ids import TokenId
from watchword.domain.kinds import Kind
from watchword.domain.portals import PORTAL_KINDS, Portal
from watchword.domain.tokenlists import Condition
from watchword.domain.tokens import DAY_US, State
from watchword.services.access import enter_in_person
from watchword.services.context import LOCAL, Caller
from watchword.services.hygiene import report
from watchword.services.issuing import Issued
from watchword.services.portals import PortalRequest
from watchword.services.portaltokens import create_secret_in, issue_in
from watchword.services.restoring import renew
from watchword.services.tokensearch import Sought
from watchword.store.base import Transaction

QUERY = '{ organization(slug: "acme") { name } }'


class Scene:
    """A portal with one token of each kind."""

    def __init__(self, world: World) -> None:
        self.world = world
        context, first = world.context, world.first
        asked = PortalRequest(name="Tools", slug="tools", query=QUERY, user_invokable=True)
        desk, admin = world.authority.portals, first.admin
        self.values: dict[Kind, Issued] = {}

        async def make(tx: Transaction) -> Portal:
            portal, service = await desk.create_in(tx, LOCAL, first.organization.id, asked, admin.id)
            secret = await create_secret_in(context, tx, LOCAL, portal, "for ci", admin.id)
            until = world.clock.now() + 365 * DAY_US
            user = await issue_in(
                context, tx, LOCAL, portal, Kind.PORTAL_USER, user_id=admin.id, expires_at=until
            )
            ephemeral = await issue_in(context, tx, LOCAL, portal, Kind.PORTAL_EPHEMERAL, expires_at=until)
            self.values = {each.token.kind: each for each in (service, secret, user, ephemeral)}
            return portal

        self.portal = world.run(world.store.write(make))

    def passes(self, value: Secret) -> bool:
        verify = self.world.authority.verifier.verify
        try:
            self.world.run(verify(value.reveal(), PORTAL_KINDS, address="192.0.2.7", agent="cron/1"))
        except Refused:
            return False
        return True


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def test_a_shared_token_rotates_until_nobody_uses_the_old_value(scene: Scene, world: World) -> None:
    old = scene.values[Kind.PORTAL_SERVICE]
    assert scene.passes(old.value)
    rest = Rest(world)
    path = f"portals/tools/tokens/{old.token.id}/rotation"
    started = rest("POST", path).json()
    fresh = Secret(started["token"])
    assert scene.passes(fresh)
    world.run(world.authority.sweep(LOCAL))
    standing = rest("GET", path).json()
    assert (standing["state"], [one["client"] for one in standing["callers"]]) == ("open", ["cron/1"])
    world.clock.forward(11 * MINUTE_US)
    world.run(world.authority.sweep(LOCAL))
    assert rest("GET", path).json()["state"] == "committed"
    assert not scene.passes(old.value)
    assert scene.passes(fresh)
    (first, second) = rest("GET", "portals/tools/tokens").json()
    assert (first["state"], second["state"]) == ("active", "superseded")


def test_a_secret_rotates_at_the_first_use_of_its_successor(scene: Scene, world: World) -> None:
    old = scene.values[Kind.PORTAL_SECRET]
    rest = Rest(world)
    started = rest("POST", f"portals/tools/secrets/{old.token.id}/rotation").json()
    assert scene.passes(old.value)
    assert scene.passes(Secret(started["token"]))
    assert not scene.passes(old.value)


@pytest.mark.parametrize("kind", [Kind.PORTAL_EPHEMERAL, Kind.PORTAL_USER])
def test_short_lives_are_not_rotated(scene: Scene, world: World, kind: Kind) -> None:
    path = f"portals/tools/tokens/{scene.values[kind].token.id}/rotation"
    assert Rest(world)("POST", path).status_code == 422


@pytest.mark.parametrize("kind", PORTAL_KINDS)
def test_whoever_shows_a_leaked_value_has_it_revoked(scene: Scene, world: World, kind: Kind) -> None:
    leaked = scene.values[kind]
    caller = Caller(SYSTEM, "198.51.100.9")
    (shown,) = world.run(world.authority.possessions.show(caller, [leaked.value]))
    assert shown.state == "revoked"
    assert not scene.passes(leaked.value)
    assert all(scene.passes(one.value) for other, one in scene.values.items() if other is not kind)


@pytest.mark.parametrize("kind", PORTAL_KINDS)
def test_every_kind_is_found_by_its_value(scene: Scene, world: World, kind: Kind) -> None:
    finder, admin = world.authority.finder, world.first.admin

    async def look(tx: Transaction) -> TokenId | None:
        access = await enter_in_person(tx, admin, "acme", LOCAL)
        found = await finder.pasted_in(tx, access, scene.values[kind].value)
        return found.row.token.id if found.row is not None else None

    assert world.run(world.store.read(look)) == scene.values[kind].token.id


def test_what_people_made_is_listed_and_looked_after(scene: Scene, world: World) -> None:
    kinds = (Kind.PORTAL_SERVICE, Kind.PORTAL_SECRET)
    finder, admin = world.authority.finder, world.first.admin

    async def search(tx: Transaction) -> set[TokenId]:
        access = await enter_in_person(tx, admin, "acme", LOCAL)
        found = await finder.page_in(tx, access, Sought(kinds=kinds, condition=Condition.ANY))
        return {row.token.id for row in found.rows}

    wanted = {scene.values[kind].token.id for kind in kinds}
    assert world.run(world.store.read(search)) == wanted
    world.clock.forward(100 * DAY_US)

    async def inspect(tx: Transaction) -> set[TokenId]:
        access = await enter_in_person(tx, admin, "acme", LOCAL)
        found = await report(tx, world.authority.ledger, access, world.clock.now())
        return {finding.token.id for finding in found.findings if finding.token.kind in PORTAL_KINDS}

    assert world.run(world.store.read(inspect)) == wanted


def test_an_old_backup_brings_no_portal_token_back(scene: Scene, world: World) -> None:
    world.run(renew(world.authority))
    owner = world.first.organization.id

    async def states(tx: Transaction) -> set[State]:
        found = [await tx.tokens.find(owner, one.token.id) for one in scene.values.values()]
        return {token.state for token in found if token is not None}

    assert world.run(world.store.read(states)) == {State.REVOKED}
