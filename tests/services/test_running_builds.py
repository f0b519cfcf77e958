"""Builds of steps: what runs when, what is tried again, what jobs and people do to a build on its way."""

from typing import Any

import pytest

from services.scene import Scene
from watchword.domain.buildsteps import BuildStep, UploadState
from watchword.domain.errors import Conflict, Forbidden, Invalid, Malformed, NotFound
from watchword.domain.events import Action
from watchword.domain.pipelines import Build, Job
from watchword.domain.stepreading import read_document
from watchword.services.builds import BuildRequest, create_pipeline
from watchword.services.context import LOCAL
from watchword.services.exchanging import Joined
from watchword.services.scheduling import Moved
from watchword.services.stepping import StepChange
from watchword.services.uploading import AT_ONCE, PipelineUpload
from watchword.store.base import Transaction


class Line:
    """A build of a document, and one agent that works it off."""

    def __init__(self, scene: Scene, document: Any, *, default: int = 0, maximum: int = 0) -> None:
        self.scene = scene
        self.default, self.maximum = default, maximum
        self.build = self.make(document)
        self.agent: Joined = scene.agent()

    def make(self, document: Any) -> Build:
        name = f"app-{self.default}-{self.maximum}"
        scene, authority = self.scene, self.scene.authority

        async def work(tx: Transaction) -> tuple[Build, list[Job]]:
            pipeline = await tx.builds.pipeline_by_slug(scene.organization_id, name)
            if pipeline is None:
                pipeline = await create_pipeline(
                    authority.context,
                    tx,
                    LOCAL,
                    scene.organization_id,
                    name,
                    cluster_id=scene.first.cluster.id,
                    default_timeout_minutes=self.default,
                    maximum_timeout_minutes=self.maximum,
                )
            steps = read_document(document)
            request = BuildRequest(env={"A": "build"})
            return await authority.builder.create_in(
                tx, LOCAL, pipeline, steps, request, scene.first.admin.id
            )

        build, jobs = scene.run(authority.context.store.write(work))
        authority.builder.announce(jobs)
        return build

    def jobs(self) -> list[Job]:
        store = self.scene.authority.context.store
        build = self.build
        return list(self.scene.run(store.read(lambda tx: tx.builds.jobs(build.organization_id, build.id))))

    def rows(self) -> list[BuildStep]:
        store = self.scene.authority.context.store
        build = self.build
        return list(self.scene.run(store.read(lambda tx: tx.steps.of_build(build.organization_id, build.id))))

    def states(self) -> dict[str, str]:
        return {job.command: job.state.value for job in self.jobs()}

    @property
    def state(self) -> str:
        return self.scene.build_state(self.build)

    def next(self) -> Job | None:
        """Start the next job that is offered."""
        job_id = self.scene.ping(self.agent)
        if job_id is None:
            return None
        job = next(job for job in self.jobs() if job.id == job_id)
        taken = self.scene.accept(self.agent, job).job
        self.scene.start(taken)
        return self.scene.job(taken)

    def run(self, exit_status: str = "0") -> str:
        """Run the next job to its end; its command."""
        job = self.next()
        assert job is not None
        self.scene.finish(job, exit_status)
        return job.command

    def run_all(self) -> list[str]:
        ran = []
        while (job := self.next()) is not None:
            self.scene.finish(job)
            ran.append(job.command)
        return ran

    def do(self, work: Any) -> Any:
        """A unit of work of a person, settled."""
        result, moved = self.scene.run(self.scene.authority.context.store.write(work))
        assert isinstance(moved, Moved)
        self.scene.authority.scheduler.settle(moved)
        return result

    def retry(self, job: Job) -> Job:
        attempts = self.scene.authority.attempts
        made: Job = self.do(lambda tx: attempts.retry_in(tx, LOCAL, job))
        return made

    def unblock(self, row: BuildStep, **fields: str) -> None:
        attempts, admin = self.scene.authority.attempts, self.scene.first.admin.id
        self.do(lambda tx: attempts.unblock_in(tx, LOCAL, row, fields, admin))

    def upload(self, job: Job, steps: list[Any], upload_id: str = "u", **named: bool) -> UploadState:
        asked = PipelineUpload(upload_id, {"steps": steps}, **named)
        return self.scene.run(self.scene.authority.uploader.upload(LOCAL, job, asked))


