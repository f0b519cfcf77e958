"""The store's contract: organizations, people, clusters, queues."""

from dataclasses import replace

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import CLUSTER, ORGANIZATION, OTHER, QUEUE, USER
from watchword.domain.accounts import Role
from watchword.domain.ids import ClusterId, QueueId, UserId
from watchword.store.base import Duplicate, Page, Transaction


def test_organizations_are_kept_whole_and_found(shelf: Shelf) -> None:
    first, second = make.organization(), make.organization(id=OTHER, slug="umbrella")
    shelf.write(lambda tx: tx.accounts.add_organization(second))
    shelf.write(lambda tx: tx.accounts.add_organization(first))
    assert shelf.read(lambda tx: tx.accounts.organization(ORGANIZATION)) == first
    assert shelf.read(lambda tx: tx.accounts.organization_by_slug("umbrella")) == second
    assert shelf.read(lambda tx: tx.accounts.organization_by_slug("UMBRELLA")) is None
    assert list(shelf.read(lambda tx: tx.accounts.organizations())) == [first, second]
    shelf.write(lambda tx: tx.accounts.set_default_cluster(OTHER, CLUSTER))
    assert shelf.read(lambda tx: tx.accounts.organization(OTHER)) == replace(
        second, default_cluster_id=CLUSTER
    )
    assert shelf.read(lambda tx: tx.accounts.organization(ORGANIZATION)) == first


def test_a_slug_and_an_address_are_taken_once(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.accounts.add_organization(make.organization()))
    shelf.write(lambda tx: tx.accounts.add_user(make.user()))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.accounts.add_organization(make.organization(id=OTHER)))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.accounts.add_user(make.user(id=UserId("user-2"))))
    assert shelf.read(lambda tx: tx.accounts.organization(OTHER)) is None
    assert shelf.read(lambda tx: tx.accounts.user(UserId("user-2"))) is None


def test_people_and_members_are_kept_whole(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.accounts.add_user(make.user()))
    shelf.write(lambda tx: tx.accounts.add_member(make.member(role=Role.ADMIN)))
    assert shelf.read(lambda tx: tx.accounts.user(USER)) == make.user()
    assert shelf.read(lambda tx: tx.accounts.member(ORGANIZATION, USER)) == make.member(role=Role.ADMIN)
    assert shelf.read(lambda tx: tx.accounts.member(OTHER, USER)) is None
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.accounts.add_member(make.member()))
    shelf.write(lambda tx: tx.accounts.add_member(make.member(organization_id=OTHER)))
    assert shelf.read(lambda tx: tx.accounts.member(ORGANIZATION, USER)) == make.member(role=Role.ADMIN)


def test_clusters_are_listed_oldest_first_and_saved(shelf: Shelf) -> None:
    made = [make.cluster(id=ClusterId(f"cluster-{place}")) for place in (2, 3, 1)]

    async def work(tx: Transaction) -> None:
        for cluster in made:
            await tx.accounts.add_cluster(cluster)
        await tx.accounts.add_cluster(make.cluster(organization_id=OTHER))

    shelf.write(work)
    found = shelf.read(lambda tx: tx.accounts.clusters(ORGANIZATION, Page()))
    assert [cluster.id for cluster in found] == ["cluster-1", "cluster-2", "cluster-3"]
    found = shelf.read(lambda tx: tx.accounts.clusters(ORGANIZATION, Page(1, 1)))
    assert [cluster.id for cluster in found] == ["cluster-2"]
    changed = make.cluster(name="new", description="", emoji="", color="", default_queue_id=QUEUE)
    shelf.write(lambda tx: tx.accounts.save_cluster(changed))
    assert shelf.read(lambda tx: tx.accounts.cluster(ORGANIZATION, CLUSTER)) == changed
    assert shelf.read(lambda tx: tx.accounts.cluster(OTHER, CLUSTER)) == make.cluster(organization_id=OTHER)


