"""Auditing: the trail as people read it, check it and take it away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from watchword.crypto.auditchain import public_key
from watchword.crypto.keys import KeyRing, Purpose
from watchword.domain.audittrail import Head, Report
from watchword.domain.eventcatalogue import subject_word, type_word
from watchword.domain.events import Event
from watchword.domain.ids import OrganizationId, TokenId
from watchword.services.trailcheck import TrailCheck
from watchword.store.base import Page, Store, Transaction

_PAGE = 500
# A filter reads at most this many events back.
MAX_SIFTED = 20_000
# Units that interleave may record ids out of order by a few places.
_NEIGHBOURS = 16
_NAMES = ("name", "description", "key", "email", "slug")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are asked for; what is empty asks for nothing.

    Attributes:
        types: words as the GraphQL enum has them.
        actors: ids of actors.
        subjects: ids of subjects.
        since: not before this time, microseconds; 0 for none.
        until: before this time, microseconds; 0 for none.
    """

    types: frozenset[str] = frozenset()
    actors: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    since: int = 0
    until: int = 0

    def fits(self, entry: "Entry") -> bool:
        """Whether an event is one of those asked for."""
        event = entry.event
        return (
            (not self.types or entry.type in self.types)
            and (not self.actors or event.actor_id in self.actors)
            and (not self.subjects or event.subject_id in self.subjects)
            and event.at >= self.since
            and (not self.until or event.at < self.until)
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with the words that clients know it by.

    Attributes:
        type: as the GraphQL enum has it.
        subject_type: as the GraphQL enum has it.
        subject_name: a name of the subject, where the event tells one.
        data: details.
    """

    event: Event
    type: str
    subject_type: str
    subject_name: str
    data: Mapping[str, object]


async def describe(tx: Transaction, event: Event) -> Entry:
    """An event with its words; of a token the kind is looked up where the event does not say it."""
    data: dict[str, object] = msgspec.json.decode(event.data)
    kind = str(data.get("kind", "")) if event.subject_kind == "token" else ""
    name = next((str(data[key]) for key in _NAMES if isinstance(data.get(key), str)), "")
    if event.subject_kind == "token" and (not kind or not name):
        token = await tx.tokens.find(event.organization_id, TokenId(event.subject_id))
        if token is not None:
            kind, name = kind or token.kind.value, name or token.description
    return Entry(event, type_word(event.action, kind), subject_word(event.subject_kind, kind), name, data)


async def latest(
    tx: Transaction, owner: OrganizationId, before: int, limit: int, asked: EventFilter | None = None
) -> list[Entry]:
    """Events before a sequence number (0: all), newest first.

    A filter reads back over at most `MAX_SIFTED` events.
    """
    found: list[Entry] = []
    read = 0
    while len(found) < limit and read < MAX_SIFTED:
        size = limit if asked is None else _PAGE
        page = await tx.trail.latest(owner, before, size)
        entries = [await describe(tx, event) for event in page]
        found += [entry for entry in entries if asked is None or asked.fits(entry)]
        if len(page) < size:
            break
        read, before = read + len(page), page[-1].sequence
    return found[:limit]


async def earlier(tx: Transaction, owner: OrganizationId, after: int, limit: int) -> list[Entry]:
    """Events that came after a sequence number, newest first: the page before that one."""
    return [await describe(tx, event) for event in reversed(await tx.audit.events(owner, after, limit))]


async def find_event(tx: Transaction, owner: OrganizationId, event_id: str) -> Entry | None:
    """An event by its id: ids rise with sequence numbers, so halving finds it without an index."""
    low, high = 1, await tx.trail.last(owner)
    while low < high:
        middle = (low + high) // 2
        event = await tx.trail.at(owner, middle)
        if event is not None and event.id < event_id:
            low = max(event.sequence, middle) + 1
        else:
            high = middle
    for event in await tx.audit.events(owner, max(low - _NEIGHBOURS, 0), 2 * _NEIGHBOURS):
        if event.id == event_id:
            return await describe(tx, event)
    return None


async def heads_page(tx: Transaction, owner: OrganizationId, page: Page) -> list[Head]:
    """Signed heads of a trail, newest first."""
    return list(await tx.trail.latest_heads(owner, page))


async def head_over(tx: Transaction, event: Event) -> Head | None:
    """The first signed head that covers an event; None while it is not sealed."""
    found = await tx.trail.heads(event.organization_id, event.sequence - 1, 1)
    return found[0] if found else None


def public_keys(keys: KeyRing) -> dict[int, bytes]:
    """Public keys of the heads, by number."""
    return {key.number: public_key(key) for key in keys.all(Purpose.AUDIT)}


async def events_of(store: Store, owner: OrganizationId) -> AsyncIterator[Event]:
    """Every event of a trail, in order; others have their turn between the parts that are read at once."""
    after = 0
    while True:
        start = after
        page = await store.read(lambda tx: tx.audit.events(owner, start, _PAGE))  # noqa: B023 - awaited at once
        for event in page:
            yield event
        if len(page) < _PAGE:
            return
        after = page[-1].sequence
        await asyncio.sleep(0)


async def heads_of(store: Store, owner: OrganizationId) -> list[Head]:
    """Every head that the database has of a trail, in order."""
    found: list[Head] = []
    while True:
        after = found[-1].sequence if found else 0
        page = await store.read(lambda tx: tx.trail.heads(owner, after, _PAGE))  # noqa: B023 - awaited at once
        found += page
        if len(page) < _PAGE:
            return found


async def check_trail(
    store: Store,
    owner: OrganizationId,
    published: Sequence[Head],
    keys: Mapping[int, bytes],
    told: Callable[[int], None] | None = None,
) -> Report:
    """Check an organization's trail in the database.

    Args:
        store: the database.
        owner: whose trail.
        published: heads from outside the database; without them truncation does not show.
        keys: public keys by number.
        told: hears of the number of each event that was checked.
    """
    # Heads first: an event that comes meanwhile is then not sealed yet, and not missing.
    check = TrailCheck(owner, await heads_of(store, owner), published, keys)
    async for event in events_of(store, owner):
        check.take(event)
        if told is not None:
            told(event.sequence)
    return check.finish()
