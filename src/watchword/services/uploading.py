"""Uploading: steps that a running job adds to its build (contract agent-api §2.8).

Uploaded steps stand right behind the job's own step, so that waits further down wait for them too; the steps
of a second upload stand before those of the first. Large uploads are taken at once and worked off in the
background, in the order of their coming.
"""

import json
from collections import deque
from dataclasses import dataclass, field

from watchword.domain.buildsteps import BuildStep, Upload, UploadState
from watchword.domain.errors import Conflict, Invalid, NotFound, WatchwordError
from watchword.domain.events import Action, Actor
from watchword.domain.pipelines import Build, Job, JobState
from watchword.domain.stepreading import read_document
from watchword.domain.steps import Document
from watchword.services.context import Caller, Context
from watchword.services.making import Maker, ground_of
from watchword.services.scheduling import Moved, Scheduler
from watchword.store.base import Transaction

# An upload with more steps is worked off in the background, where the client knows to ask for the end.
AT_ONCE = 200
_MAX_ID = 255
_NOT_BEGUN = (JobState.WAITING, JobState.LIMITED, JobState.SCHEDULED, JobState.RESERVED)


@dataclass(frozen=True, slots=True)
class PipelineUpload:
    """What a job uploads.

    Attributes:
        id: the client's, the same over the repetitions of one upload.
        pipeline: the decoded document.
        replace: whether the steps that have not begun give way.
        background: whether the client can wait for an end in the background.
    """

    id: str
    pipeline: object
    replace: bool = False
    background: bool = False


@dataclass(slots=True)
class Uploader:
    """Adds steps to the builds of running jobs; `queue` holds what waits in the background."""

    context: Context
    scheduler: Scheduler
    maker: Maker
    queue: deque[Upload] = field(default_factory=deque)

    async def load(self) -> None:
        """Read what waits, at a start."""
        self.queue.extend(await self.context.store.read(lambda tx: tx.steps.pending_uploads()))

    async def upload(self, caller: Caller, job: Job, asked: PipelineUpload) -> UploadState:
        """Add steps to the job's build; an upload that is known changes nothing.

        Returns:
            Applied, or pending where it is worked off in the background.

        Raises:
            Invalid: a step is not acceptable; the message names it and its key.
            Conflict: the build was cancelled.
        """
        if not 1 <= len(asked.id) <= _MAX_ID:
            raise Invalid("An upload has a uuid of its own.", code="invalid_upload")
        document = read_document(asked.pipeline)
        later = asked.background and len(document.steps) > AT_ONCE
        upload = Upload(
            job.organization_id,
            job.id,
            asked.id,
            UploadState.PENDING if later else UploadState.APPLIED,
            "",
            json.dumps(asked.pipeline) if later else "",
            asked.replace,
            self.context.clock.now(),
        )

        async def work(tx: Transaction) -> tuple[Upload, Moved | None]:
            build = await self._build_in(tx, job)
            if not await tx.steps.add_upload(upload):
                return await tx.steps.upload(job.organization_id, job.id, asked.id) or upload, None
            if later:
                return upload, None
            return upload, await self._apply_in(tx, caller, build, job, document, upload)

        kept, moved = await self.context.store.write(work)
        if moved is not None:
            self.scheduler.settle(moved)
        elif later and kept is upload:
            self.queue.append(upload)
        return kept.state

    async def state(self, job: Job, upload_id: str) -> Upload:
        """Where an upload stands.

        Raises:
            NotFound: the job has none of this id.
        """
        found = await self.context.store.read(
            lambda tx: tx.steps.upload(job.organization_id, job.id, upload_id)
        )
        if found is None:
            raise NotFound("No upload found")
        return found

    async def work_off(self) -> None:
        """Work off what waits in the background; each ends applied or rejected."""
        while self.queue:
            upload = self.queue[0]
            await self._work_off(upload)
            self.queue.popleft()

    async def _work_off(self, upload: Upload) -> None:
        caller = Caller(Actor("job", upload.job_id))

        async def work(tx: Transaction) -> Moved:
            job = await tx.builds.job(upload.organization_id, upload.job_id)
            if job is None or not job.state.held:
                raise Conflict("The job that uploaded it has ended.", code="job_ended")
            build = await self._build_in(tx, job)
            if not await tx.steps.set_upload(upload, UploadState.APPLIED, ""):
                return Moved()
            document = read_document(json.loads(upload.document))
            return await self._apply_in(tx, caller, build, job, document, upload)

        try:
            self.scheduler.settle(await self.context.store.write(work))
        except (Invalid, Conflict, NotFound) as error:
            await self._reject(upload, error)

    async def _reject(self, upload: Upload, error: WatchwordError) -> None:
        message = error.message

        async def work(tx: Transaction) -> bool:
            return await tx.steps.set_upload(upload, UploadState.REJECTED, message)

        await self.context.store.write(work)

    async def _build_in(self, tx: Transaction, job: Job) -> Build:
        build = await tx.builds.enter_build(job.organization_id, job.build_id)
        if build is None:
            raise NotFound("No build found")
        if build.canceled_at or build.state.ended:
            raise Conflict("The build was cancelled; it takes no more steps.", code="build_ended")
        return build

    async def _apply_in(
        self, tx: Transaction, caller: Caller, build: Build, job: Job, document: Document, upload: Upload
    ) -> Moved:
        pipeline = await tx.builds.pipeline(build.organization_id, build.pipeline_id)
        if pipeline is None:
            raise NotFound("No pipeline found")
        rows = list(await tx.steps.of_build(build.organization_id, build.id))
        moved, groups = Moved(), set[str]()
        if upload.replace:
            moved, groups = await self._clear_in(tx, build, job, rows)
        ground = await ground_of(tx, pipeline, build)
        made = await self.maker.add_in(tx, ground, document, after=_place(rows, job), uploader=job)
        moved += await self.scheduler.advance_in(tx, build.organization_id, build.id, groups)
        await self.context.record(
            tx,
            caller,
            Action.STEPS_UPLOADED,
            build.organization_id,
            ("build", build.id),
            {"job_id": job.id, "steps": len(made), "replace": upload.replace},
        )
        return moved

    async def _clear_in(
        self, tx: Transaction, build: Build, job: Job, rows: list[BuildStep]
    ) -> tuple[Moved, set[str]]:
        """Drop the steps that have not begun, but for those that the job stands in."""
        own = next((row for row in rows if row.id == job.step_id), None)
        kept = {own.id, own.group_id} if own is not None else set()
        jobs = await tx.builds.jobs(build.organization_id, build.id)
        dropped: list[Job] = []
        for row in reversed(rows):  # the steps of a group before the group
            theirs = [each for each in jobs if each.step_id == row.id]
            if row.id in kept or row.ended or any(each.state not in _NOT_BEGUN for each in theirs):
                kept.add(row.group_id)
                continue
            gone = [each for each in theirs if await tx.builds.drop_job(each)]
            dropped += gone
            if len(gone) < len(theirs):
                kept.add(row.group_id)
                continue
            await tx.steps.drop(build.organization_id, row.id)
        return Moved(withdrawn=tuple(dropped)), {each.concurrency_group for each in dropped}


def _place(rows: list[BuildStep], job: Job) -> int:
    """Position behind which a job's steps are put: its own step, or the end of the group that holds it."""
    own = next((row for row in rows if row.id == job.step_id), None)
    if own is None:
        return max((row.position for row in rows), default=-1)
    if own.group_id is None:
        return own.position
    inside = [row.position for row in rows if row.group_id == own.group_id]
    return max(inside, default=own.position)