def c(command: str, **more: Any) -> dict[str, Any]:
    return {"command": command, **more}


def test_waits_and_dependencies_hold_jobs_back(scene: Scene) -> None:
    steps = [c("c", depends_on="b"), c("a"), c("b", key="b"), "wait", c("d"), c("e", depends_on=[])]
    line = Line(scene, steps)
    assert line.states() == {
        "a": "scheduled",
        "b": "scheduled",
        "c": "waiting",
        "d": "waiting",
        "e": "scheduled",
    }
    assert line.run_all() == ["a", "b", "c", "d", "e"]
    assert line.state == "passed"


def test_a_failure_ends_what_needs_it_and_a_retry_brings_it_back(scene: Scene) -> None:
    line = Line(scene, [c("a"), "wait", c("b")])
    line.run("1")
    assert line.states() == {"a": "finished", "b": "waiting_failed"}
    assert line.state == "failed"
    again = line.retry(line.jobs()[0])
    assert (again.retries, again.retry_type) == (1, "manual")
    assert line.state == "running"
    assert line.run_all() == ["a", "b"]
    assert line.state == "passed"
    with pytest.raises(Conflict):
        line.retry(line.jobs()[0])


def test_rules_retry_a_job_until_their_limit(scene: Scene) -> None:
    line = Line(scene, [c("a", retry={"automatic": [{"exit_status": 3, "limit": 2}]}), "wait", c("b")])
    assert [line.run("3") for _ in range(3)] == ["a", "a", "a"]
    assert line.next() is None
    assert [job.retries for job in line.jobs() if job.command == "a"] == [0, 1, 2]
    assert line.state == "failed"


def test_a_lost_agent_is_a_reason_to_retry(scene: Scene) -> None:
    line = Line(scene, [c("a", retry={"automatic": [{"exit_status": -1, "limit": 1}]})])
    assert line.next() is not None
    scene.forward(200)
    scene.sweep()
    assert line.state == "running"
    line.agent = scene.agent(name="two")
    assert line.run_all() == ["a"]
    assert line.state == "passed"


def test_a_soft_failure_lets_the_build_pass(scene: Scene) -> None:
    line = Line(scene, [c("a", soft_fail=[{"exit_status": 4}]), "wait", c("b")])
    line.run("4")
    assert line.jobs()[0].soft_failed
    assert line.run_all() == ["b"]
    assert line.state == "passed"


def test_a_block_waits_for_a_person_whose_fields_become_meta_data(scene: Scene) -> None:
    document = [
        c("a"),
        {"block": "Go?", "key": "go", "blocked_state": "failed", "fields": [{"text": "Who", "key": "who"}]},
        c("b"),
    ]
    line = Line(scene, document)
    gate = line.rows()[1]
    with pytest.raises(Conflict):
        line.unblock(gate)
    assert line.run_all() == ["a"]
    assert line.state == "blocked"
    with pytest.raises(Invalid):
        line.unblock(gate)
    with pytest.raises(Malformed):
        line.unblock(line.rows()[0])
    line.unblock(gate, who="me")
    with pytest.raises(Conflict):
        line.unblock(gate, who="you")
    store, build = scene.authority.context.store, line.build
    meta_data = scene.run(store.read(lambda tx: tx.logs.all_meta_data(build.organization_id, build.id)))
    assert list(meta_data) == [("who", "me")]
    assert line.state == "running"
    env = scene.accept(line.agent, line.jobs()[-1]).env
    assert env["BUILDKITE_UNBLOCKER"] == env["BUILDKITE_BUILD_CREATOR"] == "Ada Admin"


def test_a_group_of_builds_runs_one_at_a_time_in_order(scene: Scene) -> None:
    step = c("deploy", concurrency=1, concurrency_group="production")
    first = Line(scene, [c("test"), "wait", step])
    second = Line(scene, [step])
    assert second.states() == {"deploy": "limited"}  # the older build's is not ready, and goes first
    assert first.run() == "test"
    assert first.states()["deploy"] == "scheduled"
    job = first.next()
    assert job is not None
    assert second.next() is None
    scene.finish(job)
    assert second.run_all() == ["deploy"]


