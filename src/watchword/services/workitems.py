"""Work for Dagster agents: queued, handed out once, answered (contract §6).

Memory knows in which lines work waits, so that a poll that finds none touches no database; it is changed by
the notice of the unit that queued it. What is handed out is decided by a conditional write for each piece.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from watchword.domain.deployments import Deployment
from watchword.domain.errors import Invalid, NotFound, TooLarge
from watchword.domain.events import TOPIC_WORK_QUEUED, Notice
from watchword.domain.ids import DeploymentId, OrganizationId, WorkItemId
from watchword.domain.workitems import (
    CHECK_FOR_WORKSPACE_UPDATES,
    EXPIRES_AFTER_US,
    MAX_ARGUMENTS,
    MAX_LIMIT,
    PING_LOCATION,
    USUAL_LIMIT,
    ItemState,
    WorkItem,
    check_api,
    ping_arguments,
)
from watchword.services.context import Context
from watchword.services.dagsterdoor import Guest
from watchword.store.base import Transaction

MAX_ANSWER = 8 * 1024 * 1024
DEFAULT_QUEUE = ""


@dataclass(frozen=True, slots=True)
class Popped:
    """A piece of work in an agent's hands, with the deployment that it belongs to."""

    item: WorkItem
    deployment: Deployment


@dataclass(slots=True)
class _Lines:
    """Where work waits in one organization: a mark by deployment and queue.

    A mark is newer than the last look into its line, or the line had work left then.
    """

    full: dict[tuple[DeploymentId, str], int] = field(default_factory=dict)
    branch: dict[tuple[DeploymentId, str], int] = field(default_factory=dict)


@dataclass(slots=True)
class WorkDesk:
    """Queues work and hands it out."""

    context: Context
    _lines: dict[OrganizationId, _Lines] = field(default_factory=dict)
    _marks: int = 0

    def __post_init__(self) -> None:
        """Hear of work that is queued."""
        self.context.feed.follow(TOPIC_WORK_QUEUED, self._hear)

    async def load(self) -> None:
        """Read at a start where work waits."""
        now = self.context.clock.now()
        for owner, place, branch, queue in await self.context.store.read(lambda tx: tx.work_items.lines(now)):
            self._mark(owner, place, queue, branch=branch)

    def _hear(self, notice: Notice) -> None:
        place, branch, queue = msgspec.json.decode(notice.payload)
        self._mark(notice.organization_id, DeploymentId(place), queue, branch=branch)

    def _mark(self, owner: OrganizationId, place: DeploymentId, queue: str, *, branch: bool) -> None:
        self._marks += 1
        lines = self._lines.setdefault(owner, _Lines())
        (lines.branch if branch else lines.full)[place, queue] = self._marks

    def idle(self, organization_id: OrganizationId) -> bool:
        """Whether no work waits anywhere in an organization."""
        lines = self._lines.get(organization_id)
        return lines is None or not (lines.full or lines.branch)

    async def pop(
        self,
        guest: Guest,
        names: Iterable[str],
        *,
        branches: bool,
        queues: Sequence[str | None] | None = None,
        limit: int | None = None,
    ) -> list[Popped]:
        """Hand out work of deployments that were asked for and that the agent token may serve (§9).

        Args:
            guest: an agent token.
            names: full deployments that are asked for.
            branches: whether work of branch deployments is asked for.
            queues: those that the agent serves, None among them for the default one; every one if absent.
            limit: of each full deployment, and of all branches together.
        """
        lines = self._lines.get(guest.id)
        if lines is None or not (lines.full or lines.branch):
            return []
        served = None if queues is None else {queue or DEFAULT_QUEUE for queue in queues}
        most = min(limit if limit is not None and limit >= 0 else USUAL_LIMIT, MAX_LIMIT)
        found: list[Popped] = []
        for name in dict.fromkeys(names) if lines.full else ():
            deployment = guest.serves(name)
            if deployment is not None and deployment.full:
                found += await self._pop_lines(guest, lines.full, [deployment], served, most)
        if branches and lines.branch and guest.permitted is not None and guest.permitted.any_branch:
            every = [one for one in guest.place.deployments.values() if not one.full]
            found += await self._pop_lines(guest, lines.branch, every, served, most)
        return found

    async def _pop_lines(
        self,
        guest: Guest,
        marks: dict[tuple[DeploymentId, str], int],
        deployments: Sequence[Deployment],
        served: set[str] | None,
        most: int,
    ) -> list[Popped]:
        by_id = {one.id: one for one in deployments}
        found: list[Popped] = []
        for (place, queue), mark in list(marks.items()):
            if place not in by_id or (served is not None and queue not in served) or len(found) >= most:
                continue
            asked = most - len(found)
            items = await self._take(guest, place, queue, asked)
            if len(items) < asked and marks.get((place, queue)) == mark:
                del marks[place, queue]
            found += [Popped(item, by_id[place]) for item in items]
        return found

    async def _take(self, guest: Guest, place: DeploymentId, queue: str, most: int) -> list[WorkItem]:
        """Take work of one line; where somebody else was faster, the line is asked again."""
        token_id = guest.presented.holder.id

        async def work(tx: Transaction) -> list[WorkItem]:
            now = self.context.clock.now()
            taken: list[WorkItem] = []
            while len(taken) < most:
                waiting = await tx.work_items.waiting(guest.id, place, queue, now, most - len(taken))
                if not waiting:
                    break
                taken += [
                    item for item in waiting if await tx.work_items.take(guest.id, item.id, token_id, now)
                ]
            return taken

        return await self.context.store.write(work)

    async def ping(self, deployment: Deployment, location: str) -> WorkItem:
        """Queue the work that asks for nothing but an answer: the probe of a deployment's agent."""
        return await self.context.store.write(
            lambda tx: ping_location_in(self.context, tx, deployment, location)
        )

    async def answered(
        self, guest: Guest, deployment: Deployment, answers: Sequence[tuple[str, str]]
    ) -> list[WorkItem]:
        """Keep answers to work of a deployment, by request id; the work whose answers were news.

        An answer to work of another deployment, or that nobody was handed, is passed over: an agent
        sends it again for ever otherwise.

        Raises:
            TooLarge: an answer is larger than any that is kept.
        """
        if any(len(answer) > MAX_ANSWER for _, answer in answers):
            raise TooLarge(f"An answer takes at most {MAX_ANSWER} bytes.", code="answer_too_large")

        async def work(tx: Transaction) -> list[WorkItem]:
            now = self.context.clock.now()
            kept: list[WorkItem] = []
            for request_id, answer in answers:
                item = await tx.work_items.find(guest.id, WorkItemId(request_id))
                if item is None or item.deployment_id != deployment.id:
                    continue
                if await tx.work_items.answer(guest.id, item.id, answer, now):
                    kept.append(replace(item, state=ItemState.ANSWERED, answer=answer, answered_at=now))
            return kept

        return await self.context.store.write(work)

    async def find(self, organization_id: OrganizationId, item_id: str) -> WorkItem:
        """Work by its id, answered or not.

        Raises:
            NotFound: there is none.
        """

        async def work(tx: Transaction) -> WorkItem:
            item = await tx.work_items.find(organization_id, WorkItemId(item_id))
            if item is None:
                raise NotFound("No work item found")
            return item

        return await self.context.store.read(work)


