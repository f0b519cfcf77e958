"""What the workers of the claims harness do, and how they reach a store: their own, or one over a socket."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, Protocol

import msgspec
from sqlalchemy import bindparam, func, select

from watchword.domain.errors import Unavailable
from watchword.domain.ids import AgentId, BuildId, JobId, OrganizationId, QueueId
from watchword.domain.pipelines import Chunk, Job, JobState
from watchword.store.base import Store, Transaction
from watchword.store.engine import Statement, one_of
from watchword.store.mapping import Mapper
from watchword.store.tables import jobs

ORGANIZATIONS = tuple(OrganizationId(f"organization-{number}") for number in range(8))
QUEUE = QueueId("queue")
RULES = ("queue=default",)
# A worker that holds a job for longer is taken for lost.
LOST_SECONDS = 3.0
PAUSE_SECONDS = 5.0
_ADDED_AT_ONCE = 500
_SECOND_US = 1_000_000

# Mapped as the store maps them.
_JOBS = Mapper(jobs, Job)
_HELD = Statement(
    select(*_JOBS.columns).where(
        one_of(jobs.c.state, (JobState.ACCEPTED.value, JobState.RUNNING.value)),
        jobs.c.accepted_at < bindparam("before_"),
    )
)
_OPEN = Statement(
    select(func.count()).where(
        one_of(jobs.c.state, (JobState.SCHEDULED.value, JobState.ACCEPTED.value, JobState.RUNNING.value))
    )
)


def now() -> int:
    return time.time_ns() // 1000


def _job(number: int) -> Job:
    return Job(
        organization_id=ORGANIZATIONS[number % len(ORGANIZATIONS)],
        id=JobId(f"job-{number:08}"),
        build_id=BuildId(f"build-{number // 100}"),
        cluster_id=None,
        queue_id=QUEUE,
        label="",
        step_key="",
        command="true",
        env={},
        rules=RULES,
        state=JobState.SCHEDULED,
        priority=number % 3,
        timeout_minutes=0,
        created_at=1,
        runnable_at=1,
    )


# -- units of work: each takes a transaction and plain values --------------------------------------


async def add(tx: Transaction, first: int, count: int) -> int:
    for number in range(first, first + count):
        await tx.builds.add_job(_job(number))
    return count


async def claim(tx: Transaction, organization_id: str, agent: str, at: int) -> Job | None:
    return await tx.builds.claim_next(
        OrganizationId(organization_id), QUEUE, RULES, AgentId(agent), at, 1, at
    )


async def start(tx: Transaction, job: Job, at: int) -> bool:
    return await tx.builds.start(job, at)


async def finish(tx: Transaction, job: Job, at: int, by: str) -> bool:
    """End a job; its effect is a row under its fence, and a number of its organization."""
    if not await tx.builds.finish(replace(job, exit_status="0", finished_at=at), JobState.FINISHED):
        return False
    effect = Chunk(job.organization_id, job.id, job.fence, 0, len(by), by.encode())
    if not await tx.logs.add_chunk(effect):
        raise AssertionError(f"{job.id} was done twice under fence {job.fence}")
    await tx.audit.next_sequence(job.organization_id)
    return True


async def sweep(tx: Transaction, at: int) -> int:
    """Take jobs from workers that are taken for lost; how many jobs are open still."""
    connection = tx.builds._cx  # type: ignore[attr-defined] # noqa: SLF001 - statements of our own
    before = at - round(LOST_SECONDS * _SECOND_US)
    for row in await connection.all(_HELD, {"before_": before}):
        job = _JOBS.decode(row)
        if job.state is JobState.ACCEPTED:
            await tx.builds.release(job)
        else:
            await finish(tx, job, at, "lost")
    return int((await connection.one(_OPEN, {}))[0])


UNITS: dict[str, Callable[..., Awaitable[Any]]] = {
    unit.__name__: unit for unit in (add, claim, start, finish, sweep)
}


# -- a store, near or far --------------------------------------------------------------------------


class Reach(Protocol):
    """Runs a unit by name."""

    async def call(self, name: str, *values: Any) -> Any: ...


class Near:
    """A store of one's own."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def call(self, name: str, *values: Any) -> Any:
        return await self._store.write(lambda tx: UNITS[name](tx, *values))


