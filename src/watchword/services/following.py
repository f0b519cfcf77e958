"""Following: what happened in an organization, for pages that stay up to date.

One look a second for each organization that somebody watches, however many watch it: the audit trail says
what happened, in commit order and whichever node did it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from dataclasses import dataclass, field

from watchword.domain.ids import OrganizationId
from watchword.services.context import Context
from watchword.store.base import Transaction

LOOK_SECONDS = 1.0
# More than this at once is told as "anything": a page looks anew in any case.
_MAX_EVENTS = 200
# So many looks without news, and listeners hear that nothing happened.
_STILL_HERE = 15
EVERYTHING = "*"


# What a listener is told; None ends it.
Heard = asyncio.Queue[frozenset[str] | None]


@dataclass(slots=True)
class _Watch:
    """One organization that somebody watches."""

    position: int
    listeners: list[Heard] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None
    felt: dict[str, Hashable] = field(default_factory=dict)


@dataclass(slots=True)
class Following:
    """Tells listeners what kinds of things changed.

    Attributes:
        pulses: by kind, what of it lives in memory alone, in short: another answer than before is news.
        pause: seconds between two looks.
        stopped: whether the server is ending.
    """

    context: Context
    pulses: Mapping[str, Callable[[OrganizationId], Hashable]] = field(default_factory=dict)
    pause: float = LOOK_SECONDS
    watched: dict[OrganizationId, _Watch] = field(default_factory=dict)
    stopped: bool = False

    async def changes(
        self, organization_id: OrganizationId, after: int
    ) -> AsyncIterator[tuple[int, frozenset[str]]]:
        """Kinds of subjects of which something happened: `token`, `agent`, `build`; with the position.

        An empty set comes when nothing happened for a while, so that dead connections are noticed.

        Args:
            organization_id: whose trail.
            after: the position that the listener knows; what happened since is told at once, as `*`.
        """
        queue: Heard = asyncio.Queue()
        watch = await self._listen(organization_id, queue)
        try:
            if watch.position > after:
                yield watch.position, frozenset({EVERYTHING})
            while not self.stopped:
                kinds = await self._next(queue)
                if kinds is None:
                    return
                yield watch.position, kinds
        finally:
            self._leave(organization_id, watch, queue)

    async def _next(self, queue: Heard) -> frozenset[str] | None:
        """What the listener has not heard yet, all of it together."""
        try:
            kinds = await asyncio.wait_for(queue.get(), _STILL_HERE * self.pause)
        except TimeoutError:
            return frozenset()
        while kinds is not None and not queue.empty():
            further = queue.get_nowait()
            kinds = None if further is None else kinds | further
        return kinds

    async def _listen(self, organization_id: OrganizationId, queue: Heard) -> _Watch:
        watch = self.watched.get(organization_id)
        if watch is None:
            position = await self.context.store.read(lambda tx: tx.trail.last(organization_id))
            watch = self.watched.setdefault(organization_id, _Watch(position))
        watch.listeners.append(queue)
        if watch.task is None:
            watch.task = asyncio.create_task(self._look(organization_id, watch))
        return watch

    def _leave(self, organization_id: OrganizationId, watch: _Watch, queue: Heard) -> None:
        watch.listeners.remove(queue)
        if not watch.listeners:
            self.watched.pop(organization_id, None)
            if watch.task is not None:
                watch.task.cancel()

    async def _look(self, organization_id: OrganizationId, watch: _Watch) -> None:
        while True:
            await asyncio.sleep(self.pause)
            kinds = await self._happened(organization_id, watch) | self._felt(organization_id, watch)
            if kinds:
                for listener in watch.listeners:
                    listener.put_nowait(kinds)

    def _felt(self, organization_id: OrganizationId, watch: _Watch) -> frozenset[str]:
        """Kinds of what changed in memory since the last look; the first one is the beginning."""
        now = {kind: pulse(organization_id) for kind, pulse in self.pulses.items()}
        changed = frozenset(kind for kind, felt in now.items() if watch.felt.get(kind, felt) != felt)
        watch.felt = now
        return changed

    async def _happened(self, organization_id: OrganizationId, watch: _Watch) -> frozenset[str]:
        """Kinds of what happened since the last look; nothing where the database cannot be asked now."""

        async def work(tx: Transaction) -> frozenset[str]:
            last = await tx.trail.last(organization_id)
            if last <= watch.position:
                return frozenset()
            events = await tx.audit.events(organization_id, watch.position, _MAX_EVENTS)
            watch.position = last
            found = {event.subject_kind for event in events}
            return frozenset(found | {EVERYTHING} if len(events) == _MAX_EVENTS else found)

        try:
            return await self.context.store.read(work)
        except Exception:  # noqa: BLE001 - asked again a second later; pages say when they lost touch
            return frozenset()

    def stop(self) -> None:
        """End all listeners and looks: a server that stops waits for its open answers."""
        self.stopped = True
        for watch in self.watched.values():
            if watch.task is not None:
                watch.task.cancel()
            for listener in watch.listeners:
                listener.put_nowait(None)
