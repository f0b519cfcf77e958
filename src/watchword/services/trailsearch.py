"""Searching a trail: part by part from the newest on, so that others have their turn in between."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchword.domain.errors import Invalid
from watchword.domain.events import Action, Event
from watchword.domain.ids import OrganizationId, is_uuid
from watchword.store.base import Store, Transaction
from watchword.store.base_trail import TrailQuery as TrailQuery  # noqa: PLC0414 - handed on to the surfaces

# Events that one statement looks at, and one search at most.
_PART = 10_000
MAX_SEARCHED = 100_000


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        events: newest first.
        before: the number before which the search goes on; 0 where the trail has no older events to look at.
        whole: whether the page is full; else the search stopped because it had looked at enough.
    """

    events: Sequence[Event]
    before: int
    whole: bool


async def search_trail(
    store: Store,
    owner: OrganizationId,
    asked: TrailQuery,
    *,
    since: int = 0,
    until: int = 0,
    before: int = 0,
    limit: int,
) -> Found:
    """Events of a trail that fit.

    Args:
        store: the database.
        owner: whose trail.
        asked: which events.
        since: not before this time, microseconds; 0 for none.
        until: before this time, microseconds; 0 for none.
        before: only events with a lower number; 0 for all.
        limit: how many at most.
    """

    async def bounds(tx: Transaction) -> tuple[int, int]:
        end = await tx.trail.last(owner) + 1
        top = min(end, before or end)
        if until:
            top = min(top, await _first_at(tx, owner, until, end))
        return top, await _first_at(tx, owner, since, end) if since else 1

    top, lowest = await store.read(bounds)
    stop = max(lowest, top - MAX_SEARCHED)
    found: list[Event] = []
    while top > stop and len(found) <= limit:
        low = max(stop, top - _PART)
        place, wanted = top, limit + 1 - len(found)
        found += await store.read(
            lambda tx: tx.trail.search(owner, asked, place, low - 1, wanted)  # noqa: B023 - awaited at once
        )
        top = low
        await asyncio.sleep(0)
    if len(found) > limit:
        return Found(found[:limit], found[limit - 1].sequence, whole=True)
    return Found(found, stop if stop > lowest else 0, whole=False)


async def _first_at(tx: Transaction, owner: OrganizationId, time: int, end: int) -> int:
    """Number of the first event at a time or after it, by halving: times rise with numbers."""
    low, high = 1, end
    while low < high:
        middle = (low + high) // 2
        event = await tx.trail.at(owner, middle)
        if event is not None and event.at < time:
            low = event.sequence + 1
        else:
            high = middle
    return low


async def read_query(tx: Transaction, *, action: str, who: str, token: str, agent: str) -> TrailQuery | None:
    """What people ask for, as the store understands it; None where nothing can fit.

    Args:
        tx: the unit of work.
        action: one action, or the beginning of several: `token.`.
        who: the id, the e-mail address or a part of the name of who did it.
        token: the id of a token.
        agent: the id of an agent.

    Raises:
        Invalid: there is no such action, or an id is none.
    """
    if action and not any(one == action or one.startswith(action) for one in Action):
        raise Invalid("There is no such event.", code="unknown_event")
    for text, code in ((token, "invalid_token_id"), (agent, "invalid_agent_id")):
        if text and not is_uuid(text):
            raise Invalid("Give the id as it stands on its page.", code=code)
    query = TrailQuery(action=action, token=token.lower(), agent=agent.lower())
    if is_uuid(who):
        return replace(query, actor_id=who.lower())
    if "@" in who:
        user = await tx.people.user_by_email(who.lower())
        return replace(query, actor_id=user.id) if user is not None else None
    return replace(query, actor_name=who)
