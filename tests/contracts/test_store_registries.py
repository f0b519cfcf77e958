"""The store's contract: package registries, the packages in them and their files."""

from dataclasses import replace
from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER, TEXT, USER
from watchword.domain.ids import PackageFileId, PackageId, RegistryId, ResourceId, TokenId
from watchword.domain.packages import Package, PackageFile
from watchword.domain.registries import Registry
from watchword.domain.tokens import State
from watchword.store.base import EVERYTHING, Duplicate, Page, Transaction

SHOP, SECOND = RegistryId("registry-1"), RegistryId("registry-2")


def registry(**changes: Any) -> Registry:
    whole = Registry(
        organization_id=ORGANIZATION,
        id=SHOP,
        slug="shop",
        name=TEXT,
        ecosystem="python",
        description=TEXT,
        emoji=":rocket:",
        color="#A0B1C2",
        public=True,
        oidc_policy=TEXT,
        team_ids=("team-1", "team-2"),
        size=0,
        created_at=7,
        created_by=USER,
        updated_at=8,
    )
    return replace(whole, **changes)


def package(number: int, **changes: Any) -> Package:
    whole = Package(
        organization_id=ORGANIZATION,
        id=PackageId(f"package-{number}"),
        registry_id=SHOP,
        name=TEXT,
        project="tiny",
        version=f"1.{number}",
        summary=TEXT,
        created_at=7,
        created_by=None,
    )
    return replace(whole, **changes)


def file(number: int, **changes: Any) -> PackageFile:
    whole = PackageFile(
        organization_id=ORGANIZATION,
        id=PackageFileId(f"file-{number}"),
        registry_id=SHOP,
        package_id=PackageId("package-1"),
        project="tiny",
        filename=f"tiny-{number}.whl",
        size=10,
        sha256="0" * 64,
        requires_python=">=3.8",
        created_at=7,
        token_id=TokenId("token-1"),
    )
    return replace(whole, **changes)


def put(shelf: Shelf, *records: Registry | Package | PackageFile) -> None:
    async def work(tx: Transaction) -> None:
        for record in records:
            if isinstance(record, Registry):
                await tx.registries.add(record)
            elif isinstance(record, Package):
                await tx.packages.add(record)
            else:
                await tx.packages.add_file(record)

    shelf.write(work)


def test_registries_are_kept_changed_and_deleted(shelf: Shelf) -> None:
    second = registry(id=SECOND, slug="second", public=False, team_ids=())
    foreign = registry(organization_id=OTHER)
    put(shelf, registry(), second, foreign)
    assert shelf.read(lambda tx: tx.registries.find(ORGANIZATION, SHOP)) == registry()
    assert shelf.read(lambda tx: tx.registries.by_slug(ORGANIZATION, "second")) == second
    assert shelf.read(lambda tx: tx.registries.list(ORGANIZATION, EVERYTHING)) == [registry(), second]
    assert shelf.read(lambda tx: tx.registries.list(ORGANIZATION, Page(1, 1))) == [second]
    with pytest.raises(Duplicate):
        put(shelf, registry(id=RegistryId("registry-3")))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.registries.save(replace(second, slug="shop")))
    changed = replace(second, slug="third", name="Third", public=True, team_ids=("team-1",), updated_at=9)
    shelf.write(lambda tx: tx.registries.save(changed))
    assert shelf.read(lambda tx: tx.registries.find(ORGANIZATION, SECOND)) == changed
    assert shelf.write(lambda tx: tx.registries.end(ORGANIZATION, SHOP, 20))
    assert not shelf.write(lambda tx: tx.registries.end(ORGANIZATION, SHOP, 21))
    assert shelf.read(lambda tx: tx.registries.find(ORGANIZATION, SHOP)) is None
    assert shelf.read(lambda tx: tx.registries.by_slug(ORGANIZATION, "shop")) is None
    assert shelf.read(lambda tx: tx.registries.find(OTHER, SHOP)) == foreign
    put(shelf, registry(id=RegistryId("registry-3")))  # the name is free again


