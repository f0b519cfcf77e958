"""Scheduling: whatever a build's steps and however its jobs end, it moves on rightly and comes to an end."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import store_records as make
from watchword.domain.buildsteps import GATES, WALLS, BuildStep, Outcome, StepState
from watchword.domain.concurrency import admit
from watchword.domain.ids import BuildId, JobId, StepId
from watchword.domain.pipelines import Build, BuildState, Job, JobState
from watchword.domain.scheduling import survey
from watchword.domain.steps import Dependency, Step, StepType

KEYS = [f"k{at}" for at in range(8)]
NEEDS = st.builds(Dependency, st.sampled_from([*KEYS, "missing"]), st.booleans())


@st.composite
def steps(draw: st.DrawFn) -> tuple[Step, ...]:
    """Documents with dependencies forwards, backwards, in circles and on nothing that exists."""
    made: list[Step] = []
    group: int | None = None
    for at in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from([StepType.COMMAND] * 4 + [StepType.WAIT, *GATES, StepType.GROUP]))
        needs = draw(
            st.none()
            | st.lists(
                st.builds(Dependency, st.sampled_from([*KEYS, "missing"]), st.booleans()), max_size=2
            ).map(tuple)
        )
        inside = group if kind is not StepType.GROUP and draw(st.booleans()) else None
        made.append(
            Step(
                type=kind,
                key=KEYS[at],
                group=inside,
                depends_on=needs,
                allow_dependency_failure=draw(st.booleans()),
                continue_on_failure=kind is StepType.WAIT and draw(st.booleans()),
                cancel_on_build_failing=draw(st.integers(0, 5)) == 0,
                parallelism=draw(st.integers(0, 2)) if kind is StepType.COMMAND else 0,
            )
        )
        group = at if kind is StepType.GROUP else (group if inside is not None else None)
    return tuple(made)


class Run:
    """A build that is moved on as the service does, without a database."""

    def __init__(self, document: tuple[Step, ...]) -> None:
        self.build: Build = make.build()
        self.rows = [
            BuildStep(
                self.build.organization_id,
                StepId(f"s{at}"),
                self.build.id,
                at,
                StepId(f"s{step.group}") if step.group is not None else None,
                step,
            )
            for at, step in enumerate(document)
        ]
        self.jobs: dict[JobId, Job] = {}
        for row in self.rows:
            if row.step.type is StepType.COMMAND:
                for _ in range(row.step.parallelism or 1):
                    job = make.job(id=JobId(f"j{len(self.jobs):03}"), step_id=row.id, state=JobState.WAITING)
                    self.jobs[job.id] = job

    def advance(self) -> None:
        before = {row.id: row for row in self.rows}
        plan = survey(self.build, self.rows, list(self.jobs.values()))
        for job_id, state in plan.jobs.items():
            if state is JobState.SCHEDULED:
                self.check_dependencies(self.jobs[job_id], before)
            self.jobs[job_id] = replace(self.jobs[job_id], state=state)
        changes = {change.id: change for change in plan.steps}
        self.rows = [
            replace(row, state=changes[row.id].state, outcome=changes[row.id].outcome)
            if row.id in changes
            else row
            for row in self.rows
        ]
        self.build = replace(self.build, state=plan.state, blocked_state=plan.blocked_state)

    def check_dependencies(self, job: Job, before: dict[StepId, BuildStep]) -> None:
        """Everything that the job's step names has ended, and so has the wall before it."""
        plan = survey(self.build, self.rows, list(self.jobs.values()))
        changes = {change.id: change for change in plan.steps}
        row = next(row for row in self.rows if row.id == job.step_id)

        def ended(other: BuildStep) -> bool:
            found = changes.get(other.id)
            return (found.state if found is not None else other.state) is StepState.ENDED

        by_key = {other.step.key: other for other in self.rows}
        for need in row.step.depends_on or ():
            assert ended(by_key[need.key])
        group = before.get(row.group_id) if row.group_id is not None else None
        for need in (group.step.depends_on or ()) if group is not None else ():
            assert ended(by_key[need.key])
        if row.step.depends_on is None:
            level = [o for o in self.rows if o.group_id == row.group_id and o.position < row.position]
            walls = [o for o in level if o.step.type in WALLS]
            if walls:
                assert ended(walls[-1])

    def running(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.state in (JobState.SCHEDULED, JobState.CANCELING)]

    def end(self, job: Job, *, passed: bool) -> None:
        state = JobState.CANCELED if job.state is JobState.CANCELING else JobState.FINISHED
        self.jobs[job.id] = replace(job, state=state, exit_status="0" if passed else "1")

    def blocked(self) -> list[BuildStep]:
        return [row for row in self.rows if row.blocked]

    def unblock(self, row: BuildStep) -> None:
        self.rows[self.rows.index(row)] = replace(row, unblocked_at=9)


