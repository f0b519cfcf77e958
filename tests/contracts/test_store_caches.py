"""The store's contract: the index of caches."""

from dataclasses import replace

import pytest

from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER
from watchword.domain.caches import CacheEntry, CacheRegistry, EntryState, Sharing
from watchword.domain.ids import CacheEntryId, CacheRegistryId, ClusterId, JobId, PipelineId
from watchword.store.base import EVERYTHING, Duplicate, Page

CLUSTER, REGISTRY = ClusterId("cluster-1"), CacheRegistryId("registry-1")
MADE = CacheRegistry(ORGANIZATION, REGISTRY, CLUSTER, "default", "Default", Sharing.BRANCH, 7, 5, None)
ENTRY = CacheEntry(
    ORGANIZATION,
    CacheEntryId("entry-1"),
    CLUSTER,
    REGISTRY,
    "scope",
    EntryState.PENDING,
    "address",
    "family",
    ("a", "b"),
    '[{"value":"k"}]',
    "[]",
    70,
    "linux/amd64",
    PipelineId("pipeline-1"),
    "main",
    JobId("job-1"),
    10,
    0,
    100,
)


def named(name: str, **changes: object) -> CacheEntry:
    return replace(ENTRY, id=CacheEntryId(name), **changes)  # type: ignore[arg-type]


def test_registries_are_kept_by_cluster_and_slug(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.caches.add_registry(MADE))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.caches.add_registry(replace(MADE, id=CacheRegistryId("registry-2"))))
    for strange in (
        replace(MADE, organization_id=OTHER),
        replace(MADE, id=CacheRegistryId("r-3"), slug="other"),
    ):
        shelf.write(lambda tx: tx.caches.add_registry(strange))  # noqa: B023 - called at once
    assert shelf.read(lambda tx: tx.caches.registry(ORGANIZATION, REGISTRY)) == MADE
    assert shelf.read(lambda tx: tx.caches.registry_by_slug(ORGANIZATION, CLUSTER, "default")) == MADE
    assert (
        shelf.read(lambda tx: tx.caches.registry_by_slug(ORGANIZATION, ClusterId("c-2"), "default")) is None
    )
    assert len(shelf.read(lambda tx: tx.caches.registries(ORGANIZATION, CLUSTER, EVERYTHING))) == 2
    assert list(shelf.read(lambda tx: tx.caches.registries(ORGANIZATION, CLUSTER, Page(1, 0)))) != []
    shelf.write(lambda tx: tx.caches.add_entry(ENTRY))
    assert shelf.write(lambda tx: tx.caches.delete_registry(ORGANIZATION, REGISTRY)) is True
    assert shelf.write(lambda tx: tx.caches.delete_registry(ORGANIZATION, REGISTRY)) is False
    assert shelf.read(lambda tx: tx.caches.entry(ORGANIZATION, ENTRY.id)) is None
    shelf.write(lambda tx: tx.caches.delete_of_cluster(ORGANIZATION, CLUSTER))
    assert list(shelf.read(lambda tx: tx.caches.registries(ORGANIZATION, CLUSTER, EVERYTHING))) == []
    assert shelf.read(lambda tx: tx.caches.registry(OTHER, REGISTRY)) is not None


def test_an_address_is_taken_once_in_a_scope_until_it_expires(shelf: Shelf) -> None:
    entries = (ENTRY, named("entry-2"), named("entry-3", scope="other"), named("entry-4", expires_at=30))
    for each in entries:
        shelf.write(lambda tx: tx.caches.add_entry(each))  # noqa: B023 - called at once
    assert shelf.read(lambda tx: tx.caches.exact(MADE, "scope", "address", 20)) is None
    assert [shelf.write(lambda tx: tx.caches.commit(each, 20, 60)) for each in entries] == [  # noqa: B023
        True,
        False,
        True,
        False,
    ]
    live = replace(ENTRY, state=EntryState.LIVE, used_at=20, expires_at=60)
    assert shelf.read(lambda tx: tx.caches.exact(MADE, "scope", "address", 59)) == live
    assert shelf.read(lambda tx: tx.caches.exact(MADE, "scope", "address", 60)) is None
    assert shelf.write(lambda tx: tx.caches.commit(ENTRY, 20, 60)) is False  # it is live already
    assert shelf.write(lambda tx: tx.caches.commit(entries[1], 60, 90)) is True  # the first has expired
    assert shelf.write(lambda tx: tx.caches.commit(entries[3], 60, 90)) is False  # so has its announcement


def test_the_newest_of_a_family_is_found_and_a_use_puts_the_expiry_off(shelf: Shelf) -> None:
    for each in (ENTRY, named("entry-2", address="second"), named("entry-3", address="third", family="x")):
        shelf.write(lambda tx: tx.caches.add_entry(each))  # noqa: B023 - called at once
        shelf.write(lambda tx: tx.caches.commit(each, 20, 60))  # noqa: B023 - called at once
    found = shelf.read(lambda tx: tx.caches.relative(MADE, "scope", "family", 20))
    assert found is not None
    assert found.id == "entry-2"
    assert shelf.read(lambda tx: tx.caches.relative(MADE, "elsewhere", "family", 20)) is None
    shelf.write(lambda tx: tx.caches.use(found, 50, 110))
    assert [
        each.id for each in shelf.read(lambda tx: tx.caches.entries(ORGANIZATION, REGISTRY, 99, EVERYTHING))
    ] == ["entry-2"]
    assert shelf.read(lambda tx: tx.caches.load(ORGANIZATION, CLUSTER)) == (3, 210)
    assert shelf.read(lambda tx: tx.caches.load(OTHER, CLUSTER)) == (0, 0)
    assert shelf.write(lambda tx: tx.caches.drop_expired(60, 1)) == 1
    assert shelf.write(lambda tx: tx.caches.drop_expired(60, 9)) == 1
    assert shelf.write(lambda tx: tx.caches.expire(ORGANIZATION, found.id)) is True
    assert shelf.write(lambda tx: tx.caches.expire(ORGANIZATION, found.id)) is False