def test_bytes_are_counted_up_to_a_limit_and_given_back(shelf: Shelf) -> None:
    put(shelf, registry(), package(1), file(1))
    assert shelf.write(lambda tx: tx.registries.grow(ORGANIZATION, SHOP, 10, 10))
    assert not shelf.write(lambda tx: tx.registries.grow(ORGANIZATION, SHOP, 1, 10))
    assert not shelf.write(lambda tx: tx.registries.grow(ORGANIZATION, SECOND, 1, 10))
    assert shelf.write(lambda tx: tx.packages.end(ORGANIZATION, PackageId("package-1"), 20))
    (doomed,) = shelf.read(lambda tx: tx.packages.doomed(10))
    assert (doomed.id, doomed.deleted_at) == ("file-1", 20)
    for _ in range(2):  # repeated, it gives nothing more back
        shelf.write(lambda tx: tx.packages.purge(ORGANIZATION, doomed.id, 30))
    assert shelf.read(lambda tx: tx.packages.doomed(10)) == []
    found = shelf.read(lambda tx: tx.registries.find(ORGANIZATION, SHOP))
    assert found is not None
    assert found.size == 0


def test_packages_and_files_are_found_in_their_registry_alone(shelf: Shelf) -> None:
    other = package(4, registry_id=SECOND, version="1.1")
    rows = [package(1), package(2), package(3, project="aged", version="1.1"), other]
    put(shelf, *rows, file(1), file(2), file(3, registry_id=SECOND, package_id=other.id))
    first, second, third, _ = rows
    no_id = PackageId("")
    read = shelf.read
    assert read(lambda tx: tx.packages.find(ORGANIZATION, first.id)) == first
    assert read(lambda tx: tx.packages.by_version(ORGANIZATION, SHOP, "tiny", "1.2")) == second
    assert read(lambda tx: tx.packages.before(ORGANIZATION, SHOP, no_id, 2)) == [third, second]
    assert read(lambda tx: tx.packages.before(ORGANIZATION, SHOP, second.id, 2)) == [first]
    assert read(lambda tx: tx.packages.after(ORGANIZATION, SHOP, first.id, 1)) == [second]
    assert read(lambda tx: tx.packages.count(ORGANIZATION, SHOP)) == 3
    assert read(lambda tx: tx.packages.projects(ORGANIZATION, SHOP, 10)) == ["aged", "tiny"]
    assert read(lambda tx: tx.packages.versions(ORGANIZATION, SHOP, "tiny", 10)) == ["1.1", "1.2"]
    assert read(lambda tx: tx.packages.files_of_project(ORGANIZATION, SHOP, "tiny", 10)) == [file(1), file(2)]
    assert read(lambda tx: tx.packages.files_of(ORGANIZATION, first.id)) == [file(1), file(2)]
    assert read(lambda tx: tx.packages.file(ORGANIZATION, file(1).id)) == file(1)
    assert read(lambda tx: tx.packages.file(OTHER, file(1).id)) is None
    with pytest.raises(Duplicate):
        put(shelf, package(5, version="1.1"))
    with pytest.raises(Duplicate):
        put(shelf, file(4, filename="tiny-1.whl"))
    assert shelf.write(lambda tx: tx.packages.end(ORGANIZATION, first.id, 20))
    assert read(lambda tx: tx.packages.find(ORGANIZATION, first.id)) is None
    assert read(lambda tx: tx.packages.files_of(ORGANIZATION, first.id)) == []
    put(shelf, package(5, version="1.1"))
    with pytest.raises(Duplicate):  # a file's name is taken for good
        put(shelf, file(4, filename="tiny-1.whl"))
    named = read(lambda tx: tx.packages.file_named(ORGANIZATION, SHOP, "tiny-1.whl"))
    assert named is not None
    assert named.deleted_at == 20
    put(shelf, registry())
    assert shelf.write(lambda tx: tx.registries.end(ORGANIZATION, SHOP, 40))
    assert read(lambda tx: tx.packages.projects(ORGANIZATION, SHOP, 10)) == []
    assert read(lambda tx: tx.packages.find(ORGANIZATION, other.id)) == other


def test_live_tokens_of_a_registry_are_found(shelf: Shelf) -> None:
    def token(number: int, **changes: Any) -> Any:
        given = {"id": TokenId(f"token-{number}"), "digest": bytes([number]) * 32, "expires_at": 0}
        return make.token(**given | {"resource_id": ResourceId(SHOP)} | changes)

    rows = [
        token(1),
        token(2, expires_at=100),
        token(3, expires_at=99),
        token(4, state=State.REVOKED),
        token(5, resource_id=ResourceId(SECOND)),
    ]

    async def add(tx: Transaction) -> None:
        for row in rows:
            await tx.tokens.add(row)

    shelf.write(add)
    assert shelf.read(lambda tx: tx.registries.live_tokens(ORGANIZATION, SHOP, 99)) == rows[:2]