def test_a_cancelled_build_gives_its_place_in_the_group_away(scene: Scene) -> None:
    step = c("deploy", concurrency=1, concurrency_group="production")
    first, second = Line(scene, [step]), Line(scene, [step])
    assert second.states() == {"deploy": "limited"}
    scene.run(scene.authority.builder.cancel(LOCAL, first.build))
    assert (first.state, second.states()) == ("canceled", {"deploy": "scheduled"})
    assert second.run_all() == ["deploy"]


def test_matrix_and_parallelism_make_several_jobs_of_a_step(scene: Scene) -> None:
    steps = [
        c("build {{matrix}}", matrix=["x", "y"], env={"V": "{{matrix}}"}, artifact_paths="{{matrix}}/*"),
        c("test", parallelism=2, plugins=["docker#v1"]),
        "wait",
        c("last"),
    ]
    line = Line(scene, steps)
    seen = []
    for _ in range(4):
        job_id = scene.ping(line.agent)
        job = next(job for job in line.jobs() if job.id == job_id)
        taken = scene.accept(line.agent, job)
        env = taken.env
        seen.append(
            (
                env["BUILDKITE_COMMAND"],
                env.get("V"),
                env.get("BUILDKITE_ARTIFACT_PATHS"),
                env.get("BUILDKITE_PARALLEL_JOB"),
                env.get("BUILDKITE_PLUGINS"),
            )
        )
        assert env["BUILDKITE_STEP_ID"] == job.step_id
        assert env["A"] == "build"
        assert all(isinstance(value, str) for value in env.values())
        scene.start(taken.job)
        scene.finish(scene.job(taken.job))
    assert seen == [
        ("build x", "x", "x/*", None, None),
        ("build y", "y", "y/*", None, None),
        ("test", None, None, "0", '["docker#v1"]'),
        ("test", None, None, "1", '["docker#v1"]'),
    ]
    assert line.run_all() == ["last"]


def test_conditions_and_branches_leave_steps_out(scene: Scene) -> None:
    steps = [
        c("a", **{"if": 'build.branch == "other"'}),
        c("b", branches="other"),
        c("s", skip="not now"),
        {"group": "G", "if": "false", "steps": [c("g")]},
        "wait",
        c("last", **{"if": 'build.env("A") == "build"'}),
    ]
    line = Line(scene, steps)
    assert line.states() == {"a": "broken", "b": "broken", "s": "skipped", "g": "broken", "last": "scheduled"}
    assert line.run_all() == ["last"]
    assert line.state == "passed"
    assert Line(scene, [c("a", skip=True)]).state == "not_run"


@pytest.mark.parametrize(
    ("step", "default", "maximum", "expected"),
    [(0, 0, 0, 0), (5, 9, 0, 5), (0, 9, 0, 9), (20, 9, 12, 12), (0, 0, 12, 12)],
)
def test_a_job_has_the_time_of_its_step_or_the_pipeline(
    scene: Scene, step: int, default: int, maximum: int, expected: int
) -> None:
    asked = c("a", timeout_in_minutes=step) if step else c("a")
    line = Line(scene, [asked], default=min(default, maximum or default), maximum=maximum)
    assert line.jobs()[0].timeout_minutes == expected


def test_uploaded_steps_stand_behind_the_job_and_before_the_next_wait(scene: Scene) -> None:
    line = Line(scene, [c("up"), "wait", c("last")])
    job = line.next()
    assert job is not None
    two = c("two", key="two", depends_on="one")
    steps = [c("three", depends_on=["one", "two"]), c("one", key="one"), two]
    assert line.upload(job, steps) is UploadState.APPLIED
    assert line.upload(job, steps) is UploadState.APPLIED  # repeated, it changes nothing
    assert [row.step.command for row in line.rows()] == ["up", "three", "one", "two", "", "last"]
    scene.finish(job)
    assert line.run_all() == ["one", "two", "three", "last"]
    assert line.state == "passed"
    assert len(scene.events(Action.STEPS_UPLOADED)) == 1


def test_a_bad_upload_names_the_step_and_changes_nothing(scene: Scene) -> None:
    line = Line(scene, [c("up", key="up")])
    job = line.next()
    assert job is not None
    for steps, words in (
        ([c("a"), {"comand": "b"}], "Step 2"),
        ([c("a"), c("b", agents=["queue=nowhere"], key="kk")], "Step 2"),
        ([c("a", key="up")], "up"),
    ):
        with pytest.raises(Invalid, match=words):
            line.upload(job, steps)
    assert len(line.rows()) == 1
    scene.run(scene.authority.builder.cancel(LOCAL, line.build))
    with pytest.raises(Conflict):
        line.upload(job, [c("a")])


