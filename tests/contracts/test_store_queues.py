"""The store's contract: changes of queues, and cluster secrets."""

from dataclasses import replace
from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import AGENT, CLUSTER, ORGANIZATION, OTHER, QUEUE, TEXT, USER
from watchword.domain.accounts import Affinity
from watchword.domain.fleet import AgentState
from watchword.domain.ids import AgentId, ClusterId, JobId, QueueId, SecretId, UserId
from watchword.domain.pipelines import JobState
from watchword.domain.secrets import ClusterSecret
from watchword.store.base import EVERYTHING, Duplicate, Page, Transaction


def secret(**changes: Any) -> ClusterSecret:
    made = ClusterSecret(
        ORGANIZATION, SecretId("secret-1"), CLUSTER, "KEY", TEXT, "- a: b", b"\x00\xff", 7, USER, 8, None
    )
    return replace(made, **changes)


def test_of_a_queue_only_description_and_affinity_are_written(shelf: Shelf) -> None:
    other = make.queue(id=QueueId("queue-2"), key="other")
    foreign = make.queue(organization_id=OTHER)
    for each in (make.queue(), other, foreign):
        shelf.write(lambda tx, each=each: tx.accounts.add_queue(each))  # type: ignore[misc]
    changed = make.queue(
        description="new", retry_agent_affinity=Affinity.DIFFERENT, key="new", dispatch_paused=False
    )
    shelf.write(lambda tx: tx.queues.save(changed))
    assert shelf.read(lambda tx: tx.accounts.queue(ORGANIZATION, QUEUE)) == make.queue(
        description="new", retry_agent_affinity=Affinity.DIFFERENT
    )
    assert shelf.read(lambda tx: tx.accounts.queue(ORGANIZATION, other.id)) == other
    assert shelf.read(lambda tx: tx.accounts.queue(OTHER, QUEUE)) == foreign


def test_a_queue_is_deleted_once_and_alone(shelf: Shelf) -> None:
    for each in (make.queue(), make.queue(organization_id=OTHER)):
        shelf.write(lambda tx, each=each: tx.accounts.add_queue(each))  # type: ignore[misc]
    assert shelf.write(lambda tx: tx.queues.delete(ORGANIZATION, QUEUE)) is True
    assert shelf.write(lambda tx: tx.queues.delete(ORGANIZATION, QUEUE)) is False
    assert shelf.read(lambda tx: tx.accounts.queue(OTHER, QUEUE)) is not None


def test_live_agents_and_open_jobs_of_a_queue_are_counted(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for place, (state, ended) in enumerate(
            (
                (AgentState.REGISTERED, 0),
                (AgentState.CONNECTED, 0),
                (AgentState.LOST, 9),
                (AgentState.DISCONNECTED, 9),
            )
        ):
            await tx.fleet.add(make.agent(id=AgentId(f"agent-{place}"), state=state, ended_at=ended))
        await tx.fleet.add(make.agent(id=AgentId("elsewhere"), queue_id=QueueId("queue-2")))
        await tx.fleet.add(make.agent(organization_id=OTHER, id=AgentId("foreign")))
        for place, job_state in enumerate((JobState.WAITING, JobState.RUNNING, JobState.FINISHED)):
            await tx.builds.add_job(make.job(id=JobId(f"job-{place}"), state=job_state))
        await tx.builds.add_job(make.job(id=JobId("elsewhere"), queue_id=None))

    shelf.write(work)
    assert shelf.read(lambda tx: tx.queues.agents(ORGANIZATION, QUEUE)) == 2
    assert shelf.read(lambda tx: tx.queues.open_jobs(ORGANIZATION, QUEUE)) == 2
    assert shelf.read(lambda tx: tx.queues.agents(OTHER, QUEUE)) == 1
    assert shelf.read(lambda tx: tx.queues.open_jobs(OTHER, QUEUE)) == 0


def test_the_end_of_an_agents_job_is_noted(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.fleet.add(make.agent(job_id=JobId("job-1"))))
    shelf.write(lambda tx: tx.fleet.take_job(ORGANIZATION, AGENT, 99))
    assert shelf.read(lambda tx: tx.fleet.find(ORGANIZATION, AGENT)) == make.agent(last_job_ended_at=99)


def test_a_secret_is_kept_whole_and_its_key_taken_once_in_a_cluster(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.secrets.add(secret()))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.secrets.add(secret(id=SecretId("secret-2"))))
    shelf.write(lambda tx: tx.secrets.add(secret(id=SecretId("secret-2"), cluster_id=ClusterId("c-2"))))
    shelf.write(lambda tx: tx.secrets.add(secret(organization_id=OTHER, key="OTHER")))
    assert shelf.read(lambda tx: tx.secrets.find(ORGANIZATION, SecretId("secret-1"))) == secret()
    assert shelf.read(lambda tx: tx.secrets.find(ORGANIZATION, SecretId("nothing"))) is None


