"""Package registries on the console: made, used, deleted; their tokens shown once, rotated, revealed."""

import hashlib
import re
from html import unescape

import pytest

from console_client import Console, new_person
from support import World
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State, Token
from watchword.services.context import LOCAL
from watchword.services.revealing import set_revealable

VALUE = re.compile(r"bkpt_[A-Za-z0-9_-]+--[0-9a-f]{40}")


@pytest.fixture
def shop(admin: Console) -> str:
    """The address of a registry."""
    answer = admin.post("registries", {"name": "Shop", "ecosystem": "python"})
    assert answer.status_code == 303, admin.text()
    return "registries/shop"


def once(console: Console) -> str:
    found = re.search(r'name="once" value="([^"]+)"', console.last.text)
    assert found is not None
    return unescape(found[1])


def value_in(console: Console) -> str:
    """The one value of a page."""
    (value,) = set(VALUE.findall(unescape(console.last.text)))
    return str(value)


def stored(world: World, value: str) -> Token:
    digest = hashlib.sha256(value.encode()).digest()
    found = world.run(world.context.store.read(lambda tx: tx.tokens.by_digest(digest)))
    assert found is not None
    return found


def make_token(admin: Console, shop: str) -> str:
    admin.get(shop)
    answer = admin.post(f"{shop}/tokens", {"description": "for builds", "once": once(admin)})
    assert answer.status_code == 200, admin.text()
    return value_in(admin)


def test_a_registry_is_made_changed_and_deleted_with_its_tokens(
    admin: Console, world: World, shop: str
) -> None:
    token = stored(world, make_token(admin, shop))
    assert admin.post(f"{shop}/edit", {"name": "Shop 2", "public": "1"}).status_code == 303
    assert admin.get("registries/shop").status_code == 404
    admin.get("registries/shop-2")
    assert "anybody, without a token" in admin.text()
    assert admin.post("registries", {"name": "Shop 2", "ecosystem": "python"}).status_code == 422
    assert admin.post("registries/shop-2/delete", {}).status_code == 422
    assert admin.post("registries/shop-2/delete", {"sure": "1"}).status_code == 303
    assert stored_state(world, token) is State.REVOKED
    assert admin.get("registries/shop-2").status_code == 404


def stored_state(world: World, token: Token) -> State:
    found = world.run(world.context.store.read(lambda tx: tx.tokens.find(token.organization_id, token.id)))
    assert found is not None
    return found.state


def test_a_value_stands_in_one_answer(admin: Console, world: World, shop: str) -> None:
    value = make_token(admin, shop)
    assert "This is the one time that the value is shown." in admin.text()
    token = stored(world, value)
    assert (token.kind, token.description) == (Kind.REGISTRY, "for builds")
    for path in (shop, f"{shop}/tokens/{token.id}", "tokens?tab=registry"):
        assert admin.get(path).status_code == 200
        assert not VALUE.search(admin.last.text)
        assert "for builds" in admin.text()


def test_temporary_tokens_are_for_members_too(world: World, shop: str) -> None:
    member = Console(world)
    member.sign_in_as(new_person(world, "mo@example.com"))
    member.get(shop)
    assert "Create registry token" not in member.text()
    assert member.post(f"{shop}/tokens", {"description": "x", "once": "x"}).status_code == 403
    member.get(shop)
    answer = member.post(f"{shop}/temporary-token", {"access": "write", "once": once(member)})
    assert answer.status_code == 200, member.text()
    token = stored(world, value_in(member))
    assert (token.kind, token.scopes) == (Kind.TEMPORARY_PACKAGE, "write_packages")
    assert token.expires_at - token.created_at == 300_000_000


def test_a_token_is_described_rotated_and_revoked(admin: Console, world: World, shop: str) -> None:
    token = stored(world, make_token(admin, shop))
    path = f"{shop}/tokens/{token.id}"
    assert admin.post(f"{path}/description", {"description": "for nights"}).status_code == 303
    admin.get(path)
    assert "for nights" in admin.text()
    assert admin.post(f"{path}/rotate", {"days": "7", "once": once(admin)}).status_code == 200
    successor = stored(world, value_in(admin))
    assert successor.resource_id == token.resource_id
    assert "Both values work" in admin.text()
    assert admin.post(f"{path}/rotate/finish", {}).status_code == 303
    assert stored_state(world, token) is State.SUPERSEDED
    other = f"{shop}/tokens/{successor.id}"
    assert admin.post(f"{other}/revoke", {}).status_code == 422
    assert admin.post(f"{other}/revoke", {"sure": "1", "reason": "done"}).status_code == 303
    assert stored_state(world, successor) is State.REVOKED


def test_a_value_is_revealed_where_the_policy_keeps_copies(admin: Console, world: World, shop: str) -> None:
    organization = world.first.organization.id
    world.run(set_revealable(world.context, LOCAL, organization, Kind.REGISTRY, revealable=True))
    value = make_token(admin, shop)
    path = f"{shop}/tokens/{stored(world, value).id}"
    admin.get(path)
    assert admin.post(f"{path}/reveal", {"once": once(admin)}).status_code == 200
    assert value_in(admin) == value
