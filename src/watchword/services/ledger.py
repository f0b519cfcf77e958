"""Use ledger: counts in memory, written in batches; a crash loses one flush interval, no more."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TypeVar

from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.tallies import refused
from watchword.domain.use import HOUR_US, Refusals, Use
from watchword.services.context import Context
from watchword.store.base import Transaction
from watchword.store.base_hygiene import Holder

MAX_ROWS = 50_000
_MAX_AGENT = 100
_BATCH = 500

UseKey = tuple[str, str, str, str, str, int]
RefusalKey = tuple[str, str, str, int]
K = TypeVar("K")


class Ledger:
    """Notes every accepted and refused use; `flush` is called by a worker, never by a request."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._uses: dict[UseKey, list[int]] = {}
        self._refusals: dict[RefusalKey, list[int]] = {}
        self._one_at_a_time = asyncio.Lock()

    def note(
        self,
        organization_id: str,
        token_id: str,
        address: str | None,
        agent: str,
        version: str,
        now: int,
    ) -> list[int]:
        """Count one use; returns the counter (first, last, count), which a cache may keep for the hour."""
        key = (organization_id, token_id, address or "", agent, version[:_MAX_AGENT], now // HOUR_US)
        counter = self._uses.get(key)
        if counter is None:
            if len(self._uses) >= MAX_ROWS:
                return [now, now, 1]  # bounded: under a flood of new rows detail is lost, not memory
            counter = self._uses[key] = [now, now, 0]
        counter[1] = now
        counter[2] += 1
        return counter

    def refuse(
        self,
        reason: str,
        address: str | None,
        token_id: str,
        now: int,
        organization_id: OrganizationId | None = None,
    ) -> None:
        """Count one refusal; also in the organization's tally, where it is known whose token it was."""
        if organization_id is not None:
            self._context.tally.count(organization_id, refused(reason), now)
        key = (reason, address or "", token_id, now // HOUR_US)
        counter = self._refusals.get(key)
        if counter is None:
            if len(self._refusals) >= MAX_ROWS:
                return
            counter = self._refusals[key] = [now, now, 0]
        counter[1] = now
        counter[2] += 1

    async def flush(self) -> int:
        """Write what was counted since the last flush; returns the number of rows.

        What cannot be written is kept and counted on. A caller that goes away, as a worker that is
        stopped, does not stop the write: the next flush waits for it, so that nothing is counted twice.
        """
        return await asyncio.shield(asyncio.ensure_future(self._flush()))

    async def _flush(self) -> int:
        async with self._one_at_a_time:
            return await self._flush_all()

    async def _flush_all(self) -> int:
        taken = {key: tuple(counter) for key, counter in self._uses.items() if counter[2]}
        denied = {key: tuple(counter) for key, counter in self._refusals.items() if counter[2]}
        for keys in _batches(list(taken)):
            await self._write({key: taken[key] for key in keys}, {})
        for refusals in _batches(list(denied)):
            await self._write({}, {key: denied[key] for key in refusals})
        await self._context.tally.flush(self._context.store)
        self._drop_past_hours()
        return len(taken) + len(denied)

    def _drop_past_hours(self) -> None:
        """Forget rows that nothing is added to any more: else the bound is reached and use is lost."""
        hour = self._context.clock.now() // HOUR_US
        for key in [key for key, counter in self._uses.items() if not counter[2] and key[5] != hour]:
            del self._uses[key]

    async def _write(
        self, taken: dict[UseKey, tuple[int, ...]], denied: dict[RefusalKey, tuple[int, ...]]
    ) -> None:
        """One unit of work: some rows, so that requests' own writes come in between."""
        uses = [
            Use(OrganizationId(key[0]), TokenId(key[1]), key[2], key[3], key[4], key[5], *counter)
            for key, counter in taken.items()
        ]
        refusals = [
            Refusals(reason, address, hour, token_id, *counter)
            for (reason, address, token_id, hour), counter in denied.items()
        ]

        async def work(tx: Transaction) -> None:
            await tx.audit.add_uses(uses)
            await tx.audit.add_refusals(refusals)

        await self._context.store.write(work)
        self._subtract(taken, denied)

    def _subtract(
        self,
        taken: dict[UseKey, tuple[int, ...]],
        denied: dict[RefusalKey, tuple[int, ...]],
    ) -> None:
        """Take what was written off the counters."""
        for key, counter in taken.items():
            self._uses[key][2] -= counter[2]
        for refusal, counter in denied.items():
            left = self._refusals[refusal]
            left[2] -= counter[2]
            if not left[2]:
                del self._refusals[refusal]

    def pending(self, organization_id: OrganizationId, token_id: TokenId) -> list[Use]:
        """Uses of a token that are not written yet, so that "last used" is never behind."""
        return [
            Use(organization_id, token_id, key[2], key[3], key[4], key[5], *counter)
            for key, counter in self._uses.items()
            if key[1] == token_id and key[0] == organization_id and counter[2]
        ]

    async def last_uses(self, holders: Sequence[Holder]) -> dict[Holder, Use]:
        """The latest use of each token that was used, written or not; one statement for all of them."""

        async def work(tx: Transaction) -> dict[Holder, Use]:
            return await self.last_uses_in(tx, holders)

        return await self._context.store.read(work)

    async def last_uses_in(self, tx: Transaction, holders: Sequence[Holder]) -> dict[Holder, Use]:
        """The same, inside a unit of work."""
        asked = frozenset(holders)
        # Before the read: what is written in between is then found twice, and never missed.
        pending = [use for use in self.unwritten() if (use.organization_id, use.token_id) in asked]
        found = dict(await tx.hygiene.last_uses(holders))
        for use in pending:
            holder = use.organization_id, use.token_id
            if holder not in found or found[holder].last_at < use.last_at:
                found[holder] = use
        return found

    def unwritten(self) -> Iterator[Use]:
        """Uses that are not written yet."""
        for key, counter in self._uses.items():
            if counter[2]:
                owner, token_id = OrganizationId(key[0]), TokenId(key[1])
                yield Use(owner, token_id, key[2], key[3], key[4], key[5], *counter)

    def addresses(self, organization_id: OrganizationId) -> dict[str, str]:
        """The address from which each token of an organization was used last, as far as memory goes."""
        latest: dict[str, tuple[int, str]] = {}
        for key, counter in self._uses.items():
            if key[0] == organization_id and counter[1] >= latest.get(key[1], (0, ""))[0]:
                latest[key[1]] = (counter[1], key[2])
        return {token_id: address for token_id, (_, address) in latest.items()}

    async def last_used(self, organization_id: OrganizationId, token_id: TokenId) -> Use | None:
        """The latest use of a token, written or not; None if it was never used."""

        async def work(tx: Transaction) -> Use | None:
            return await tx.audit.last_use(organization_id, token_id)

        written = await self._context.store.read(work)
        found = self.pending(organization_id, token_id) + ([written] if written is not None else [])
        return max(found, key=lambda use: use.last_at, default=None)


def _batches(keys: list[K]) -> Iterator[list[K]]:
    for start in range(0, len(keys), _BATCH):
        yield keys[start : start + _BATCH]
