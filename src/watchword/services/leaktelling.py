"""Telling people that tokens leaked: one message a person, however many cases there are.

Cases are read page by page, so that a large report holds nothing up. Then one unit of work notes them as told
and queues the messages: neither happens without the other, so that nobody is told twice and nobody is missed.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from watchword.domain.ids import LeakId, UserId
from watchword.domain.leaks import Leak
from watchword.domain.people import SECOND_US
from watchword.services.context import Context
from watchword.services.leakaudience import Audience, Case
from watchword.services.leakletters import Letter, Told, compose
from watchword.services.mail import queue_mail
from watchword.store.base import Transaction

log = structlog.get_logger("watchword.leaks")

# Cases of one read: few enough that no request waits for it to be felt.
_PAGE = 20
# Cases of one message at most: those that remain have their turn in the next round.
MAX_CASES = 5000
# What one report brings is told together: a round waits until nothing came for so long, though not for ever.
QUIET_US = 2 * SECOND_US
LONGEST_WAIT_US = 30 * SECOND_US


@dataclass(slots=True)
class Teller:
    """Tells people of leaks that they were not told of, or that changed since.

    Attributes:
        waiting_since: since when reports have kept coming in; 0 while none do.
    """

    context: Context
    waiting_since: int = field(default=0)

    async def work_off(self) -> None:
        """One round."""
        await self.tell()

    async def tell(self) -> int:
        """One round; how many messages were queued."""
        untold = await self._untold()
        if not untold:
            self.waiting_since = 0
            return 0
        # A drill tells of nothing that was lost: its messages are its own, and wait for no other.
        drills = [leak for leak in untold if leak.drill]
        real = [leak for leak in untold if not leak.drill]
        queued = await self._tell(drills, drill=True)
        if self._comes_more(real):
            return queued
        self.waiting_since = 0
        return queued + await self._tell(real, drill=False)

    async def _untold(self) -> list[Leak]:
        found: list[Leak] = []
        while len(found) < MAX_CASES:
            start = len(found)
            page = await self.context.store.read(lambda tx: tx.leaks.untold(_PAGE, start))  # noqa: B023
            found += page
            if len(page) < _PAGE:
                break
            await asyncio.sleep(0)
        # Cases that were added between two reads move the others on.
        return list({leak.id: leak for leak in found}.values())

    def _comes_more(self, leaks: Sequence[Leak]) -> bool:
        """Whether a report seems to be under way still."""
        now = self.context.clock.now()
        if not any(leak.last_at > now - QUIET_US for leak in leaks):
            return False
        self.waiting_since = self.waiting_since or now
        return now - self.waiting_since < LONGEST_WAIT_US

    async def _tell(self, leaks: Sequence[Leak], *, drill: bool) -> int:
        cases: list[Case] = []
        for start in range(0, len(leaks), _PAGE):
            some = leaks[start : start + _PAGE]
            cases += await self.context.store.read(
                lambda tx: Audience(tx, self.context.clock.now()).cases(some)  # noqa: B023
            )
            await asyncio.sleep(0)
        if not leaks:
            return 0
        post = await self._compose(cases, drill=drill)

        async def work(tx: Transaction) -> int:
            noted = await tx.leaks.told(leaks)
            if len(noted) == len(leaks):
                return await self._queue_in(tx, post)
            # What has changed since waits for another round; the others are not to wait with it.
            unchanged = [case for case in cases if case.leak.id in noted]
            return await self._queue_in(
                tx, [self._write(told, drill=drill) for told in _by_person(unchanged)]
            )

        queued = await self.context.store.write(work)
        for case in cases:
            if not case.listeners:
                log.error("leak_told_to_nobody", leak=case.leak.id, organization=case.home.slug)
        return queued

    async def _compose(self, cases: Sequence[Case], *, drill: bool) -> list["Post"]:
        """Messages of cases, written before the unit of work that queues them."""
        post = []
        for told in _by_person(cases):
            post.append(self._write(told, drill=drill))
            await asyncio.sleep(0)
        return post

    def _write(self, told: Sequence[Told], *, drill: bool) -> "Post":
        user = told[0][1].user
        key = f"leaks:{user.id}:{_key([case.leak for case, _ in told])}"
        return Post(user.email, key, compose(self.context, told, drill=drill))

    async def _queue_in(self, tx: Transaction, post: Sequence["Post"]) -> int:
        queued = 0
        for one in post:
            queued += await queue_mail(
                self.context, tx, one.email, one.letter.subject, one.letter.text, one.key
            )
        return queued


@dataclass(frozen=True, slots=True)
class Post:
    """A message to one person, with the key that lets it be queued once."""

    email: str
    key: str
    letter: Letter


def _by_person(cases: Sequence[Case]) -> list[list[Told]]:
    found: dict[UserId, list[Told]] = {}
    for case in cases:
        for listener in case.listeners:
            found.setdefault(listener.user.id, []).append((case, listener))
    return list(found.values())


def _key(leaks: Sequence[Leak]) -> str:
    """The same cases in the same state are told once, whatever happens in between."""
    seen: list[tuple[LeakId, int]] = sorted((leak.id, leak.revision) for leak in leaks)
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]
