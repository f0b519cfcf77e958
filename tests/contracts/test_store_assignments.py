"""The store's contract: a job and an agent with all that surrounds them, in one read."""

from dataclasses import replace

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import AGENT, BUILD, CLUSTER, JOB, ORGANIZATION, OTHER, USER
from watchword.domain.buildsteps import BuildStep
from watchword.domain.ids import AgentId, BuildId, JobId, StepId, UserId
from watchword.domain.steps import Step, StepType
from watchword.store.base import Assignment, Transaction

GATE = BuildStep(
    ORGANIZATION, StepId("gate"), BUILD, 0, None, Step(type=StepType.BLOCK), created_at=1, unblocked_at=5
)
GROUP = BuildStep(ORGANIZATION, StepId("group"), BUILD, 2, None, Step(type=StepType.GROUP), created_at=1)
STEP = BuildStep(
    ORGANIZATION,
    StepId("step"),
    BUILD,
    3,
    GROUP.id,
    Step(type=StepType.COMMAND, command="make"),
    created_at=1,
)


def fill(shelf: Shelf, *steps: BuildStep, **job: object) -> None:
    async def work(tx: Transaction) -> None:
        await tx.accounts.add_organization(make.organization())
        await tx.accounts.add_user(make.user())
        await tx.accounts.add_user(make.user(id=UserId("unblocker"), email="u@example.com"))
        await tx.accounts.add_cluster(make.cluster())
        await tx.builds.add_pipeline(make.pipeline())
        await tx.builds.add_build(make.build(id=BuildId("earlier"), number=1))
        await tx.builds.add_build(make.build(number=2, created_by=USER, rebuilt_from=BuildId("earlier")))
        await tx.fleet.add(make.agent())
        await tx.builds.add_job(make.job(cluster_id=CLUSTER, **job))
        for step in steps:
            await tx.steps.add(step)

    shelf.write(work)


def find(shelf: Shelf, agent: AgentId = AGENT, job: JobId = JOB) -> Assignment | None:
    return shelf.read(lambda tx: tx.assignments.find(ORGANIZATION, agent, job))


def test_everything_around_a_job_comes_in_one_read(shelf: Shelf) -> None:
    gates = (
        replace(GATE, unblocked_by=USER),
        replace(GATE, id=StepId("later"), position=1, unblocked_by=UserId("unblocker")),
        replace(GATE, id=StepId("behind"), position=4, unblocked_by=USER),
    )
    fill(shelf, *gates, GROUP, STEP, step_id=STEP.id)
    found = find(shelf)
    assert found is not None
    assert (found.agent, found.organization) == (make.agent(), make.organization())
    assert found.job == make.job(cluster_id=CLUSTER, step_id=STEP.id)
    assert found.build.number == 2
    assert found.rebuilt_from is not None
    assert found.rebuilt_from.number == 1
    assert (found.pipeline, found.cluster) == (make.pipeline(), make.cluster())
    assert (found.step, found.group) == (STEP, GROUP)
    assert found.creator == make.user()
    assert found.unblocker is not None
    assert found.unblocker.id == "unblocker", "the last block or input before the step counts"


def test_what_a_job_lacks_is_absent(shelf: Shelf) -> None:
    fill(shelf, step_id=None)
    found = find(shelf)
    assert found is not None
    assert (found.step, found.group, found.unblocker) == (None, None, None)


def test_a_block_that_nobody_unblocked_names_nobody(shelf: Shelf) -> None:
    fill(shelf, replace(GATE, unblocked_at=0), STEP, step_id=STEP.id)
    found = find(shelf)
    assert found is not None
    assert found.unblocker is None


def test_an_unknown_or_foreign_half_is_no_assignment(shelf: Shelf) -> None:
    fill(shelf)
    assert find(shelf, agent=AgentId("nobody")) is None
    assert find(shelf, job=JobId("nothing")) is None
    assert shelf.read(lambda tx: tx.assignments.find(OTHER, AGENT, JOB)) is None
