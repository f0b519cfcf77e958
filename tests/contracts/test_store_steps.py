"""The store's contract: steps of builds, uploads, and jobs that no agent holds."""

from dataclasses import replace

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import BUILD, JOB, ORGANIZATION, OTHER, PIPELINE, USER
from watchword.domain.buildsteps import BuildStep, Outcome, StepState, Upload, UploadState
from watchword.domain.ids import BuildId, JobId, StepId
from watchword.domain.pipelines import Build, BuildState, Job, JobState
from watchword.domain.steps import Dependency, RetryRule, Step, StepType
from watchword.store.base import Transaction

STEP = StepId("step-1")
WHOLE = Step(
    type=StepType.COMMAND,
    key="k",
    label=make.TEXT,
    depends_on=(Dependency("a", allow_failure=True),),
    command="make",
    env={"A": "1"},
    rules=("queue=default",),
    matrix=({"": "x"}, {"": "y"}),
    matrix_changes={1: {"skip": "true"}},
    retries=(RetryRule(exit_status=(1, 2), limit=3),),
    soft_fail=None,
    plugins=({"docker#v1": {"image": "alpine"}}, "other"),
    document={"command": "make", "plugins": [None, 1.5, True]},
)


def step(**changes: object) -> BuildStep:
    made = BuildStep(ORGANIZATION, STEP, BUILD, 0, None, WHOLE, created_at=7)
    return replace(made, **changes)  # type: ignore[arg-type]


def add_steps(shelf: Shelf, *steps: BuildStep) -> None:
    async def work(tx: Transaction) -> None:
        for one in steps:
            await tx.steps.add(one)

    shelf.write(work)


def add_jobs(shelf: Shelf, *jobs: Job) -> None:
    async def work(tx: Transaction) -> None:
        for one in jobs:
            await tx.builds.add_job(one)

    shelf.write(work)


def the_step(shelf: Shelf) -> BuildStep:
    found = shelf.read(lambda tx: tx.steps.find(ORGANIZATION, STEP))
    assert found is not None
    return found


def the_job(shelf: Shelf) -> Job:
    found = shelf.read(lambda tx: tx.builds.job(ORGANIZATION, JOB))
    assert found is not None
    return found


def the_build(shelf: Shelf) -> Build:
    found = shelf.read(lambda tx: tx.builds.build(ORGANIZATION, BUILD))
    assert found is not None
    return found


def test_steps_are_kept_whole_in_order(shelf: Shelf) -> None:
    second = step(id=StepId("step-0"), position=1, group_id=STEP, uploaded_by=JOB, edits=("a",))
    add_steps(shelf, second, step(), step(organization_id=OTHER), step(id=StepId("x"), build_id=BuildId("b")))
    assert the_step(shelf) == step()
    assert list(shelf.read(lambda tx: tx.steps.of_build(ORGANIZATION, BUILD))) == [step(), second]


def test_room_is_made_behind_a_position(shelf: Shelf) -> None:
    add_steps(shelf, *(step(id=StepId(f"step-{at}"), position=at) for at in range(3)))
    add_steps(shelf, step(id=StepId("x"), build_id=BuildId("b"), position=2))
    shelf.write(lambda tx: tx.steps.make_room(ORGANIZATION, BUILD, 0, 5))
    found = shelf.read(lambda tx: tx.steps.of_build(ORGANIZATION, BUILD))
    assert [one.position for one in found] == [0, 6, 7]
    other = shelf.read(lambda tx: tx.steps.of_build(ORGANIZATION, BuildId("b")))
    assert [one.position for one in other] == [2]


def test_a_step_changes_its_state_and_what_it_asks_for(shelf: Shelf) -> None:
    add_steps(shelf, step(), step(organization_id=OTHER))
    shelf.write(lambda tx: tx.steps.set_state(ORGANIZATION, STEP, StepState.ENDED, Outcome.SOFT_FAILED))
    ended = step(state=StepState.ENDED, outcome=Outcome.SOFT_FAILED)
    assert the_step(shelf) == ended
    edited = replace(ended, step=replace(WHOLE, label="new"), edits=("one", "two"))
    shelf.write(lambda tx: tx.steps.edit(edited))
    assert the_step(shelf) == edited
    shelf.write(lambda tx: tx.steps.drop(ORGANIZATION, STEP))
    assert shelf.read(lambda tx: tx.steps.find(ORGANIZATION, STEP)) is None
    assert shelf.read(lambda tx: tx.steps.find(OTHER, STEP)) == step(organization_id=OTHER)