def test_secrets_are_listed_by_cluster_changed_and_deleted(shelf: Shelf) -> None:
    made = [secret(id=SecretId(f"secret-{place}"), key=f"K{place}") for place in (2, 1, 3)]

    async def work(tx: Transaction) -> None:
        for each in made:
            await tx.secrets.add(each)
        await tx.secrets.add(secret(organization_id=OTHER))
        await tx.secrets.add(secret(id=SecretId("elsewhere"), cluster_id=ClusterId("c-2")))

    shelf.write(work)
    listed = shelf.read(lambda tx: tx.secrets.list(ORGANIZATION, CLUSTER, EVERYTHING))
    assert [each.key for each in listed] == ["K1", "K2", "K3"]
    assert list(shelf.read(lambda tx: tx.secrets.list(ORGANIZATION, CLUSTER, Page(1, 1)))) == [made[0]]
    changed = replace(made[0], description="", policy="", sealed=b"x", updated_at=9, updated_by=UserId("u-2"))
    shelf.write(lambda tx: tx.secrets.save(changed))
    assert shelf.read(lambda tx: tx.secrets.find(ORGANIZATION, made[0].id)) == changed
    assert shelf.write(lambda tx: tx.secrets.delete(ORGANIZATION, made[0].id)) is True
    assert shelf.write(lambda tx: tx.secrets.delete(ORGANIZATION, made[0].id)) is False
    shelf.write(lambda tx: tx.secrets.delete_of_cluster(ORGANIZATION, CLUSTER))
    assert list(shelf.read(lambda tx: tx.secrets.list(ORGANIZATION, CLUSTER, EVERYTHING))) == []
    assert shelf.read(lambda tx: tx.secrets.find(ORGANIZATION, SecretId("elsewhere"))) is not None
    assert shelf.read(lambda tx: tx.secrets.find(OTHER, SecretId("secret-1"))) is not None


def test_a_secret_is_found_by_its_key_in_any_case_and_its_reading_noted(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.secrets.add(secret(key="Deploy_Key")))
    shelf.write(lambda tx: tx.secrets.add(secret(id=SecretId("secret-2"), key="DEPLOY_KEY")))  # of old
    shelf.write(
        lambda tx: tx.secrets.add(secret(organization_id=OTHER, id=SecretId("secret-0"), key="ALIEN"))
    )
    found = shelf.read(lambda tx: tx.secrets.by_key(ORGANIZATION, CLUSTER, "deploy_KEY"))
    assert found == secret(key="Deploy_Key")
    for cluster, key in ((CLUSTER, "ALIEN"), (ClusterId("c-2"), "DEPLOY_KEY"), (CLUSTER, "DEPLOY%")):
        assert shelf.read(lambda tx: tx.secrets.by_key(ORGANIZATION, cluster, key)) is None  # noqa: B023
    assert shelf.write(lambda tx: tx.secrets.note_read(ORGANIZATION, SecretId("secret-1"), 77)) is True
    assert shelf.write(lambda tx: tx.secrets.note_read(ORGANIZATION, SecretId("nothing"), 77)) is False
    read = shelf.read(lambda tx: tx.secrets.find(ORGANIZATION, SecretId("secret-1")))
    assert read == secret(key="Deploy_Key", last_read_at=77)
