"""The store's contract: pipelines, builds and jobs."""

from dataclasses import replace

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import AGENT, BUILD, JOB, ORGANIZATION, OTHER, PIPELINE, QUEUE
from watchword.domain.ids import BuildId, JobId, OrganizationId, PipelineId, QueueId
from watchword.domain.pipelines import BuildState, Job, JobState
from watchword.store.base import Duplicate, Page, Transaction

HELD = (JobState.ACCEPTED, JobState.RUNNING, JobState.CANCELING, JobState.TIMING_OUT)


def find(shelf: Shelf) -> Job | None:
    return shelf.read(lambda tx: tx.builds.job(ORGANIZATION, JOB))


def test_pipelines_are_kept_whole_and_slugs_taken_once(shelf: Shelf) -> None:
    second = make.pipeline(id=PipelineId("pipeline-0"), slug="lib", cluster_id=None, created_by=None)
    shelf.write(lambda tx: tx.builds.add_pipeline(make.pipeline()))
    shelf.write(lambda tx: tx.builds.add_pipeline(second))
    shelf.write(lambda tx: tx.builds.add_pipeline(make.pipeline(organization_id=OTHER)))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.builds.add_pipeline(make.pipeline(id=PipelineId("pipeline-2"))))
    assert shelf.read(lambda tx: tx.builds.pipeline(ORGANIZATION, PIPELINE)) == make.pipeline()
    assert shelf.read(lambda tx: tx.builds.pipeline_by_slug(ORGANIZATION, "lib")) == second
    assert shelf.read(lambda tx: tx.builds.pipeline_by_slug(OTHER, "lib")) is None
    found = shelf.read(lambda tx: tx.builds.pipelines(ORGANIZATION, Page()))
    assert list(found) == [second, make.pipeline()]
    assert list(shelf.read(lambda tx: tx.builds.pipelines(ORGANIZATION, Page(1, 1)))) == [make.pipeline()]


def test_build_numbers_count_up_by_pipeline(shelf: Shelf) -> None:
    def take(organization_id: str = ORGANIZATION, pipeline_id: str = PIPELINE) -> int:
        async def work(tx: Transaction) -> int:
            return await tx.builds.next_build_number(OrganizationId(organization_id), PipelineId(pipeline_id))

        return shelf.write(work)

    assert [take(), take(), take()] == [1, 2, 3]
    assert take(pipeline_id="another") == 1
    assert take(OTHER) == 1
    assert take() == 4


def test_a_number_of_a_unit_that_failed_is_taken_again(shelf: Shelf) -> None:
    async def fails(tx: Transaction) -> None:
        await tx.builds.next_build_number(ORGANIZATION, PIPELINE)
        raise LookupError

    with pytest.raises(LookupError):
        shelf.write(fails)
    assert shelf.write(lambda tx: tx.builds.next_build_number(ORGANIZATION, PIPELINE)) == 1


def test_builds_are_kept_whole_and_listed_newest_first(shelf: Shelf) -> None:
    second = make.build(id=BuildId("build-2"), number=2, env={})
    elsewhere = make.build(id=BuildId("build-3"), pipeline_id=PipelineId("another"))

    async def work(tx: Transaction) -> None:
        for build in (make.build(), elsewhere, second, make.build(organization_id=OTHER)):
            await tx.builds.add_build(build)

    shelf.write(work)
    assert shelf.read(lambda tx: tx.builds.build(ORGANIZATION, BUILD)) == make.build()
    assert shelf.read(lambda tx: tx.builds.build(OTHER, second.id)) is None
    assert shelf.read(lambda tx: tx.builds.build_by_number(ORGANIZATION, PIPELINE, 2)) == second
    assert shelf.read(lambda tx: tx.builds.build_by_number(ORGANIZATION, PIPELINE, 3)) is None
    found = shelf.read(lambda tx: tx.builds.builds(ORGANIZATION, None, Page()))
    assert list(found) == [elsewhere, second, make.build()]
    found = shelf.read(lambda tx: tx.builds.builds(ORGANIZATION, PIPELINE, Page(1, 1)))
    assert list(found) == [make.build()]


