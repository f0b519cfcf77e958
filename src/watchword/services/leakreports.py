"""Reports of leaks: every item is looked up, becomes part of a case, is answered by the rules, and labelled.

A report is worked off in small units, so that no request waits for a large one; each item is idempotent,
so that a reporter who got no answer may send it all again.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from watchword.domain.errors import Conflict, Unavailable
from watchword.domain.events import Action
from watchword.domain.ids import LeakId, OrganizationId
from watchword.domain.leakpolicy import NOTIFY, LeakPolicy, Rule, responses_for
from watchword.domain.leaks import (
    MAX_SIGHTINGS,
    Evidence,
    Label,
    Leak,
    LeakState,
    Outcome,
    Report,
    Response,
    Sighting,
    Visibility,
    check_place,
    check_url,
)
from watchword.services.context import Caller, Context
from watchword.services.gathering import Gathering
from watchword.services.leakfinding import Finder, Item, Named, digest_of
from watchword.services.leakresponding import Done, Responder
from watchword.store.base import Duplicate, Transaction

# Items of one unit: few enough that no request waits for it to be felt.
_ITEMS = 10
# Items that are looked up in one reading, and revocations that are confirmed in one unit.
_READ, _CONFIRMED = 50, 100
_ATTEMPTS = 3
# Whatever was done about a token already, further reports do not do it again.
_ANSWERED = (Outcome.REVOKED, Outcome.ROTATING, Outcome.QUARANTINED, Outcome.HELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who reports.

    Attributes:
        name: as the settings name it; `possession`, `person` and `drill` are ours.
        visibility: of the places that it reports, unless an item says otherwise.
        rule: what follows whatever the policies say; None for what they say.
        drill: whether it is an exercise.
    """

    name: str
    visibility: Visibility = Visibility.PUBLIC
    rule: Rule | None = None
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of one item.

    Attributes:
        digest: SHA-256 of its value; empty for an item that named an id.
        live: whether the value passed when the item was looked at.
        leak: the case as it is now; None where the item is nothing of ours.
    """

    item: Item
    digest: bytes
    label: Label
    live: bool = False
    leak: Leak | None = None


@dataclass(slots=True)
class _Unit:
    """One unit of work of a report; the policies that it needs are read once."""

    tx: Transaction
    caller: Caller
    source: Source
    report: bytes = b""
    policies: dict[OrganizationId, LeakPolicy] = field(default_factory=dict)

    async def policy(self, organization_id: OrganizationId) -> LeakPolicy:
        """An organization's rules."""
        found = self.policies.get(organization_id)
        if found is None:
            found = self.policies[organization_id] = await self.tx.leaks.policy(organization_id)
        return found