def test_a_step_is_unblocked_once(shelf: Shelf) -> None:
    block = step(step=Step(type=StepType.BLOCK))
    add_steps(shelf, block)
    first = replace(block, unblocked_at=9, unblocked_by=USER, fields={"a": "b"})
    assert shelf.write(lambda tx: tx.steps.unblock(first))
    assert not shelf.write(lambda tx: tx.steps.unblock(replace(first, unblocked_at=10, fields={})))
    assert the_step(shelf) == first


def test_an_upload_is_taken_once_and_settled_once(shelf: Shelf) -> None:
    upload = Upload(
        ORGANIZATION, JOB, "u-1", UploadState.PENDING, "", '{"steps":[]}', replace=True, created_at=7
    )
    assert shelf.write(lambda tx: tx.steps.add_upload(upload))
    assert not shelf.write(lambda tx: tx.steps.add_upload(replace(upload, document="other")))
    assert shelf.write(lambda tx: tx.steps.add_upload(replace(upload, job_id=JobId("job-2"))))
    assert shelf.read(lambda tx: tx.steps.upload(ORGANIZATION, JOB, "u-1")) == upload
    assert len(shelf.read(lambda tx: tx.steps.pending_uploads())) == 2
    assert shelf.write(lambda tx: tx.steps.set_upload(upload, UploadState.REJECTED, "why"))
    assert not shelf.write(lambda tx: tx.steps.set_upload(upload, UploadState.APPLIED, ""))
    found = shelf.read(lambda tx: tx.steps.upload(ORGANIZATION, JOB, "u-1"))
    assert found == replace(upload, state=UploadState.REJECTED, message="why", document="")
    assert len(shelf.read(lambda tx: tx.steps.pending_uploads())) == 1


def test_a_pipeline_is_saved(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.builds.add_pipeline(make.pipeline()))
    changed = replace(
        make.pipeline(), name="n", env={"A": "b"}, default_timeout_minutes=5, maximum_timeout_minutes=9
    )
    shelf.write(lambda tx: tx.builds.save_pipeline(changed))
    assert shelf.read(lambda tx: tx.builds.pipeline(ORGANIZATION, PIPELINE)) == changed


def test_a_build_begins_is_cancelled_and_opened_again(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.builds.add_build(make.build()))
    shelf.write(lambda tx: tx.builds.begin_build(ORGANIZATION, BUILD, 9))
    shelf.write(lambda tx: tx.builds.begin_build(ORGANIZATION, BUILD, 10))
    assert (the_build(shelf).state, the_build(shelf).started_at) == (BuildState.RUNNING, 9)
    shelf.write(lambda tx: tx.builds.set_build_state(ORGANIZATION, BUILD, BuildState.FAILING, 11))
    shelf.write(lambda tx: tx.builds.begin_build(ORGANIZATION, BUILD, 12))
    assert the_build(shelf).state is BuildState.FAILING
    assert shelf.write(lambda tx: tx.builds.cancel_build(ORGANIZATION, BUILD, 13, "why"))
    assert not shelf.write(lambda tx: tx.builds.cancel_build(ORGANIZATION, BUILD, 14, "again"))
    assert (the_build(shelf).canceled_at, the_build(shelf).cancel_reason) == (13, "why")
    shelf.write(lambda tx: tx.builds.reopen_build(ORGANIZATION, BUILD))
    assert (the_build(shelf).canceled_at, the_build(shelf).cancel_reason) == (0, "")


def test_a_blocked_build_shows_what_it_is_told(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.builds.add_build(make.build()))
    shelf.write(lambda tx: tx.builds.set_build_state(ORGANIZATION, BUILD, BuildState.BLOCKED, 9, "failed"))
    entered = shelf.write(lambda tx: tx.builds.enter_build(ORGANIZATION, BUILD))
    assert entered == the_build(shelf)
    assert (the_build(shelf).state, the_build(shelf).blocked_state) == (BuildState.BLOCKED, "failed")
    assert shelf.write(lambda tx: tx.builds.enter_build(OTHER, BUILD)) is None


def test_an_opened_build_has_no_end(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.builds.add_build(make.build()))
    shelf.write(lambda tx: tx.builds.set_build_state(ORGANIZATION, BUILD, BuildState.FAILED, 9))
    shelf.write(lambda tx: tx.builds.set_build_state(ORGANIZATION, BUILD, BuildState.RUNNING, 10))
    assert (the_build(shelf).started_at, the_build(shelf).finished_at) == (9, 0)


