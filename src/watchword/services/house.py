"""Keeping the house: what has ended long enough ago goes, in small pieces, bytes before their records.

Each piece is a unit of its own and finds what is due by what is left, so that a round that is cut off is
gone on with by the next one. Nothing of a build that has not ended is touched.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from watchword.domain.artifacts import Artifact, ArtifactState
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import JobId, OrganizationId, TokenId
from watchword.domain.pipelines import Build, Job
from watchword.domain.tokens import DAY_US
from watchword.domain.use import HOUR_US
from watchword.services.artifacts import end
from watchword.services.context import LOCAL, Caller, Context
from watchword.store.base import Transaction

# Rows of one unit: few enough that no request waits for it to be felt.
_ROWS = 200
# A chunk may hold 100 KiB or more.
_CHUNKS = 25
# The files of one round of an object store.
_FILES = 50
_ABANDONED_US = DAY_US
# Nobody follows the outbox from further back; what it said is in the tables.
_NOTICES_US = 7 * DAY_US
# Charts show thirty days.
_TALLIES_US = 60 * DAY_US
# Reports that were answered, so that the same again changes nothing; an older one is worked off anew, which
# finds its cases as they are.
_REPORTS_US = 400 * DAY_US
_PAUSE_SECONDS = 0.01

Piece = Callable[[], Awaitable[int]]


async def _until_none(piece: Piece) -> None:
    """Do a piece of work again until there was nothing to do, leaving room for requests in between."""
    while await piece():  # noqa: ASYNC110 - waits for nothing, makes room
        await asyncio.sleep(_PAUSE_SECONDS)


@dataclass(slots=True)
class House:
    """Retention's work on one installation."""

    context: Context

    async def keep(self) -> None:
        """One round: everything that is due now."""
        for piece in (
            self._abandoned,
            self._artifacts,
            self._logs,
            self._builds,
            self._pipelines,
            self._agents,
            self._refusals,
            self._notices,
            self._reports,
        ):
            await _until_none(piece)
        await self._uses()
        await self._tallies()
        await self._events()

    def _before(self, name: str) -> int:
        return self.context.installation.retention.before(name, self.context.clock.now())

    async def _abandoned(self) -> int:
        """Files whose job ended without them."""
        before = self.context.clock.now() - _ABANDONED_US
        read = self.context.store.read
        due = await read(lambda tx: tx.house.abandoned_artifacts(before, _FILES))
        return await self._end_artifacts(due, ArtifactState.ERROR)

    async def _artifacts(self) -> int:
        before = self._before("artifacts")
        due = await self.context.store.read(lambda tx: tx.house.due_artifacts(before, _FILES))
        return await self._end_artifacts(due, ArtifactState.EXPIRED)

    async def _end_artifacts(self, due: Sequence[Artifact], state: ArtifactState) -> int:
        """Delete the bytes, then say so in the records."""
        for artifact in due:
            if artifact.ours:
                await self.context.objects.delete(artifact.folder)
        now = self.context.clock.now()

        async def work(tx: Transaction) -> None:
            for artifact in due:
                await end(tx, artifact, state, now)

        if due:
            await self.context.store.write(work)
        return len(due)

    async def _logs(self) -> int:
        before = self._before("logs")
        due = await self.context.store.read(lambda tx: tx.house.due_logs(before, _ROWS))
        for organization_id, job_id in due:
            await self.drop_log(organization_id, job_id)
        return len(due)

    async def delete_log_in(self, tx: Transaction, caller: Caller, job: Job) -> None:
        """Take an ended job's log away from everybody, inside a unit of work; `drop_log` is to follow.

        Raises:
            Conflict: the job may still write to it.
            NotFound: the log is gone already (410).
        """
        if not job.state.ended:
            raise Conflict("Only logs of jobs that have ended can be deleted.", code="job_not_ended")
        if await tx.house.log_ended_at(job.organization_id, job.id):
            raise _gone()
        await tx.house.end_log(job.organization_id, job.id, self.context.clock.now())
        await self.context.record(
            tx, caller, Action.LOG_DELETED, job.organization_id, ("job", job.id), {"size": job.log_size}
        )

    async def drop_log(self, organization_id: OrganizationId, job_id: JobId) -> None:
        """Delete an ended job's log, and leave a mark that it is gone."""
        now = self.context.clock.now()

        async def work(tx: Transaction) -> bool:
            more = await tx.house.drop_chunks(organization_id, job_id, _CHUNKS) == _CHUNKS
            if not more:
                await tx.house.end_log(organization_id, job_id, now)
            return more

        await _until_none(lambda: self.context.store.write(work))

    async def _builds(self) -> int:
        before = self._before("builds")
        due = await self.context.store.read(lambda tx: tx.house.due_builds(before, _FILES))
        dropped = [await self._drop_build(build) for build in due]
        return sum(dropped)  # one that came back to life is not asked for again in this round

    async def _drop_build(self, build: Build) -> bool:
        """Delete a build: its files, its logs, then its rows in one unit."""
        owner = build.organization_id

        async def contents(tx: Transaction) -> tuple[Sequence[Artifact], Sequence[Job]]:
            return await tx.artifacts.of_build(owner, build.id), await tx.builds.jobs(owner, build.id)

        artifacts, jobs = await self.context.store.read(contents)
        kept = [each for each in artifacts if each.state.kept or each.state is ArtifactState.ERROR]
        for start in range(0, len(kept), _FILES):
            await self._end_artifacts(kept[start : start + _FILES], ArtifactState.EXPIRED)
        for job in jobs:
            if job.log_size:
                await self.drop_log(owner, job.id)

        async def work(tx: Transaction) -> bool:
            if not await tx.house.drop_build(build):
                return False
            data = {"pipeline_id": build.pipeline_id, "number": build.number}
            await self.context.record(tx, LOCAL, Action.BUILD_EXPIRED, owner, ("build", build.id), data)
            return True

        return await self.context.store.write(work)

    async def _pipelines(self) -> int:
        """Drop what deleted pipelines leave behind: their builds, then their records."""
        read, write = self.context.store.read, self.context.store.write
        done = 0
        for owner, pipeline_id in await read(lambda tx: tx.pipelines.deleted(_ROWS)):
            due = await read(lambda tx: tx.pipelines.ended_builds(owner, pipeline_id, _FILES))  # noqa: B023
            for build in due:
                done += await self._drop_build(build)
            if len(due) < _FILES:
                done += await write(lambda tx: tx.pipelines.drop(owner, pipeline_id))  # noqa: B023
        return done

    async def _agents(self) -> int:
        before = self._before("agents")
        return await self.context.store.write(lambda tx: tx.house.drop_agents(before, _ROWS))

    async def _refusals(self) -> int:
        before = self._before("uses")
        return await self.context.store.write(lambda tx: tx.house.drop_refusals(before, _ROWS))

    async def _notices(self) -> int:
        before = self.context.clock.now() - _NOTICES_US
        return await self.context.store.write(lambda tx: tx.house.drop_notices(before, _ROWS))

    async def _tallies(self) -> None:
        before = (self.context.clock.now() - _TALLIES_US) // HOUR_US
        for organization in await self.context.store.read(lambda tx: tx.accounts.organizations()):
            await _until_none(partial(self._drop_tallies, organization.id, before))

    async def _drop_tallies(self, owner: OrganizationId, before: int) -> int:
        return await self.context.store.write(lambda tx: tx.tallies.drop(owner, before, _ROWS))

    async def _reports(self) -> int:
        before = self.context.clock.now() - _REPORTS_US
        return await self.context.store.write(lambda tx: tx.leaks.drop_reports(before, _ROWS))

    async def _uses(self) -> None:
        """Walk over all holders; the last use of each token stays."""
        before = self._before("uses")
        last = (OrganizationId(""), TokenId(""))
        while before:
            after = last
            holders = await self.context.store.read(lambda tx: tx.house.use_holders(after, _ROWS))  # noqa: B023
            if not holders:
                return

            async def work(tx: Transaction) -> None:
                for organization_id, token_id in holders:  # noqa: B023 - run before the loop goes on
                    await tx.house.drop_uses(organization_id, token_id, before)

            await self.context.store.write(work)
            last = holders[-1]
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _events(self) -> None:
        """Cut the oldest end off each trail; the trail itself says up to which number."""
        before = self._before("audit")
        if not before:
            return
        for organization in await self.context.store.read(lambda tx: tx.accounts.organizations()):
            await _until_none(partial(self._cut, organization.id, before))

    async def _cut(self, owner: OrganizationId, before: int) -> bool:
        """Cut up to the oldest head, if all that it covers is due: the rest is then checked from there on."""

        async def work(tx: Transaction) -> bool:
            oldest = await tx.trail.at(owner, 0)
            heads = await tx.trail.heads(owner, oldest.sequence - 1, 1) if oldest is not None else ()
            if oldest is None or not heads or heads[0].through >= before:
                return False
            last = heads[0].sequence
            await tx.trail.drop_events(owner, last)
            await tx.trail.drop_heads(owner, last)
            data = {"first": oldest.sequence, "last": last}
            await self.context.record(tx, LOCAL, Action.AUDIT_EXPIRED, owner, ("organization", owner), data)
            return True

        return await self.context.store.write(work)


async def require_log(context: Context, job: Job) -> None:
    """Require that a job's log was not deleted.

    Raises:
        NotFound: it was (410), by retention or by a person.
    """
    if await context.store.read(lambda tx: tx.house.log_ended_at(job.organization_id, job.id)):
        raise _gone()


def _gone() -> NotFound:
    return NotFound("This log has expired and was deleted.", code="log_expired", status=410)