class Far:
    """The store of a server process, over a socket; a broken connection is made anew by the next call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, name: str, *values: Any) -> Any:
        try:
            if self._streams is None:
                self._streams = await asyncio.open_unix_connection(self._path)
            reader, writer = self._streams
            writer.write(_packed((name, *values)))
            answer = await _read(reader)
        except (OSError, asyncio.IncompleteReadError) as error:
            self._streams = None
            raise Unavailable("the server is gone") from error
        return msgspec.convert(answer, Job) if isinstance(answer, dict) else answer


def _packed(value: Any) -> bytes:
    content = msgspec.msgpack.encode(value)
    return len(content).to_bytes(4, "big") + content


async def _read(reader: asyncio.StreamReader) -> Any:
    size = int.from_bytes(await reader.readexactly(4), "big")
    return msgspec.msgpack.decode(await reader.readexactly(size))


async def serve(store: Store, path: Path) -> NoReturn:
    """Give a store to those who connect, until the process ends."""
    near = Near(store)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                name, *values = await _read(reader)
                values = [msgspec.convert(one, Job) if isinstance(one, dict) else one for one in values]
                writer.write(_packed(await near.call(name, *values)))
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    await asyncio.start_unix_server(answer, path)
    await asyncio.Event().wait()
    raise AssertionError


# -- processes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Worker:
    """One of many.

    Attributes:
        name: of its effects.
        pauses: how likely it stands still with a job in its hands.
        told: a file to which it appends a letter for each thing that happened.
    """

    name: str
    pauses: float
    told: int

    async def work(self, reach: Reach) -> NoReturn:
        """Claim, start, finish; for ever."""
        chance = random.Random(self.name)
        while True:
            organization_id = chance.choice(ORGANIZATIONS)
            try:
                job = await reach.call("claim", organization_id, self.name, now())
                if job is None:
                    await asyncio.sleep(0.02)
                    continue
                self._tell("claimed")
                self._stand_still(chance)
                began = await reach.call("start", job, now())
                self._stand_still(chance)
                # Whoever was thought lost tries to finish all the same.
                ended = await reach.call("finish", job, now(), self.name)
            except Unavailable:
                self._tell("unavailable")
                await asyncio.sleep(0.1)
                continue
            self._tell("finished" if ended else "refused")
            assert began or not ended, job

    def _stand_still(self, chance: random.Random) -> None:
        if chance.random() < self.pauses / 2:
            self._tell("paused")
            os.kill(os.getpid(), signal.SIGSTOP)

    def _tell(self, what: str) -> None:
        os.write(self.told, what[0].encode())


async def keep_sweeping(reach: Reach, left: Path) -> NoReturn:
    """Take jobs from the lost, and write down how many jobs are left."""
    while True:
        await asyncio.sleep(0.5)
        try:
            count = await reach.call("sweep", now())
        except Unavailable:
            continue
        fresh = left.with_suffix(".new")
        fresh.write_text(str(count))
        fresh.rename(left)


async def fill(reach: Reach, count: int, tell: Callable[[int], object]) -> None:
    """Add the jobs."""
    for first in range(0, count, _ADDED_AT_ONCE):
        tell(await reach.call("add", first, min(_ADDED_AT_ONCE, count - first)))


def faults(rows: Sequence[tuple[str, str, int, int]], count: int) -> list[str]:
    """What is wrong with the jobs and their effects.

    Args:
        rows: id, state, fence and the effect's fence, for each effect of each job; 0 for none.
        count: how many jobs there are.
    """
    found = []
    ids = [row[0] for row in rows]
    if len(set(ids)) != count:
        found.append(f"{count - len(set(ids))} jobs are missing")
    if doubled := len(ids) - len(set(ids)):
        found.append(f"{doubled} jobs were done more than once")
    for id_, state, fence, effect in rows:
        if state != JobState.FINISHED.value:
            found.append(f"{id_} is {state}")
        elif effect != fence:
            found.append(f"{id_} ended under fence {fence}, its effect is of fence {effect}")
    return found