def test_a_build_keeps_the_time_at_which_a_state_was_first_reached(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.builds.add_build(make.build()))
    times = []
    for at, state in [
        (10, BuildState.RUNNING),
        (11, BuildState.SCHEDULED),
        (12, BuildState.RUNNING),
        (13, BuildState.CANCELING),
        (14, BuildState.CANCELED),
        (15, BuildState.FAILED),
    ]:

        async def work(tx: Transaction, state: BuildState = state, at: int = at) -> None:
            await tx.builds.set_build_state(ORGANIZATION, BUILD, state, at)
            await tx.builds.set_build_state(OTHER, BUILD, state, at)

        shelf.write(work)
        build = shelf.read(lambda tx: tx.builds.build(ORGANIZATION, BUILD))
        assert build is not None
        assert build.state is state
        times.append((build.started_at, build.finished_at))
    assert times == [(10, 0), (10, 0), (10, 0), (10, 0), (10, 14), (10, 14)]


@pytest.mark.parametrize("state", [BuildState.PASSED, BuildState.FAILED, BuildState.CANCELED])
def test_a_build_that_ends_at_once_has_both_times(shelf: Shelf, state: BuildState) -> None:
    shelf.write(lambda tx: tx.builds.add_build(make.build()))
    shelf.write(lambda tx: tx.builds.set_build_state(ORGANIZATION, BUILD, state, 9))
    assert shelf.read(lambda tx: tx.builds.build(ORGANIZATION, BUILD)) == make.build(
        state=state, started_at=9, finished_at=9
    )


def test_jobs_are_kept_whole_in_order(shelf: Shelf) -> None:
    second = make.job(id=JobId("job-2"), cluster_id=None, queue_id=None, env={}, rules=())
    elsewhere = make.job(id=JobId("job-3"), build_id=BuildId("build-2"))

    async def work(tx: Transaction) -> None:
        for job in (second, elsewhere, make.job()):
            await tx.builds.add_job(job)

    shelf.write(work)
    assert find(shelf) == make.job()
    assert shelf.read(lambda tx: tx.builds.job(OTHER, JOB)) is None
    assert list(shelf.read(lambda tx: tx.builds.jobs(ORGANIZATION, BUILD))) == [make.job(), second]
    with pytest.raises(Duplicate):  # an agent names a job by its id alone
        shelf.write(lambda tx: tx.builds.add_job(make.job(organization_id=OTHER)))


