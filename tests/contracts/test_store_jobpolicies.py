"""The store's contract: what jobs of organizations and pipelines may do, and what a job's token may."""

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import AGENT, ORGANIZATION, OTHER, USER
from watchword.domain.jobpolicies import JobPolicy


def test_a_policy_is_the_default_until_one_is_written(shelf: Shelf) -> None:
    assert shelf.read(lambda tx: tx.job_policies.find(ORGANIZATION, "p")) == JobPolicy(ORGANIZATION, "p")
    assert not shelf.read(lambda tx: tx.job_policies.over(ORGANIZATION, "p"))


def test_a_policy_is_replaced_as_a_whole_and_is_its_organizations_alone(shelf: Shelf) -> None:
    first = JobPolicy(ORGANIZATION, "p", cross_job_writes=False, audiences=("a", "b"), updated_at=7)
    second = JobPolicy(ORGANIZATION, "p", identity=False, updated_at=8, updated_by=USER)
    whole = JobPolicy(ORGANIZATION, audiences=("c",))
    foreign = JobPolicy(OTHER, "p", identity=False)
    for each in (first, second, whole, foreign):
        shelf.write(lambda tx, each=each: tx.job_policies.save(each))  # type: ignore[misc]
    assert shelf.read(lambda tx: tx.job_policies.find(ORGANIZATION, "p")) == second
    assert shelf.read(lambda tx: tx.job_policies.over(ORGANIZATION, "p")) == [whole, second]
    assert shelf.read(lambda tx: tx.job_policies.over(ORGANIZATION, "q")) == [whole]
    assert shelf.read(lambda tx: tx.job_policies.over(OTHER, "p")) == [foreign]


@pytest.mark.parametrize("rights", ["", "run annotate"])
def test_what_an_agent_asks_for_holds_until_the_job_is_given_back(shelf: Shelf, rights: str) -> None:
    job = make.job(rights="run annotate oidc")
    shelf.write(lambda tx: tx.builds.add_job(job))
    assert shelf.write(lambda tx: tx.builds.accept(job, AGENT, 5, 1, 9, rights))
    held = shelf.read(lambda tx: tx.builds.job(ORGANIZATION, job.id))
    assert held is not None
    assert (held.rights, held.agent_rights) == ("run annotate oidc", rights)
    assert shelf.write(lambda tx: tx.builds.release(held))
    waiting = shelf.read(lambda tx: tx.builds.job(ORGANIZATION, job.id))
    assert waiting is not None
    assert (waiting.rights, waiting.agent_rights) == ("run annotate oidc", "")