def test_queues_are_kept_whole_by_id_and_key(shelf: Shelf) -> None:
    second = make.queue(id=QueueId("queue-2"), key="gpu", dispatch_paused=False)
    elsewhere = make.queue(id=QueueId("queue-3"), cluster_id=ClusterId("cluster-2"))

    async def work(tx: Transaction) -> None:
        for queue in (second, elsewhere, make.queue()):
            await tx.accounts.add_queue(queue)

    shelf.write(work)
    assert shelf.read(lambda tx: tx.accounts.queue(ORGANIZATION, QUEUE)) == make.queue()
    assert shelf.read(lambda tx: tx.accounts.queue(OTHER, QUEUE)) is None
    assert shelf.read(lambda tx: tx.accounts.queue_by_key(ORGANIZATION, CLUSTER, "gpu")) == second
    assert shelf.read(lambda tx: tx.accounts.queue_by_key(ORGANIZATION, CLUSTER, "GPU")) is None
    assert shelf.read(lambda tx: tx.accounts.queue_by_key(OTHER, CLUSTER, "gpu")) is None
    found = shelf.read(lambda tx: tx.accounts.queues(ORGANIZATION, CLUSTER, Page()))
    assert list(found) == [make.queue(), second]
    assert list(shelf.read(lambda tx: tx.accounts.queues(ORGANIZATION, CLUSTER, Page(5, 1)))) == [second]
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.accounts.add_queue(make.queue(id=QueueId("queue-4"), key="gpu")))


def test_a_cluster_is_deleted_with_its_queues_alone(shelf: Shelf) -> None:
    other_cluster = make.cluster(id=ClusterId("cluster-2"))
    other_queue = make.queue(id=QueueId("queue-2"), cluster_id=other_cluster.id)
    foreign = make.queue(organization_id=OTHER)

    async def work(tx: Transaction) -> None:
        await tx.accounts.add_cluster(make.cluster())
        await tx.accounts.add_cluster(other_cluster)
        await tx.accounts.add_cluster(make.cluster(organization_id=OTHER))
        for queue in (make.queue(), other_queue, foreign):
            await tx.accounts.add_queue(queue)

    shelf.write(work)
    shelf.write(lambda tx: tx.accounts.delete_cluster(ORGANIZATION, CLUSTER))
    assert shelf.read(lambda tx: tx.accounts.cluster(ORGANIZATION, CLUSTER)) is None
    assert shelf.read(lambda tx: tx.accounts.queue(ORGANIZATION, QUEUE)) is None
    assert shelf.read(lambda tx: tx.accounts.queue(ORGANIZATION, other_queue.id)) == other_queue
    assert shelf.read(lambda tx: tx.accounts.queue(OTHER, QUEUE)) == foreign
    assert list(shelf.read(lambda tx: tx.accounts.clusters(ORGANIZATION, Page()))) == [other_cluster]


def test_a_queue_is_paused_and_resumed_once(shelf: Shelf) -> None:
    kept = make.queue(dispatch_paused=False)
    elsewhere = make.queue(organization_id=OTHER)
    shelf.write(lambda tx: tx.accounts.add_queue(kept))
    shelf.write(lambda tx: tx.accounts.add_queue(elsewhere))
    assert list(shelf.read(lambda tx: tx.accounts.paused_queues())) == [elsewhere.id]
    assert not shelf.write(lambda tx: tx.accounts.resume_queue(ORGANIZATION, QUEUE))
    assert shelf.write(lambda tx: tx.accounts.pause_queue(ORGANIZATION, QUEUE, 9, USER, "why"))
    assert not shelf.write(lambda tx: tx.accounts.pause_queue(ORGANIZATION, QUEUE, 10, None, "again"))
    assert shelf.read(lambda tx: tx.accounts.queue(ORGANIZATION, QUEUE)) == make.queue(
        dispatch_paused=True, paused_at=9, paused_by=USER, paused_note="why"
    )
    assert len(shelf.read(lambda tx: tx.accounts.paused_queues())) == 2
    assert shelf.write(lambda tx: tx.accounts.resume_queue(ORGANIZATION, QUEUE))
    assert not shelf.write(lambda tx: tx.accounts.resume_queue(ORGANIZATION, QUEUE))
    assert shelf.read(lambda tx: tx.accounts.queue(ORGANIZATION, QUEUE)) == kept
    assert shelf.read(lambda tx: tx.accounts.queue(OTHER, QUEUE)) == elsewhere