@pytest.mark.parametrize("seen", [JobState.WAITING, JobState.LIMITED, JobState.WAITING_FAILED])
@pytest.mark.parametrize("state", list(JobState))
def test_a_job_moves_from_the_state_that_was_seen(shelf: Shelf, seen: JobState, state: JobState) -> None:
    add_jobs(shelf, make.job(state=state, runnable_at=0))
    moved = shelf.write(lambda tx: tx.builds.move_job(make.job(state=seen), JobState.SCHEDULED, 9))
    assert moved is (state is seen)
    expected = (
        make.job(state=JobState.SCHEDULED, runnable_at=9) if moved else make.job(state=state, runnable_at=0)
    )
    assert the_job(shelf) == expected


def test_an_ended_job_has_its_end_until_it_waits_again(shelf: Shelf) -> None:
    add_jobs(shelf, make.job(state=JobState.WAITING))
    shelf.write(lambda tx: tx.builds.move_job(make.job(state=JobState.WAITING), JobState.WAITING_FAILED, 9))
    assert the_job(shelf).finished_at == 9
    assert the_job(shelf).runnable_at == make.job().runnable_at
    shelf.write(lambda tx: tx.builds.move_job(make.job(state=JobState.WAITING_FAILED), JobState.WAITING, 10))
    assert the_job(shelf).finished_at == 0


@pytest.mark.parametrize("state", list(JobState))
def test_a_job_is_edited_until_it_ends(shelf: Shelf, state: JobState) -> None:
    add_jobs(shelf, make.job(state=state))
    edited = make.job(state=state, label="new", priority=-4)
    assert shelf.write(lambda tx: tx.builds.edit_job(edited)) is not state.ended
    assert the_job(shelf) == (make.job(state=state) if state.ended else edited)


def test_a_job_is_replaced_once(shelf: Shelf) -> None:
    add_jobs(shelf, make.job(state=JobState.FINISHED))
    assert shelf.write(lambda tx: tx.builds.replace_job(make.job(), JobId("job-2")))
    assert not shelf.write(lambda tx: tx.builds.replace_job(make.job(), JobId("job-3")))
    assert the_job(shelf).retried_in == "job-2"


@pytest.mark.parametrize("state", list(JobState))
def test_a_job_that_an_agent_had_is_not_dropped(shelf: Shelf, state: JobState) -> None:
    add_jobs(shelf, make.job(state=state))
    free = state in (JobState.WAITING, JobState.LIMITED, JobState.SCHEDULED, JobState.RESERVED)
    assert shelf.write(lambda tx: tx.builds.drop_job(make.job())) is free
    assert (shelf.read(lambda tx: tx.builds.job(ORGANIZATION, JOB)) is None) is free


def test_open_jobs_of_a_group_are_found_in_order(shelf: Shelf) -> None:
    add_jobs(
        shelf,
        make.job(id=JobId("job-3"), concurrency_group="g", state=JobState.LIMITED),
        make.job(id=JobId("job-2"), concurrency_group="g", state=JobState.FINISHED, finished_at=9),
        make.job(id=JobId("job-1"), concurrency_group="g", state=JobState.RUNNING),
        make.job(id=JobId("job-4"), concurrency_group="h"),
        make.job(id=JobId("job-5")),
        make.job(id=JobId("job-6"), concurrency_group="g", organization_id=OTHER),
    )

    async def work(tx: Transaction) -> list[Job]:
        await tx.builds.enter_group(ORGANIZATION, "g")
        return list(await tx.builds.group_jobs(ORGANIZATION, "g"))

    assert [job.id for job in shelf.write(work)] == ["job-1", "job-3"]
    assert [job.id for job in shelf.write(work)] == ["job-1", "job-3"]


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.LIMITED])
def test_a_job_that_waits_is_cancelled_at_once(shelf: Shelf, state: JobState) -> None:
    add_jobs(shelf, make.job(state=state))
    assert shelf.write(lambda tx: tx.builds.cancel(make.job(), 9)) is JobState.CANCELED
    assert the_job(shelf) == make.job(state=JobState.CANCELED, finished_at=9)


def test_the_standings_of_a_build_say_what_its_jobs_say(shelf: Shelf) -> None:
    ended = make.job(
        id=JobId("job-2"),
        state=JobState.FINISHED,
        exit_status="1",
        soft_failed=True,
        retried_in=JobId("job-3"),
    )
    jobs = [make.job(step_id=STEP), ended, make.job(id=JobId("job-3"), step_id=STEP)]
    add_jobs(shelf, *jobs, make.job(id=JobId("job-4"), build_id=BuildId("another")))
    found = shelf.read(lambda tx: tx.builds.standings(ORGANIZATION, BUILD))
    names = ("id", "step_id", "state", "exit_status", "soft_failed", "retried_in", "passed")
    assert [[getattr(one, name) for name in names] for one in found] == [
        [getattr(one, name) for name in names] for one in jobs
    ]
    assert shelf.read(lambda tx: tx.builds.standings(OTHER, BUILD)) == []