@given(steps(), st.data())
@settings(deadline=None)
def test_every_build_comes_to_an_end_and_no_job_runs_early(
    document: tuple[Step, ...], data: st.DataObject
) -> None:
    run = Run(document)
    for _ in range(100):
        run.advance()
        kept = (run.build, run.rows, dict(run.jobs))
        run.advance()
        assert (run.build, run.rows, run.jobs) == kept  # a second look finds nothing more
        running, blocked = run.running(), run.blocked()
        if not running and not blocked:
            break
        assert not run.build.state.ended
        if running and (not blocked or data.draw(st.booleans())):
            run.end(data.draw(st.sampled_from(running)), passed=data.draw(st.booleans()))
        elif not running:
            assert run.build.state is BuildState.BLOCKED
            run.unblock(data.draw(st.sampled_from(blocked)))
        else:
            run.unblock(data.draw(st.sampled_from(blocked)))
    assert run.build.state.ended
    assert all(job.state.ended for job in run.jobs.values())
    assert all(row.ended for row in run.rows)
    failed = any(row.outcome.failed for row in run.rows)
    assert run.build.state is (BuildState.FAILED if failed else BuildState.PASSED)


@given(steps(), st.data())
@settings(deadline=None)
def test_a_cancelled_build_ends_with_its_last_held_job(
    document: tuple[Step, ...], data: st.DataObject
) -> None:
    run = Run(document)
    run.advance()
    held = [job for job in run.running() if data.draw(st.booleans())]
    for job in held:
        run.jobs[job.id] = replace(job, state=JobState.RUNNING)
    run.build = replace(run.build, canceled_at=9)
    run.advance()
    assert run.build.state is (BuildState.CANCELING if held else BuildState.CANCELED)
    for job in run.running():
        assert job.state is JobState.CANCELING
        run.end(job, passed=data.draw(st.booleans()))
    run.advance()
    assert run.build.state is BuildState.CANCELED
    assert all(job.state.ended for job in run.jobs.values())


GROUP_STATES = (JobState.WAITING, JobState.LIMITED, JobState.SCHEDULED, JobState.RUNNING)


@given(
    st.lists(st.tuples(st.sampled_from(GROUP_STATES), st.integers(0, 2), st.booleans()), max_size=12),
    st.integers(1, 3),
)
def test_a_group_has_never_more_jobs_than_its_limit_and_none_idle(
    rows: list[tuple[JobState, int, bool]], limit: int
) -> None:
    jobs = [
        make.job(
            id=JobId(f"j{at:03}"),
            build_id=BuildId(f"b{build}"),
            state=state,
            concurrency_group="g",
            concurrency_limit=limit,
            concurrency_ordered=ordered,
        )
        for at, (state, build, ordered) in enumerate(rows)
    ]
    placed = [job for job in jobs if job.state in (JobState.SCHEDULED, JobState.RUNNING)]
    admitted = admit(jobs)
    assert all(job.state is JobState.LIMITED for job in admitted)
    assert len(admitted) <= max(0, limit - len(placed))
    left = [job for job in jobs if job.state is JobState.LIMITED and job not in admitted]
    for job in admitted:
        if job.concurrency_ordered:
            older = [other for other in jobs if other.id < job.id]
            assert not [other for other in older if other in left]
            assert not [
                other for other in older if other.state is JobState.WAITING and other.build_id != job.build_id
            ]
    if len(placed) + len(admitted) < limit:
        assert all(job.concurrency_ordered for job in left)
        waits = [job for job in jobs if job.state is JobState.WAITING]
        assert not left or waits


def test_a_missing_key_fails_once_nothing_can_bring_it() -> None:
    run = Run(
        (
            Step(type=StepType.COMMAND, key="a"),
            Step(type=StepType.COMMAND, key="b", depends_on=(Dependency("missing"),)),
        )
    )
    run.advance()
    assert [job.state for job in run.jobs.values()] == [JobState.SCHEDULED, JobState.WAITING]
    run.end(run.running()[0], passed=True)
    run.advance()
    assert [row.outcome for row in run.rows] == [Outcome.PASSED, Outcome.ERRORED]
    assert run.build.state is BuildState.FAILED