@dataclass(slots=True)
class Reports:
    """Takes reports."""

    context: Context
    finder: Finder
    responder: Responder

    async def take(
        self, caller: Caller, source: Source, items: Sequence[Item], *, body: bytes, key_id: str = ""
    ) -> list[Answer]:
        """Work a report off; returns when everything in it is effective here.

        The same report again changes nothing and gets the same labels.

        Args:
            caller: who sent it, for the audit trail.
            source: the reporter, which was authenticated.
            items: what it names, in its order.
            body: the raw report.
            key_id: the key that signed it.

        Raises:
            Unavailable: the database cannot take it now; the reporter is to try again.
        """
        digest = hashlib.sha256(source.name.encode() + b"\0" + body).digest()
        if await self.context.store.read(lambda tx: tx.leaks.report(digest)) is not None:
            return await self.label(items)
        answers: list[Answer] = []
        unconfirmed: list[Done] = []
        for start in range(0, len(items), _ITEMS):
            taken, done = await self._take_some(caller, source, items[start : start + _ITEMS], digest)
            answers += taken
            self.responder.remember(done)
            unconfirmed += done
            if len(unconfirmed) >= _CONFIRMED:
                await self.responder.confirm(unconfirmed)
                unconfirmed = []
        await self.responder.confirm(unconfirmed)
        report = Report(
            digest=digest,
            reporter=source.name,
            key_id=key_id[:255],
            received_at=self.context.clock.now(),
            items=len(items),
            known=sum(answer.leak is not None for answer in answers),
            address=caller.address or "",
        )
        await self.context.store.write(lambda tx: tx.leaks.add_report(report))
        return answers

    async def label(self, items: Sequence[Item]) -> list[Answer]:
        """What is known of items; changes nothing."""
        answers: list[Answer] = []
        for start in range(0, len(items), _READ):
            some = items[start : start + _READ]
            answers += await self.context.store.read(lambda tx, some=some: self._label_in(tx, some))  # type: ignore[misc]
            await asyncio.sleep(0)  # others get their turn
        return answers

    async def _label_in(self, tx: Transaction, items: Sequence[Item]) -> list[Answer]:
        found = []
        for item in items:
            named = await self.finder.named_in(tx, item)
            leak = await tx.leaks.of_token(named.organization_id, named.token_id) if named else None
            found.append(_answer(item, named, leak))
        return found

    async def _take_some(
        self, caller: Caller, source: Source, items: Sequence[Item], report: bytes
    ) -> tuple[list[Answer], list[Done]]:
        async def work(tx: Transaction) -> tuple[list[Answer], list[Done]]:
            answers, done = [], []
            gathering = Gathering(tx)
            unit = _Unit(gathering.unit, caller, source, report)
            for item in items:
                named = await self.finder.named_in(tx, item)
                leak = None
                if named is not None:
                    made = await self._note_in(unit, item, named)
                    leak = made.leak
                    done.append(made)
                answers.append(_answer(item, named, leak))
            await gathering.write()
            return answers, done

        for _ in range(_ATTEMPTS):
            try:
                return await self.context.store.write(work)
            except (Duplicate, Conflict):  # somebody reported the same token at this moment
                continue
        raise Unavailable(
            "Others report the same tokens at this moment. Send the report again.", code="report_collides"
        )

    async def note_in(self, tx: Transaction, caller: Caller, source: Source, item: Item) -> Done | None:
        """Take one item inside a unit of work; None where it is nothing of ours. `settle` follows."""
        named = await self.finder.named_in(tx, item)
        return await self._note_in(_Unit(tx, caller, source), item, named) if named is not None else None

    async def _note_in(self, unit: "_Unit", item: Item, named: Named) -> Done:
        """Open the case of a token, or add to it; and answer as the rules say."""
        tx, caller, source = unit.tx, unit.caller, unit.source
        known = await tx.leaks.of_token(named.organization_id, named.token_id)
        seen = known if known is not None else self._fresh(source, item, named)
        grown = self._grown(seen, source, item, named)
        new_place = await self._see_in(unit, grown, item, named)
        done = Done(grown)
        if known is None:
            await tx.leaks.add(grown)
            await self._open_in(tx, caller, grown, item)
            known = grown
        fresh = new_place or seen is not known
        if _insists(source, seen, named) or self._answers(seen, grown, named, new_place=fresh):
            policy = await unit.policy(named.organization_id)
            rule = source.rule or policy.rule(named.kind, grown.visibility)
            if named.evidence is Evidence.ID or rule.response not in responses_for(named.kind):
                rule = NOTIFY
            open_again = replace(grown, state=LeakState.OPEN, closed_at=0, closed_by=None, telling=True)
            done = await self.responder.decide_in(
                tx, caller, open_again, named.token, rule, dry_run=policy.dry_run and source.rule is None
            )
        if new_place and seen is known and named.live:
            await self._seen_in(tx, caller, done.leak, item)
            if (item.visibility or source.visibility) is Visibility.PUBLIC:  # people are told once more
                done = replace(done, leak=replace(done.leak, telling=True))
        if not await tx.leaks.save(known, done.leak):
            raise Conflict("This leak was changed a moment ago.", code="changed_meanwhile")
        return replace(done, leak=replace(done.leak, revision=known.revision + 1))

    def _fresh(self, source: Source, item: Item, named: Named) -> Leak:
        now = self.context.clock.now()
        return Leak(
            organization_id=named.organization_id,
            id=LeakId(self.context.new_id()),
            token_id=named.token_id,
            kind=named.kind,
            state=LeakState.OPEN if named.live else LeakState.CLOSED,
            visibility=item.visibility or source.visibility,
            evidence=named.evidence,
            response=Response.NOTIFY,
            outcome=Outcome.NONE if named.live else Outcome.DEAD,
            reporter=source.name,
            exposed_at=_since(item, now),
            first_at=now,
            last_at=now,
            closed_at=0 if named.live else now,
            telling=named.live,
            drill=source.drill,
        )

    def _grown(self, leak: Leak, source: Source, item: Item, named: Named) -> Leak:
        """A case with one more sighting."""
        now = self.context.clock.now()
        return replace(
            leak,
            visibility=max(leak.visibility, item.visibility or source.visibility, key=lambda v: v.reach),
            evidence=max(leak.evidence, named.evidence, key=lambda e: e.weight),
            count=leak.count + 1,
            last_at=now,
            exposed_at=min(leak.exposed_at, _since(item, now)),
        )

    def _answers(self, before: Leak, after: Leak, named: Named, *, new_place: bool) -> bool:
        """Whether a sighting is to be answered: the token lives, nothing was done, and there is news."""
        worse = (before.visibility, before.evidence) != (after.visibility, after.evidence)
        if before.outcome is Outcome.HELD:  # what everybody can read now is not held any longer
            return named.live and worse
        return named.live and before.outcome not in _ANSWERED and (new_place or worse)

    async def _see_in(self, unit: "_Unit", leak: Leak, item: Item, named: Named) -> bool:
        """Keep the place; whether it is a new one."""
        tx, source = unit.tx, unit.source
        now = self.context.clock.now()
        url, place = self._shown(item), check_place(item.place)
        key = hashlib.sha256(f"{source.name}\0{url}\0{place}".encode()).hexdigest()[:32]
        sighting = Sighting(
            organization_id=leak.organization_id,
            leak_id=leak.id,
            key=key,
            reporter=source.name,
            url=url,
            place=place,
            visibility=item.visibility or source.visibility,
            evidence=named.evidence,
            report=unit.report.hex(),
            exposed_at=_since(item, now),
            first_at=now,
            last_at=now,
            count=1,
        )
        full = leak.count > MAX_SIGHTINGS  # there may be fewer places than sightings: then they are counted
        if full and await tx.leaks.count_sightings(leak.organization_id, leak.id) >= MAX_SIGHTINGS:
            return False
        return await tx.leaks.note(sighting)

    def _shown(self, item: Item) -> str:
        """The address of a place, without any value in it."""
        url = check_url(item.url)
        if item.value is not None:
            url = url.replace(item.value.reveal(), item.value.masked())
        return self.context.recogniser().masked(url)

    async def _open_in(self, tx: Transaction, caller: Caller, leak: Leak, item: Item) -> None:
        """Record a new case, with every organization that the token reaches."""
        details = _details(leak, item)
        subject = ("leak", leak.id)
        await self.context.record(tx, caller, Action.LEAK_OPENED, leak.organization_id, subject, details)
        for grant in await tx.policies.grants_of(leak.token_id):
            if not grant.ended_at and grant.organization_id != leak.organization_id:
                token = ("token", leak.token_id)
                await self.context.record(
                    tx, caller, Action.LEAK_OPENED, grant.organization_id, token, details
                )

    async def _seen_in(self, tx: Transaction, caller: Caller, leak: Leak, item: Item) -> None:
        await self.context.record(
            tx, caller, Action.LEAK_SEEN, leak.organization_id, ("leak", leak.id), _details(leak, item)
        )


def _since(item: Item, now: int) -> int:
    """Since when a value could be read, as far as the reporter says so; a time to come is none."""
    return item.exposed_at if 0 < item.exposed_at <= now else now


def _insists(source: Source, before: Leak, named: Named) -> bool:
    """Whether the reporter's own rule goes further than what was done so far: nothing holds it up then."""
    if source.rule is None or source.rule.response is not Response.REVOKE or not named.live:
        return False
    possible = named.evidence is not Evidence.ID and Response.REVOKE in responses_for(named.kind)
    return possible and before.outcome not in (Outcome.REVOKED, Outcome.FAILED)


def _details(leak: Leak, item: Item) -> dict[str, object]:
    return {
        "token_id": leak.token_id,
        "kind": leak.kind.value,
        "reporter": leak.reporter,
        "visibility": leak.visibility.value,
        "evidence": leak.evidence.value,
        "place": check_place(item.place),
        "drill": leak.drill,
    }


def _answer(item: Item, named: Named | None, leak: Leak | None) -> Answer:
    label = Label.TRUE_POSITIVE if named is not None else Label.FALSE_POSITIVE
    return Answer(item, digest_of(item), label, live=named is not None and named.live, leak=leak)