def test_a_replacing_upload_drops_what_has_not_begun(scene: Scene) -> None:
    line = Line(scene, [c("up"), c("other"), "wait", {"group": "G", "steps": [c("g")]}, c("last")])
    job = line.next()
    assert job is not None
    line.upload(job, [c("new")], replace=True)
    assert [row.step.command for row in line.rows()] == ["up", "new"]
    scene.finish(job)
    assert line.run_all() == ["new"]
    assert line.state == "passed"


def test_a_large_upload_is_worked_off_in_the_background(scene: Scene) -> None:
    line = Line(scene, [c("up")])
    job = line.next()
    assert job is not None
    steps = [c("a", skip=True)] * AT_ONCE + [c("last")]
    uploader = scene.authority.uploader
    assert line.upload(job, steps, background=True) is UploadState.PENDING
    steps = [*steps, c("late", agents=["queue=no"])]
    assert line.upload(job, steps, "v", background=True) is UploadState.PENDING
    scene.world.restart()  # what was taken is not forgotten
    uploader = scene.authority.uploader
    assert scene.run(uploader.state(job, "u")).state is UploadState.PENDING
    scene.run(uploader.work_off())
    assert scene.run(uploader.state(job, "u")).state is UploadState.APPLIED
    rejected = scene.run(uploader.state(job, "v"))
    assert rejected.state is UploadState.REJECTED
    assert f"Step {AT_ONCE + 2}" in rejected.message
    with pytest.raises(NotFound):
        scene.run(uploader.state(job, "w"))
    assert len(line.rows()) == AT_ONCE + 2


def test_a_job_reads_changes_and_cancels_steps_of_its_own_build(scene: Scene) -> None:
    line = Line(scene, [c("a"), c("b", key="b", label="B", depends_on=[]), "wait", c("d")])
    other = Line(scene, [c("x")])
    job = line.next()
    assert job is not None
    stepper, build_id = scene.authority.stepper, line.build.id

    def get(attribute: str, *, as_json: bool = False) -> str:
        return scene.run(stepper.export(job, "b", build_id, attribute, as_json=as_json))

    assert (get("label"), get("state"), get("if"), get("label", as_json=True)) == ("B", "ready", "", '"B"')
    with pytest.raises(Invalid):
        get("nonsense")
    with pytest.raises(Forbidden):
        scene.run(stepper.export(job, "b", other.build.id, "label", as_json=False))
    foreign = other.rows()[0].id
    with pytest.raises(NotFound):
        scene.run(stepper.export(job, foreign, "", "label", as_json=False))
    for change in (StepChange("1", "label", "+", append=True),) * 2:
        scene.run(stepper.update(LOCAL, job, "b", build_id, change))
    assert get("label") == "B+"
    scene.run(stepper.update(LOCAL, job, "b", "", StepChange("2", "priority", "7")))
    assert [one.priority for one in line.jobs() if one.command == "b"] == [7]
    scene.run(stepper.cancel(LOCAL, job, "b", build_id, force_after=None))
    assert line.states()["b"] == "canceled"
    scene.finish(job)
    assert line.state == "failed"


def test_a_rebuild_runs_what_the_build_began_with(scene: Scene) -> None:
    line = Line(scene, [c("up"), {"group": "G", "steps": [c("g")]}])
    job = line.next()
    assert job is not None
    line.upload(job, [c("new")])
    scene.run(scene.authority.builder.cancel(LOCAL, line.build))
    scene.finish(scene.job(job))

    async def work(tx: Transaction) -> tuple[Build, list[Job]]:
        pipeline = await tx.builds.pipeline(scene.organization_id, line.build.pipeline_id)
        assert pipeline is not None
        return await scene.authority.builder.rebuild_in(tx, LOCAL, pipeline, line.build, None)

    again, jobs = scene.run(scene.world.store.write(work))
    assert again.rebuilt_from == line.build.id
    assert [one.command for one in jobs] == ["up", "g"]