def test_open_jobs_are_those_of_all_organizations_that_have_not_ended(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for place, state in enumerate(JobState):
            await tx.builds.add_job(make.job(id=JobId(f"job-{place:02}"), state=state))
        await tx.builds.add_job(make.job(id=JobId("job-99"), organization_id=OTHER))

    shelf.write(work)
    found = shelf.read(lambda tx: tx.builds.open_jobs())
    still = [f"job-{place:02}" for place, state in enumerate(JobState) if not state.ended]
    assert [job.id for job in found] == [*still, "job-99"]
    assert len(still) == 8


@pytest.mark.parametrize("state", list(JobState))
def test_a_scheduled_or_reserved_job_alone_is_accepted(shelf: Shelf, state: JobState) -> None:
    kept = make.job(state=state, fence=4)
    shelf.write(lambda tx: tx.builds.add_job(kept))
    scheduled = state in (JobState.SCHEDULED, JobState.RESERVED)
    assert not shelf.write(lambda tx: tx.builds.accept(replace(kept, fence=3), AGENT, 9, 2, 99))
    assert not shelf.write(lambda tx: tx.builds.accept(replace(kept, organization_id=OTHER), AGENT, 9, 2, 99))
    assert shelf.write(lambda tx: tx.builds.accept(kept, AGENT, 9, 2, 99)) is scheduled
    assert not shelf.write(lambda tx: tx.builds.accept(kept, AGENT, 10, 2, 99))
    accepted = make.job(
        state=JobState.ACCEPTED,
        fence=5,
        agent_id=AGENT,
        token_key=2,
        token_issued_at=9,
        token_expires_at=99,
        accepted_at=9,
    )
    assert find(shelf) == (accepted if scheduled else kept)


@pytest.mark.parametrize("state", list(JobState))
def test_an_accepted_job_alone_starts(shelf: Shelf, state: JobState) -> None:
    kept = make.job(state=state, fence=4)
    shelf.write(lambda tx: tx.builds.add_job(kept))
    accepted = state is JobState.ACCEPTED
    assert not shelf.write(lambda tx: tx.builds.start(replace(kept, fence=3), 9))
    assert shelf.write(lambda tx: tx.builds.start(kept, 9)) is accepted
    assert not shelf.write(lambda tx: tx.builds.start(kept, 10))
    assert find(shelf) == (replace(kept, state=JobState.RUNNING, started_at=9) if accepted else kept)


@pytest.mark.parametrize("end", [JobState.FINISHED, JobState.CANCELED])
@pytest.mark.parametrize("state", list(JobState))
def test_a_held_job_alone_finishes_once(shelf: Shelf, state: JobState, end: JobState) -> None:
    kept = make.job(state=state, fence=4, agent_id=AGENT)
    shelf.write(lambda tx: tx.builds.add_job(kept))
    outcome = replace(
        kept, exit_status="-1", signal="SIGTERM", signal_reason="cancel", chunks_failed=2, finished_at=9
    )
    assert not shelf.write(lambda tx: tx.builds.finish(replace(outcome, fence=3), end))
    assert shelf.write(lambda tx: tx.builds.finish(outcome, end)) is (state in HELD)
    assert not shelf.write(lambda tx: tx.builds.finish(replace(outcome, exit_status="0"), end))
    assert find(shelf) == (replace(outcome, state=end) if state in HELD else kept)


@pytest.mark.parametrize("state", list(JobState))
def test_an_accepted_job_alone_is_released(shelf: Shelf, state: JobState) -> None:
    kept = make.job(
        state=state,
        fence=4,
        agent_id=AGENT,
        token_key=2,
        token_issued_at=8,
        token_expires_at=99,
        accepted_at=8,
    )
    shelf.write(lambda tx: tx.builds.add_job(kept))
    accepted = state is JobState.ACCEPTED
    assert not shelf.write(lambda tx: tx.builds.release(replace(kept, fence=3)))
    assert shelf.write(lambda tx: tx.builds.release(kept)) is accepted
    assert not shelf.write(lambda tx: tx.builds.release(kept))
    found = find(shelf)
    assert found is not None
    if accepted:
        assert (found.state, found.fence, found.agent_id) == (JobState.SCHEDULED, 5, None)
        assert (found.token_issued_at, found.accepted_at) == (0, 0)
    else:
        assert found == kept


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (JobState.SCHEDULED, JobState.CANCELED),
        (JobState.ACCEPTED, JobState.CANCELING),
        (JobState.RUNNING, JobState.CANCELING),
        (JobState.CANCELING, JobState.CANCELING),
        (JobState.TIMING_OUT, JobState.TIMING_OUT),
        (JobState.FINISHED, None),
        (JobState.CANCELED, None),
    ],
)
def test_a_job_is_cancelled_by_its_state(shelf: Shelf, state: JobState, after: JobState | None) -> None:
    kept = make.job(state=state, fence=4, agent_id=AGENT)
    shelf.write(lambda tx: tx.builds.add_job(kept))
    assert shelf.write(lambda tx: tx.builds.cancel(replace(kept, organization_id=OTHER), 8)) is None
    # Whoever cancels may have seen the job in other hands: the fence does not matter.
    assert shelf.write(lambda tx: tx.builds.cancel(replace(kept, fence=1), 9)) is after
    found = find(shelf)
    assert found is not None
    assert found.state is (after or state)
    assert found.fence == 4
    again = shelf.write(lambda tx: tx.builds.cancel(kept, 10))
    assert again is (after if after is not None and after.held else None)
    assert (found.canceling_at == 9) is (after is JobState.CANCELING and state is not after)


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize(("minutes", "late"), [(0, 10**15), (5, -1), (5, 0)])
def test_a_running_job_alone_times_out_once_its_time_is_over(
    shelf: Shelf, state: JobState, minutes: int, late: int
) -> None:
    kept = make.job(state=state, fence=4, started_at=7, timeout_minutes=minutes)
    shelf.write(lambda tx: tx.builds.add_job(kept))
    at = 7 + minutes * 60_000_000 + late
    assert not shelf.write(lambda tx: tx.builds.time_out(replace(kept, fence=3), at))
    over = state is JobState.RUNNING and minutes > 0 and late >= 0
    assert shelf.write(lambda tx: tx.builds.time_out(kept, at)) is over
    assert not (over and shelf.write(lambda tx: tx.builds.time_out(kept, at + 1)))
    assert find(shelf) == (replace(kept, state=JobState.TIMING_OUT, canceling_at=at) if over else kept)


@pytest.mark.parametrize("state", list(JobState))
def test_the_timeout_of_a_job_that_goes_on_changes(shelf: Shelf, state: JobState) -> None:
    kept = make.job(state=state, fence=4, timeout_minutes=5)
    shelf.write(lambda tx: tx.builds.add_job(kept))
    goes_on = state in (JobState.ACCEPTED, JobState.RUNNING)
    assert not shelf.write(lambda tx: tx.builds.set_timeout(replace(kept, fence=3), 9, 5))
    assert shelf.write(lambda tx: tx.builds.set_timeout(kept, 9, 5)) is goes_on
    changed = replace(kept, timeout_minutes=9, initial_timeout_minutes=5)
    assert find(shelf) == (changed if goes_on else kept)