async def enqueue_in(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    api: str,
    arguments: Any = None,  # noqa: ANN401 - JSON
    *,
    queue: str = DEFAULT_QUEUE,
) -> WorkItem:
    """Queue work for the agents of a deployment; it expires after ten minutes.

    Args:
        context: the ground.
        tx: the unit of work.
        deployment: whose agents are to do it.
        api: the name of what is to be done (`domain.workitems`).
        arguments: class-marked as the client reads them.
        queue: agents' queue; empty for the default one.

    Raises:
        Invalid: the name is none.
        TooLarge: the arguments are.
    """
    now = context.clock.now()
    text = json.dumps(arguments)
    if len(text) > MAX_ARGUMENTS:
        raise TooLarge(f"Arguments take at most {MAX_ARGUMENTS} bytes.", code="arguments_too_large")
    item = WorkItem(
        deployment.organization_id,
        WorkItemId(context.new_id()),
        deployment.id,
        not deployment.full,
        queue,
        check_api(api),
        text,
        ItemState.WAITING,
        now,
        now + EXPIRES_AFTER_US,
    )
    await tx.work_items.add(item)
    payload = json.dumps([item.deployment_id, item.branch, item.queue])
    await tx.audit.post(item.organization_id, TOPIC_WORK_QUEUED, payload, now)
    return item


async def ping_location_in(
    context: Context, tx: Transaction, deployment: Deployment, location: str
) -> WorkItem:
    """Queue a ping of a location; of one that is not known too, whose agent answers a little later (§6).

    Raises:
        Invalid: no location is named.
    """
    if not location:
        raise Invalid("Validation failed: a ping names a location", code="location_missing")
    known = await tx.code_locations.find(deployment.organization_id, deployment.id, location)
    queue = known.queue if known is not None else DEFAULT_QUEUE
    return await enqueue_in(context, tx, deployment, PING_LOCATION, ping_arguments(location), queue=queue)


async def check_for_updates_in(
    context: Context, tx: Transaction, deployment: Deployment, *, queue: str = DEFAULT_QUEUE
) -> WorkItem:
    """Have an agent read a deployment's code locations anew and load those that are outdated."""
    return await enqueue_in(context, tx, deployment, CHECK_FOR_WORKSPACE_UPDATES, queue=queue)