@pytest.mark.parametrize("state", list(JobState))
def test_a_running_job_promises_one_failure(shelf: Shelf, state: JobState) -> None:
    kept = make.job(state=state, fence=4)
    shelf.write(lambda tx: tx.builds.add_job(kept))
    runs = state in (JobState.RUNNING, JobState.CANCELING, JobState.TIMING_OUT)
    assert not shelf.write(lambda tx: tx.builds.promise_failure(replace(kept, fence=3), "2", "why", 9))
    assert shelf.write(lambda tx: tx.builds.promise_failure(kept, "2", "why", 9)) is runs
    assert not shelf.write(lambda tx: tx.builds.promise_failure(kept, "3", "because", 10))
    promised = replace(kept, promised_status="2", promised_reason="why", promised_at=9)
    assert find(shelf) == (promised if runs else kept)


def test_jobs_that_are_held_back_are_counted_by_queue_and_rules(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for place, state in enumerate(JobState):
            await tx.builds.add_job(make.job(id=JobId(f"job-{place}"), state=state))
        loose = make.job(
            id=JobId("loose"), state=JobState.WAITING, cluster_id=None, queue_id=None, rules=("queue=a",)
        )
        await tx.builds.add_job(loose)
        await tx.builds.add_job(make.job(id=JobId("x"), organization_id=OTHER, state=JobState.WAITING))

    shelf.write(work)
    found = shelf.read(lambda tx: tx.builds.count_held_back(ORGANIZATION))
    job = make.job()
    assert sorted(found, key=lambda one: one.jobs) == [
        (None, None, ("queue=a",), 1),
        (job.cluster_id, job.queue_id, job.rules, 2),
    ]
    assert list(shelf.read(lambda tx: tx.builds.count_held_back(OrganizationId("none")))) == []


def claim(shelf: Shelf, queue_id: QueueId | None = QUEUE, *rules: str) -> Job | None:
    asked = rules or make.job().rules
    return shelf.write(lambda tx: tx.builds.claim_next(ORGANIZATION, queue_id, asked, AGENT, 11, 2, 99))


def test_a_claim_takes_the_first_job_of_its_queue_and_rules(shelf: Shelf) -> None:
    waiting = [
        make.job(id=JobId("late"), runnable_at=9),
        make.job(id=JobId("b")),
        make.job(id=JobId("a")),
        make.job(id=JobId("urgent"), priority=9, runnable_at=99, fence=3),
        make.job(id=JobId("elsewhere"), queue_id=QueueId("queue-2"), priority=99),
        make.job(id=JobId("outside"), queue_id=None, priority=99),
        make.job(id=JobId("other rules"), rules=("queue=default",), priority=99),
        make.job(id=JobId("foreign"), organization_id=OTHER, priority=99),
        make.job(id=JobId("running"), state=JobState.RUNNING, priority=99),
        make.job(id=JobId("held back"), state=JobState.LIMITED, priority=99),
    ]

    async def work(tx: Transaction) -> None:
        for job in waiting:
            await tx.builds.add_job(job)

    shelf.write(work)
    first = claim(shelf)
    assert first == replace(
        waiting[3],
        state=JobState.ACCEPTED,
        fence=4,
        agent_id=AGENT,
        token_key=2,
        token_issued_at=11,
        token_expires_at=99,
        accepted_at=11,
    )
    assert shelf.read(lambda tx: tx.builds.job(ORGANIZATION, first.id)) == first
    assert [job.id for job in (claim(shelf), claim(shelf), claim(shelf)) if job] == ["a", "b", "late"]
    assert claim(shelf) is None
    outside = claim(shelf, None)
    assert outside is not None
    assert outside.id == "outside"
    assert claim(shelf, None) is None
    named = claim(shelf, QUEUE, "queue=default")
    assert named is not None
    assert named.id == "other rules"
    assert claim(shelf, QUEUE, "queue=default", "os=linux") is None


def test_a_released_job_is_claimed_again_under_a_higher_fence(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.builds.add_job(make.job()))
    first = claim(shelf)
    assert first is not None
    assert shelf.write(lambda tx: tx.builds.release(first))
    second = claim(shelf)
    assert second is not None
    assert second.fence == first.fence + 2
    assert not shelf.write(lambda tx: tx.builds.finish(first, JobState.FINISHED))
    assert shelf.write(lambda tx: tx.builds.finish(second, JobState.FINISHED))
